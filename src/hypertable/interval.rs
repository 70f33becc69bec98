//! How long a chunk is.
//!
//! Chunks too short cost planning time and files; too long, and the live one outgrows memory. The interval comes from a
//! ladder, so that it changes rarely and by a clear step.

const HOUR_US: i64 = 3_600_000_000;
const DAY_US: i64 = 24 * HOUR_US;

/// The intervals that chunkwise uses: 1, 2, 4, 6, 12 hours, 1, 2, 4, 7, 14, 28, 84, 364 days.
pub const LADDER_US: [i64; 13] = [
    HOUR_US,
    2 * HOUR_US,
    4 * HOUR_US,
    6 * HOUR_US,
    12 * HOUR_US,
    DAY_US,
    2 * DAY_US,
    4 * DAY_US,
    7 * DAY_US,
    14 * DAY_US,
    28 * DAY_US,
    84 * DAY_US,
    364 * DAY_US,
];

/// The interval of a measurement of whose rate nothing is known yet.
pub const DEFAULT_INTERVAL_US: i64 = DAY_US;

/// A chunk holds about so many rows at most: they and their index fit into a small server's memory.
const MAX_ROWS: f64 = 5_000_000.0;

/// The longest interval of the ladder at which a chunk holds at most 5 million rows, for `rows` spread over `span_us`.
///
/// With nothing to go by (fewer than two rows, or no span) it is [`DEFAULT_INTERVAL_US`].
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 53 bits")]
pub fn interval_for(rows: u64, span_us: i64) -> i64 {
    if rows < 2 || span_us <= 0 {
        return DEFAULT_INTERVAL_US;
    }
    let rows_per_us = rows as f64 / span_us as f64;
    let fits = |interval_us: &&i64| **interval_us as f64 * rows_per_us <= MAX_ROWS;
    LADDER_US.iter().rev().find(fits).copied().unwrap_or(LADDER_US[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decades_of_daily_prices_make_dozens_of_chunks_and_not_thousands() {
        let span_us = 33 * 365 * DAY_US;
        assert_eq!(interval_for(166_260, span_us), 364 * DAY_US);
    }

    #[test]
    fn a_fast_feed_gets_short_chunks() {
        assert_eq!(interval_for(10_000_000, DAY_US), 12 * HOUR_US);
        assert_eq!(interval_for(10_000_000_000, DAY_US), HOUR_US);
    }

    #[test]
    fn nothing_known_means_the_default() {
        assert_eq!(interval_for(0, 0), DEFAULT_INTERVAL_US);
        assert_eq!(interval_for(1, 0), DEFAULT_INTERVAL_US);
        assert_eq!(interval_for(5, -1), DEFAULT_INTERVAL_US);
    }
}
