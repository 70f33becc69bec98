//! Drops chunks, those that are older than their measurement's retention among them.

use std::time::Instant;

use chrono::{DateTime, Utc};
use sqlx::{Connection, Executor, PgConnection};

use super::{ChunkLook, LifeError, LifeOptions, Verdict, look, metric, seal};
use crate::{db::Edition, hypertable::lock_out_writers};

/// Drops the chunks that are older than their measurement's retention, oldest first; one that somebody reads is left for
/// the next time. Returns how many were dropped, and whether any was left.
///
/// # Errors
/// The database's, where it is away.
pub async fn drop_expired(
    connection: &mut PgConnection,
    edition: Edition,
    options: LifeOptions,
) -> Result<(usize, bool), LifeError> {
    let (mut count, mut left) = (0, false);
    for chunk in look(&mut *connection, edition, options, None).await? {
        if chunk.verdict() != Verdict::Drop {
            continue;
        }
        match drop_chunk(connection, &chunk, "older than the measurement's retention").await {
            Ok(true) => count += 1,
            Ok(false) | Err(LifeError::Gone(_)) => {}
            Err(error @ LifeError::Unavailable(_)) => return Err(error),
            Err(error) => {
                metrics::counter!(metric::FAILURES, "event" => "dropped").increment(1);
                tracing::debug!(chunk = chunk.name(), error = %error, "a chunk is left to be dropped later");
                left = true;
            }
        }
    }
    Ok((count, left))
}

/// Drops one chunk, with all that share its slice of time, and notes why. False if it was gone already.
///
/// It waits for the measurement's write transactions, and others for it, for a fifth of a second at most: then a writer
/// finds the chunk either whole or gone.
///
/// # Errors
/// See [`LifeError`]; nothing is dropped then.
pub async fn drop_chunk(connection: &mut PgConnection, chunk: &ChunkLook, note: &str) -> Result<bool, LifeError> {
    let began = Instant::now();
    let mut transaction = connection.begin().await?;
    transaction.execute("SET LOCAL lock_timeout = '200ms'").await?;
    lock_out_writers(&mut transaction, chunk.measurement_id).await?;
    // Who seals it holds it; a table's lock would be waited for in vain.
    sqlx::query("SELECT pg_advisory_xact_lock($1, hashtext($2))")
        .bind(seal::CHUNK_LOCK)
        .bind(chunk.name())
        .execute(&mut *transaction)
        .await?;
    let sizes: Vec<(String, i64)> = sqlx::query_as(
        "SELECT c.chunk_schema || '.' || c.chunk_name,
                (pg_total_relation_size(r.oid) + coalesce(pg_total_relation_size(t.compressed), 0))::int8
         FROM timescaledb_information.chunks c
         JOIN pg_namespace n ON n.nspname = c.chunk_schema
         JOIN pg_class r ON r.relnamespace = n.oid AND r.relname = c.chunk_name
         LEFT JOIN chunkwise.chunk_storage() t ON t.chunk = r.oid
         WHERE format('%I.%I', c.hypertable_schema, c.hypertable_name)::regclass = $1::text::regclass
               AND c.range_start = (SELECT range_start FROM timescaledb_information.chunks
                                    WHERE chunk_schema = $2 AND chunk_name = $3)",
    )
    .bind(&chunk.storage)
    .bind(&chunk.table[0])
    .bind(&chunk.table[1])
    .fetch_all(&mut *transaction)
    .await?;
    let time = |us: i64| DateTime::<Utc>::from_timestamp_micros(us);
    let dropped: Vec<String> = sqlx::query_scalar(
        "SELECT drop_chunks($1::text::regclass, older_than => $2::timestamptz, newer_than => $3::timestamptz)",
    )
    .bind(&chunk.storage)
    .bind(time(chunk.facts.to_us))
    .bind(time(chunk.from_us))
    .fetch_all(&mut *transaction)
    .await?;
    if dropped.is_empty() {
        return Ok(false);
    }
    let names: Vec<String> = dropped.iter().map(|name| name.replace('"', "")).collect();
    sqlx::query("DELETE FROM chunkwise.chunk WHERE measurement_id = $1 AND chunk = ANY ($2)")
        .bind(chunk.measurement_id)
        .bind(&names)
        .execute(&mut *transaction)
        .await?;
    let bytes = |name: &String| sizes.iter().find(|(chunk, _)| chunk == name).map(|(_, bytes)| *bytes);
    sqlx::query(
        "INSERT INTO chunkwise.chunk_event (measurement_id, chunk, event, took, bytes_before, bytes_after, note)
         SELECT $1, d.chunk, 'dropped', make_interval(secs => $3), d.bytes, 0, $5
         FROM unnest($2::text[], $4::int8[]) AS d (chunk, bytes)",
    )
    .bind(chunk.measurement_id)
    .bind(&names)
    .bind(began.elapsed().as_secs_f64())
    .bind(names.iter().map(bytes).collect::<Vec<_>>())
    .bind(note)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    tracing::info!(measurement = chunk.measurement, chunk = chunk.name(), note, "chunk dropped");
    metrics::counter!(metric::CHUNKS, "event" => "dropped").increment(names.len() as u64);
    metrics::histogram!(metric::SECONDS, "event" => "dropped").record(began.elapsed().as_secs_f64());
    Ok(true)
}
