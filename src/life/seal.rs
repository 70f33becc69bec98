//! Seals one chunk, step by step; each step can be repeated.

use std::time::{Duration, Instant};

use sqlx::{Connection, Executor, PgConnection};

use super::{ChunkLook, LifeError, metric, seal_apache, seal_community};
use crate::{
    db::{Database, Edition},
    hypertable::RowOrder,
    jobs::{Priority, session},
};

/// "cwck" in ASCII: chunkwise, chunk. Whoever seals or drops a chunk holds it, with the hash of the chunk's name.
pub(super) const CHUNK_LOCK: i32 = 1_668_768_619;

/// What became of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealOutcome {
    /// It is sealed, which took so long.
    Sealed(Duration),
    /// Another process is at it, or has sealed it meanwhile.
    Elsewhere,
}

/// Seals chunks.
#[derive(Debug, Clone)]
pub struct Sealer {
    /// Decides how.
    pub edition: Edition,
    /// For sessions beside the caller's: one that sees to it that nobody waits for an index, and one of the usual priority for
    /// what locks others out.
    pub database: Database,
}

impl Sealer {
    /// Seals a chunk, or seals it once more. The connection must be the owner's, and in no transaction.
    ///
    /// # Errors
    /// See [`LifeError`]; what was made so far stays, and the next attempt goes on from there. The failure is noted, but
    /// where the database is away.
    pub async fn seal(&self, connection: &mut PgConnection, chunk: &ChunkLook) -> Result<SealOutcome, LifeError> {
        let name = chunk.name();
        if !lock(connection, &name).await? {
            return Ok(SealOutcome::Elsewhere);
        }
        let event = if chunk.facts.sealed_us.is_some() { "resealed" } else { "sealed" };
        // On the heap: two of them at once are much for their task.
        let sealed = Box::pin(self.seal_locked(connection, chunk, event)).await;
        let unlocked = sqlx::query("SELECT pg_advisory_unlock($1, hashtext($2))")
            .bind(CHUNK_LOCK)
            .bind(&name)
            .execute(&mut *connection)
            .await;
        if let Err(error) = &sealed {
            metrics::counter!(metric::FAILURES, "event" => event).increment(1);
            if !matches!(error, LifeError::Unavailable(_)) {
                note_failure(connection, chunk, error).await?;
            }
        }
        unlocked?;
        sealed
    }

    async fn seal_locked(
        &self,
        connection: &mut PgConnection,
        chunk: &ChunkLook,
        event: &'static str,
    ) -> Result<SealOutcome, LifeError> {
        // Another process may have sealed it between the look and the lock; unless somebody has undone that by hand.
        let sealed_us: Option<i64> = sqlx::query_scalar(
            "SELECT (extract(epoch FROM sealed_at) * 1000000)::int8 FROM chunkwise.chunk
             WHERE measurement_id = $1 AND chunk = $2 AND sealed_at IS NOT NULL
                   AND (EXISTS (SELECT FROM pg_index i
                                WHERE i.indrelid = to_regclass($3) AND i.indisvalid AND i.indkey::text = '2 1')
                        OR EXISTS (SELECT FROM timescaledb_information.chunks c
                                   WHERE c.chunk_schema = $4 AND c.chunk_name = $5 AND c.is_compressed))",
        )
        .bind(chunk.measurement_id)
        .bind(chunk.name())
        .bind(chunk.quoted())
        .bind(&chunk.table[0])
        .bind(&chunk.table[1])
        .fetch_optional(&mut *connection)
        .await?;
        if sealed_us.is_some() && sealed_us != chunk.facts.sealed_us {
            return Ok(SealOutcome::Elsewhere);
        }
        // What locks others out for as long as it works is of their priority.
        let mut own;
        let connection = if self.edition == Edition::Community || chunk.row_order == RowOrder::Series {
            own = session(&self.database, Priority::Usual).await?;
            &mut own
        } else {
            connection
        };
        let began = Instant::now();
        let bytes_before = bytes(connection, chunk).await?;
        bound(connection, chunk, bytes_before).await?;
        let worked = match self.edition {
            Edition::Apache => seal_apache::seal(connection, &self.database, chunk).await,
            Edition::Community => seal_community::seal(connection, chunk).await,
        };
        let unbound = connection.execute("SET statement_timeout = 0; RESET lock_timeout").await;
        let written = worked?;
        unbound?;
        let took = began.elapsed();
        note(connection, chunk, event, took, bytes_before, written).await?;
        tracing::info!(
            measurement = chunk.measurement,
            chunk = chunk.name(),
            took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            "chunk {event}"
        );
        metrics::counter!(metric::CHUNKS, "event" => event).increment(1);
        metrics::histogram!(metric::SECONDS, "event" => event).record(took.as_secs_f64());
        Ok(SealOutcome::Sealed(took))
    }
}

