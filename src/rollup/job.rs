//! The job that keeps rollups and last values.

use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, Instant},
};

use sqlx::{PgConnection, Row};

use super::{
    Level, RollupSettings, Shape,
    cut::LAG_US,
    fresh::Fresh,
    make::{self, LATEST_STEP_US, STILL_WRITTEN_TO, Target},
    observe::{READER, add, observe},
    read::RollupError,
    source::Source,
    sql::LATEST,
    tables::{self, Made},
};
use crate::{
    batch::Recent,
    db::{Database, Failure, classify},
    hypertable::{Measurement, changes, load_measurement},
    jobs::{Job, JobError, Next, SharedCores, Turn},
};

/// How often is looked for news: rollups are at most so far behind, but for what takes longer to make.
const EVERY: Duration = Duration::from_secs(2);
/// And so often where much comes in.
const SOON: Duration = Duration::from_millis(200);
/// What one measurement may take before the others have their turn.
const SHARE: Duration = Duration::from_secs(2);
/// A measurement that was made a moment ago is still growing: tables are made, and views replaced, once.
const YOUNG: Duration = Duration::from_secs(1);
/// So long they wait for another job: they are to be seconds behind at most.
const CORE_PATIENCE: Duration = Duration::from_secs(1);
/// How often old bars are looked for.
const EXPIRE_EVERY: Duration = Duration::from_secs(600);

/// The settings of all measurements.
#[derive(Debug, Clone, Default)]
pub struct AllSettings {
    /// Of those that have none of their own.
    pub usual: RollupSettings,
    /// By the measurement's namespace and name.
    pub own: HashMap<(String, String), RollupSettings>,
}

impl AllSettings {
    fn of(&self, measurement: &Measurement) -> &RollupSettings {
        self.own.get(&(measurement.namespace.clone(), measurement.name.clone())).unwrap_or(&self.usual)
    }
}

/// Whether a measurement is to have last values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LastValues {
    /// It is.
    Wanted,
    /// It is not.
    Unwanted,
}

/// What is to be there of one measurement, and what is there and is to go.
struct Plan {
    settings: RollupSettings,
    latest: LastValues,
    unwanted: Vec<Target>,
}

/// Keeps rollups and last values of all measurements.
#[derive(Debug)]
pub struct Rollups {
    settings: AllSettings,
    young: Duration,
    /// Measurements of which more is left to do than their share allowed.
    unfinished: BTreeSet<i32>,
    /// Measurements that failed.
    failed: BTreeSet<i32>,
    /// What is kept although it is not wanted, and has been told.
    reported: BTreeSet<(i32, Target)>,
    source: Source,
    cores: SharedCores,
    started: bool,
    expired_at: Option<Instant>,
}

impl Rollups {
    /// With these settings.
    #[must_use]
    pub fn new(settings: AllSettings) -> Self {
        let (unfinished, failed, reported, source) = Default::default();
        let (cores, young) = (SharedCores::default(), YOUNG);
        Self { settings, young, unfinished, failed, reported, source, cores, started: false, expired_at: None }
    }

    /// Makes them of what writers of this process leave there, where that is all that there is to read.
    #[must_use]
    pub fn reading(mut self, recent: Recent) -> Self {
        self.source.fresh = Fresh::of(recent);
        self
    }

    /// As a job they are made on one of these.
    #[must_use]
    pub fn on(self, cores: SharedCores) -> Self {
        Self { cores, ..self }
    }

    /// Also of measurements that were made a moment ago.
    #[must_use]
    pub fn of_young_ones_too(self) -> Self {
        Self { young: Duration::ZERO, ..self }
    }

    /// Makes what there is to make, a few seconds' worth. True where more is left. Where that is much, rows are read on a
    /// session of the owner's beside `connection`.
    ///
    /// # Errors
    /// Those after which the connection is of no use. Others cost their measurement its turn.
    pub async fn round(&mut self, connection: &mut PgConnection, database: &Database) -> Result<bool, RollupError> {
        let made = self.all(connection, database).await;
        if made.is_err() {
            self.source.fresh.forget_all();
        }
        made
    }

