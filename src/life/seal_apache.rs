//! What sealing is without the columnstore: a B-tree on (series_id, time), and a table that needs no vacuum any more.

use sqlx::{Executor, PgConnection};

use super::{ChunkLook, LifeError, seal};
use crate::hypertable::quote_ident;

/// Returns the counter of changed rows as it was before the index was complete.
///
/// 1. An invalid index of an attempt that was cut off is dropped.
/// 2. The index is built, unless it is there: concurrently, so that late rows do not wait.
/// 3. Rows are frozen and counted. The table keeps its empty end: cutting it off would lock out readers.
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
    let vacuum = format!("VACUUM (FREEZE, ANALYZE, TRUNCATE false) {}", chunk.quoted());
    connection.execute(vacuum.as_str()).await?;
    Ok(written)
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
