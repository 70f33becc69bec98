//! A request of which the database refuses rows: the others are committed, and those few are set aside.
//!
//! Rows are checked before they are sent, but a storage table belongs to its analysts too: a CHECK, a unique index, a NOT
//! NULL, a trigger, a column of another type. One transaction does it all: the ledger's row, COPYs of ever smaller parts,
//! each behind a savepoint, until every row is either in the table or was refused by itself, the dead letters, and the
//! correction of the ledger's row. So a request is once in the ledger, whole, like any other.

mod search;
mod verdict;

use std::time::Duration;

use sqlx::{Executor, PgConnection};
use tokio::{sync::mpsc::UnboundedReceiver, time::Instant};

use self::search::MAX_COPIES;
pub(super) use self::{
    search::Search,
    verdict::{Verdict, verdict},
};
use super::{
    IngestError, PartialWrites, Refused,
    attempt::{Attempt, PATIENCE, Retry, leaves_doubt},
    dead_letter::{Correction, DeadLetter, rendered, set_aside},
    prepare::Part,
    queue::Job,
    transaction::{Begun, Entry, Outcome, begin, first_answers, sort},
};
use crate::{batch::Block, copy, db::Database, hypertable::is_retyped};

/// An attempt, whatever it waits for.
const LIMIT: Duration = Duration::from_secs(60);
/// It waits beside the writers, and holds up no other request but those that it is to settle.
const LOCK_TIMEOUT: &str = "SET lock_timeout = '5s'";
/// Of it, the search for rows. [`MAX_COPIES`] take less, unless each of them makes a chunk in vain.
const SEARCH: Duration = Duration::from_secs(5);

/// Works off requests that the database has refused whole, one after the other beside the writers, until these have ended:
/// a measurement that refuses all of its rows must not hold up the others.
pub(super) async fn run(database: Database, mut refused_whole: UnboundedReceiver<Job>) {
    while let Some(job) = refused_whole.recv().await {
        // Whoever asked may have gone; the rows are committed all the same.
        let settled = settle(&database, &job).await;
        drop(job.reply.send(settled));
    }
}

/// Commits what of a request the database takes.
async fn settle(database: &Database, job: &Job) -> Result<Outcome, IngestError> {
    let entry = &job.entry;
    let mut connection = None;
    let mut retry = Retry::until(Instant::now() + PATIENCE);
    let mut in_doubt = job.in_doubt;
    let attempt = Attempt { database, lock_timeout: LOCK_TIMEOUT, limit: LIMIT };
    loop {
        let work = async |connection: &mut PgConnection| commit(connection, entry).await;
        let error = match attempt.make(&mut connection, work).await {
            Ok(None) => return Err(IngestError::Stale),
            // The attempt before was committed, and its answer lost.
            Ok(Some(Outcome::Duplicate { body_hash, written, refused, dead_lettered }))
                if in_doubt && body_hash == entry.id.body_hash =>
            {
                return Ok(Outcome::Partial { written, refused, dead_lettered });
            }
            Ok(Some(outcome)) => return Ok(outcome),
            Err(error) => error,
        };
        in_doubt |= leaves_doubt(&error);
        if !retry.again(&error).await {
            return Err(IngestError::database(error));
        }
    }
}

