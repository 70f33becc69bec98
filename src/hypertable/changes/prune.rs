//! Old entries go.

use sqlx::PgConnection;

use super::look::KEPT;

/// A mark is taken about so often, and an entry kept for so much longer than it must be.
const MARKS_APART: &str = "interval '30 minutes'";

/// Notes which transactions are visible now, if that was last noted a while ago: what [`prune`] goes by.
///
/// # Errors
/// The database's.
pub async fn mark(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let sql = format!(
        "INSERT INTO chunkwise.change_mark (taken_at)
         SELECT clock_timestamp() WHERE NOT EXISTS (
             SELECT FROM chunkwise.change_mark WHERE taken_at > clock_timestamp() - {MARKS_APART})
         ON CONFLICT DO NOTHING"
    );
    sqlx::query(&sql).execute(connection).await?;
    Ok(())
}

/// Deletes up to `rows` entries that every reader has had a day to see, but for the newest of each measurement, with which
/// whoever keeps something derived compares itself. Says whether there may be more.
///
/// Not by an entry's own time: a transaction that took longer than a day would be forgotten before it was seen. By a
/// snapshot that was taken more than a day ago: a reader that has not looked since begins anew.
///
/// # Errors
/// The database's.
pub async fn prune(connection: &mut PgConnection, rows: i64) -> Result<bool, sqlx::Error> {
    let sql = format!(
        "WITH old AS MATERIALIZED (
             SELECT snapshot FROM chunkwise.change_mark
             WHERE taken_at < clock_timestamp() - {KEPT} - {MARKS_APART} ORDER BY taken_at DESC LIMIT 1)
         DELETE FROM chunkwise.change WHERE id IN (
             SELECT id FROM chunkwise.change c, old
             -- Ids and times nearly grow together, so the oldest are looked at first.
             WHERE c.xid < pg_snapshot_xmax(old.snapshot)
                 AND pg_visible_in_snapshot(c.xid, old.snapshot)
                 AND EXISTS (SELECT FROM chunkwise.change n WHERE n.measurement_id = c.measurement_id AND n.id > c.id)
             ORDER BY c.id LIMIT $1 FOR UPDATE OF c SKIP LOCKED)"
    );
    let pruned = sqlx::query(&sql).bind(rows).execute(&mut *connection).await?.rows_affected();
    let sql = format!(
        "DELETE FROM chunkwise.change_mark WHERE taken_at < (
             SELECT max(taken_at) FROM chunkwise.change_mark
             WHERE taken_at < clock_timestamp() - {KEPT} - {MARKS_APART})"
    );
    sqlx::query(&sql).execute(connection).await?;
    Ok(pruned >= rows.unsigned_abs())
}
