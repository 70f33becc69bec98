//! The rows of a range of time.

use std::time::{Duration, Instant};

use sqlx::{Executor, PgConnection};

use super::{
    RemovalError,
    ledger::{Forget, forget},
    measurement::count,
    session::Session,
};
use crate::{
    db::Database,
    hypertable::{Chunk, Measurement, list_chunks, moment, quote_literal},
    question::{Invalid, Selector, TimeRange},
    series::{self, Asleep},
};

/// Deletes the rows of some series, or of all, within a range of time; gives their number.
///
/// A chunk that the range holds whole is dropped where all series are meant; else its rows are deleted, in a transaction a
/// chunk. Requests of the last hour that wrote to the measurement and have no key are forgotten.
///
/// # Errors
/// See [`RemovalError`]; chunks that were done stay done.
pub async fn delete_rows(
    database: &Database,
    namespace: &str,
    name: &str,
    range: TimeRange,
    selector: &Selector,
) -> Result<u64, RemovalError> {
    if range.from >= range.to {
        return Err(Invalid::new("to", format!("must be later than `from`, which is {}", range.from)).into());
    }
    let mut session = Session::open(database, namespace, name).await?;
    let ids = match selector.is_all() {
        true => None,
        false => {
            let selected =
                series::select_among(&mut session.connection, &session.measurement, selector, Asleep::Included).await?;
            Some(selected.series.into_iter().map(|series| series.series_id).collect::<Vec<i64>>())
        }
    };
    let rows = delete_within(&mut session, (range.from.us(), range.to.us()), ids.as_deref()).await?.rows;
    session
        .transact(async |transaction, measurement| Ok(forget(transaction, measurement.id, Forget::SameBodies).await?))
        .await?;
    tracing::info!(namespace, measurement = name, rows, from = %range.from, to = %range.to, "rows deleted");
    session.close().await?;
    Ok(rows)
}

/// What was deleted, and in which transactions.
#[derive(Debug, Default)]
pub(super) struct Deleted {
    pub(super) rows: u64,
    pub(super) transactions: Vec<u64>,
}

/// Deletes rows within `[from, to)`, microseconds since 1970, chunk by chunk; of all series, or of some.
pub(super) async fn delete_within(
    session: &mut Session,
    (from_us, to_us): (i64, i64),
    ids: Option<&[i64]>,
) -> Result<Deleted, RemovalError> {
    let mut deleted = Deleted::default();
    if ids.is_some_and(<[i64]>::is_empty) {
        return Ok(deleted);
    }
    let mut slices = list_chunks(&mut session.connection, &session.measurement).await?;
    slices.dedup_by_key(|chunk| (chunk.from_us, chunk.to_us));
    for slice in slices.iter().filter(|slice| slice.from_us < to_us && from_us < slice.to_us) {
        let whole = from_us <= slice.from_us && slice.to_us <= to_us;
        let within = (from_us.max(slice.from_us), to_us.min(slice.to_us));
        let (rows, transaction) = session
            .transact(async |transaction, measurement| {
                let rows = match ids {
                    None if whole => drop_slice(transaction, measurement, slice).await?,
                    ids => delete(transaction, measurement, within, ids).await?,
                };
                let id: i64 =
                    sqlx::query_scalar("SELECT pg_current_xact_id()::text::int8").fetch_one(&mut **transaction).await?;
                Ok((rows, id))
            })
            .await?;
        deleted.rows += rows;
        deleted.transactions.push(transaction.unsigned_abs());
    }
    Ok(deleted)
}

