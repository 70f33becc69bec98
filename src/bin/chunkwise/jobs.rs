//! The jobs that a process with the ingestion service does, each in a task of its own.

use chunkwise::{
    db::Database,
    jobs::{self, Job},
    removal::Retire,
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::database::Place;

/// Runs them until `stop`.
pub(crate) async fn run(place: &Place, stop: &CancellationToken) {
    let mut jobs = Jobs { tasks: JoinSet::new(), database: &place.database, stop };
    jobs.start(Retire::default());
    while jobs.tasks.join_next().await.is_some() {}
}

/// Those that have been started.
struct Jobs<'a> {
    tasks: JoinSet<()>,
    database: &'a Database,
    stop: &'a CancellationToken,
}

impl Jobs<'_> {
    fn start<J: Job>(&mut self, job: J) {
        let (database, stop) = (self.database.clone(), self.stop.clone());
        self.tasks.spawn(async move { jobs::run(job, &database, &stop).await });
    }
}
