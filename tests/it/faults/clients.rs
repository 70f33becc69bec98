//! Clients whose every row can be told from every other, and who send again what was not acknowledged.

use std::{
    ops::Range,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::support::{App, TestDatabase};

/// A client that is not acknowledged for so long has found a fault.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Rows with the numbers of a range in their field `n`, under a key of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) rows: Range<u64>,
}

impl Batch {
    /// The `ordinal`th batch of so many rows.
    pub(crate) fn new(ordinal: u64, rows: u64) -> Self {
        Self { rows: ordinal * rows..(ordinal + 1) * rows }
    }

    pub(crate) fn key(&self) -> String {
        format!("batch-{}", self.rows.start)
    }

    pub(crate) fn body(&self) -> Vec<u8> {
        let line = |n: u64| format!("w,host=h{} n={n}i {}\n", n % 5, 1_700_000_000_000_000 + n);
        self.rows.clone().map(line).collect::<String>().into_bytes()
    }

    /// Sends it once; `None` if the connection broke.
    pub(crate) fn send(&self, app: &App) -> Option<u16> {
        let answer = app.try_post("/write?precision=us", &[("idempotency-key", &self.key())], &self.body())?;
        assert!(matches!(answer.status, 204 | 503), "{} {}", answer.status, String::from_utf8_lossy(&answer.body));
        assert_eq!(answer.status == 503, answer.header("retry-after").is_some());
        Some(answer.status)
    }

    /// Sends it until it is acknowledged.
    pub(crate) fn send_until_committed(&self, app: &App) {
        let begun = Instant::now();
        while self.send(app) != Some(204) {
            assert!(begun.elapsed() < PATIENCE, "{self:?} was not acknowledged");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// What clients have done.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) begun: Mutex<Vec<Batch>>,
    pub(crate) acknowledged: Mutex<Vec<Batch>>,
    next: AtomicU64,
    stop: AtomicBool,
}

impl Log {
    pub(crate) fn begun(&self) -> Vec<Batch> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn acknowledged(&self) -> Vec<Batch> {
        self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets clients end after what they are at.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    fn begin(&self) -> Batch {
        let batch = Batch::new(self.next.fetch_add(1, Ordering::Relaxed), ROWS);
        self.begun.lock().unwrap_or_else(PoisonError::into_inner).push(batch.clone());
        batch
    }

    fn acknowledge(&self, batch: Batch) {
        self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).push(batch);
    }
}

/// Rows of a client's batch.
pub(crate) const ROWS: u64 = 20;

/// What a client does when it is not acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Otherwise {
    /// It sends the batch again.
    Again,
    /// It ends; somebody else sends it again.
    End,
}

/// Clients that write until they are stopped.
pub(crate) fn clients(count: usize, app: &Arc<App>, log: &Arc<Log>, otherwise: Otherwise) -> Vec<JoinHandle<()>> {
    let client = |app: Arc<App>, log: Arc<Log>| {
        move || {
            while !log.stop.load(Ordering::Relaxed) {
                let batch = log.begin();
                match otherwise {
                    Otherwise::Again => batch.send_until_committed(&app),
                    Otherwise::End if batch.send(&app) == Some(204) => {}
                    Otherwise::End => return,
                }
                log.acknowledge(batch);
            }
        }
    };
    (0..count).map(|_| thread::spawn(client(Arc::clone(app), Arc::clone(log)))).collect()
}

/// Waits for clients, and passes on their failures.
pub(crate) fn join(clients: Vec<JoinHandle<()>>) {
    for client in clients {
        client.join().unwrap();
    }
}

/// Waits until a condition holds, with the thread: clients here have threads of their own.
pub(crate) fn block_until(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < limit, "{what}: not within {limit:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Every row of the batches is there.
pub(crate) async fn assert_present(database: &TestDatabase, batches: &[Batch]) {
    if batches.is_empty() {
        return;
    }
    let there: Vec<i64> = sqlx::query_scalar("SELECT DISTINCT n FROM w ORDER BY n")
        .fetch_all(&mut database.connect().await)
        .await
        .unwrap();
    let is_there = |n: u64| there.binary_search(&i64::try_from(n).unwrap()).is_ok();
    let lost: Vec<u64> = batches.iter().flat_map(|batch| batch.rows.clone()).filter(|n| !is_there(*n)).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
}

/// Every row of the batches is there once, and nothing else.
pub(crate) async fn assert_each_once(database: &TestDatabase, batches: &[Batch]) {
    let expected: u64 = batches.iter().map(|batch| batch.rows.end - batch.rows.start).sum();
    assert_present(database, batches).await;
    let (rows, numbers): (i64, i64) = sqlx::query_as("SELECT count(*), count(DISTINCT n) FROM w")
        .fetch_one(&mut database.connect().await)
        .await
        .unwrap();
    assert_eq!((rows.unsigned_abs(), numbers.unsigned_abs()), (expected, expected));
}
