//! The B-tree of a sealed chunk, built so that nobody waits for it.
//!
//! `CREATE INDEX CONCURRENTLY` reads the table twice, and then waits for every older transaction of the database, whatever
//! that one reads: 0.54 s of work for a million rows where the plain statement takes 0.39, and no end while an analyst's
//! transaction stays open. The plain one keeps everybody from writing to the chunk as long as it takes. But its time is over,
//! and mostly nobody wants to. So the plain one is tried first, under the eyes of a second session: as soon as anybody waits
//! for the chunk it is cancelled, and the index built concurrently.

use std::time::Duration;

use sqlx::{Connection as _, Executor, PgConnection};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{ChunkLook, LifeError};
use crate::{
    db::{Database, Failure, Role, classify},
    hypertable::quote_ident,
};

/// How often is looked whether somebody waits: he waits so long, and as long as a cancelled statement takes to end.
const LOOK_EVERY: Duration = Duration::from_millis(25);
/// Rollups lock a chunk for some hundredths of a second, now and then: it is asked for again so often.
const ASKED: usize = 5;
const ASKED_EVERY: Duration = Duration::from_millis(50);

/// Builds it, unless it is there. An invalid one of an attempt that was cut off is dropped before, and one of this attempt
/// after it: else the planner and every late row carry it along until the next.
pub(super) async fn build(
    connection: &mut PgConnection,
    database: &Database,
    chunk: &ChunkLook,
) -> Result<(), LifeError> {
    drop_invalid(connection, chunk).await?;
    if build_alone(connection, database, chunk).await? == Alone::Built {
        return Ok(());
    }
    let index = quote_ident(&index_name(&chunk.table[1]));
    let create = format!("CREATE INDEX CONCURRENTLY IF NOT EXISTS {index} ON {} (series_id, \"time\")", chunk.quoted());
    let built = connection.execute(create.as_str()).await;
    if built.is_err()
        && let Err(error) = drop_invalid(connection, chunk).await
    {
        tracing::debug!(error = %error, "an index that was not completed is dropped later");
    }
    built?;
    Ok(())
}

/// What became of the attempt to have the chunk alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Alone {
    Built,
    /// Somebody else is at the chunk; nothing was done.
    GaveWay,
}

/// How the guard's watch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Watch {
    /// With the build.
    Over,
    /// Somebody came, and the build was cancelled.
    Cancelled,
}

async fn build_alone(
    connection: &mut PgConnection,
    database: &Database,
    chunk: &ChunkLook,
) -> Result<Alone, sqlx::Error> {
    // Not a job's session, of the lowest priority: whoever waits, waits for it. Without one there is no plain build.
    let mut guard = match database.connect(Role::Owner).await {
        Ok(guard) => guard,
        Err(error) => {
            tracing::debug!(error = %error, "an index is built concurrently, as nobody can watch a plain build");
            return Ok(Alone::GaveWay);
        }
    };
    if !is_left_alone(&mut guard, chunk).await? {
        return Ok(Alone::GaveWay);
    }
    // Of a process that is killed the lock must not stay. Some systems cannot tell that a client has gone.
    if let Err(error) = connection.execute("SET client_connection_check_interval = '100ms'").await {
        tracing::debug!(error = %error, "the server cannot notice a client's end in the middle of a statement");
    }
    let builder: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut *connection).await?;
    let ended = CancellationToken::new();
    let build = async {
        let built = create(connection, chunk).await;
        ended.cancel();
        built
    };
    // Both to their ends: a cancel that is still under way would end what the session does next.
    let (built, watched) = tokio::join!(build, watch(&mut guard, builder, chunk, &ended));
    if let Err(error) = &watched {
        tracing::debug!(error = %error, "nobody saw whether somebody waited for a chunk");
    }
    drop(guard.close().await);
    match built {
        Ok(()) => Ok(Alone::Built),
        Err(error) if classify(&error) == Failure::Contention => Ok(Alone::GaveWay),
        Err(error) if classify(&error) == Failure::Timeout && matches!(watched, Ok(Watch::Cancelled)) => {
            Ok(Alone::GaveWay)
        }
        Err(error) => Err(error),
    }
}

