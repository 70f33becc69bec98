//! The service that routes, loads and feeds hand their requests to.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde::Serialize;
use tokio::{
    sync::{Mutex, Semaphore, mpsc, oneshot},
    task::JoinSet,
};

use super::{
    Refused, housekeeping, isolate,
    prepare::Prepared,
    request::{PartialWrites, Repetition, WriteRequest},
    room::{Room, Rooms},
    transaction::{Entry, Outcome},
    writer::{self, Job},
};
use crate::{
    db::{Database, Failure, classify},
    hypertable::{Growth, SchemaLimits, check_namespace},
    series::SeriesIds,
};

/// How the service works; the defaults suit one machine.
#[derive(Debug, Clone)]
pub struct IngestOptions {
    /// A line so far ahead of the clock is refused, in microseconds.
    pub ahead_us: i64,
    /// Memory of all requests under way, in bytes; beyond it requests are told to come back.
    pub queue_bytes: usize,
    /// Transactions at once. More than the server has cores gains nothing.
    pub writers: usize,
    /// When two requests without a key are the same.
    pub repetition: Repetition,
    /// How long the ledger keeps a client's key.
    pub key_keep: Duration,
    /// How far schemas may grow.
    pub schema: SchemaLimits,
}

impl Default for IngestOptions {
    fn default() -> Self {
        Self {
            ahead_us: 86_400_000_000,
            queue_bytes: 256 << 20,
            writers: 3,
            repetition: Repetition::SameBody { within: Duration::from_secs(3600) },
            key_keep: Duration::from_secs(7 * 86_400),
            schema: SchemaLimits::default(),
        }
    }
}

/// How safe a written request is. The weaker is the greater.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ack {
    /// COMMIT returned, with `synchronous_commit = on`.
    #[default]
    Committed,
    /// The database is away; the lines are on this machine's disk and will be committed when it is back.
    Spooled,
}

impl Ack {
    /// Its name in answers.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::Spooled => "spooled",
        }
    }
}

/// What became of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// How safe it is.
    pub ack: Ack,
    /// Rows committed; of a repetition, those that the first request committed.
    pub written: u64,
    /// Lines refused, in order.
    pub refused: Vec<Refused>,
    /// How many of them only the database refused: they are kept as dead letters.
    pub dead_lettered: u64,
    /// The ledger had it already, and nothing was written now.
    pub duplicate: bool,
}

/// Why a request was not written.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// Lines are bad and the request asked for all or nothing.
    #[error("nothing was written: {} of the request's lines are bad, and it asked for all or nothing", .0.len())]
    AllOrNothing(Vec<Refused>),
    /// The namespace cannot be had; the text says why.
    #[error("{0}")]
    Namespace(String),
    /// The key was used with another body.
    #[error("the Idempotency-Key was used before with another body: use a new key for new data")]
    KeyMismatch,
    /// More rows at once than may wait.
    #[error(
        "the request takes {bytes} bytes, more than the {limit_bytes} of all together: send it in several requests"
    )]
    TooLarge {
        /// What they take.
        bytes: usize,
        /// What may wait.
        limit_bytes: usize,
    },
    /// Too much waits already.
    #[error("the writers are behind: send it again in a few seconds")]
    Overloaded,
    /// The database is away.
    #[error("the database is unavailable: send it again in a few seconds")]
    Unavailable(#[source] Option<Arc<sqlx::Error>>),
    /// The measurement was dropped or made anew in the meantime.
    #[error("the measurement was dropped while it was written to: send it again")]
    Stale,
    /// What the database refused could not be told apart by row: a constraint that somebody added to a series table.
    #[error("the database refused the rows")]
    Database(#[source] Arc<sqlx::Error>),
}

impl IngestError {
    pub(super) fn database(error: sqlx::Error) -> Self {
        match classify(&error) {
            Failure::Unavailable | Failure::Contention | Failure::Timeout => Self::Unavailable(Some(Arc::new(error))),
            Failure::Stale => Self::Stale,
            Failure::Data => Self::Database(Arc::new(error)),
            Failure::Defect => {
                // Nobody knows that the rows are at fault, so their sender keeps them.
                tracing::error!(error = %error, "the database failed in an unknown way; rows are sent back");
                Self::Unavailable(Some(Arc::new(error)))
            }
        }
    }

    /// Whether the same may work a little later.
    pub(super) fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    /// The same error for the next of several requests that it befell.
    pub(super) fn again(&self) -> Self {
        match self {
            Self::Unavailable(source) => Self::Unavailable(source.clone()),
            Self::Database(source) => Self::Database(Arc::clone(source)),
            _ => Self::Stale,
        }
    }
}

/// Lines by what became of them, since the process started. `received` is the sum of the others at any quiet moment.
#[derive(Debug, Default)]
pub struct Counters {
    received: AtomicU64,
    committed: AtomicU64,
    refused: AtomicU64,
    dead_lettered: AtomicU64,
    duplicate: AtomicU64,
    failed: AtomicU64,
    requests: AtomicU64,
}

/// [`Counters`] at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct CounterValues {
    /// Lines that arrived.
    pub received: u64,
    /// Lines in rows that were committed.
    pub committed: u64,
    /// Lines that were refused.
    pub refused: u64,
    /// Lines whose rows the database refused, and which are kept as dead letters.
    pub dead_lettered: u64,
    /// Lines of repeated requests.
    pub duplicate: u64,
    /// Lines of requests that were sent back whole: database away, writers behind, all or nothing.
    pub failed: u64,
    /// Lines on their way.
    pub in_flight: u64,
    /// Requests that arrived.
    pub requests: u64,
}

