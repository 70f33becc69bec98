//! How much of its time sealing works: measured by what it costs those who write.

use std::time::{Duration, Instant};

use sqlx::PgConnection;

/// What ingestion may lose to sealing is a tenth. This is aimed at: what is known of the load is some seconds old.
const SHARE: f64 = 0.08;
/// So few rows a second are no load that sealing makes way for.
const LOAD_ROWS_A_SECOND: f64 = 20_000.0;
/// Before anything is known of the load, the time worked is paused so many times: where sealing takes half of what
/// ingestion has, it loses a tenth.
const UNKNOWN: f64 = 4.0;
/// At the least and at the most, then. The least is what tells how fast ingestion is by itself.
const PAUSES: (f64, f64) = (0.25, 9.0);
/// How often the counters are looked at in a pause. A shorter time may lie between two counts of a session.
const LOOK_EVERY: Duration = Duration::from_millis(1_500);
/// While nothing comes in any more, no pause goes on; so often is looked.
const IDLE_EVERY: Duration = Duration::from_millis(250);
/// So late is the server's counter: a session adds what it has inserted once a second, or when it has nothing else to do.
const LATE: Duration = Duration::from_millis(500);
/// What was measured counts half as much after so long.
const HALF_LIFE_S: f64 = 30.0;

/// Rows that came in over some time, the last of it counting most.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Flow {
    rows: f64,
    seconds: f64,
}

impl Flow {
    fn add(&mut self, rows: f64, seconds: f64) {
        let kept = 0.5_f64.powf(seconds / HALF_LIFE_S);
        *self = Self { rows: self.rows * kept + rows, seconds: self.seconds * kept + seconds };
    }

    fn rows_per_second(self) -> Option<f64> {
        (self.seconds > 0.0).then(|| self.rows / self.seconds)
    }
}

/// Whether so many rows in such a time are a load.
fn is_load(rows: f64, time: Duration) -> bool {
    rows >= LOAD_ROWS_A_SECOND * time.as_secs_f64()
}

/// Says how long to pause so that ingestion loses at most a tenth. Pure.
///
/// Rows a second while work is done are compared with rows a second while none is. Where the machine has enough for both
/// they are the same, and there is next to no pause; where sealing takes its share from ingestion, the pause is as many
/// times longer as it takes more than a tenth.
#[derive(Debug, Clone, Copy, Default)]
pub struct Throttle {
    working: Flow,
    resting: Flow,
}

impl Throttle {
    /// So many rows came in while work was done for `time`, and for `rest` before it.
    pub fn worked(&mut self, rows: f64, time: Duration, rest: Duration) {
        let (time, rest) = (time.as_secs_f64(), rest.as_secs_f64());
        let resting = self.resting.rows_per_second().unwrap_or_else(|| rows / (time + rest).max(f64::MIN_POSITIVE));
        self.working.add((rows - resting * rest).max(0.0), time);
    }

    /// So many rows came in while none was. Where there was no load nothing is known of what it costs one.
    pub fn rested(&mut self, rows: f64, time: Duration) {
        if is_load(rows, time) {
            self.resting.add(rows, time.as_secs_f64());
        }
    }

    /// The pause after work that took so long.
    #[must_use]
    pub fn pause(&self, took: Duration) -> Duration {
        let working = self.working.rows_per_second().unwrap_or(0.0);
        let Some(resting) = self.resting.rows_per_second() else {
            let pauses = if working > LOAD_ROWS_A_SECOND { UNKNOWN } else { 0.0 };
            return took.mul_f64(pauses);
        };
        let lost = 1.0 - working / resting.max(1.0);
        let (least, most) = PAUSES;
        took.mul_f64((lost / SHARE - 1.0).clamp(least, most))
    }
}

/// A throttle that reads the server's counters of inserted rows, whoever inserts them.
#[derive(Debug, Default)]
pub struct Pace {
    throttle: Throttle,
    read: Option<(Instant, i64)>,
}

impl Pace {
    /// To be called before work: what came in since the last call of either came in at rest.
    ///
    /// # Errors
    /// The database's.
    pub async fn begin(&mut self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        if let Some((rows, time)) = self.came_in(connection).await? {
            self.throttle.rested(rows, time);
        }
        Ok(())
    }

    /// To be called after work of another kind: what came in meanwhile tells nothing.
    ///
    /// # Errors
    /// The database's.
    pub async fn pass(&mut self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        self.came_in(connection).await.map(drop)
    }

    /// To be called after work: pauses as long as the load asks for.
    ///
    /// # Errors
    /// The database's.
    pub async fn rest(&mut self, connection: &mut PgConnection, took: Duration) -> Result<(), sqlx::Error> {
        let Some((rows, time)) = self.came_in(connection).await? else { return Ok(()) };
        // What came in before the work began was counted when it went on, and what came in at its end is counted now.
        if !is_load(rows, time) || has_ended(connection, LATE).await? {
            return Ok(());
        }
        let late = self.came_in(connection).await?.map_or(0.0, |(late, _)| late);
        self.throttle.worked(rows + late, time, LATE);
        let mut left = self.throttle.pause(took).saturating_sub(LATE);
        while !left.is_zero() {
            let step = left.min(LOOK_EVERY);
            if has_ended(connection, step).await? {
                return Ok(());
            }
            left -= step;
            let Some((rows, time)) = self.came_in(connection).await? else { break };
            self.throttle.rested(rows, time);
            if step == LOOK_EVERY && !is_load(rows, time) {
                break;
            }
        }
        Ok(())
    }