    async fn all(&mut self, connection: &mut PgConnection, database: &Database) -> Result<bool, RollupError> {
        self.source.fresh.follow();
        self.source.leaves_newest = false;
        changes::mark(connection).await?;
        self.expire(connection).await?;
        let mut waiting = std::mem::take(&mut self.unfinished);
        waiting.append(&mut self.failed);
        waiting.extend(changes::with_news(connection, READER).await?);
        waiting.extend(self.due(connection).await?);
        self.started = true;
        for id in waiting {
            let Some(measurement) = self.find(connection, id).await? else { continue };
            match self.one(connection, database, &measurement).await {
                Ok(false) => {}
                Ok(true) => {
                    self.unfinished.insert(id);
                }
                Err(RollupError::Database(error)) if classify(&error) != Failure::Unavailable => {
                    self.failed.insert(id);
                    self.source.fresh.forget(id);
                    let (measurement, error) = (&measurement.name, &error);
                    match classify(error) {
                        // Somebody reads the views, or the measurement has just changed.
                        Failure::Contention | Failure::Stale => {
                            tracing::debug!(measurement, error = %error, "rollups are tried again");
                        }
                        _ => tracing::warn!(measurement, error = %error, "rollups were not made; they are tried again"),
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(!self.unfinished.is_empty())
    }

    /// Measurements whose newest rows are now old enough, and those with something pending.
    async fn due(&self, connection: &mut PgConnection) -> Result<BTreeSet<i32>, sqlx::Error> {
        if !self.started {
            let all: Vec<i32> =
                sqlx::query_scalar("SELECT measurement_id FROM chunkwise.rollup").fetch_all(connection).await?;
            return Ok(all.into_iter().collect());
        }
        let rows = sqlx::query(
            "SELECT measurement_id, level, extract(epoch FROM now() - watermark)::float8 * 1000000 AS age
             FROM chunkwise.rollup JOIN chunkwise.rollup_level USING (measurement_id)
             WHERE watermark <= newest AND watermark < now() - interval '20 seconds' AND isfinite(watermark)
             UNION ALL SELECT DISTINCT measurement_id, NULL, NULL::float8 FROM chunkwise.rollup_pending",
        )
        .fetch_all(connection)
        .await?;
        let mut due = BTreeSet::new();
        for row in rows {
            let id = row.try_get("measurement_id")?;
            let is_due = match row.try_get::<Option<&str>, _>("level")? {
                None => true,
                Some(level) => {
                    let width_us = match level {
                        LATEST => LATEST_STEP_US,
                        level => level.parse::<Level>().map_or(i64::MAX, Level::width_us),
                    };
                    row.try_get::<f64, _>("age")? > LAG_US as f64 + width_us as f64
                }
            };
            if is_due {
                due.insert(id);
            }
        }
        Ok(due)
    }

    async fn find(&self, connection: &mut PgConnection, id: i32) -> Result<Option<Measurement>, sqlx::Error> {
        let row: Option<(String, String)> = sqlx::query_as(
            "SELECT namespace, name FROM chunkwise.measurement
             WHERE id = $1 AND created_at <= now() - make_interval(secs => $2)
                 AND to_regclass(format('%I.%I', namespace || '_store', relation)) IS NOT NULL",
        )
        .bind(id)
        .bind(self.young.as_secs_f64())
        .fetch_optional(&mut *connection)
        .await?;
        let Some((namespace, name)) = row else { return Ok(None) };
        Ok(load_measurement(connection, &namespace, &name).await?.filter(|measurement| measurement.id == id))
    }

    /// One measurement's share; true where more is left.
    async fn one(
        &mut self,
        connection: &mut PgConnection,
        database: &Database,
        measurement: &Measurement,
    ) -> Result<bool, RollupError> {
        let deadline = Instant::now() + SHARE;
        let settings = self.settings.of(measurement).clone();
        let plan = self.plan(connection, measurement, settings).await?;
        let found = observe(connection, measurement, &plan.settings.levels, plan.latest).await?;
        let Some(found) = found else { return Ok(false) };
        self.source.fresh.looked(measurement.id, &found);
        // Read after what has changed: what was changed had these fields at most.
        let measurement = load_measurement(connection, &measurement.namespace, &measurement.name).await?;
        let Some(measurement) = measurement else { return Ok(false) };
        let mut shape = Shape::of(connection, measurement, &plan.settings).await?;
        if plan.latest == LastValues::Unwanted {
            shape.latest.clear();
        }
        let nothing = shape.levels.is_empty() && shape.latest.is_empty();
        if !nothing {
            // Before levels are removed: wider ones that stay are made of others from now on.
            let made = tables::ensure(connection, &shape).await?;
            let all = [changes::Stretch::ALL];
            if let (Made::OtherWeighting | Made::OtherTypes, Some(base)) = (made, shape.levels.first()) {
                add(connection, shape.measurement.id, base.name(), &all).await?;
            }
            if made == Made::OtherTypes {
                add(connection, shape.measurement.id, LATEST, &all).await?;
            }
        }
        for target in plan.unwanted {
            if let Err(error) = tables::remove(connection, &shape, target).await {
                let (measurement, rollup) = (&shape.measurement.name, target.name());
                tracing::warn!(measurement, rollup, error = %error, "rollups that are no longer wanted are still there");
            }
        }
        if nothing {
            self.source.fresh.forget(shape.measurement.id);
            return Ok(false);
        }
        make::make(connection, database, &mut self.source, &shape, deadline).await
    }

    /// What is to be there of a measurement. What is there, is not wanted any more and has been built upon by somebody is kept
    /// as if it were wanted: a view must not be behind.
    async fn plan(
        &mut self,
        connection: &mut PgConnection,
        measurement: &Measurement,
        mut settings: RollupSettings,
    ) -> Result<Plan, RollupError> {
        let mut latest = if settings.levels.is_empty() { LastValues::Unwanted } else { LastValues::Wanted };
        let there: Vec<String> =
            sqlx::query_scalar("SELECT level FROM chunkwise.rollup_level WHERE measurement_id = $1")
                .bind(measurement.id)
                .fetch_all(&mut *connection)
                .await?;
        let mut unwanted = Vec::new();
        for name in there {
            let target = match name.parse() {
                Ok(level) if !settings.levels.contains(&level) => Target::Bars(level),
                Err(_) if latest == LastValues::Unwanted => Target::Latest,
                _ => continue,
            };
            if !tables::is_built_upon(connection, measurement, target).await? {
                unwanted.push(target);
                continue;
            }
            match target {
                Target::Bars(level) => settings.levels.push(level),
                Target::Latest => latest = LastValues::Wanted,
            }
            if self.reported.insert((measurement.id, target)) {
                tracing::warn!(
                    measurement = measurement.name,
                    rollup = target.name(),
                    "rollups that are no longer wanted are kept: somebody's view is built upon theirs"
                );
            }
        }
        settings.levels.sort_unstable();
        // Wider ones first: they are made of narrower ones.
        unwanted.sort_unstable_by(|a, b| b.cmp(a));
        Ok(Plan { settings, latest, unwanted })
    }

    /// Drops bars that are older than they are to be.
    async fn expire(&mut self, connection: &mut PgConnection) -> Result<(), RollupError> {
        if self.expired_at.is_some_and(|at| at.elapsed() < EXPIRE_EVERY) {
            return Ok(());
        }
        self.expired_at = Some(Instant::now());
        let all: Vec<(i32, String)> = sqlx::query_as(
            "SELECT measurement_id, level FROM chunkwise.rollup_level WHERE level <> $1 AND isfinite(watermark)",
        )
        .bind(LATEST)
        .fetch_all(&mut *connection)
        .await?;
        for (id, level) in all {
            let Ok(level) = level.parse::<Level>() else { continue };
            let Some(measurement) = self.find(connection, id).await? else { continue };
            let settings = self.settings.of(&measurement).clone();
            let Some(retention) = settings.retention else { continue };
            let shape = Shape::of(connection, measurement, &settings).await?;
            if !shape.levels.contains(&level) {
                continue;
            }
            sqlx::query(
                "SELECT drop_chunks(to_regclass($1)::regclass, older_than => now() - make_interval(secs => $2))
                 WHERE to_regclass($1) IS NOT NULL",
            )
            .bind(shape.bars(level))
            .bind(retention.as_secs_f64())
            .execute(&mut *connection)
            .await?;
        }
        Ok(())
    }
}

impl Job for Rollups {
    const NAME: &'static str = "rollups";

    async fn run(&mut self, turn: &mut Turn<'_>) -> Result<Next, JobError> {
        let core = self.cores.take(CORE_PATIENCE).await;
        let made = self.round(turn.connection, turn.database).await;
        drop(core);
        match made {
            Ok(true) => Ok(Next::Again),
            // What waits in memory is to be used while it is there.
            Ok(false) if self.source.fresh.is_filling() => Ok(Next::After(SOON)),
            Ok(false) if self.source.leaves_newest => Ok(Next::After(STILL_WRITTEN_TO)),
            Ok(false) => Ok(Next::After(EVERY)),
            Err(RollupError::Database(error)) => Err(error.into()),
            Err(error) => Err(JobError::Other(Box::new(error))),
        }
    }
}
