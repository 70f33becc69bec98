//! Deletes what the ledger, the change log and the dead letters keep no longer, in small steps, ends what a writer left
//! behind, and learns what was set of measurements.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use sqlx::Connection;
use tokio::time::MissedTickBehavior;

use super::{lanes::Sender, service::Core, spooling::Spooling};
use crate::{
    db::{Database, Role, STALLED_AFTER, end_stalled_copies},
    hypertable::changes,
};

const EVERY: Duration = Duration::from_secs(20);
/// Small enough that a step never holds up a writer.
const STEP_ROWS: i64 = 5_000;

const STEPS: [&str; 2] = [
    "DELETE FROM chunkwise.ledger WHERE id IN (
         SELECT id FROM chunkwise.ledger WHERE expires_at < now() LIMIT $1 FOR UPDATE SKIP LOCKED)",
    // Ids and times grow together, so the oldest are looked at first and alone.
    "DELETE FROM chunkwise.dead_letter WHERE id IN (
         SELECT id FROM (SELECT id, noted_at FROM chunkwise.dead_letter ORDER BY id LIMIT $1) AS oldest
         WHERE noted_at < now() - interval '30 days'
            OR id <= (SELECT max(id) - 1000000 FROM chunkwise.dead_letter)
            OR (pg_total_relation_size('chunkwise.dead_letter') > 1::int8 << 30 AND id <= (
                   SELECT max(id) FROM (
                       SELECT id, sum(octet_length(line)) OVER (ORDER BY id DESC) AS bytes FROM chunkwise.dead_letter
                   ) AS newest WHERE bytes > 1::int8 << 30)))",
];

/// Runs until the service's queue is closed.
pub(super) async fn run(core: Arc<Core>, service: Weak<Sender>, spooling: Option<Arc<Spooling>>) {
    let database = &core.database;
    let mut ticks = tokio::time::interval(Duration::from_millis(500));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut next = tokio::time::Instant::now() + EVERY;
    loop {
        ticks.tick().await;
        if service.upgrade().is_none() {
            return;
        }
        if tokio::time::Instant::now() < next {
            continue;
        }
        let mut full = false;
        // While requests wait in the spool, the ledger forgets none: one of them may have been committed long ago.
        let first = usize::from(spooling.as_ref().is_some_and(|spooling| spooling.figures().frames > 0));
        for step in &STEPS[first..] {
            match sqlx::query(step).bind(STEP_ROWS).execute(database.owner()).await {
                Ok(done) => full |= done.rows_affected() == STEP_ROWS.unsigned_abs(),
                Err(error) => tracing::debug!(error = %error, "expired rows could not be deleted; tried again later"),
            }
        }
        match forget_changes(database).await {
            Ok(more) => full |= more,
            Err(error) => tracing::debug!(error = %error, "old changes could not be deleted; tried again later"),
        }
        match end_left_behind(database).await {
            Ok(0) => {}
            Ok(ended) => tracing::warn!(ended, "writers' sessions whose client had gone were ended"),
            Err(error) => {
                tracing::debug!(error = %error, "stalled sessions could not be looked for; tried again later")
            }
        }
        if let Err(error) = learn_settings(&core).await {
            tracing::debug!(error = %error, "settings of measurements could not be read; tried again later");
        }
        next = tokio::time::Instant::now() + if full { Duration::ZERO } else { EVERY };
    }
}

async fn forget_changes(database: &Database) -> Result<bool, sqlx::Error> {
    let mut connection = database.owner().acquire().await?;
    changes::mark(&mut connection).await?;
    changes::prune(&mut connection, STEP_ROWS).await
}

/// So a retention that somebody sets is heeded within [`EVERY`].
async fn learn_settings(core: &Core) -> Result<(), sqlx::Error> {
    let mut connection = core.database.owner().acquire().await?;
    core.growth.catalog().refresh(&mut connection).await
}

/// On a connection of the writer's role, whose sessions they are.
async fn end_left_behind(database: &Database) -> Result<usize, sqlx::Error> {
    let mut connection = database.connect(Role::Writer).await?;
    let ended = end_stalled_copies(&mut connection, STALLED_AFTER).await?;
    connection.close().await?;
    Ok(ended)
}
