//! The lock that a measurement's writers hold shared, and whoever takes something away holds alone.

use sqlx::PgConnection;

/// "cwme" in ASCII: chunkwise, measurement. Also in `chunkwise.open_write`.
const MEASUREMENT_LOCK: i32 = 1_668_771_173;

/// Takes the measurement's lock exclusively: no write transaction of chunkwise's is under way from here to the end of this
/// transaction.
///
/// # Errors
/// The database's, also where the session's `lock_timeout` passes first.
pub async fn lock_out_writers(connection: &mut PgConnection, measurement_id: i32) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_advisory_xact_lock($1, $2)")
        .bind(MEASUREMENT_LOCK)
        .bind(measurement_id)
        .execute(connection)
        .await?;
    Ok(())
}
