//! Writers: each takes as many waiting requests as make a good transaction, and commits them together.

use std::{collections::HashSet, sync::Arc};

use sqlx::PgConnection;
use tokio::sync::{
    Mutex,
    mpsc::{self, UnboundedSender},
    oneshot,
};

use super::{
    attempt::{self, Retry},
    service::IngestError,
    transaction::{Entry, Outcome, commit},
};
use crate::db::Database;

/// A transaction is closed to further requests at so many rows: beyond it the rate of COPY does not rise any more.
const GROUP_ROWS: usize = 50_000;

/// A request in the queue.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) entry: Entry,
    pub(super) reply: oneshot::Sender<Result<Outcome, IngestError>>,
}

/// The queue's end that all writers share: the lock is held only while one of them waits for its first request.
pub(super) type Queue = Arc<Mutex<mpsc::UnboundedReceiver<Job>>>;

/// Commits requests until the queue is closed and empty. Those of which the database refuses rows go on to `isolate`: that
/// takes long, and other requests wait here.
pub(super) async fn run(database: Database, queue: Queue, isolate: UnboundedSender<Job>) {
    let mut connection: Option<PgConnection> = None;
    while let Some(jobs) = next_group(&queue).await {
        let (jobs, repeated) = split_repeated(jobs);
        commit_group(&database, &mut connection, jobs, &isolate).await;
        // The same id twice at once: the second finds the first in the ledger.
        for job in repeated {
            commit_group(&database, &mut connection, vec![job], &isolate).await;
        }
    }
}

async fn next_group(queue: &Queue) -> Option<Vec<Job>> {
    let mut queue = queue.lock().await;
    let first = queue.recv().await?;
    let mut rows = first.entry.rows;
    let mut jobs = vec![first];
    while rows < GROUP_ROWS {
        let Ok(job) = queue.try_recv() else { break };
        rows += job.entry.rows;
        jobs.push(job);
    }
    Some(jobs)
}

fn split_repeated(jobs: Vec<Job>) -> (Vec<Job>, Vec<Job>) {
    let mut seen = HashSet::new();
    jobs.into_iter().partition(|job| seen.insert(job.entry.id.id))
}

async fn commit_group(
    database: &Database,
    connection: &mut Option<PgConnection>,
    jobs: Vec<Job>,
    isolate: &UnboundedSender<Job>,
) {
    let entries: Vec<&Entry> = jobs.iter().map(|job| &job.entry).collect();
    match commit_patiently(database, connection, &entries).await {
        Ok(outcomes) => {
            for (job, outcome) in jobs.into_iter().zip(outcomes) {
                // Whoever asked may have gone; the rows are committed all the same.
                drop(job.reply.send(Ok(outcome)));
            }
        }
        Err(error) if jobs.len() > 1 && !error.is_unavailable() => {
            // One request's fault must not be the others': each for itself.
            for job in jobs {
                let outcome = commit_patiently(database, connection, &[&job.entry]).await;
                let outcome = outcome.and_then(|mut outcomes| outcomes.pop().ok_or(IngestError::Stale));
                answer(job, outcome, isolate);
            }
        }
        Err(error) => {
            for job in jobs {
                answer(job, Err(error.again()), isolate);
            }
        }
    }
}

/// One row's fault must not be the others' either: a request of which the database refuses rows is not answered here.
fn answer(job: Job, outcome: Result<Outcome, IngestError>, isolate: &UnboundedSender<Job>) {
    match outcome {
        Err(IngestError::Database(_)) => drop(isolate.send(job)),
        outcome => drop(job.reply.send(outcome)),
    }
}

/// Tries until it is committed, the fault is the request's own, or patience ends. An attempt whose COMMIT got no answer
/// may have been committed: the next one finds it in the ledger.
async fn commit_patiently(
    database: &Database,
    connection: &mut Option<PgConnection>,
    entries: &[&Entry],
) -> Result<Vec<Outcome>, IngestError> {
    let bytes = entries.iter().flat_map(|entry| &entry.parts).map(|part| part.batch.bytes()).sum();
    let mut retry = Retry::begin();
    let mut in_doubt = false;
    loop {
        let work = async |connection: &mut PgConnection| commit(connection, entries).await;
        let error = match attempt::within(attempt::limit(bytes), database, connection, work).await {
            Ok(outcomes) if in_doubt => return Ok(own(outcomes, entries)),
            Ok(outcomes) => return Ok(outcomes),
            Err(error) => error,
        };
        in_doubt = true;
        if !retry.again(&error).await {
            return Err(IngestError::database(error));
        }
    }
}

/// After an attempt without an answer, what the ledger has of the same body is mostly that attempt's.
fn own(outcomes: Vec<Outcome>, entries: &[&Entry]) -> Vec<Outcome> {
    let own = |(outcome, entry): (Outcome, &&Entry)| match outcome {
        Outcome::Duplicate { body_hash, .. } if body_hash == entry.id.body_hash => Outcome::Committed,
        other => other,
    };
    outcomes.into_iter().zip(entries).map(own).collect()
}
