//! What sealing is without the columnstore: a B-tree on (series_id, time), and a table that needs no vacuum any more.

use std::time::Duration;

use sqlx::{Executor, PgConnection};

use super::{ChunkLook, LifeError, seal};
use crate::{
    db::{Failure, classify},
    hypertable::{RowOrder, quote_ident},
};

/// Returns the counter of changed rows as it was before the index was complete; at least the rows that there are, as what a
/// load has only just committed is not in the counter yet.
///
/// 1. An invalid index of an attempt that was cut off is dropped.
/// 2. The index is built, unless it is there: concurrently, so that late rows do not wait.
/// 3. If the measurement's setting says so, the rows are rewritten in the index's order, in one transaction. It locks the
///    chunk, so that it waits for a moment only: everybody would wait behind it. Where the chunk is read all the time, it is
///    tried again with the whole sealing. Old snapshots see their rows as before, the chunk keeps its number, and no row
///    changes, so the change log and what follows it have nothing to do.
/// 4. Rows are frozen and counted. The table keeps its empty end: cutting it off would lock out readers.
pub(super) async fn seal(connection: &mut PgConnection, chunk: &ChunkLook) -> Result<i64, LifeError> {
    let written = seal::written(connection, chunk).await?;
    if !chunk.indexed {
        let built = build(connection, chunk).await;
        if built.is_err() {
            // Else the planner and every late row carry it along until the next attempt.
            if let Err(error) = drop_invalid(connection, chunk).await {
                tracing::debug!(error = %error, "an index that was not completed is dropped later");
            }
        }
        built?;
    }
    let is_in_order = chunk.ordered && chunk.facts.sealed_us.is_none();
    if chunk.row_order == RowOrder::Series && !is_in_order {
        rewrite(connection, chunk).await?;
    }
    let vacuum = format!("VACUUM (FREEZE, ANALYZE, TRUNCATE false) {}", chunk.quoted());
    connection.execute(vacuum.as_str()).await?;
    let rows: i64 = sqlx::query_scalar("SELECT reltuples::int8 FROM pg_class WHERE oid = $1::text::regclass")
        .bind(chunk.quoted())
        .fetch_one(connection)
        .await?;
    Ok(written.max(rows))
}

/// Sorts the table by its index.
async fn rewrite(connection: &mut PgConnection, chunk: &ChunkLook) -> Result<(), sqlx::Error> {
    const ATTEMPTS: usize = 10;
    const PAUSE: Duration = Duration::from_millis(500);
    let index: String = sqlx::query_scalar(
        "SELECT c.relname::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
         WHERE i.indrelid = $1::text::regclass AND i.indisvalid AND i.indkey::text = '2 1' LIMIT 1",
    )
    .bind(chunk.quoted())
    .fetch_one(&mut *connection)
    .await?;
    let cluster = format!("CLUSTER {} USING {}", chunk.quoted(), quote_ident(&index));
    let before: String = sqlx::query_scalar("SHOW lock_timeout").fetch_one(&mut *connection).await?;
    connection.execute("SET lock_timeout = '100ms'").await?;
    let mut rewritten = connection.execute(cluster.as_str()).await;
    for _ in 1..ATTEMPTS {
        let is_in_the_way = rewritten.as_ref().is_err_and(|error| classify(error) == Failure::Contention);
        if !is_in_the_way {
            break;
        }
        tokio::time::sleep(PAUSE).await;
        rewritten = connection.execute(cluster.as_str()).await;
    }
    sqlx::query("SELECT set_config('lock_timeout', $1, false)").bind(&before).execute(connection).await?;
    rewritten.map(drop)
}

async fn build(connection: &mut PgConnection, chunk: &ChunkLook) -> Result<(), sqlx::Error> {
    drop_invalid(connection, chunk).await?;
    let index = quote_ident(&index_name(&chunk.table[1]));
    let create = format!("CREATE INDEX CONCURRENTLY IF NOT EXISTS {index} ON {} (series_id, \"time\")", chunk.quoted());
    connection.execute(create.as_str()).await?;
    Ok(())
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
