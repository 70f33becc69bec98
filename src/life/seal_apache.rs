//! What sealing is without the columnstore: a B-tree on (series_id, time), and a table that needs no vacuum any more.

use std::time::Duration;

use sqlx::{Executor, PgConnection};

use super::{ChunkLook, LifeError, index, seal};
use crate::{
    db::{Database, Failure, classify},
    hypertable::{RowOrder, quote_ident},
};

/// Returns the counter of changed rows as it was before the index was complete; at least the rows that there are, as what a
/// load has only just committed is not in the counter yet.
///
/// 1. The index is built, unless it is there, so that late rows do not wait: see [`index`].
/// 2. If the measurement's setting says so, the rows are rewritten in the index's order, in one transaction. It locks the
///    chunk, so that it waits for a moment only: everybody would wait behind it. Where the chunk is read all the time, it is
///    tried again with the whole sealing. Old snapshots see their rows as before, the chunk keeps its number, and no row
///    changes, so the change log and what follows it have nothing to do.
/// 3. Rows are frozen and counted. The table keeps its empty end: cutting it off would lock out readers.
pub(super) async fn seal(
    connection: &mut PgConnection,
    database: &Database,
    chunk: &ChunkLook,
) -> Result<i64, LifeError> {
    let written = seal::written(connection, chunk).await?;
    if !chunk.indexed {
        index::build(connection, database, chunk).await?;
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
