//! When lines are due: at a set rate, without drift.

use std::{num::NonZeroU64, ops::Range};

use super::Feed;

/// A rate of lines: the line `k` is due `k * per_us / lines` microseconds after the first, rounded down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    lines: NonZeroU64,
    per_us: NonZeroU64,
}

impl Pace {
    /// So many lines in so many microseconds, evenly.
    #[must_use]
    pub fn new(lines: NonZeroU64, per_us: NonZeroU64) -> Self {
        Self { lines, per_us }
    }

    /// So many lines a second.
    #[must_use]
    pub fn per_second(lines: NonZeroU64) -> Self {
        const SECOND_US: NonZeroU64 = NonZeroU64::new(1_000_000).expect("it is not zero");
        Self::new(lines, SECOND_US)
    }

    /// When the line `k` is due, in microseconds after the first; saturates at the greatest `i64`.
    #[must_use]
    pub fn offset_us(self, k: u64) -> i64 {
        let offset_us = u128::from(k) * u128::from(self.per_us.get()) / u128::from(self.lines.get());
        i64::try_from(offset_us).unwrap_or(i64::MAX)
    }

    /// How many lines are due in the first `elapsed_us` microseconds, the first line's moment included: what a live feed
    /// should have written by then.
    #[must_use]
    pub fn due(self, elapsed_us: u64) -> u64 {
        let reached = (u128::from(elapsed_us) + 1) * u128::from(self.lines.get());
        u64::try_from(reached.div_ceil(u128::from(self.per_us.get()))).unwrap_or(u64::MAX)
    }
}

/// A feed's lines over a stretch of time at a rate.
#[derive(Debug)]
pub struct Backfill<F> {
    feed: F,
    from_us: i64,
    pace: Pace,
    next: u64,
    total: u64,
}

impl<F: Feed> Backfill<F> {
    /// The lines of `feed` from the start of `range_us` to before its end (microseconds since 1970 UTC).
    pub fn new(feed: F, range_us: Range<i64>, pace: Pace) -> Self {
        let length_us = range_us.end.saturating_sub(range_us.start);
        let total = u64::try_from(length_us).ok().and_then(|us| us.checked_sub(1)).map_or(0, |last| pace.due(last));
        Self { feed, from_us: range_us.start, pace, next: 0, total }
    }

    /// Lines in all.
    #[must_use]
    pub fn total_lines(&self) -> u64 {
        self.total
    }

    /// Appends up to `limit` lines; returns how many, 0 at the end.
    pub fn fill(&mut self, out: &mut Vec<u8>, limit: u64) -> u64 {
        let until = self.total.min(self.next.saturating_add(limit));
        let written = until - self.next;
        for k in self.next..until {
            self.feed.write_next(self.from_us.saturating_add(self.pace.offset_us(k)), out);
        }
        self.next = until;
        written
    }

    /// The feed in its present state, to go on live.
    pub fn into_feed(self) -> F {
        self.feed
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Times(Vec<i64>);

    impl Feed for Times {
        fn write_next(&mut self, time_us: i64, _: &mut Vec<u8>) {
            self.0.push(time_us);
        }
    }

    fn pace(lines: u64, per_us: u64) -> Pace {
        Pace::new(NonZeroU64::new(lines).unwrap(), NonZeroU64::new(per_us).unwrap())
    }

    fn times(range_us: Range<i64>, pace: Pace, limit: u64) -> Vec<i64> {
        let mut backfill = Backfill::new(Times(Vec::new()), range_us, pace);
        let mut written = 0;
        loop {
            match backfill.fill(&mut Vec::new(), limit) {
                0 => break,
                lines => written += lines,
            }
        }
        assert_eq!(written, backfill.total_lines());
        backfill.into_feed().0
    }

    #[test]
    fn a_stretch_has_its_rate_and_ends_before_its_end() {
        assert_eq!(
            times(0..1_000_000, Pace::per_second(NonZeroU64::new(4).unwrap()), 3),
            [0, 250_000, 500_000, 750_000]
        );
        assert_eq!(times(-5..1, pace(1, 3), 100), [-5, -2]);
        assert_eq!(times(7..7, pace(1, 1), 100), [0; 0]);
        assert_eq!(times(Range { start: 7, end: -7 }, pace(1, 1), 100), [0; 0]);
    }

    proptest! {
        #[test]
        fn what_is_due_is_what_has_come_to_its_time(lines in 1u64..50, per_us in 1u64..50, elapsed_us in 0u64..200) {
            let pace = pace(lines, per_us);
            let naive = (0..).take_while(|&k| pace.offset_us(k) <= i64::try_from(elapsed_us).unwrap()).count();
            prop_assert_eq!(pace.due(elapsed_us), naive as u64);
        }

        #[test]
        fn no_rate_overflows(lines: u64, per_us: u64, k: u64) {
            let pace = pace(lines.max(1), per_us.max(1));
            prop_assert!(pace.offset_us(k) >= 0);
            prop_assert!(pace.due(k) >= 1);
        }
    }
}
