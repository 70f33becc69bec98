//! What the ledger forgets.
//!
//! A ledger row and the change log's rows of the same request are of one transaction: that is how the requests that wrote to a
//! measurement are found. The change log keeps a day of them.

use sqlx::PgConnection;

/// Which requests are forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Forget {
    /// Those without a key, of the last hour: the same bytes may be written again. A key stays used: whoever sends it again
    /// means the same request, most of whose rows may still be there.
    SameBodies,
    /// All of them: nothing is left of what they wrote.
    All,
}

pub(super) async fn forget(
    connection: &mut PgConnection,
    measurement_id: i32,
    what: Forget,
) -> Result<(), sqlx::Error> {
    // What expires within the hour has no key, or one that expires within the hour.
    let which = match what {
        Forget::SameBodies => "AND l.expires_at < now() + interval '1 hour'",
        Forget::All => "",
    };
    let sql = format!(
        "DELETE FROM chunkwise.ledger l
         WHERE l.xmin IN (SELECT c.xid::xid FROM chunkwise.change c WHERE c.measurement_id = $1) {which}"
    );
    sqlx::query(&sql).bind(measurement_id).execute(connection).await?;
    Ok(())
}