/// In one message, which is one transaction: nothing is left of one that does not come to its end, and the chunk is locked for
/// no longer than the server works at it.
async fn create(connection: &mut PgConnection, chunk: &ChunkLook) -> Result<(), sqlx::Error> {
    let (table, index) = (chunk.quoted(), quote_ident(&index_name(&chunk.table[1])));
    let create = format!(
        "SET LOCAL lock_timeout = '10ms';
         LOCK TABLE ONLY {table} IN SHARE MODE;
         SET LOCAL lock_timeout = 0;
         CREATE INDEX IF NOT EXISTS {index} ON {table} (series_id, \"time\")"
    );
    connection.execute(create.as_str()).await?;
    Ok(())
}

/// Cancels the statement of session `builder` as soon as somebody waits for the chunk; returns when that is done or `ended`.
async fn watch(
    guard: &mut PgConnection,
    builder: i32,
    chunk: &ChunkLook,
    ended: &CancellationToken,
) -> Result<Watch, sqlx::Error> {
    while ended.run_until_cancelled(sleep(LOOK_EVERY)).await.is_some() {
        // VACUUM and what tells BRIN indexes of their pages can wait.
        let cancelled: Option<bool> = sqlx::query_scalar(
            "SELECT pg_cancel_backend($1)
             WHERE EXISTS (SELECT FROM pg_locks l
                           WHERE NOT l.granted AND l.pid <> $1 AND l.locktype = 'relation'
                                 AND l.relation = to_regclass($2) AND l.mode <> 'ShareUpdateExclusiveLock'
                                 AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()))",
        )
        .bind(builder)
        .bind(chunk.quoted())
        .fetch_optional(&mut *guard)
        .await?;
        if cancelled.is_some() {
            return Ok(Watch::Cancelled);
        }
    }
    Ok(Watch::Over)
}

/// Whether nobody has the chunk locked in a way that the plain build would have to wait for, and others behind it.
async fn is_left_alone(connection: &mut PgConnection, chunk: &ChunkLook) -> Result<bool, sqlx::Error> {
    for asked in 1..=ASKED {
        let is_in_use: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM pg_locks l
                            WHERE l.locktype = 'relation' AND l.relation = to_regclass($1)
                                  AND l.mode NOT IN ('AccessShareLock', 'RowShareLock', 'ShareLock', 'SIReadLock')
                                  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()))",
        )
        .bind(chunk.quoted())
        .fetch_one(&mut *connection)
        .await?;
        if !is_in_use {
            return Ok(true);
        }
        if asked < ASKED {
            sleep(ASKED_EVERY).await;
        }
    }
    Ok(false)
}

/// Only one of our own name: nobody else's index is touched.
async fn drop_invalid(connection: &mut PgConnection, chunk: &ChunkLook) -> Result<(), sqlx::Error> {
    let index = index_name(&chunk.table[1]);
    let invalid: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
                        WHERE i.indrelid = $1::text::regclass AND c.relname = $2 AND NOT i.indisvalid)",
    )
    .bind(chunk.quoted())
    .bind(&index)
    .fetch_one(&mut *connection)
    .await?;
    if invalid {
        let drop =
            format!("DROP INDEX CONCURRENTLY IF EXISTS {}.{}", quote_ident(&chunk.table[0]), quote_ident(&index));
        connection.execute(drop.as_str()).await?;
    }
    Ok(())
}

/// The index's name, within PostgreSQL's 63 bytes.
fn index_name(chunk: &str) -> String {
    const ENDING: &str = "_series_time";
    if chunk.len() + ENDING.len() <= 63 {
        return format!("{chunk}{ENDING}");
    }
    let hash = blake3::hash(chunk.as_bytes()).to_hex();
    let hash: String = hash.chars().take(20).collect();
    format!("chunkwise_{hash}{ENDING}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_chunk_has_an_index_name_of_its_own_that_is_not_cut() {
        let long = |end: &str| format!("{}{end}", "x".repeat(60));
        assert_eq!(index_name("_hyper_1_2_chunk"), "_hyper_1_2_chunk_series_time");
        assert_ne!(index_name(&long("1")), index_name(&long("2")));
        assert!(index_name(&long("1")).len() <= 63);
    }
}
