//! Runs one job until it is told to stop.

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
    time::{Duration, Instant},
};

use rand::Rng as _;
use sqlx::{Executor, PgConnection};
use tokio_util::sync::CancellationToken;

use super::{Job, JobError, Next, Priority, Turn, metric, priority};
use crate::db::{Database, Role};

/// "cwjb" in ASCII: chunkwise, jobs. The second half of a job's key is its name's hash.
const LOCK_CLASS: i32 = 1_668_770_402;
/// How soon another process takes over from one that has gone.
const LOCK_EVERY: Duration = Duration::from_secs(2);
/// Pauses after errors.
const SHORTEST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Runs a job until `stop` is cancelled; errors and panics only delay it. To be given a task of its own.
///
/// At the stop the session is closed where it is: the server notices within two seconds, rolls back what was under way and
/// frees the lock.
pub async fn run<J: Job>(mut job: J, database: &Database, stop: &CancellationToken) {
    let mut pause = SHORTEST_PAUSE;
    loop {
        let began = Instant::now();
        let ended = stop.run_until_cancelled(hold(&mut job, database)).await;
        metrics::gauge!(metric::HELD, "job" => J::NAME).set(0.0);
        let Some(error) = ended else { return };
        // What went well for a while is not what failed before.
        if began.elapsed() > LONGEST_PAUSE {
            pause = SHORTEST_PAUSE;
        }
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        tracing::warn!(job = J::NAME, error = %error, cause, "a job failed; it is tried again");
        let random = pause.mul_f64(rand::rng().random_range(0.5..=1.0));
        pause = (pause * 2).min(LONGEST_PAUSE);
        if stop.run_until_cancelled(tokio::time::sleep(random)).await.is_none() {
            return;
        }
    }
}

/// One session: takes the lock and runs the job until an error ends it.
async fn hold<J: Job>(job: &mut J, database: &Database) -> JobError {
    match open::<J>(database).await {
        Ok(mut connection) => loop {
            metrics::gauge!(metric::HELD, "job" => J::NAME).set(1.0);
            match once(job, &mut Turn { connection: &mut connection, database }).await {
                // Also where nothing was awaited: others of this thread have their turn.
                Ok(Next::Again) => tokio::task::yield_now().await,
                Ok(Next::After(time)) => tokio::time::sleep(time).await,
                Err(error) => return error,
            }
        },
        Err(error) => error.into(),
    }
}

/// A session of the owner's for a job's work; it does not hold the job's lock.
pub(crate) async fn session(database: &Database, priority: Priority) -> Result<PgConnection, sqlx::Error> {
    let mut connection = database.connect(Role::Owner).await?;
    // In the middle of a long statement the server is to notice that this process has gone: others wait for the lock. Some
    // systems cannot tell; there such a statement ends first.
    if let Err(error) = connection.execute("SET client_connection_check_interval = '2s'").await {
        tracing::debug!(error = %error, "the server cannot notice a client's end in the middle of a statement");
    }
    // Whoever ingests or asks needs the other cores.
    connection.execute("SET max_parallel_workers_per_gather = 0").await?;
    if priority == Priority::Lowest {
        priority::lower_session(&mut connection).await?;
    }
    Ok(connection)
}

/// A session that holds the job's lock.
async fn open<J: Job>(database: &Database) -> Result<PgConnection, sqlx::Error> {
    let mut connection = session(database, J::PRIORITY).await?;
    while !lock(&mut connection, J::NAME).await? {
        tokio::time::sleep(LOCK_EVERY).await;
    }
    Ok(connection)
}

async fn lock(connection: &mut PgConnection, name: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT pg_try_advisory_lock($1, hashtext($2))")
        .bind(LOCK_CLASS)
        .bind(name)
        .fetch_one(connection)
        .await
}

/// One run, measured; a panic is an error like others.
async fn once<J: Job>(job: &mut J, turn: &mut Turn<'_>) -> Result<Next, JobError> {
    let began = Instant::now();
    let next = caught(job.run(turn)).await;
    let outcome = if next.is_ok() { "done" } else { "failed" };
    metrics::counter!(metric::RUNS, "job" => J::NAME, "outcome" => outcome).increment(1);
    metrics::histogram!(metric::SECONDS, "job" => J::NAME).record(began.elapsed().as_secs_f64());
    next
}

async fn caught(run: impl Future<Output = Result<Next, JobError>>) -> Result<Next, JobError> {
    let mut run = pin!(run);
    // After a panic the future is not polled again, and the job's next run begins with what the database holds.
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| run.as_mut().poll(context))) {
        Ok(poll) => poll,
        Err(panic) => Poll::Ready(Err(JobError::Defect(said(panic.as_ref())))),
    })
    .await
}

fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_of_a_job_is_an_error() {
        let ended = caught(async { panic!("no chunk {}", 7) }).await;
        assert!(matches!(ended, Err(JobError::Defect(said)) if said == "no chunk 7"));
        assert_eq!(caught(async { Ok(Next::Again) }).await.unwrap(), Next::Again);
    }
}