/// None, and nothing is committed, if the rows must be prepared anew for another type of a column.
async fn commit(connection: &mut PgConnection, entry: &Entry) -> Result<Option<Outcome>, sqlx::Error> {
    let Begun { mut transaction, new, .. } = begin(connection, &[entry]).await?;
    if new.is_empty() {
        transaction.rollback().await?;
        let answers = first_answers(connection, &[entry], &Default::default()).await?;
        let answer = answers.into_iter().next().ok_or(sqlx::Error::RowNotFound)?;
        return Ok(Some(answer.1));
    }
    for Part { measurement, .. } in &entry.parts {
        // From here on the types stay as they are.
        let lock = format!("LOCK TABLE {} IN ROW EXCLUSIVE MODE", measurement.storage());
        transaction.execute(lock.as_str()).await?;
        if is_retyped(&mut transaction, measurement).await? {
            transaction.rollback().await?;
            return Ok(None);
        }
    }
    // What is checked only at COMMIT could not be told apart by row.
    transaction.execute("SET CONSTRAINTS ALL IMMEDIATE").await?;
    let mut budget = Budget { copies: MAX_COPIES, until: Instant::now() + SEARCH };
    let mut written = 0;
    let mut refused = Vec::new();
    let mut letters = Vec::new();
    for part in &entry.parts {
        sort(&part.batch);
        let found = fill(&mut transaction, part, &mut budget).await?;
        written += part.batch.len() - found.len();
        let lines = rendered(&mut transaction, &part.measurement, &part.batch, found.iter().map(|(place, _)| *place));
        for ((place, verdict), line) in found.iter().zip(lines.await?) {
            let row = part.batch.row(*place);
            let number = part.lines.get(row.arrival()).copied().unwrap_or(0);
            refused.push(Refused::by_the_database(number, verdict.to_string(), &line));
            letters.push(DeadLetter {
                namespace: part.measurement.namespace.clone(),
                measurement: part.measurement.name.clone(),
                time_us: row.time_us(),
                reason: verdict.to_string(),
                line,
            });
        }
    }
    if letters.is_empty() {
        // What was in the way is gone.
        transaction.commit().await?;
        return Ok(Some(Outcome::Committed));
    }
    refused.extend_from_slice(&entry.refused);
    refused.sort_by_key(|refused| refused.line);
    tracing::warn!(
        measurement = letters[0].measurement,
        reason = letters[0].reason,
        rows = letters.len(),
        copies = MAX_COPIES - budget.copies,
        "the database refuses rows of a request"
    );
    if entry.partial == PartialWrites::Refuse {
        transaction.rollback().await?;
        return Ok(Some(Outcome::Refused(refused)));
    }
    let correction = Correction { id: entry.id, source: entry.source, written, refused: &refused };
    set_aside(&mut transaction, &correction, &letters).await?;
    transaction.commit().await?;
    Ok(Some(Outcome::Partial { written: written as u64, refused, dead_lettered: letters.len() as u64 }))
}

/// What may still be spent on a request's search.
struct Budget {
    copies: usize,
    until: Instant,
}

impl Budget {
    /// Takes a COPY of it, if there is one left.
    fn take(&mut self) -> bool {
        let is_left = self.copies > 0 && Instant::now() < self.until;
        self.copies -= usize::from(is_left);
        is_left
    }
}

/// Brings the rows of a batch into their table, but for those that it refuses, which are returned by their places.
async fn fill(
    transaction: &mut PgConnection,
    part: &Part,
    budget: &mut Budget,
) -> Result<Vec<(usize, Verdict)>, sqlx::Error> {
    let mut found = Vec::new();
    transaction.execute("SAVEPOINT rows").await?;
    for Block { places, columns } in part.batch.blocks() {
        let mut search = Search::new(places.clone());
        let whole = places;
        while let Some(places) = search.next() {
            if !budget.take() {
                found.extend(search.untried().map(|place| (place, Verdict::Untried)));
                break;
            }
            // A column that nothing can be written to is in the way only of rows that have a value for it.
            let fewer = (places != whole).then(|| part.batch.columns_in(&columns, &places));
            let columns = fewer.as_ref().unwrap_or(&columns);
            match copy::copy_rows(transaction, &part.measurement, &part.batch, columns, places).await {
                Ok(_) => {
                    transaction.execute("RELEASE SAVEPOINT rows; SAVEPOINT rows").await?;
                    search.taken();
                }
                Err(error) => {
                    let Some((verdict, at)) = verdict(&error) else { return Err(error) };
                    transaction.execute("ROLLBACK TO SAVEPOINT rows").await?;
                    found.extend(search.refused(at).map(|place| (place, verdict)));
                }
            }
        }
    }
    transaction.execute("RELEASE SAVEPOINT rows").await?;
    Ok(found)
}
