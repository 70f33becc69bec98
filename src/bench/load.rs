//! Load: several senders, each with a connection of its own.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use hdrhistogram::Histogram;
use tokio::{
    task::{JoinHandle, JoinSet},
    time::Instant,
};

use super::{BenchError, sink::Sink};

/// The longest time that is told apart.
const LONGEST_US: u64 = 600_000_000;

/// What a load came to.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) rows: u64,
    pub(super) begun: Instant,
    pub(super) elapsed: Duration,
    /// From sending a request to its acknowledgement, in microseconds; without those of a warm-up.
    pub(super) latency_us: Histogram<u64>,
    /// Rows that were acknowledged so far, and when, for each request.
    pub(super) progress: Vec<(u64, Duration)>,
}

impl Measured {
    pub(super) fn rows_per_second(&self) -> f64 {
        self.rows as f64 / self.elapsed.as_secs_f64()
    }

    /// A quantile of the latency, in milliseconds.
    pub(super) fn latency_ms(&self, quantile: f64) -> f64 {
        self.latency_us.value_at_quantile(quantile) as f64 / 1_000.0
    }

    /// When so many rows were acknowledged; `None` if they never were.
    pub(super) fn acknowledged(&self, rows: u64) -> Option<Instant> {
        let at = self.progress.partition_point(|&(acknowledged, _)| acknowledged < rows);
        self.progress.get(at).map(|&(_, elapsed)| self.begun + elapsed)
    }

    /// The rate of each slice of so many rows, in order; what is left at the end belongs to none.
    pub(super) fn slices(&self, slice_rows: u64) -> Vec<f64> {
        let mut rates = Vec::new();
        let (mut from_rows, mut from) = (0, Duration::ZERO);
        for &(rows, at) in &self.progress {
            if rows >= from_rows + slice_rows {
                rates.push((rows - from_rows) as f64 / (at - from).as_secs_f64().max(1e-9));
                (from_rows, from) = (rows, at);
            }
        }
        rates
    }
}

pub(super) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST_US, 3).expect("the bounds are in order, and three digits are few")
}

pub(super) fn record(histogram: &mut Histogram<u64>, latency: Duration) {
    histogram.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(LONGEST_US));
}

/// Sends the rows from `first_row` on, each sender its next request as soon as the last one is acknowledged.
pub(super) async fn closed<S: Sink>(
    sinks: Vec<S>,
    first_row: u64,
    rows: u64,
    request_rows: usize,
) -> Result<Measured, BenchError> {
    let claimed = Arc::new(AtomicU64::new(0));
    let progress = Arc::new(Mutex::new(Vec::new()));
    let begun = Instant::now();
    let mut senders = JoinSet::new();
    for mut sink in sinks {
        let (claimed, progress) = (Arc::clone(&claimed), Arc::clone(&progress));
        senders.spawn(async move {
            let mut latency_us = histogram();
            loop {
                let claim = claimed.fetch_add(request_rows as u64, Ordering::Relaxed);
                if claim >= rows {
                    sink.finish().await?;
                    // The connection stays open until everybody has finished.
                    return Ok::<_, BenchError>((latency_us, sink));
                }
                let count = usize::try_from(rows - claim).unwrap_or(usize::MAX).min(request_rows);
                let sent = Instant::now();
                sink.send(first_row + claim, count).await?;
                record(&mut latency_us, sent.elapsed());
                advance(&progress, count, begun);
            }
        });
    }
    let mut latency_us = histogram();
    while let Some(ended) = senders.join_next().await {
        let (own, _) = ended??;
        latency_us += own;
    }
    Ok(Measured { rows, begun, elapsed: begun.elapsed(), latency_us, progress: taken(&progress) })
}

/// Sends the rows from `first_row` on at a set rate of requests, whether or not the answers keep up: the latency counts from
/// when a request was due, so that one slow answer is not hidden by the requests that waited for it.
pub(super) async fn open<S: Sink>(
    sinks: Vec<S>,
    first_row: u64,
    rows: u64,
    request_rows: usize,
    requests_per_second: f64,
) -> Result<Measured, BenchError> {
    warmed_up(sinks, first_row, rows, (request_rows, requests_per_second), Duration::ZERO).await
}

/// The same, without the latencies of what is due in the time of a warm-up: a service that has just started opens its
/// sessions, and of a thousand requests those of its first tenth of a second would be the slowest hundredth.
pub(super) async fn warmed_up<S: Sink>(
    sinks: Vec<S>,
    first_row: u64,
    rows: u64,
    requests: (usize, f64),
    warm_up: Duration,
) -> Result<Measured, BenchError> {
    let never = Arc::new(AtomicBool::new(false));
    open_until(sinks, first_row, rows, requests, warm_up, never).await
}

/// An open load that goes on until it is [ended](Self::end).
#[derive(Debug)]
pub(super) struct Live {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Result<Measured, BenchError>>,
    begun: Instant,
    request_rows: usize,
    requests_per_second: f64,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) measured: Measured,
    /// Rows a second up to when it was ended.
    pub(super) rows_per_second: f64,
    /// The part of what was due by then that was sent and acknowledged.
    pub(super) share: f64,
}

impl Live {
    /// Sends rows from the first on.
    pub(super) fn begin<S: Sink>(sinks: Vec<S>, request_rows: usize, requests_per_second: f64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let requests = (request_rows, requests_per_second);
        let load = open_until(sinks, 0, u64::MAX, requests, Duration::ZERO, Arc::clone(&stop));
        Self { stop, task: tokio::spawn(load), begun: Instant::now(), request_rows, requests_per_second }
    }