pub(super) async fn lock(connection: &mut PgConnection, chunk: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT pg_try_advisory_lock($1, hashtext($2))")
        .bind(CHUNK_LOCK)
        .bind(chunk)
        .fetch_one(connection)
        .await
}

/// One core, and memory that a small server has. A lock is waited for the longer the more often it was waited for in vain:
/// while an index waits for an old transaction, the measurement cannot grow.
async fn bound(connection: &mut PgConnection, chunk: &ChunkLook, bytes: i64) -> Result<(), sqlx::Error> {
    const LOCK_S: i32 = 5;
    const LOCK_MOST_S: i32 = 120;
    /// So much is worked through a second on a slow disk.
    const BYTES_A_SECOND: i64 = 4 << 20;
    let lock_s = LOCK_S.saturating_mul(chunk.failures.saturating_add(1)).min(LOCK_MOST_S);
    let deadline_s = i64::from(lock_s) * 4 + 10 + bytes / BYTES_A_SECOND;
    let settings = format!(
        "SET maintenance_work_mem = '256MB'; SET max_parallel_maintenance_workers = 0;
         SET lock_timeout = '{lock_s}s'; SET statement_timeout = '{deadline_s}s'"
    );
    connection.execute(settings.as_str()).await?;
    Ok(())
}

/// The chunk's size with its indexes, TOAST, and its part in the columnstore.
pub(super) async fn bytes(connection: &mut PgConnection, chunk: &ChunkLook) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT coalesce(sum(pg_total_relation_size(chunk) + coalesce(pg_total_relation_size(compressed), 0)), 0)::int8
         FROM chunkwise.chunk_storage() WHERE chunk = to_regclass($1)",
    )
    .bind(chunk.quoted())
    .fetch_one(connection)
    .await
}

/// The chunk is sealed from here on.
async fn note(
    connection: &mut PgConnection,
    chunk: &ChunkLook,
    event: &str,
    took: Duration,
    bytes_before: i64,
    written: i64,
) -> Result<(), sqlx::Error> {
    let bytes_after = bytes(connection, chunk).await?;
    let mut transaction = connection.begin().await?;
    sqlx::query(
        "INSERT INTO chunkwise.chunk AS c
             (measurement_id, chunk, written, sealed_at, sealed_written, sealed_took)
         VALUES ($1, $2, $3, clock_timestamp(), $3, make_interval(secs => $4))
         ON CONFLICT (measurement_id, chunk) DO UPDATE
         SET sealed_at = excluded.sealed_at, sealed_written = excluded.sealed_written,
             sealed_took = excluded.sealed_took, failures = 0, retry_at = NULL, failure = NULL",
    )
    .bind(chunk.measurement_id)
    .bind(chunk.name())
    .bind(written)
    .bind(took.as_secs_f64())
    .execute(&mut *transaction)
    .await?;
    sqlx::query(
        "INSERT INTO chunkwise.chunk_event (measurement_id, chunk, event, began, took, bytes_before, bytes_after)
         VALUES ($1, $2, $3, clock_timestamp() - make_interval(secs => $4), make_interval(secs => $4), $5, $6)",
    )
    .bind(chunk.measurement_id)
    .bind(chunk.name())
    .bind(event)
    .bind(took.as_secs_f64())
    .bind(bytes_before)
    .bind(bytes_after)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await
}

/// The next attempt comes after a minute, then after two, and so on up to an hour.
async fn note_failure(connection: &mut PgConnection, chunk: &ChunkLook, error: &LifeError) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO chunkwise.chunk AS c (measurement_id, chunk, failures, retry_at, failure)
         SELECT $1, $2, 1, now() + interval '1 minute', $3
         WHERE EXISTS (SELECT FROM chunkwise.measurement m WHERE m.id = $1)
         ON CONFLICT (measurement_id, chunk) DO UPDATE
         SET failures = c.failures + 1, failure = excluded.failure,
             retry_at = now() + least(interval '1 minute' * 2 ^ least(c.failures, 6), interval '1 hour')",
    )
    .bind(chunk.measurement_id)
    .bind(chunk.name())
    .bind(error.to_string())
    .execute(connection)
    .await?;
    Ok(())
}

/// The server's counter of changed rows, with what this session has done.
pub(super) async fn written(connection: &mut PgConnection, chunk: &ChunkLook) -> Result<i64, sqlx::Error> {
    connection.execute("SELECT pg_stat_force_next_flush()").await?;
    sqlx::query_scalar(
        "SELECT pg_stat_get_tuples_inserted(c) + pg_stat_get_tuples_updated(c) + pg_stat_get_tuples_deleted(c)
         FROM (SELECT $1::text::regclass::oid AS c) r",
    )
    .bind(chunk.quoted())
    .fetch_one(connection)
    .await
}
