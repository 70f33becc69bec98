//! Deletes what the ledger and the change log keep no longer, in small steps.

use std::{sync::Weak, time::Duration};

use tokio::time::MissedTickBehavior;

use super::lanes::Sender;
use crate::db::Database;

const EVERY: Duration = Duration::from_secs(20);
/// Small enough that a step never holds up a writer.
const STEP_ROWS: i64 = 5_000;

const STEPS: [&str; 2] = [
    "DELETE FROM chunkwise.ledger WHERE id IN (
         SELECT id FROM chunkwise.ledger WHERE expires_at < now() LIMIT $1 FOR UPDATE SKIP LOCKED)",
    "DELETE FROM chunkwise.change WHERE id IN (
         SELECT id FROM chunkwise.change c WHERE noted_at < now() - interval '1 day'
             -- The newest entry of a measurement stays: what was derived from it compares itself with that.
             AND EXISTS (SELECT FROM chunkwise.change n WHERE n.measurement_id = c.measurement_id AND n.id > c.id)
         LIMIT $1 FOR UPDATE SKIP LOCKED)",
];

/// Runs until the service's queue is closed.
pub(super) async fn run(database: Database, service: Weak<Sender>) {
    let mut ticks = tokio::time::interval(Duration::from_millis(500));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut next = tokio::time::Instant::now() + EVERY;
    loop {
        ticks.tick().await;
        if service.strong_count() == 0 {
            return;
        }
        if tokio::time::Instant::now() < next {
            continue;
        }
        let mut full = false;
        for step in STEPS {
            match sqlx::query(step).bind(STEP_ROWS).execute(database.owner()).await {
                Ok(done) => full |= done.rows_affected() == STEP_ROWS.unsigned_abs(),
                Err(error) => tracing::debug!(error = %error, "expired rows could not be deleted; tried again later"),
            }
        }
        next = tokio::time::Instant::now() + if full { Duration::ZERO } else { EVERY };
    }
}
