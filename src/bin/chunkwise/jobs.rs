//! The jobs that a process with the ingestion service does, each in a task of its own, on threads of their own: an
//! acknowledgement must not wait for a piece of a job's work.

use std::io;

use chunkwise::{
    batch::Recent,
    config::{Config, RollupLevel, SetOrNot},
    db::Database,
    jobs::{self, Job, Priority, SharedCores},
    life::{DropJob, IntervalJob, LifeOptions, SealJob},
    removal::Retire,
    rollup::{AllSettings, Level, RollupSettings, Rollups},
};
use tokio::{
    runtime::{Builder, Handle, Runtime},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::database::Place;

/// Sealing has one and rollups have one; the other jobs have next to nothing to do, and others may wait for it: they are
/// where requests are.
const THREADS: usize = 2;

/// The threads of jobs; what they do ends where it is when this is dropped.
#[derive(Debug)]
pub(crate) struct Threads(Option<Runtime>);

impl Threads {
    /// # Errors
    /// The system's, where it gives no more of them.
    pub(crate) fn start() -> io::Result<Self> {
        let threads = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("jobs")
            .on_thread_start(jobs::lower_own_thread)
            .enable_all()
            .build()?;
        Ok(Self(Some(threads)))
    }

    /// Runs the jobs until `stop`; `recent` is where this process leaves what it writes.
    pub(crate) async fn run(&self, place: &Place, config: &Config, recent: Recent, stop: &CancellationToken) {
        let Some(threads) = &self.0 else { return };
        let mut jobs = Jobs { tasks: JoinSet::new(), threads: threads.handle(), database: &place.database, stop };
        let cores = SharedCores::default();
        jobs.start(SealJob::new(life_options(config)).on(cores.clone()));
        jobs.start(DropJob::new(life_options(config)));
        jobs.start(IntervalJob);
        jobs.start(Rollups::new(rollup_settings(config)).reading(recent).on(cores));
        jobs.start(Retire::default());
        while jobs.tasks.join_next().await.is_some() {}
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(threads) = self.0.take() {
            // It would wait for them, which a task may not.
            threads.shutdown_background();
        }
    }
}

/// Those that have been started.
struct Jobs<'a> {
    tasks: JoinSet<()>,
    threads: &'a Handle,
    database: &'a Database,
    stop: &'a CancellationToken,
}

impl Jobs<'_> {
    fn start<J: Job>(&mut self, job: J) {
        let (database, stop) = (self.database.clone(), self.stop.clone());
        let task = async move { jobs::run(job, &database, &stop).await };
        match J::PRIORITY {
            Priority::Lowest => self.tasks.spawn_on(task, self.threads),
            Priority::Usual => self.tasks.spawn(task),
        };
    }
}

/// The settings, as the life of chunks takes them.
pub(crate) fn life_options(config: &Config) -> LifeOptions {
    LifeOptions { seal_after: config.chunk.seal_after, quiet: config.chunk.quiet_period }
}

/// The settings, as rollups take them.
fn rollup_settings(config: &Config) -> AllSettings {
    let levels = |levels: &[RollupLevel]| {
        let mut levels: Vec<Level> = levels.iter().copied().map(level).collect();
        levels.sort_unstable();
        levels.dedup();
        levels
    };
    let usual = RollupSettings { levels: levels(&config.rollups), ..RollupSettings::default() };
    let own = config.measurement.iter().map(|(name, measurement)| {
        let mut own = usual.clone();
        if let Some(rollups) = &measurement.rollups {
            own.levels = levels(rollups);
        }
        if let Some(bars) = &measurement.bars {
            (own.price, own.size) = (Some(bars.price.clone()), bars.size.clone());
        }
        if let Some(SetOrNot::For(time)) = measurement.bars_retention {
            own.retention = Some(time);
        }
        ((config.namespace.clone(), name.clone()), own)
    });
    AllSettings { own: own.collect(), usual: usual.clone() }
}

fn level(level: RollupLevel) -> Level {
    match level {
        RollupLevel::Minute => Level::Minute,
        RollupLevel::FiveMinutes => Level::FiveMinutes,
        RollupLevel::Hour => Level::Hour,
        RollupLevel::Day => Level::Day,
    }
}
