//! Seals chunks behind a load, on a session of its own, while the load goes on.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chunkwise::{
    db::{Database, Role, check_server},
    hypertable::load_measurement,
    life::{Behind, LifeOptions, Pace, Passage, Sealer, seal_passed},
};
use sqlx::PgConnection;
use tokio::{sync::watch, task::JoinHandle};

/// After a failure of the database; what has been passed meanwhile is sealed then.
const AGAIN: Duration = Duration::from_secs(5);

/// How far the load is, and which measurements its rows are of.
#[derive(Debug, Clone)]
struct Told {
    behind: Behind,
    measurements: BTreeSet<String>,
}

/// Follows a load. Dropped, it leaves what is not sealed to `up` or `ingest`: the rows are committed.
#[derive(Debug)]
pub(crate) struct Passing {
    so_far: Mutex<(Passage, BTreeSet<String>)>,
    told: watch::Sender<Option<Told>>,
    task: JoinHandle<()>,
}

impl Passing {
    /// Follows a load that has not begun.
    pub(crate) fn start(database: Database, namespace: Arc<str>, options: LifeOptions) -> Self {
        let (told, hears) = watch::channel(None);
        let sealing = Sealing { database, namespace, options, pace: Pace::default(), session: None };
        Self { so_far: Mutex::default(), told, task: tokio::spawn(sealing.run(hears)) }
    }

    /// The next part, in the order of the file, is committed, by this load or by an earlier one, with rows of these times and
    /// measurements.
    pub(crate) fn part(&self, times_us: Vec<i64>, mut measurements: BTreeSet<String>) {
        let mut so_far = self.so_far.lock().unwrap_or_else(PoisonError::into_inner);
        let (passage, all) = &mut *so_far;
        all.append(&mut measurements);
        if let Some(passed_us) = passage.part(times_us) {
            self.told.send_replace(Some(Told { behind: Behind::Before(passed_us), measurements: all.clone() }));
        }
    }

    /// The load has ended: seals what is left, and waits for it.
    pub(crate) async fn finish(mut self) {
        let measurements = self.so_far.lock().unwrap_or_else(PoisonError::into_inner).1.clone();
        self.told.send_replace(Some(Told { behind: Behind::Everything, measurements }));
        if let Err(error) = (&mut self.task).await {
            tracing::warn!(error = %error, "chunks that the load has passed are left to be sealed later");
        }
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Sealing {
    database: Database,
    namespace: Arc<str>,
    options: LifeOptions,
    pace: Pace,
    session: Option<(PgConnection, Sealer)>,
}

impl Sealing {
    async fn run(mut self, mut hears: watch::Receiver<Option<Told>>) {
        let mut count = 0;
        while hears.changed().await.is_ok() {
            let Some(Told { behind, measurements }) = hears.borrow_and_update().clone() else { continue };
            let mut sealed = self.seal(behind, &measurements).await;
            if sealed.is_err() && behind == Behind::Everything {
                // The session may have been one that broke long ago.
                self.session = None;
                sealed = self.seal(behind, &measurements).await;
            }
            match (sealed, behind) {
                (Ok(sealed), Behind::Before(_)) => count += sealed,
                (Ok(sealed), Behind::Everything) => {
                    tracing::info!(chunks = count + sealed, "what the load has passed is sealed");
                    return;
                }
                (Err(error), Behind::Before(_)) => {
                    tracing::debug!("chunks that the load has passed are sealed later: {error:#}");
                    self.session = None;
                    tokio::time::sleep(AGAIN).await;
                }
                (Err(error), Behind::Everything) => {
                    tracing::warn!("chunks that the load has passed are left to be sealed later: {error:#}");
                    return;
                }
            }
        }
    }

    async fn seal(&mut self, behind: Behind, measurements: &BTreeSet<String>) -> anyhow::Result<usize> {
        let (connection, sealer) = match &mut self.session {
            Some(session) => session,
            none => {
                let mut connection = self.database.connect(Role::Owner).await?;
                let edition = check_server(&mut connection).await?.edition;
                none.insert((connection, Sealer { edition, database: self.database.clone() }))
            }
        };
        let mut count = 0;
        for name in measurements {
            // One whose lines were all refused may not be there.
            let Some(measurement) = load_measurement(connection, &self.namespace, name).await? else { continue };
            count += seal_passed(connection, sealer, self.options, measurement.id, behind, &mut self.pace).await?;
        }
        Ok(count)
    }
}