impl Counters {
    /// The figures now.
    #[must_use]
    pub fn values(&self) -> CounterValues {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (committed, refused, dead_lettered) =
            (load(&self.committed), load(&self.refused), load(&self.dead_lettered));
        let (duplicate, failed) = (load(&self.duplicate), load(&self.failed));
        let received = load(&self.received);
        let in_flight = received.saturating_sub(committed + refused + dead_lettered + duplicate + failed);
        let requests = load(&self.requests);
        CounterValues { received, committed, refused, dead_lettered, duplicate, failed, in_flight, requests }
    }
}

fn count(counter: &AtomicU64, name: &'static str, lines: u64) {
    counter.fetch_add(lines, Ordering::Relaxed);
    metrics::counter!("chunkwise_ingest_lines_total", "outcome" => name).increment(lines);
}

/// What preparing needs.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) database: Database,
    pub(super) growth: Growth,
    pub(super) ids: SeriesIds,
    pub(super) options: IngestOptions,
    /// Whoever makes series takes turns: a connection each would use up the server's.
    pub(super) making_series: Semaphore,
}

impl Core {
    fn forget(&self, namespace: &str, measurement: &str) {
        if let Some(known) = self.growth.catalog().get(namespace, measurement) {
            self.growth.catalog().forget(namespace, measurement);
            self.ids.forget(&known);
        }
    }
}

/// The ingestion service. Cheap to clone. [`shut_down`](Self::shut_down) lets the writers finish what waits; without it
/// they end where they are when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct Ingest {
    core: Arc<Core>,
    counters: Arc<Counters>,
    queue: mpsc::UnboundedSender<Job>,
    rooms: Rooms,
    tasks: Arc<Mutex<JoinSet<()>>>,
}

impl Ingest {
    /// Starts the writers; must be called within a tokio runtime. The database need not be reachable yet.
    #[must_use]
    pub fn start(database: Database, options: IngestOptions) -> Self {
        let (queue, receiver) = mpsc::unbounded_channel();
        let receiver = Arc::new(Mutex::new(receiver));
        let mut tasks = JoinSet::new();
        let (poisoned, refused_whole) = mpsc::unbounded_channel();
        for _ in 0..options.writers.max(1) {
            tasks.spawn(writer::run(database.clone(), Arc::clone(&receiver), poisoned.clone()));
        }
        tasks.spawn(isolate::run(database.clone(), refused_whole));
        tasks.spawn(housekeeping::run(database.clone(), queue.downgrade()));
        let rooms = Rooms::new(options.queue_bytes);
        let growth = Growth::new(database.clone(), options.schema);
        let core =
            Arc::new(Core { database, growth, ids: SeriesIds::default(), options, making_series: Semaphore::new(2) });
        Self { core, counters: Arc::default(), queue, rooms, tasks: Arc::new(Mutex::new(tasks)) }
    }

    /// What became of lines so far.
    #[must_use]
    pub fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// How the service works.
    #[must_use]
    pub fn options(&self) -> &IngestOptions {
        &self.core.options
    }

