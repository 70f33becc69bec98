//! The job that retires series without data for longer than their measurement's retention, and wakes those that other clients
//! have written to.
//!
//! chunkwise's own writers wake a series themselves, in the transaction that writes to it: `chunkwise.open_write` tells them
//! where they do not know yet that it sleeps. So retiring costs the write path a comparison of one number a transaction, and a
//! row is in answers from its commit on. Rows that come past chunkwise, by INSERT or COPY, are found here through the change log.

use std::{collections::HashSet, time::Duration};

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection};

use crate::{
    hypertable::{
        Measurement,
        changes::{self, Seen},
        list_chunks, load_measurement, lock_out_writers, moment,
    },
    jobs::{Job, JobError, Next, Priority, Turn},
};

/// Rows of other clients wake a series within about so long.
const EVERY: Duration = Duration::from_secs(10);
/// A measurement's series are looked through so often.
const LOOK_EVERY: &str = "1 hour";
/// With more candidates than this the server sends all ids of a chunk: a long list costs more.
const MAX_LISTED: usize = 1_000;

/// See the module.
#[derive(Debug, Default)]
pub struct Retire {
    /// The state of the change log at the last look for rows of other clients; `None` before the first, which looks at all.
    seen: Option<Seen>,
}

impl Job for Retire {
    const NAME: &'static str = "retire";
    const PRIORITY: Priority = Priority::Usual;

    async fn run(&mut self, turn: &mut Turn<'_>) -> Result<Next, JobError> {
        let now = changes::here(turn.connection).await?;
        wake(turn.connection, self.seen.as_ref()).await?;
        self.seen = Some(now);
        let due: Vec<(String, String)> = sqlx::query_as(&format!(
            "SELECT namespace, name FROM chunkwise.measurement
             WHERE retention IS NOT NULL AND (retired_look IS NULL OR retired_look < now() - interval '{LOOK_EVERY}')"
        ))
        .fetch_all(&mut *turn.connection)
        .await?;
        for (namespace, name) in due {
            if let Some(measurement) = load_measurement(turn.connection, &namespace, &name).await? {
                retire(turn.connection, &measurement).await?;
            }
        }
        Ok(Next::After(EVERY))
    }
}

/// Retires the series of a measurement that have no row within its retention; gives their number.
///
/// # Errors
/// The database's.
pub async fn retire(connection: &mut PgConnection, measurement: &Measurement) -> Result<usize, sqlx::Error> {
    let before = changes::here(connection).await?;
    let from: Option<DateTime<Utc>> =
        sqlx::query_scalar("SELECT now() - retention FROM chunkwise.measurement WHERE id = $1")
            .bind(measurement.id)
            .fetch_one(&mut *connection)
            .await?;
    let Some(from) = from else { return Ok(0) };
    let awake = format!(
        "SELECT series_id FROM {} WHERE series_id NOT IN
             (SELECT series_id FROM chunkwise.retired_series WHERE measurement_id = $1)",
        measurement.series_table()
    );
    let ids: Vec<i64> = sqlx::query_scalar(&awake).bind(measurement.id).fetch_all(&mut *connection).await?;
    let mut quiet: HashSet<i64> = ids.into_iter().collect();
    // From the newest chunk on: mostly it has all of them, and no other is touched.
    let mut slices = list_chunks(&mut *connection, measurement).await?;
    slices.dedup_by_key(|chunk| (chunk.from_us, chunk.to_us));
    for slice in slices.iter().rev().filter(|slice| slice.to_us > from.timestamp_micros()) {
        if quiet.is_empty() {
            break;
        }
        let within = (moment(slice.from_us).max(from), moment(slice.to_us));
        leave_out_written(connection, measurement, within, &mut quiet).await?;
    }

    let mut transaction = connection.begin().await?;
    sqlx::query("SELECT set_config('lock_timeout', '1s', true)").execute(&mut *transaction).await?;
    if !quiet.is_empty() {
        lock_out_writers(&mut transaction, measurement.id).await?;
        if let Some(within) = changed_since(&mut transaction, measurement.id, Some(&before)).await? {
            leave_out_written(&mut transaction, measurement, within, &mut quiet).await?;
        }
    }
    if !quiet.is_empty() {
        sqlx::query(
            "INSERT INTO chunkwise.retired_series (series_id, measurement_id)
             SELECT id, $1 FROM unnest($2::int8[]) AS id ON CONFLICT DO NOTHING",
        )
        .bind(measurement.id)
        .bind(quiet.iter().copied().collect::<Vec<i64>>())
        .execute(&mut *transaction)
        .await?;
    }
    sqlx::query(
        "UPDATE chunkwise.measurement SET retired_look = now(), retirements = retirements + $2::bool::int4 WHERE id = $1",
    )
    .bind(measurement.id)
    .bind(!quiet.is_empty())
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    if !quiet.is_empty() {
        tracing::info!(measurement = measurement.name, series = quiet.len(), "series without data are retired");
    }
    Ok(quiet.len())
}

