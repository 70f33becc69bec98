//! Writers: each takes as many waiting requests as make a good transaction, and commits them together.

use std::{
    collections::{HashMap, HashSet},
    panic::AssertUnwindSafe,
    sync::Arc,
    time::Duration,
};

use futures_util::FutureExt;
use sqlx::PgConnection;
use tokio::{sync::mpsc::UnboundedSender, time::Instant};

use super::{
    IngestError,
    attempt::{self, Attempt, Retry},
    counters::Counters,
    lanes::Lanes,
    metric,
    queue::Job,
    transaction::{CommitError, Entry, Outcome, commit},
};
use crate::{batch::Recent, db::Database};

/// Patience with a request of a locked measurement, from when it came.
const SLOW_PATIENCE: Duration = Duration::from_secs(10);
/// A writer of everybody's waits so long for a lock.
const LOCK_TIMEOUT: &str = "SET lock_timeout = '300ms'";
/// A writer of locked measurements has time; it is asked anew now and then, to see whether its client's time is over.
const SLOW_LOCK_TIMEOUT: &str = "SET lock_timeout = '2s'";
/// A writer with a defect that shows at once must not take a core.
const RESTART_PAUSE: Duration = Duration::from_millis(200);

/// What a writer works with.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    pub(super) database: Database,
    pub(super) lanes: Arc<Lanes>,
    pub(super) lane: Lane,
    /// Takes requests of which the database refuses rows: to find them takes long, and other requests wait here.
    pub(super) isolate: UnboundedSender<Job>,
    /// A request that cannot be committed is tried again for so long.
    pub(super) patience: Duration,
    /// Takes what was committed.
    pub(super) recent: Recent,
}

/// Whose requests a writer takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// Everybody's.
    Quick,
    /// Those of locked measurements.
    Slow,
    /// Those of the spool, in their order.
    Spooled,
}

/// Why requests were not committed together.
enum Failed {
    /// Another session holds this measurement.
    Locked(i32),
    Error(IngestError),
}

/// Runs `work` until it ends; where it ends by a defect, it is begun anew. What it held is dropped with it.
pub(super) async fn keep_running<F: Future<Output = ()>>(counters: Arc<Counters>, work: impl Fn() -> F) {
    // What was half changed is gone: a writer starts with nothing.
    while AssertUnwindSafe(work()).catch_unwind().await.is_err() {
        tracing::error!("a writer ended by a defect: it is started again, its requests are sent back");
        counters.writer_restarted();
        tokio::time::sleep(RESTART_PAUSE).await;
    }
}

impl Writer {
    /// Commits requests until the lane is closed and empty.
    pub(super) async fn run(self) {
        let mut connection: Option<PgConnection> = None;
        let queue = match self.lane {
            Lane::Quick => &self.lanes.quick,
            Lane::Slow => &self.lanes.slow,
            Lane::Spooled => &self.lanes.spooled,
        };
        while let Some(mut group) = queue.next().await {
            let jobs = std::mem::take(&mut group.jobs);
            for jobs in self.transactions(jobs) {
                self.commit_group(&mut connection, jobs).await;
            }
        }
    }

    /// Requests by transaction: the same id twice at once goes apart, so that the second finds the first in the ledger; of
    /// locked measurements each goes apart, because another may be free again.
    fn transactions(&self, jobs: Vec<Job>) -> Vec<Vec<Job>> {
        let mut seen = HashSet::new();
        let (first, repeated): (Vec<_>, Vec<_>) =
            jobs.into_iter().partition(|job| self.lane != Lane::Slow && seen.insert(job.entry.id.id));
        std::iter::once(first)
            .chain(repeated.into_iter().map(|job| vec![job]))
            .filter(|jobs| !jobs.is_empty())
            .collect()
    }

    async fn commit_group(&self, connection: &mut Option<PgConnection>, jobs: Vec<Job>) {
        let mut pending = vec![jobs];
        let mut held_back = HeldBack::default();
        while let Some(mut jobs) = pending.pop() {
            if self.lane == Lane::Spooled {
                jobs = held_back.keep_order(jobs);
            }
            if jobs.is_empty() {
                continue;
            }
            match self.commit_patiently(connection, &mut jobs).await {
                Ok(outcomes) => {
                    self.found_free(&jobs);
                    for (job, outcome) in jobs.into_iter().zip(outcomes) {
                        // Whoever asked may have gone; the rows are committed all the same.
                        drop(job.reply.send(Ok(outcome)));
                    }
                }
                Err(Failed::Locked(measurement)) if self.lane == Lane::Spooled => {
                    held_back.measurements.insert(measurement, measurement);
                    pending.push(jobs);
                }
                Err(Failed::Locked(measurement)) => {
                    self.lanes.found_locked(measurement);
                    let (held, free): (Vec<_>, Vec<_>) =
                        jobs.into_iter().partition(|job| job.measurements().any(|touched| touched == measurement));
                    for job in held {
                        self.lanes.slow.push(job);
                    }
                    pending.push(free);
                }
                Err(Failed::Error(error)) if jobs.len() > 1 && !error.is_unavailable() => {
                    // One request's fault must not be the others': each for itself.
                    pending.extend(jobs.into_iter().rev().map(|job| vec![job]));
                }
                Err(Failed::Error(error)) => {
                    if !error.is_unavailable() {
                        self.found_free(&jobs);
                    }
                    for job in jobs {
                        self.give_up(job, error.again());
                    }
                }
            }
        }
    }