    /// Rows that came in since the last time, and how long that was ago.
    async fn came_in(&mut self, connection: &mut PgConnection) -> Result<Option<(f64, Duration)>, sqlx::Error> {
        // Rows of measurements: what rollups write is no load, and would be taken for one as long as they have work.
        let inserted: i64 = sqlx::query_scalar(
            "SELECT coalesce(sum(pg_stat_get_tuples_inserted(c.inhrelid)), 0)::int8 FROM chunkwise.measurement m
             JOIN pg_inherits c ON c.inhparent = to_regclass(format('%I.%I', m.namespace || '_store', m.relation))",
        )
        .fetch_one(connection)
        .await?;
        let now = Instant::now();
        let before = self.read.replace((now, inserted));
        // A crash of the server sets the counters to 0, and a chunk that is dropped takes its own away.
        Ok(before.map(|(at, before)| (inserted.saturating_sub(before).max(0) as f64, now - at)))
    }
}

/// Waits for `time`; no longer, and true, if those for whom it is have gone.
async fn has_ended(connection: &mut PgConnection, time: Duration) -> Result<bool, sqlx::Error> {
    let began = Instant::now();
    while began.elapsed() < time {
        tokio::time::sleep(IDLE_EVERY.min(time.saturating_sub(began.elapsed()))).await;
        if is_idle(connection).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether nobody writes: no transaction that writes rows is open, and a moment ago none was begun. There is nothing that work
/// must make way for.
///
/// # Errors
/// The database's.
pub(super) async fn is_idle(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    // Whoever writes rows notes it in the change log, and holds the table's lock until he commits. The log's own lock tells
    // less: rollups write to it too.
    sqlx::query_scalar(
        "SELECT (SELECT noted_at FROM chunkwise.change ORDER BY id DESC LIMIT 1)
                    > clock_timestamp() - interval '300 milliseconds' IS NOT TRUE
            AND NOT EXISTS (SELECT FROM pg_locks l
                            JOIN pg_class c ON c.oid = l.relation
                            JOIN pg_namespace n ON n.oid = c.relnamespace
                            JOIN chunkwise.measurement m
                                 ON n.nspname = m.namespace || '_store' AND c.relname = m.relation
                            WHERE l.locktype = 'relation' AND l.mode = 'RowExclusiveLock'
                                AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()))",
    )
    .fetch_one(connection)
    .await
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A machine on which work takes `cost` of what ingestion could take, and `offered` rows a second are sent to it.
    fn share_lost(offered: f64, cost: f64) -> f64 {
        const MOST: f64 = 1_000_000.0;
        let (mut throttle, mut rows, mut time) = (Throttle::default(), 0.0, 0.0);
        throttle.rested(offered.min(MOST) * 10.0, SECOND * 10);
        for _ in 0..200 {
            let worked = offered.min(MOST * (1.0 - cost)) * 2.0;
            throttle.worked(worked, SECOND * 2, Duration::ZERO);
            let pause = throttle.pause(SECOND * 2);
            let rested = offered.min(MOST) * pause.as_secs_f64();
            throttle.rested(rested, pause);
            rows += worked + rested;
            time += 2.0 + pause.as_secs_f64();
        }
        1.0 - rows / time / offered.min(MOST)
    }

    #[test]
    fn without_a_load_nothing_is_waited_for_and_nothing_is_learned() {
        let mut throttle = Throttle::default();
        assert_eq!(throttle.pause(SECOND), Duration::ZERO);
        throttle.rested(1_000.0, SECOND * 100);
        throttle.worked(10.0, SECOND, Duration::ZERO);
        assert_eq!(throttle.pause(SECOND), Duration::ZERO);
        throttle.rested(1_000_000.0, SECOND);
        throttle.worked(500_000.0, SECOND, Duration::ZERO);
        assert!(throttle.pause(SECOND) > SECOND * 4, "the idle time before is no measure");
    }

    #[test]
    fn what_came_in_before_the_work_began_is_not_taken_for_its_own() {
        let mut throttle = Throttle::default();
        throttle.rested(1_000_000.0, SECOND);
        throttle.worked(1_000_000.0 + 2.0 * 500_000.0, SECOND * 2, SECOND);
        // Half is lost.
        assert_eq!(throttle.pause(SECOND), SECOND.mul_f64(0.5 / SHARE - 1.0));
    }

    #[test]
    fn what_is_not_known_yet_is_waited_for_long() {
        let mut throttle = Throttle::default();
        throttle.worked(500_000.0, SECOND, Duration::ZERO);
        assert_eq!(throttle.pause(SECOND), SECOND * 4);
    }

    #[test]
    fn what_leaves_enough_for_both_works_nearly_all_the_time() {
        let mut throttle = Throttle::default();
        throttle.rested(500_000.0, SECOND);
        throttle.worked(500_000.0, SECOND, Duration::ZERO);
        assert_eq!(throttle.pause(SECOND), SECOND / 4);
    }

    proptest! {
        #[test]
        fn ingestion_never_loses_more_than_a_tenth(offered in 30_000.0..3e6f64, cost in 0.0..0.95f64) {
            prop_assert!(share_lost(offered, cost) < 0.1, "{}", share_lost(offered, cost));
        }
    }
}
