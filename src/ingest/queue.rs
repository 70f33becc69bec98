//! Requests that wait for a writer, and when a writer takes them.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Notify, oneshot},
    time::Instant,
};

use super::{
    IngestError, metric,
    transaction::{Entry, Outcome},
};

/// A transaction is closed to further requests at so many rows: beyond it the rate of COPY does not rise any more.
const GROUP_ROWS: usize = 50_000;
/// And at so many bytes of batches.
const GROUP_BYTES: usize = 16 << 20;
/// So many rows are worth a transaction of their own while another one is under way.
const WORTH_ROWS: usize = 5_000;
/// While a transaction is under way, small requests wait so long for others to share the next one; most transactions are
/// over before.
const LINGER: Duration = Duration::from_millis(5);

/// A request in the queue.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) entry: Entry,
    pub(super) reply: oneshot::Sender<Result<Outcome, IngestError>>,
    pub(super) queued: Instant,
    /// An attempt got no answer: what the ledger has of the request may be that attempt's.
    pub(super) in_doubt: bool,
}

impl Job {
    pub(super) fn new(entry: Entry, reply: oneshot::Sender<Result<Outcome, IngestError>>) -> Self {
        Self { entry, reply, queued: Instant::now(), in_doubt: false }
    }

    /// The measurements that it writes to.
    pub(super) fn measurements(&self) -> impl Iterator<Item = i32> + '_ {
        self.entry.parts.iter().map(|part| part.measurement.id)
    }
}

/// The requests of one lane.
#[derive(Debug)]
pub(super) struct Queue {
    lane: &'static str,
    state: Mutex<State>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct State {
    jobs: VecDeque<Job>,
    rows: usize,
    /// Writers that have a group.
    busy: usize,
    closed: bool,
}

/// Requests for one transaction. While it lives, its writer counts as busy.
#[derive(Debug)]
pub(super) struct Group<'q> {
    pub(super) jobs: Vec<Job>,
    queue: &'q Queue,
}

impl Drop for Group<'_> {
    fn drop(&mut self) {
        self.queue.state().busy -= 1;
        self.queue.wake.notify_one();
    }
}

/// What a writer without work should do.
enum Advice {
    Take(Vec<Job>),
    Wait(Option<Instant>),
    End,
}

impl Queue {
    pub(super) fn new(lane: &'static str) -> Self {
        Self { lane, state: Mutex::default(), wake: Notify::new() }
    }

    /// Adds a request.
    pub(super) fn push(&self, job: Job) {
        let mut state = self.state();
        state.rows += job.entry.rows;
        state.jobs.push_back(job);
        self.show(&state);
        drop(state);
        self.wake.notify_one();
    }

    /// Adds requests that are to be committed together, as far as they fit into one transaction.
    pub(super) fn push_all(&self, jobs: Vec<Job>) {
        let mut state = self.state();
        state.rows += jobs.iter().map(|job| job.entry.rows).sum::<usize>();
        state.jobs.extend(jobs);
        self.show(&state);
        drop(state);
        self.wake.notify_one();
    }

