//! The interval of the next chunks, from the rate of the last ones.

use crate::hypertable::{LADDER_US, Rate, interval_for};

/// What went into one of a measurement's last chunks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observed {
    /// An estimate of its rows.
    pub rows: u64,
    /// How much of its time is over, in microseconds.
    pub span_us: i64,
    /// Bytes of a row.
    pub row_bytes: f64,
}

/// A measurement has at most about so many chunks: planning a query, and each look at them, costs by their number.
const MOST_CHUNKS: i64 = 2_000;
/// A chunk may be fuller than it should by so much before the interval is shortened,
const FULLER: f64 = 1.25;
/// and must have room for so many times its rows in the longer one before it is lengthened. The two are far enough apart
/// that a rate that swings by half does not make it swing.
const ROOM: f64 = 2.0;
/// What is over of a chunk says little until it is so much of it.
const LEAST_SPAN: f64 = 0.125;

/// The interval that the next chunks should have, if it is another than `current_us`: the fullest of the observed chunks
/// decides. `kept_us` is how long rows are kept, as far as is known. Pure.
#[must_use]
pub fn follow(current_us: i64, observed: &[Observed], kept_us: i64) -> Option<i64> {
    let mut fullest: Option<Rate> = None;
    for chunk in observed {
        let is_early = (chunk.span_us as f64) < current_us as f64 * LEAST_SPAN;
        let Some(rate) = Rate::over(chunk.rows, chunk.span_us, chunk.row_bytes).filter(|_| !is_early) else {
            continue;
        };
        let bytes = |rate: &Rate| rate.rows_per_day * rate.row_bytes;
        if fullest.as_ref().is_none_or(|fullest| bytes(&rate) > bytes(fullest)) {
            fullest = Some(rate);
        }
    }
    let rate = fullest?;
    let times = |factor: f64| Rate { rows_per_day: rate.rows_per_day * factor, ..rate };
    let least_us =
        LADDER_US.into_iter().find(|rung| *rung >= kept_us / MOST_CHUNKS).unwrap_or(LADDER_US[LADDER_US.len() - 1]);
    let wanted_us = if interval_for(times(1.0 / FULLER)) < current_us {
        interval_for(rate)
    } else {
        // Two chunks agree before one is made longer: the first may have begun in the middle of its time.
        let longer_us = if observed.len() < 2 { current_us } else { interval_for(times(ROOM)) };
        longer_us.max(current_us)
    };
    let wanted_us = wanted_us.max(least_us);
    (wanted_us != current_us).then_some(wanted_us)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY_US: i64 = 86_400_000_000;

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a positive number of rows")]
    fn at(rows_per_day: f64, interval_us: i64) -> [Observed; 2] {
        let rows = (rows_per_day * interval_us as f64 / DAY_US as f64) as u64;
        [Observed { rows, span_us: interval_us, row_bytes: 60.0 }; 2]
    }

    #[test]
    fn a_faster_feed_gets_shorter_chunks_and_a_slower_one_longer() {
        assert_eq!(follow(DAY_US, &at(10e6, DAY_US), 0), Some(DAY_US / 2));
        assert_eq!(follow(DAY_US, &at(4e6, DAY_US), 0), None, "four of five million rows");
        assert_eq!(follow(DAY_US, &at(5.5e6, DAY_US), 0), None, "a little fuller than it should be");
        assert_eq!(follow(DAY_US, &at(100_000.0, DAY_US), 0), Some(14 * DAY_US));
        assert_eq!(follow(DAY_US, &at(100_000.0, DAY_US)[..1], 0), None, "a single chunk is not made longer");
        assert_eq!(follow(DAY_US, &at(10e6, DAY_US)[..1], 0), Some(DAY_US / 2), "but shorter at once");
        assert_eq!(follow(DAY_US, &[], 0), None);
        let early = Observed { rows: 1_000_000, span_us: DAY_US / 20, row_bytes: 60.0 };
        assert_eq!(follow(DAY_US, &[early], 0), None);
    }

    #[test]
    fn the_number_of_chunks_is_bounded() {
        let ten_years = 3_650 * DAY_US;
        assert_eq!(follow(DAY_US / 24, &at(100e6, DAY_US / 24), ten_years), Some(2 * DAY_US));
    }

    proptest! {
        #[test]
        fn a_steady_rate_changes_the_interval_once_at_most(rows in 1.0..1e10f64, rung in 0..13usize, kept in 0..4_000i64) {
            let current = LADDER_US[rung];
            if let Some(next) = follow(current, &at(rows, current), kept * DAY_US) {
                prop_assert_eq!(follow(next, &at(rows, next), kept * DAY_US), None);
            }
        }

        #[test]
        fn a_rate_that_swings_by_a_half_does_not_make_the_interval_swing(rows in 1.0..1e9f64, rung in 0..13usize) {
            let start = LADDER_US[rung];
            let settled = follow(start, &at(rows, start), 0).unwrap_or(start);
            let mut interval = settled;
            let mut changes = 0;
            for factor in [1.5, 1.0, 1.5, 1.0, 1.5, 1.0] {
                if let Some(next) = follow(interval, &at(rows * factor, interval), 0) {
                    interval = next;
                    changes += 1;
                }
            }
            prop_assert!(changes <= 1, "{changes} changes");
        }
    }
}
