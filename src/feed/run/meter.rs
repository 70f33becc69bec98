//! What is counted while a feed is sent.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use hdrhistogram::Histogram;
use serde::Serialize;
use tokio::time::Instant;

use crate::feed::journal::Strength;

/// Different reasons that are told; all are counted.
const REASONS: usize = 5;

/// Longer times are counted as this one: an hour.
const LONGEST_US: u64 = 3_600_000_000;

/// What became of a feed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// From the first request to the last answer.
    pub seconds: f64,
    /// Requests that were begun.
    pub requests: u64,
    /// Bytes of their bodies, each counted once.
    pub bytes: u64,
    /// Lines of them.
    pub sent_lines: u64,
    /// Lines that are in the database, by the server's word.
    pub committed_lines: u64,
    /// Lines that are on the service's disk, by its word.
    pub spooled_lines: u64,
    /// Lines of a success that did not say which.
    pub unstated_lines: u64,
    /// Lines that left over a protocol without acknowledgements.
    pub handed_over_lines: u64,
    /// Lines that were refused.
    pub refused_lines: u64,
    /// Lines of which it is not known what became of them.
    pub in_doubt_lines: u64,
    /// Acknowledged lines a second, or those handed over where there are no acknowledgements.
    pub lines_per_second: f64,
    /// Attempts without a clear answer: those that left a request in doubt, and those that reached nobody.
    pub doubts: u64,
    /// Acknowledgements that said that the server had the request already.
    pub duplicates: u64,
    /// From when a request was due, or else sent, to its acknowledgement, milliseconds.
    pub acknowledge_ms: Spread,
    /// How late requests were sent on a schedule, milliseconds.
    pub behind_ms: Spread,
    /// Why requests were refused or in doubt: the first few different reasons.
    pub reasons: Vec<String>,
}

impl Summary {
    /// Lines that were acknowledged, in whichever way.
    #[must_use]
    pub fn acknowledged_lines(&self) -> u64 {
        self.committed_lines + self.spooled_lines + self.unstated_lines
    }
}

/// How figures are spread.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// Half are at most this.
    pub p50: f64,
    /// 99 of 100 are at most this.
    pub p99: f64,
    /// The greatest.
    pub max: f64,
}

#[derive(Debug, Default)]
pub(super) struct Meter(Mutex<Counts>);

#[derive(Debug)]
struct Counts {
    first: Option<Instant>,
    last: Option<Instant>,
    requests: u64,
    bytes: u64,
    sent: u64,
    committed: u64,
    spooled: u64,
    unstated: u64,
    handed_over: u64,
    refused: u64,
    in_doubt: u64,
    doubts: u64,
    duplicates: u64,
    acknowledge_us: Histogram<u64>,
    behind_us: Histogram<u64>,
    reasons: Vec<String>,
}

impl Default for Counts {
    fn default() -> Self {
        // With bounds: one that grows by itself takes its first bound, 2, for all that is greater when it saturates.
        let histogram =
            || Histogram::new_with_bounds(1, LONGEST_US, 3).expect("the bounds are 1 and more than twice that");
        Self {
            first: None,
            last: None,
            requests: 0,
            bytes: 0,
            sent: 0,
            committed: 0,
            spooled: 0,
            unstated: 0,
            handed_over: 0,
            refused: 0,
            in_doubt: 0,
            doubts: 0,
            duplicates: 0,
            acknowledge_us: histogram(),
            behind_us: histogram(),
            reasons: Vec::new(),
        }
    }
}

impl Meter {
    fn count(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// A request leaves; `behind` is how late, on a schedule.
    pub(super) fn sending(&self, rows: u64, bytes: usize, behind: Option<Duration>) {
        self.count(|counts| {
            counts.first.get_or_insert_with(Instant::now);
            counts.requests += 1;
            counts.bytes += bytes as u64;
            counts.sent += rows;
            if let Some(behind) = behind {
                counts.behind_us.saturating_record(microseconds(behind));
            }
        });
    }

    pub(super) fn acknowledged(&self, rows: u64, strength: Strength, duplicate: bool, time: Duration) {
        self.count(|counts| {
            *match strength {
                Strength::Committed => &mut counts.committed,
                Strength::Spooled => &mut counts.spooled,
                Strength::Unstated => &mut counts.unstated,
            } += rows;
            counts.duplicates += u64::from(duplicate);
            counts.acknowledge_us.saturating_record(microseconds(time));
            counts.last = Some(Instant::now());
        });
    }

    pub(super) fn refused(&self, rows: u64, written: u64, reason: String) {
        self.count(|counts| {
            counts.refused += rows.saturating_sub(written);
            counts.committed += written.min(rows);
            counts.last = Some(Instant::now());
            counts.reason(reason);
        });
    }

    pub(super) fn handed_over(&self, rows: u64) {
        self.count(|counts| {
            counts.handed_over += rows;
            counts.last = Some(Instant::now());
        });
    }

    pub(super) fn unanswered(&self, reason: String) {
        self.count(|counts| {
            counts.doubts += 1;
            counts.reason(reason);
        });
    }

    pub(super) fn left_in_doubt(&self, rows: u64) {
        self.count(|counts| counts.in_doubt += rows);
    }

    pub(super) fn summary(&self) -> Summary {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let seconds = match (counts.first, counts.last) {
            (Some(first), Some(last)) => last.saturating_duration_since(first).as_secs_f64(),
            _ => 0.0,
        };
        let done = counts.committed + counts.spooled + counts.unstated + counts.handed_over;
        Summary {
            seconds,
            requests: counts.requests,
            bytes: counts.bytes,
            sent_lines: counts.sent,
            committed_lines: counts.committed,
            spooled_lines: counts.spooled,
            unstated_lines: counts.unstated,
            handed_over_lines: counts.handed_over,
            refused_lines: counts.refused,
            in_doubt_lines: counts.in_doubt,
            lines_per_second: if seconds > 0.0 { done as f64 / seconds } else { 0.0 },
            doubts: counts.doubts,
            duplicates: counts.duplicates,
            acknowledge_ms: spread(&counts.acknowledge_us),
            behind_ms: spread(&counts.behind_us),
            reasons: counts.reasons.clone(),
        }
    }
}

impl Counts {
    fn reason(&mut self, reason: String) {
        if self.reasons.len() < REASONS && !self.reasons.contains(&reason) {
            self.reasons.push(reason);
        }
    }
}

fn microseconds(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn spread(histogram: &Histogram<u64>) -> Spread {
    let at = |us: u64| us as f64 / 1_000.0;
    Spread {
        p50: at(histogram.value_at_quantile(0.5)),
        p99: at(histogram.value_at_quantile(0.99)),
        max: at(histogram.max()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_to_a_thousandth_up_to_an_hour() {
        let meter = Meter::default();
        for time_ms in 1..=100 {
            meter.acknowledged(1, Strength::Committed, false, Duration::from_millis(time_ms * 20));
        }
        meter.sending(1, 1, Some(Duration::from_secs(100_000)));
        let summary = meter.summary();
        for (told, expected) in [
            (summary.acknowledge_ms.p50, 1_000.0),
            (summary.acknowledge_ms.p99, 1_980.0),
            (summary.acknowledge_ms.max, 2_000.0),
            (summary.behind_ms.max, 3_600_000.0),
        ] {
            assert!((told / expected - 1.0_f64).abs() < 0.001, "{told} for {expected}");
        }
        assert_eq!(summary.acknowledged_lines(), 100);
    }
}