    /// Lets writers end when the queue is empty.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.wake.notify_waiters();
        self.wake.notify_one();
    }

    /// The next requests to commit together; none when the queue is closed and empty.
    ///
    /// A writer that finds none at work takes what there is at once. While another is at work, it takes what is worth a
    /// transaction of its own or has waited long enough: so small requests share their commits, the more the faster they
    /// come, and a slow transaction holds up nobody.
    pub(super) async fn next(&self) -> Option<Group<'_>> {
        loop {
            match self.advise(Instant::now()) {
                Advice::Take(jobs) => return Some(Group { jobs, queue: self }),
                Advice::End => {
                    // The others end too.
                    self.wake.notify_one();
                    return None;
                }
                Advice::Wait(None) => self.wake.notified().await,
                Advice::Wait(Some(until)) => {
                    // Elapsed or woken: it looks again.
                    drop(tokio::time::timeout_at(until, self.wake.notified()).await);
                }
            }
        }
    }

    fn advise(&self, now: Instant) -> Advice {
        let mut state = self.state();
        let Some(oldest) = state.jobs.front() else {
            return if state.closed { Advice::End } else { Advice::Wait(None) };
        };
        let due = oldest.queued + LINGER;
        if state.busy > 0 && state.rows < WORTH_ROWS && !state.closed && now < due {
            return Advice::Wait(Some(due));
        }
        let jobs = state.take();
        state.busy += 1;
        self.show(&state);
        if !state.jobs.is_empty() {
            self.wake.notify_one();
        }
        Advice::Take(jobs)
    }

    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    fn show(&self, state: &State) {
        metrics::gauge!(metric::QUEUE_REQUESTS, "lane" => self.lane).set(state.jobs.len() as f64);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self) -> Vec<Job> {
        let (mut jobs, mut rows, mut bytes) = (Vec::new(), 0, 0);
        while let Some(job) = self.jobs.pop_front() {
            rows += job.entry.rows;
            bytes += job.entry.parts.iter().map(|part| part.batch.bytes()).sum::<usize>();
            if !jobs.is_empty() && (rows > GROUP_ROWS || bytes > GROUP_BYTES) {
                self.jobs.push_front(job);
                break;
            }
            self.rows -= job.entry.rows;
            jobs.push(job);
        }
        jobs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::{PartialWrites, Protocol, RequestId};

    fn job(rows: usize, queued: Instant) -> Job {
        let id = RequestId::fresh(uuid::Uuid::nil());
        let entry = Entry {
            id,
            parts: Vec::new(),
            rows,
            refused: Vec::new(),
            source: Protocol::Load,
            partial: PartialWrites::Accept,
        };
        Job { queued, ..Job::new(entry, oneshot::channel().0) }
    }

    /// The rows of the requests that a writer takes now; none if it waits.
    fn taken(queue: &Queue, now: Instant) -> Option<Vec<usize>> {
        match queue.advise(now) {
            Advice::Take(jobs) => Some(jobs.iter().map(|job| job.entry.rows).collect()),
            Advice::Wait(_) | Advice::End => None,
        }
    }

    #[test]
    fn an_idle_writer_takes_at_once_and_a_second_one_waits_for_company() {
        let (queue, now) = (Queue::new("quick"), Instant::now());
        assert_eq!(taken(&queue, now), None);
        queue.push(job(1, now));
        assert_eq!(taken(&queue, now), Some(vec![1]));
        queue.push(job(2, now));
        queue.push(job(3, now));
        assert_eq!(taken(&queue, now), None);
        assert_eq!(taken(&queue, now + LINGER), Some(vec![2, 3]));
    }

    #[test]
    fn much_work_is_worth_another_writer() {
        let (queue, now) = (Queue::new("quick"), Instant::now());
        queue.push(job(1, now));
        assert_eq!(taken(&queue, now), Some(vec![1]));
        queue.push(job(WORTH_ROWS - 1, now));
        assert_eq!(taken(&queue, now), None);
        queue.push(job(1, now));
        assert_eq!(taken(&queue, now), Some(vec![WORTH_ROWS - 1, 1]));
    }

    #[tokio::test]
    async fn a_writer_that_is_done_lets_the_next_take_what_waits() {
        let (queue, later) = (Queue::new("quick"), Instant::now() + Duration::from_secs(3600));
        queue.push(job(1, later));
        let group = queue.next().await.unwrap();
        queue.push(job(2, later));
        assert_eq!(taken(&queue, later), None);
        drop(group);
        assert_eq!(queue.next().await.unwrap().jobs.len(), 1);
    }

    #[tokio::test]
    async fn a_group_ends_at_its_rows_and_the_queue_when_it_is_closed_and_empty() {
        let queue = Queue::new("quick");
        for rows in [GROUP_ROWS - 1, 1, 1, 2 * GROUP_ROWS] {
            queue.push(job(rows, Instant::now()));
        }
        queue.close();
        let mut groups = Vec::new();
        while let Some(group) = queue.next().await {
            groups.push(group.jobs.iter().map(|job| job.entry.rows).collect::<Vec<_>>());
        }
        assert_eq!(groups, [vec![GROUP_ROWS - 1, 1], vec![1], vec![2 * GROUP_ROWS]]);
    }
}