    /// Ends it when what is under way is acknowledged.
    pub(super) async fn end(self) -> Result<Kept, BenchError> {
        let seconds = self.begun.elapsed().as_secs_f64();
        self.stop.store(true, Ordering::Relaxed);
        let measured = self.task.await??;
        // The first one is due at once.
        let due = ((seconds * self.requests_per_second).floor() + 1.0) * self.request_rows as f64;
        let rows = measured.rows as f64;
        Ok(Kept { measured, rows_per_second: rows / seconds, share: (rows / due).min(1.0) })
    }
}

async fn open_until<S: Sink>(
    sinks: Vec<S>,
    first_row: u64,
    rows: u64,
    (request_rows, requests_per_second): (usize, f64),
    warm_up: Duration,
    stop: Arc<AtomicBool>,
) -> Result<Measured, BenchError> {
    let connections = sinks.len() as u64;
    let progress = Arc::new(Mutex::new(Vec::new()));
    let begun = Instant::now();
    let mut senders = JoinSet::new();
    for (own, mut sink) in (0..).zip(sinks) {
        let (progress, stop) = (Arc::clone(&progress), Arc::clone(&stop));
        senders.spawn(async move {
            let mut latency_us = histogram();
            let mut request = own;
            while request * (request_rows as u64) < rows {
                let before = request * request_rows as u64;
                let count = usize::try_from(rows - before).unwrap_or(usize::MAX).min(request_rows);
                let due = begun + Duration::from_secs_f64(request as f64 / requests_per_second);
                tokio::time::sleep_until(due).await;
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                sink.send(first_row + before, count).await?;
                if due >= begun + warm_up {
                    record(&mut latency_us, due.elapsed());
                }
                advance(&progress, count, begun);
                request += connections;
            }
            Ok::<_, BenchError>(latency_us)
        });
    }
    let mut latency_us = histogram();
    while let Some(ended) = senders.join_next().await {
        latency_us += ended??;
    }
    let elapsed = begun.elapsed();
    let progress = taken(&progress);
    let rows = progress.last().map_or(0, |&(rows, _)| rows);
    Ok(Measured { rows, begun, elapsed, latency_us, progress })
}

type Progress = Mutex<Vec<(u64, Duration)>>;

fn advance(progress: &Progress, rows: usize, begun: Instant) {
    let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
    let before = progress.last().map_or(0, |&(rows, _)| rows);
    progress.push((before + rows as u64, begun.elapsed()));
}

fn taken(progress: &Progress) -> Vec<(u64, Duration)> {
    std::mem::take(&mut *progress.lock().unwrap_or_else(PoisonError::into_inner))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Notes what it is sent.
    struct Notes(Arc<Mutex<Vec<(u64, usize)>>>);

    impl Sink for Notes {
        async fn send(&mut self, first_row: u64, rows: usize) -> Result<(), BenchError> {
            self.0.lock().unwrap().push((first_row, rows));
            Ok(())
        }
    }

    fn three(notes: &Arc<Mutex<Vec<(u64, usize)>>>) -> Vec<Notes> {
        (0..3).map(|_| Notes(Arc::clone(notes))).collect()
    }

    #[tokio::test]
    async fn every_row_is_sent_once() {
        let notes = Arc::default();
        let measured = closed(three(&notes), 100, 1_005, 10).await.unwrap();
        let mut sent = notes.lock().unwrap().clone();
        sent.sort_unstable();
        assert_eq!(sent.len(), 101);
        assert!(
            sent.iter()
                .zip(0..)
                .all(|(&(first, rows), at)| first == 100 + at * 10 && rows == if at == 100 { 5 } else { 10 })
        );
        assert_eq!((measured.rows, measured.latency_us.len()), (1_005, 101));
        assert_eq!(measured.progress.last().unwrap().0, 1_005);
        assert_eq!(measured.slices(500).len(), 2);
    }

    #[tokio::test]
    async fn a_live_load_goes_on_until_it_is_ended() {
        let notes = Arc::default();
        let live = Live::begin(three(&notes), 5, 1_000.0);
        tokio::time::sleep(Duration::from_millis(50)).await;
        let kept = live.end().await.unwrap();
        let sent = notes.lock().unwrap().len() as u64;
        assert!(sent > 3 && kept.measured.rows == sent * 5, "{kept:?}");
        assert!(kept.share > 0.5 && kept.rows_per_second < 6_000.0, "{kept:?}");
    }

    #[tokio::test]
    async fn an_open_load_sends_nothing_before_it_is_due() {
        let notes = Arc::default();
        let measured = open(three(&notes), 7, 202, 2, 1_000.0).await.unwrap();
        let mut sent = notes.lock().unwrap().clone();
        sent.sort_unstable();
        assert_eq!(sent, (0..101).map(|request| (7 + request * 2, 2)).collect::<Vec<_>>());
        assert!(measured.elapsed >= Duration::from_millis(100), "{measured:?}");
        assert_eq!(measured.latency_us.len(), 101);
        let half = measured.acknowledged(101).unwrap() - measured.begun;
        assert!(half >= Duration::from_millis(45) && half < measured.elapsed, "{half:?}");
        assert_eq!(measured.acknowledged(203), None);
    }
}
