//! Ends what nobody else ends: a COPY whose client has stopped sending.

use std::time::Duration;

use sqlx::PgConnection;

/// A COPY that has run for so long and waits for its client has none any more: a writer gives each of its attempts up, and
/// closes the connection, half a minute earlier at the latest.
pub const STALLED_AFTER: Duration = Duration::from_secs(90);

/// Ends writers' sessions on this database that have been in one COPY for longer than `older_than` and wait for their
/// client now; returns how many.
///
/// Such a COPY ignores `statement_timeout`, `idle_in_transaction_session_timeout` and being cancelled, and keeps its
/// locks. It is left behind where a writer's machine or network ends without a word.
///
/// `connection` must be a writer's: only a session of the same role, or a superuser's, sees and may end them.
///
/// # Errors
/// The database's.
pub async fn end_stalled_copies(connection: &mut PgConnection, older_than: Duration) -> Result<usize, sqlx::Error> {
    let ended: Vec<bool> = sqlx::query_scalar(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()
           AND application_name = 'chunkwise-writer' AND state = 'active' AND wait_event = 'ClientRead'
           AND query LIKE 'COPY %' AND query_start < clock_timestamp() - make_interval(secs => $1)",
    )
    .bind(older_than.as_secs_f64())
    .fetch_all(connection)
    .await?;
    Ok(ended.into_iter().filter(|ended| *ended).count())
}
