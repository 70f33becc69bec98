//! How much there is to read.

use sqlx::PgConnection;

use super::Plan;

/// The size of the chunks that a plan touches, in bytes, without their indexes. A chunk that has gone makes it an error of
/// the kind of [`Failure::Stale`](crate::db::Failure::Stale).
///
/// # Errors
/// The database's.
pub async fn stored_bytes(connection: &mut PgConnection, plan: &Plan) -> Result<u64, sqlx::Error> {
    let bytes: i64 = sqlx::query_scalar(
        "SELECT coalesce(sum(pg_relation_size(format('%I.%I', r.schema_name, r.table_name)::regclass)), 0)::int8
         FROM _timescaledb_catalog.chunk c
         JOIN _timescaledb_catalog.chunk r ON r.id IN (c.id, c.compressed_chunk_id)
         WHERE c.id = ANY ($1)",
    )
    .bind(&plan.touched)
    .fetch_one(connection)
    .await?;
    Ok(u64::try_from(bytes).unwrap_or(0))
}
