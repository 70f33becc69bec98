//! Keeps what the planner knows of series tables right.
//!
//! A measurement's series come with its first rows, hundreds of thousands of them at once, and until the server's autovacuum
//! has been there, a minute or more later, its planner takes a few series for a large part of a table of which it knows
//! nothing: eight symbols' bars of half a day were sorted in 4.6 ms instead of read in order in 2.7. Chunks are analyzed when
//! they are sealed.

use sqlx::{Executor, PgConnection};

use crate::db::{Failure, classify};

/// The server's own rule for when a table is to be analyzed, with its defaults.
const OUTDATED: &str = "
    SELECT s.name FROM chunkwise.measurement m
    CROSS JOIN LATERAL format('%I.%I', m.namespace || '_store', m.relation || '__series') AS s(name)
    JOIN pg_class c ON c.oid = to_regclass(s.name)
    WHERE pg_stat_get_mod_since_analyze(c.oid) > 50 + 0.1 * greatest(c.reltuples, 0)
    ORDER BY m.id";

/// Analyzes the series tables that have grown. Where somebody else is at one, it is left for the next time.
pub(super) async fn follow(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let outdated: Vec<String> = sqlx::query_scalar(OUTDATED).fetch_all(&mut *connection).await?;
    for table in outdated {
        match connection.execute(format!("ANALYZE (SKIP_LOCKED) {table}").as_str()).await {
            Ok(_) => {}
            Err(error) if classify(&error) == Failure::Unavailable => return Err(error),
            // It was dropped, or changed hands.
            Err(error) => tracing::debug!(error = %error, table, "questions about few series may be planned badly"),
        }
    }
    Ok(())
}
