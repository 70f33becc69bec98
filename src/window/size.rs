//! How much there is to read.

use sqlx::PgConnection;

use super::Plan;

/// The size of the tables of the chunks that a plan touches, in bytes, without indexes. A chunk in the columnstore counts for
/// what is left in its table, and one that has gone for nothing: a hint for how many connections are worth it, no more.
///
/// # Errors
/// The database's.
pub async fn stored_bytes(connection: &mut PgConnection, plan: &Plan) -> Result<u64, sqlx::Error> {
    let bytes: i64 = sqlx::query_scalar(
        "SELECT coalesce(sum(pg_relation_size(chunk::oid::regclass)), 0)::int8 FROM unnest($1::int8[]) AS chunk",
    )
    .bind(&plan.touched)
    .fetch_one(connection)
    .await?;
    Ok(u64::try_from(bytes).unwrap_or(0))
}
