//! The jobs that a process with the ingestion service does, each in a task of its own.

use chunkwise::{
    config::Config,
    db::Database,
    jobs::{self, Job},
    life::{DropJob, IntervalJob, LifeOptions, SealJob},
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::database::Place;

/// Runs them until `stop`.
pub(crate) async fn run(place: &Place, config: &Config, stop: &CancellationToken) {
    let mut jobs = Jobs { tasks: JoinSet::new(), database: &place.database, stop };
    jobs.start(SealJob::new(life_options(config)));
    jobs.start(DropJob::new(life_options(config)));
    jobs.start(IntervalJob);
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

/// The settings, as the life of chunks takes them.
pub(crate) fn life_options(config: &Config) -> LifeOptions {
    LifeOptions { seal_after: config.chunk.seal_after, quiet: config.chunk.quiet_period }
}