    /// The database that it writes to.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.core.database
    }

    /// Waits until everything that was taken is committed or answered, and ends the writers. Call it on the last clone.
    pub async fn shut_down(self) {
        let Self { queue, tasks, .. } = self;
        drop(queue);
        let mut tasks = tasks.lock().await;
        while tasks.join_next().await.is_some() {}
    }

    /// Waits until a request with a body of so many (inflated) bytes may come in. For protocols that can hold their client
    /// back by not reading on.
    ///
    /// # Errors
    /// [`IngestError::TooLarge`] if it never could.
    pub async fn reserve(&self, body_bytes: usize) -> Result<Room, IngestError> {
        self.rooms.reserve(body_bytes).await
    }

    /// Lets a request with a body of so many (inflated) bytes in, or tells it to come back. For protocols whose clients
    /// try again.
    ///
    /// # Errors
    /// [`IngestError::Overloaded`] if there is no room now, [`IngestError::TooLarge`] if there never could be.
    pub fn try_reserve(&self, body_bytes: usize) -> Result<Room, IngestError> {
        self.rooms.try_reserve(body_bytes)
    }

    /// Writes a request and returns once it is committed.
    ///
    /// Not to be cancelled lightly: a caller that may go away (an HTTP handler) spawns it. Cancelled, the request is
    /// either committed whole or not at all, and nobody is told which.
    ///
    /// # Errors
    /// See [`IngestError`]; then nothing was written, or nobody knows, and the same id makes a second attempt harmless.
    pub async fn write(&self, request: WriteRequest<'_>) -> Result<Written, IngestError> {
        let lines = (request.lines.len() + request.unreadable.len()) as u64;
        self.counters.requests.fetch_add(1, Ordering::Relaxed);
        count(&self.counters.received, "received", lines);
        let result = self.write_uncounted(request).await;
        match &result {
            Ok(written) if written.duplicate => count(&self.counters.duplicate, "duplicate", lines),
            Ok(written) => {
                let refused = (written.refused.len() as u64).saturating_sub(written.dead_lettered);
                count(&self.counters.committed, "committed", written.written);
                count(&self.counters.refused, "refused", refused);
                count(&self.counters.dead_lettered, "dead_lettered", written.dead_lettered);
            }
            Err(_) => count(&self.counters.failed, "failed", lines),
        }
        result
    }

    async fn write_uncounted(&self, request: WriteRequest<'_>) -> Result<Written, IngestError> {
        let WriteRequest {
            protocol: source,
            room: _room,
            namespace,
            mut lines,
            body,
            unreadable,
            id,
            partial,
            interval_us,
        } = request;
        check_namespace(namespace).map_err(|error| IngestError::Namespace(error.to_string()))?;
        // A measurement can be remade between preparing and writing; twice in a row would be somebody's script.
        for _ in 0..3 {
            let prepared = match self.core.prepare(namespace, &mut lines, body, interval_us).await {
                Err(IngestError::Stale) => {
                    for line in &lines {
                        self.core.forget(namespace, &line.measurement);
                    }
                    continue;
                }
                prepared => prepared?,
            };
            let Prepared { parts, mut refused, rows } = prepared;
            refused.extend_from_slice(&unreadable);
            refused.sort_by_key(|refused| refused.line);
            if partial == PartialWrites::Refuse && !refused.is_empty() {
                return Err(IngestError::AllOrNothing(refused));
            }
            if rows == 0 {
                return Ok(Written { refused, ..Written::default() });
            }
            match self.enqueue(Entry { id, parts, rows, refused: refused.clone(), source, partial }).await {
                Ok(Outcome::Committed) => {
                    return Ok(Written { written: rows as u64, refused, ..Written::default() });
                }
                Ok(Outcome::Partial { written, refused, dead_lettered }) => {
                    return Ok(Written { written, refused, dead_lettered, ..Written::default() });
                }
                Ok(Outcome::Refused(refused)) => return Err(IngestError::AllOrNothing(refused)),
                Ok(Outcome::Duplicate { body_hash, .. }) if body_hash != id.body_hash => {
                    return Err(IngestError::KeyMismatch);
                }
                Ok(Outcome::Duplicate { written, refused, dead_lettered, .. }) => {
                    return Ok(Written { ack: Ack::Committed, written, refused, dead_lettered, duplicate: true });
                }
                Err(IngestError::Stale) => {
                    for line in &lines {
                        self.core.forget(namespace, &line.measurement);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Err(IngestError::Stale)
    }

    async fn enqueue(&self, entry: Entry) -> Result<Outcome, IngestError> {
        let (reply, answer) = oneshot::channel();
        self.queue.send(Job { entry, reply }).map_err(|_| IngestError::Unavailable(None))?;
        answer.await.map_err(|_| IngestError::Unavailable(None))?
    }
}
