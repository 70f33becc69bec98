//! The proof: every acknowledged row is in the database, once, with its exact value, and nothing else is.
//!
//! ```text
//! journal -> what each row may and must be there      database --(one COPY, one snapshot)--> each row made again, compared,
//!                                                                                           and counted
//!         \--> expected counts against found counts --> lost, twice, phantom, wrong; requests in doubt: there or not
//! ```
//!
//! Memory: a byte for each row that was sent, whatever the database holds.

mod expect;
mod ledger;
mod report;
mod scan;

use sqlx::{Executor, PgConnection};

pub use report::{Fault, Proof, Verdict};

use super::{FeedError, Rows, journal::Recorded};
use crate::{
    copy::DecodeError,
    db::{Database, Role},
    hypertable::{self, Measurement},
};

/// Why nothing could be proved.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The journal's recipe cannot be followed.
    #[error(transparent)]
    Recipe(#[from] FeedError),
    /// The database.
    #[error("reading the measurement")]
    Database(#[from] sqlx::Error),
    /// What the database sent is no COPY of the columns that were asked for.
    #[error("reading the measurement's rows")]
    Rows(#[from] DecodeError),
}

/// Compares a measurement with a feed's journal. Only reads, all of it in one snapshot. The measurement must be the feed's
/// own: every other row in it is a phantom.
///
/// # Errors
/// [`VerifyError`]; then nothing is proved.
pub async fn verify(recorded: &Recorded, database: &Database) -> Result<Proof, VerifyError> {
    let rows = Rows::new(recorded.header.recipe.clone())?;
    let mut connection = database.connect(Role::Reader).await?;
    // A large measurement takes longer than a question may.
    connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = 0").await?;
    let header = &recorded.header;
    let measurement =
        hypertable::load_measurement(&mut connection, &header.namespace, &header.recipe.measurement).await?;
    let mut proof = Proof::new(recorded);
    let mut found = scan::Found::new(recorded);
    let mut known = hashbrown::HashSet::new();
    if let Some(measurement) = &measurement {
        proof.root_rows = root_rows(&mut connection, measurement).await?;
        scan::scan(&mut connection, measurement, &rows, &mut found, &mut proof).await?;
        known = ledger::requests(&mut connection, recorded).await?;
    }
    expect::compare(recorded, &rows, &found, &known, &mut proof);
    connection.execute("ROLLBACK").await?;
    Ok(proof)
}

/// Rows beside every chunk: there are none, unless the extension slept while they were written. Since 2.29 its planner leaves the
/// root table out even where only that is asked for, so it sleeps for this count too, where the role may say so.
async fn root_rows(connection: &mut PgConnection, measurement: &Measurement) -> Result<u64, sqlx::Error> {
    let (bytes, may): (i64, bool) = sqlx::query_as(
        "SELECT pg_relation_size($1::text::regclass), has_parameter_privilege('timescaledb.restoring', 'SET')",
    )
    .bind(measurement.storage())
    .fetch_one(&mut *connection)
    .await?;
    if bytes == 0 {
        return Ok(0);
    }
    if may {
        connection.execute("SET LOCAL timescaledb.restoring = on").await?;
    }
    let count = format!("SELECT count(*) FROM ONLY {}", measurement.storage());
    let rows: i64 = sqlx::query_scalar(&count).fetch_one(&mut *connection).await?;
    if may {
        connection.execute("SET LOCAL timescaledb.restoring = off").await?;
    }
    Ok(rows.unsigned_abs())
}
