//! Seals behind a load of history: each chunk as soon as the load has passed it.

use std::time::Duration;

use sqlx::{Executor, PgConnection};
use tokio::time::Instant;

use super::{LifeError, LifeOptions, Pace, SealOutcome, Sealer, look};
use crate::db::Edition;

/// Where a load is in time, by its parts in their order. Pure.
///
/// A load that goes forward has passed what is older than its last part. A few rows that are older do not change that: they
/// are late rows, as anybody's. One that turns back, as a file does that is sorted by series, is not said to have passed
/// anything from then on: rows cost more in a chunk that is sealed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Passage {
    passed_us: Option<i64>,
    turned_back: bool,
}

/// One row in so many may be older than what the load has passed.
const STRAYS: usize = 100;

impl Passage {
    /// The next part has rows of these times, in any order. Returns the time before which no more rows are expected, if
    /// there is one.
    pub fn part(&mut self, mut times_us: Vec<i64>) -> Option<i64> {
        let at = times_us.len() / STRAYS;
        if at < times_us.len() && !self.turned_back {
            let (_, &mut from_us, _) = times_us.select_nth_unstable(at);
            match self.passed_us {
                Some(passed_us) if from_us < passed_us => self.turned_back = true,
                _ => self.passed_us = Some(from_us),
            }
        }
        self.passed_us.filter(|_| !self.turned_back)
    }
}

/// So long the end of a load waits for other sessions that are at its chunks.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Which chunks a load has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behind {
    /// Those that end at or before this time.
    Before(i64),
    /// All whose time is over: it has ended. Those in which many rows came late are sealed once more.
    Everything,
}

/// Seals what a load has passed: chunks of a measurement that are over and hot, whether they were quiet or not. Those that
/// cannot be sealed now, or that another process is at, are left to the job. Returns how many were sealed.
///
/// What it does it reads from the database each time, so whoever is stopped in it begins anew.
///
/// # Errors
/// The database's, where it is away.
pub async fn seal_passed(
    connection: &mut PgConnection,
    sealer: &Sealer,
    options: LifeOptions,
    measurement_id: i32,
    behind: Behind,
    pace: &mut Pace,
) -> Result<usize, LifeError> {
    let mut count = 0;
    let begun = Instant::now();
    loop {
        let (sealed, elsewhere) = round(connection, sealer, options, measurement_id, behind, pace).await?;
        count += sealed;
        // At the end nobody may come later: what holds a chunk may be the session of a load that was killed.
        if behind != Behind::Everything || elsewhere == 0 || begun.elapsed() > PATIENCE {
            break;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    if behind == Behind::Everything && sealer.edition == Edition::Apache {
        count_anew(connection, measurement_id).await?;
    }
    Ok(count)
}

/// How many were sealed, and how many another session was at.
async fn round(
    connection: &mut PgConnection,
    sealer: &Sealer,
    options: LifeOptions,
    measurement_id: i32,
    behind: Behind,
    pace: &mut Pace,
) -> Result<(usize, usize), LifeError> {
    let (mut sealed, mut elsewhere) = (0, 0);
    for chunk in look(&mut *connection, sealer.edition, options, Some(measurement_id)).await? {
        let facts = &chunk.facts;
        let is_due = match behind {
            Behind::Before(us) => facts.to_us <= us && facts.sealed_us.is_none(),
            Behind::Everything => facts.sealed_us.is_none() || facts.is_late,
        };
        let is_failed = facts.retry_us.is_some_and(|retry_us| retry_us > facts.now_us);
        if !is_due || is_failed || facts.to_us.saturating_add(facts.seal_after_us) > facts.now_us {
            continue;
        }
        pace.begin(connection).await?;
        match sealer.seal(connection, &chunk).await {
            Ok(SealOutcome::Sealed(took)) => {
                sealed += 1;
                pace.rest(connection, took).await?;
            }
            Ok(SealOutcome::Elsewhere) => elsewhere += 1,
            Err(LifeError::Gone(_)) => {}
            Err(error @ LifeError::Unavailable(_)) => return Err(error),
            Err(error) => tracing::info!(chunk = chunk.name(), error = %error, "a chunk is left to be sealed later"),
        }
    }
    Ok((sealed, elsewhere))
}

/// A chunk that was vacuumed right behind its writers has their rows twice in the server's estimate: those that VACUUM has
/// seen, and then those that they report some seconds after their commits.
async fn count_anew(connection: &mut PgConnection, measurement_id: i32) -> Result<(), sqlx::Error> {
    let doubled: Vec<String> = sqlx::query_scalar(
        "SELECT format('%I.%I', c.chunk_schema, c.chunk_name)
         FROM chunkwise.measurement m
         JOIN timescaledb_information.chunks c
              ON c.hypertable_schema = m.namespace || '_store' AND c.hypertable_name = m.relation
         JOIN chunkwise.chunk k ON k.measurement_id = m.id AND k.chunk = c.chunk_schema || '.' || c.chunk_name
         JOIN pg_namespace n ON n.nspname = c.chunk_schema
         JOIN pg_class r ON r.relnamespace = n.oid AND r.relname = c.chunk_name
         WHERE m.id = $1 AND k.sealed_at IS NOT NULL AND pg_stat_get_live_tuples(r.oid) > r.reltuples * 1.02",
    )
    .bind(measurement_id)
    .fetch_all(&mut *connection)
    .await?;
    for chunk in doubled {
        connection.execute(format!("ANALYZE {chunk}").as_str()).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(from_us: i64) -> Vec<i64> {
        // In no order, as a part of several series is.
        (from_us..from_us + 200).rev().collect()
    }

    #[test]
    fn a_load_that_goes_forward_has_passed_what_is_older_than_its_last_part() {
        let mut passage = Passage::default();
        assert_eq!(passage.part(part(0)), Some(2));
        assert_eq!(passage.part(part(100)), Some(102), "parts may overlap");
        assert_eq!(passage.part(Vec::new()), Some(102), "one of bad rows alone says nothing");
        assert_eq!(passage.part(vec![500]), Some(500));
    }

    #[test]
    fn a_stray_row_is_a_late_row() {
        let mut passage = Passage::default();
        passage.part(part(1_000));
        let mut times_us = part(2_000);
        times_us.push(-1_000_000);
        assert_eq!(passage.part(times_us), Some(2_001));
    }

    #[test]
    fn a_load_that_turns_back_seals_nothing_on_its_way() {
        let mut passage = Passage::default();
        passage.part(part(1_000));
        assert_eq!(passage.part(part(0)), None);
        assert_eq!(passage.part(part(5_000)), None);
    }
}