    /// Lets the measurements of these requests into the quick lane again.
    fn found_free(&self, jobs: &[Job]) {
        if self.lane == Lane::Slow {
            self.lanes.found_free(jobs);
        }
    }

    /// One row's fault must not be the others' either: a request of which the database refuses rows is not answered here.
    fn give_up(&self, job: Job, error: IngestError) {
        match error {
            IngestError::Database(_) => drop(self.isolate.send(job)),
            error => drop(job.reply.send(Err(error))),
        }
    }

    /// Tries until it is committed, the fault is the request's own, or patience ends. An attempt whose COMMIT got no answer
    /// may have been committed: the next one finds it in the ledger.
    async fn commit_patiently(
        &self,
        connection: &mut Option<PgConnection>,
        jobs: &mut [Job],
    ) -> Result<Vec<Outcome>, Failed> {
        let mut retry = Retry::until(match self.lane {
            Lane::Quick | Lane::Spooled => Instant::now() + self.patience,
            Lane::Slow => jobs.first().map_or_else(Instant::now, |job| job.queued) + SLOW_PATIENCE,
        });
        loop {
            let entries: Vec<&Entry> = jobs.iter().map(|job| &job.entry).collect();
            let CommitError { error, measurement } = match self.attempt(connection, &entries).await {
                Ok(outcomes) => return Ok(outcomes.into_iter().zip(&*jobs).map(own).collect()),
                Err(error) => error,
            };
            match measurement {
                Some(measurement) if self.lane != Lane::Slow && is_lock_timeout(&error) => {
                    return Err(Failed::Locked(measurement));
                }
                _ => {}
            }
            jobs.iter_mut().for_each(|job| job.in_doubt |= attempt::leaves_doubt(&error));
            if !retry.again(&error).await {
                return Err(Failed::Error(IngestError::database(error)));
            }
        }
    }

    async fn attempt(
        &self,
        connection: &mut Option<PgConnection>,
        entries: &[&Entry],
    ) -> Result<Vec<Outcome>, CommitError> {
        let bytes = entries.iter().flat_map(|entry| &entry.parts).map(|part| part.batch.bytes()).sum();
        let lock_timeout = match self.lane {
            Lane::Quick | Lane::Spooled => LOCK_TIMEOUT,
            Lane::Slow => SLOW_LOCK_TIMEOUT,
        };
        let attempt = Attempt { database: &self.database, lock_timeout, limit: attempt::limit(bytes) };
        let begun = Instant::now();
        let outcomes =
            attempt.make(connection, async |connection| commit(connection, entries, &self.recent).await).await?;
        metrics::histogram!(metric::COMMIT).record(begun.elapsed());
        #[expect(clippy::cast_precision_loss, reason = "a histogram's values are floats")]
        metrics::histogram!(metric::COMMIT_ROWS).record(entries.iter().map(|entry| entry.rows).sum::<usize>() as f64);
        Ok(outcomes)
    }
}

/// Measurements that are held up, each with the locked one that is the reason: a request that touches a locked one waits,
/// and so does every later one that touches a measurement of it.
#[derive(Debug, Default)]
struct HeldBack {
    measurements: HashMap<i32, i32>,
}

impl HeldBack {
    /// Answers the requests that have to wait; the others are returned.
    fn keep_order(&mut self, jobs: Vec<Job>) -> Vec<Job> {
        if self.measurements.is_empty() {
            return jobs;
        }
        let mut free = Vec::with_capacity(jobs.len());
        for job in jobs {
            let Some(&measurement) = job.measurements().find_map(|touched| self.measurements.get(&touched)) else {
                free.push(job);
                continue;
            };
            self.measurements.extend(job.measurements().map(|touched| (touched, measurement)));
            drop(job.reply.send(Ok(Outcome::Held { measurement })));
        }
        free
    }
}

/// lock_not_available: `lock_timeout` has passed.
fn is_lock_timeout(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(error) if error.code().is_some_and(|code| code == "55P03"))
}

/// After an attempt without an answer, what the ledger has of the same body is mostly that attempt's.
fn own((outcome, job): (Outcome, &Job)) -> Outcome {
    match outcome {
        Outcome::Duplicate { body_hash, .. } if job.in_doubt && body_hash == job.entry.id.body_hash => {
            Outcome::Committed
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_writer_that_ends_by_a_defect_is_started_again() {
        let (counters, runs) = (Arc::new(Counters::default()), AtomicU32::new(0));
        keep_running(Arc::clone(&counters), || async {
            assert!(runs.fetch_add(1, Ordering::Relaxed) == 2, "the first two have a defect");
        })
        .await;
        assert_eq!(counters.values().writer_restarts, 2);
    }
}
