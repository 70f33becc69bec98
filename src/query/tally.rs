//! What this process knows of the questions that it answered.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use serde::Serialize;

/// Counts questions of one kind, for `/api/v1/stats` and as the metrics `chunkwise_questions_total` and
/// `chunkwise_question_seconds`.
#[derive(Debug)]
pub struct Tally {
    /// The metrics' label `question`.
    kind: &'static str,
    answered: AtomicU64,
    failed: AtomicU64,
    total_us: AtomicU64,
    slowest_us: AtomicU64,
    rows_read: AtomicU64,
}

/// A [`Tally`] as it was at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TallyShown {
    /// Questions that got an answer.
    pub answered: u64,
    /// Questions that did not.
    pub failed: u64,
    /// The mean time of an answer in milliseconds; 0 before the first.
    pub mean_ms: f64,
    /// The longest time of an answer in milliseconds.
    pub slowest_ms: f64,
    /// Rows that answers came from.
    pub rows_read: u64,
}

impl Tally {
    pub(super) fn of(kind: &'static str) -> Self {
        let zero = AtomicU64::default;
        Self { kind, answered: zero(), failed: zero(), total_us: zero(), slowest_us: zero(), rows_read: zero() }
    }

    pub(super) fn answered(&self, took: Duration, rows_read: u64) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.answered.fetch_add(1, Ordering::Relaxed);
        self.total_us.fetch_add(us, Ordering::Relaxed);
        self.slowest_us.fetch_max(us, Ordering::Relaxed);
        self.rows_read.fetch_add(rows_read, Ordering::Relaxed);
        self.count("answered");
        metrics::histogram!("chunkwise_question_seconds", "question" => self.kind).record(took);
    }

    pub(super) fn failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        self.count("failed");
    }

    /// Counts a question as dropped if what is returned is dropped before it is told that the question is over.
    pub(super) fn unless_dropped(&self) -> UnlessDropped<'_> {
        UnlessDropped(Some(self))
    }

    fn count(&self, outcome: &'static str) {
        metrics::counter!("chunkwise_questions_total", "question" => self.kind, "outcome" => outcome).increment(1);
    }

    /// The figures now.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "shown in milliseconds, where 53 bits are plenty")]
    pub fn show(&self) -> TallyShown {
        let answered = self.answered.load(Ordering::Relaxed);
        let ms = |us: u64| us as f64 / 1_000.0;
        TallyShown {
            answered,
            failed: self.failed.load(Ordering::Relaxed),
            mean_ms: ms(self.total_us.load(Ordering::Relaxed)) / answered.max(1) as f64,
            slowest_ms: ms(self.slowest_us.load(Ordering::Relaxed)),
            rows_read: self.rows_read.load(Ordering::Relaxed),
        }
    }
}

/// See [`Tally::unless_dropped`].
pub(super) struct UnlessDropped<'a>(Option<&'a Tally>);

impl UnlessDropped<'_> {
    pub(super) fn end(mut self) {
        self.0 = None;
    }
}

impl Drop for UnlessDropped<'_> {
    fn drop(&mut self) {
        if let Some(tally) = self.0 {
            tally.count("dropped");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_is_of_answers_alone() {
        let tally = Tally::of("window");
        assert_eq!(tally.show().mean_ms, 0.0);
        tally.answered(Duration::from_millis(2), 10);
        tally.answered(Duration::from_millis(4), 5);
        tally.failed();
        let shown = tally.show();
        assert_eq!((shown.answered, shown.failed, shown.rows_read), (2, 1, 15));
        assert_eq!((shown.mean_ms, shown.slowest_ms), (3.0, 4.0));
    }
}