/// Takes those out that have a row within a stretch of time.
async fn leave_out_written(
    connection: &mut PgConnection,
    measurement: &Measurement,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
    quiet: &mut HashSet<i64>,
) -> Result<(), sqlx::Error> {
    let few = quiet.len() <= MAX_LISTED;
    let listed: Vec<i64> = if few { quiet.iter().copied().collect() } else { Vec::new() };
    let sql = format!(
        "SELECT DISTINCT series_id FROM {} WHERE \"time\" >= $1 AND \"time\" < $2 AND (NOT $3 OR series_id = ANY ($4))",
        measurement.storage()
    );
    let written: Vec<i64> = sqlx::query_scalar(&sql)
        .bind(from)
        .bind(to)
        .bind(few)
        .bind(listed)
        .persistent(false)
        .fetch_all(connection)
        .await?;
    for id in &written {
        quiet.remove(id);
    }
    Ok(())
}

/// The stretch of time that was changed in transactions that `before` did not see; all time where that is not known.
async fn changed_since(
    connection: &mut PgConnection,
    measurement_id: i32,
    before: Option<&Seen>,
) -> Result<Option<(DateTime<Utc>, DateTime<Utc>)>, sqlx::Error> {
    let changed = changes::look(connection, measurement_id, before).await?.extent();
    Ok((!changed.is_empty()).then(|| (moment(changed.from_us), moment(changed.to_us))))
}

/// Wakes series that have rows in what was changed since `before`.
///
/// # Errors
/// The database's.
pub async fn wake(connection: &mut PgConnection, before: Option<&Seen>) -> Result<u64, sqlx::Error> {
    let with_sleepers: Vec<(String, String)> = sqlx::query_as(
        "SELECT namespace, name FROM chunkwise.measurement m
         WHERE EXISTS (SELECT FROM chunkwise.retired_series r WHERE r.measurement_id = m.id)",
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut woken = 0;
    for (namespace, name) in with_sleepers {
        let Some(measurement) = load_measurement(connection, &namespace, &name).await? else { continue };
        let Some((from, to)) = changed_since(connection, measurement.id, before).await? else { continue };
        // Rows older than the retention, which may be there until their chunk goes, wake nobody.
        let sql = format!(
            "DELETE FROM chunkwise.retired_series r WHERE measurement_id = $1 AND EXISTS (
                 SELECT FROM {} d WHERE d.series_id = r.series_id AND d.\"time\" >= $2 AND d.\"time\" < $3
                     AND d.\"time\" >= (SELECT coalesce(now() - retention, '-infinity') FROM chunkwise.measurement WHERE id = $1))",
            measurement.storage()
        );
        woken += sqlx::query(&sql)
            .bind(measurement.id)
            .bind(from)
            .bind(to)
            .persistent(false)
            .execute(&mut *connection)
            .await?
            .rows_affected();
    }
    Ok(woken)
}
