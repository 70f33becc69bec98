//! A whole measurement.

use sqlx::{Executor, PgConnection, Row};

use super::{
    RemovalError, dependents,
    ledger::{Forget, forget},
    session::Session,
};
use crate::{
    db::Database,
    hypertable::{Measurement, list_chunks, lock_growth, lock_out_writers, quote_literal},
};

/// A transaction takes a lock for each chunk and its indexes, of which a server has some thousands: more chunks than this are
/// dropped before, in transactions of their own.
const CHUNKS_A_TRANSACTION: usize = 400;

/// What becomes of views that somebody has built upon the measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dependents {
    /// They are in the way.
    Keep,
    /// They go with it.
    Cascade,
}

/// Drops a measurement with everything that chunkwise made for it; gives the number of its rows.
///
/// Whoever writes to it makes it anew. Requests that wrote to it are forgotten, those with a key too.
///
/// # Errors
/// [`RemovalError::Depended`], before anything is dropped; see there.
pub async fn drop_measurement(
    database: &Database,
    namespace: &str,
    name: &str,
    upon: Dependents,
) -> Result<u64, RemovalError> {
    let mut session = Session::open(database, namespace, name).await?;
    let mut rows = 0;
    if upon == Dependents::Keep {
        refuse_dependents(&mut session.connection, &session.measurement).await?;
    }
    loop {
        let chunks = list_chunks(&mut session.connection, &session.measurement).await?;
        let Some(last) = chunks.get(CHUNKS_A_TRANSACTION).map(|chunk| chunk.from_us) else { break };
        rows +=
            session.transact(async |transaction, measurement| drop_older(transaction, measurement, last).await).await?;
    }
    rows += session
        .transact(async |transaction, measurement| {
            lock_growth(transaction, namespace, name).await?;
            lock_out_writers(transaction, measurement.id).await?;
            // Nobody can build upon it from here on, or read it.
            for relation in [measurement.view(), measurement.storage(), measurement.series_table()] {
                transaction.execute(format!("LOCK TABLE {relation} IN ACCESS EXCLUSIVE MODE").as_str()).await?;
            }
            if upon == Dependents::Keep {
                refuse_dependents(transaction, measurement).await?;
            }
            let rows = count(transaction, &measurement.storage()).await?;
            forget(transaction, measurement.id, Forget::All).await?;
            for (kind, relation) in dependents::own(transaction, measurement).await? {
                // One before may have taken it along.
                transaction.execute(format!("DROP {kind} IF EXISTS {relation} CASCADE").as_str()).await?;
            }
            sqlx::query("INSERT INTO chunkwise.change (measurement_id) VALUES ($1)")
                .bind(measurement.id)
                .execute(&mut **transaction)
                .await?;
            sqlx::query("DELETE FROM chunkwise.retired_series WHERE measurement_id = $1")
                .bind(measurement.id)
                .execute(&mut **transaction)
                .await?;
            sqlx::query("DELETE FROM chunkwise.measurement WHERE id = $1")
                .bind(measurement.id)
                .execute(&mut **transaction)
                .await?;
            Ok(rows)
        })
        .await?;
    tracing::info!(namespace, measurement = name, rows, "measurement dropped");
    session.close().await?;
    Ok(rows)
}

async fn refuse_dependents(connection: &mut PgConnection, measurement: &Measurement) -> Result<(), RemovalError> {
    let on = dependents::foreign(connection, measurement).await?;
    if on.is_empty() {
        return Ok(());
    }
    Err(RemovalError::Depended { measurement: measurement.name.clone(), on })
}

/// Drops the chunks that end at `to_us` or before; gives the number of their rows.
async fn drop_older(connection: &mut PgConnection, measurement: &Measurement, to_us: i64) -> Result<u64, RemovalError> {
    let row = sqlx::query(&format!(
        "SELECT (SELECT count(*) FROM {storage} WHERE \"time\" < t) AS rows, t
         FROM (SELECT to_timestamp($1::int8 / 1000000) + ($1::int8 % 1000000) * interval '1 microsecond' AS t) bound",
        storage = measurement.storage()
    ))
    .bind(to_us)
    .fetch_one(&mut *connection)
    .await?;
    let (rows, to): (i64, chrono::DateTime<chrono::Utc>) = (row.try_get("rows")?, row.try_get("t")?);
    sqlx::query(&format!(
        "SELECT drop_chunks({}, older_than => $1::timestamptz)",
        quote_literal(&measurement.storage())
    ))
    .bind(to)
    .fetch_all(connection)
    .await?;
    Ok(rows.unsigned_abs())
}

/// How many rows a table has.
pub(super) async fn count(connection: &mut PgConnection, table: &str) -> Result<u64, sqlx::Error> {
    let rows: i64 = sqlx::query_scalar(&format!("SELECT count(*) FROM {table}")).fetch_one(connection).await?;
    Ok(rows.unsigned_abs())
}