/// Drops the chunks of a slice of time: nobody writes to them while they are counted.
async fn drop_slice(
    connection: &mut PgConnection,
    measurement: &Measurement,
    slice: &Chunk,
) -> Result<u64, RemovalError> {
    let [schema, table] = measurement.storage_names();
    let began = Instant::now();
    // Quoted and as people have it, with the bytes of what the columnstore has of it.
    let chunks: Vec<(String, String, i64)> = sqlx::query_as(
        "SELECT format('%I.%I', i.chunk_schema, i.chunk_name), i.chunk_schema || '.' || i.chunk_name,
                coalesce(pg_total_relation_size(r.oid), 0) + coalesce(pg_total_relation_size(t.compressed), 0)
         FROM timescaledb_information.chunks i
         JOIN pg_namespace n ON n.nspname = i.chunk_schema
         JOIN pg_class r ON r.relnamespace = n.oid AND r.relname = i.chunk_name
         LEFT JOIN chunkwise.chunk_storage() t ON t.chunk = r.oid
         WHERE i.hypertable_schema = $1 AND i.hypertable_name = $2 AND i.range_start = $3 AND i.range_end = $4 ORDER BY 1",
    )
    .bind(schema)
    .bind(table)
    .bind(moment(slice.from_us))
    .bind(moment(slice.to_us))
    .fetch_all(&mut *connection)
    .await?;
    let mut rows = 0;
    for (chunk, ..) in &chunks {
        (&mut *connection).execute(format!("LOCK TABLE {chunk} IN SHARE MODE").as_str()).await?;
        rows += count(connection, chunk).await?;
    }
    if rows > 0 {
        note(connection, measurement.id, (slice.from_us, slice.to_us)).await?;
    }
    sqlx::query(&format!(
        "SELECT drop_chunks({}, older_than => $1::timestamptz, newer_than => $2::timestamptz)",
        quote_literal(&measurement.storage())
    ))
    .bind(moment(slice.to_us))
    .bind(moment(slice.from_us))
    .fetch_all(&mut *connection)
    .await?;
    record(connection, measurement.id, &chunks, began.elapsed()).await?;
    Ok(rows)
}

/// Forgets what was known of chunks that are gone, and keeps for people that they were dropped: their names and bytes.
async fn record(
    connection: &mut PgConnection,
    measurement_id: i32,
    chunks: &[(String, String, i64)],
    took: Duration,
) -> Result<(), sqlx::Error> {
    let (names, bytes): (Vec<&str>, Vec<i64>) = chunks.iter().map(|(_, name, bytes)| (name.as_str(), *bytes)).unzip();
    sqlx::query("DELETE FROM chunkwise.chunk WHERE measurement_id = $1 AND chunk = ANY ($2)")
        .bind(measurement_id)
        .bind(&names)
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "INSERT INTO chunkwise.chunk_event (measurement_id, chunk, event, began, took, bytes_before, bytes_after, note)
         SELECT $1, chunk, 'dropped', clock_timestamp() - make_interval(secs => $2), make_interval(secs => $2), bytes, 0,
                'its rows were deleted with the range of time'
         FROM unnest($3::text[], $4::int8[]) AS dropped (chunk, bytes)",
    )
    .bind(measurement_id)
    .bind(took.as_secs_f64())
    .bind(&names)
    .bind(&bytes)
    .execute(connection)
    .await?;
    Ok(())
}

/// Deletes rows; the trigger notes their exact range, or, on a table with the columnstore, what was asked for is noted here.
pub(super) async fn delete(
    connection: &mut PgConnection,
    measurement: &Measurement,
    (from_us, to_us): (i64, i64),
    ids: Option<&[i64]>,
) -> Result<u64, RemovalError> {
    let exact: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = $1::regclass AND tgname = 'chunkwise_delete'
                        AND tgoldtable IS NOT NULL)",
    )
    .bind(measurement.storage())
    .fetch_one(&mut *connection)
    .await?;
    if !exact {
        (&mut *connection).execute("SELECT set_config('chunkwise.batch', 'on', true)").await?;
    }
    let of_series = if ids.is_some() { " AND series_id = ANY ($3)" } else { "" };
    let sql = format!("DELETE FROM {} WHERE \"time\" >= $1 AND \"time\" < $2{of_series}", measurement.storage());
    let mut query = sqlx::query(&sql).bind(moment(from_us)).bind(moment(to_us));
    if let Some(ids) = ids {
        query = query.bind(ids);
    }
    let rows = query.persistent(false).execute(&mut *connection).await?.rows_affected();
    if !exact && rows > 0 {
        note(connection, measurement.id, (from_us, to_us)).await?;
    }
    Ok(rows)
}

/// Writes `[from, to)` into the change log, both of whose ends are included.
async fn note(
    connection: &mut PgConnection,
    measurement_id: i32,
    (from_us, to_us): (i64, i64),
) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO chunkwise.change (measurement_id, lo, hi) VALUES ($1, $2, $3)")
        .bind(measurement_id)
        .bind(moment(from_us))
        .bind(moment(to_us.saturating_sub(1)))
        .execute(connection)
        .await?;
    Ok(())
}
