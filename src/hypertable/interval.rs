//! How long a chunk should be, from the rate of the data that goes into it. Pure.

const HOUR_US: i64 = 3_600_000_000;
const DAY_US: i64 = 24 * HOUR_US;

/// The lengths a chunk may have, in microseconds, ascending: 1, 2, 4, 6, 12 hours, 1, 2, 4, 7, 14, 28, 84, 364 days.
///
/// Each from a day on is a whole number of days, and from a week on of weeks, so that chunks meet at midnight UTC.
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

/// Rows that a chunk may hold: a chunk is indexed and cached as one, and this many take a few seconds.
pub const CHUNK_ROWS: f64 = 5_000_000.0;

/// Bytes that a chunk may hold, so that the live ones stay in the server's cache.
pub const CHUNK_BYTES: f64 = 512.0 * 1024.0 * 1024.0;

/// How fast a measurement grows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Rows of all series together in a day of the data's own time.
    pub rows_per_day: f64,
    /// Bytes of a row in the table, without indexes; see [`row_bytes`].
    pub row_bytes: f64,
}

impl Rate {
    /// The mean rate of `rows` over `span_us` microseconds; `None` where there are no rows or no span to divide by.
    #[must_use]
    pub fn over(rows: u64, span_us: i64, row_bytes: f64) -> Option<Self> {
        (rows > 0 && span_us > 0)
            .then(|| Self { rows_per_day: rows as f64 / span_us as f64 * DAY_US as f64, row_bytes })
    }
}

/// Bytes that a row takes in the table: PostgreSQL's tuple header (24) and item pointer (4), time and series id (8 each),
/// 8 for each number, and `text_bytes` for its texts.
#[must_use]
pub fn row_bytes(numeric_fields: usize, text_bytes: f64) -> f64 {
    24.0 + 4.0 + 16.0 + 8.0 * numeric_fields as f64 + text_bytes
}

/// The longest length of [`LADDER_US`] with which a chunk holds at most [`CHUNK_ROWS`] rows and [`CHUNK_BYTES`] bytes, in
/// microseconds; the shortest one where even that holds more.
#[must_use]
pub fn interval_for(rate: Rate) -> i64 {
    let fits = |interval_us: i64| {
        let rows = rate.rows_per_day * (interval_us as f64 / DAY_US as f64);
        rows <= CHUNK_ROWS && rows * rate.row_bytes <= CHUNK_BYTES
    };
    LADDER_US.into_iter().rev().find(|&interval_us| fits(interval_us)).unwrap_or(HOUR_US)
}

/// The mean rate within `times_us` (of all series, in any order), in rows per microsecond, between the first and the last
/// hundredth, so that one row with a wrong year does not stretch the span. `None` where all of these times are equal.
#[must_use]
pub fn rows_per_us(times_us: &[i64]) -> Option<f64> {
    let mut sorted = times_us.to_vec();
    sorted.sort_unstable();
    let cut = sorted.len() / 100;
    let (&low, &high) = (sorted.get(cut)?, sorted.get(sorted.len().checked_sub(cut + 1)?)?);
    // The rows at `low` open the span: those after it are what the span brought.
    let within = sorted.partition_point(|&t| t <= high) - sorted.partition_point(|&t| t <= low);
    (high > low).then(|| within as f64 / (high as f64 - low as f64))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn days(interval_us: i64) -> f64 {
        interval_us as f64 / DAY_US as f64
    }

    #[test]
    fn twenty_daily_prices_over_33_years_make_yearly_chunks() {
        let rate = Rate::over(8_313 * 20, 12_048 * DAY_US, row_bytes(1, 0.0)).unwrap();
        assert_eq!(days(interval_for(rate)), 364.0);
    }

    #[test]
    fn ten_million_rows_a_day_make_chunks_of_half_a_day() {
        let rate = Rate::over(10_000_000, DAY_US, row_bytes(2, 0.0)).unwrap();
        assert_eq!(days(interval_for(rate)), 0.5);
    }

    #[test]
    fn wide_rows_are_bound_by_their_bytes() {
        let rate = Rate { rows_per_day: 1_000_000.0, row_bytes: row_bytes(200, 0.0) };
        assert_eq!(interval_for(rate), 6 * HOUR_US, "1.6 kB a row: 412 MB in six hours");
    }

    #[test]
    fn no_rate_is_too_high_or_too_low_for_the_ladder() {
        assert_eq!(interval_for(Rate { rows_per_day: 1e15, row_bytes: 60.0 }), HOUR_US);
        assert_eq!(interval_for(Rate { rows_per_day: f64::NAN, row_bytes: 60.0 }), HOUR_US);
        assert_eq!(days(interval_for(Rate { rows_per_day: 0.001, row_bytes: 60.0 })), 364.0);
        assert_eq!(Rate::over(10, 0, 60.0), None);
        assert_eq!(Rate::over(0, 10, 60.0), None);
    }

    #[test]
    fn one_row_with_a_wrong_year_does_not_change_the_rate() {
        let mut times_us: Vec<i64> = (0..1_000).map(|i| i * 1_000_000).collect();
        let clean = rows_per_us(&times_us).unwrap();
        times_us.push(-60_000 * DAY_US);
        let dirty = rows_per_us(&times_us).unwrap();
        assert!((clean - 1e-6).abs() < 1e-12 && (dirty / clean - 1.0).abs() < 1e-6, "{clean} {dirty}");
        assert_eq!(rows_per_us(&[5, 5, 5]), None);
        assert_eq!(rows_per_us(&[]), None);
    }

    proptest! {
        #[test]
        fn the_choice_is_the_longest_that_fits(rows_per_day in 1.0..1e10f64, row_bytes in 44.0..10_000f64) {
            let rate = Rate { rows_per_day, row_bytes };
            let chosen = interval_for(rate);
            let fits = |i: i64| rows_per_day * days(i) <= CHUNK_ROWS && rows_per_day * days(i) * row_bytes <= CHUNK_BYTES;
            prop_assert!(fits(chosen) || chosen == LADDER_US[0]);
            for longer in LADDER_US.into_iter().filter(|&i| i > chosen) {
                prop_assert!(!fits(longer));
            }
        }
    }
}
