//! What a line's time counts.

use std::str::FromStr;

/// 0001-01-01T00:00:00Z, the earliest time that a line may have.
pub const MIN_TIME_US: i64 = -62_135_596_800_000_000;

/// 9999-12-31T23:59:59.999999Z, the latest time that a line may have.
pub const MAX_TIME_US: i64 = 253_402_300_799_999_999;

/// The unit of the times in a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Precision {
    /// What line protocol means where nothing is said.
    #[default]
    Nanoseconds,
    /// 1e-6 s; what is stored.
    Microseconds,
    /// 1e-3 s.
    Milliseconds,
    /// 1 s.
    Seconds,
    /// 60 s.
    Minutes,
    /// 3,600 s.
    Hours,
    /// Line by line, by size: below 5e9 seconds, 5e12 milliseconds, 5e15 microseconds, else nanoseconds; a time before
    /// 1970 by its size without the sign. These are InfluxDB 3's bounds.
    Auto,
}

/// A precision that no version of InfluxDB has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a precision: write ns, us, ms, s, m or h, or auto, nanosecond, microsecond, millisecond or second"
)]
pub struct UnknownPrecision(pub String);

/// A time in the unit that is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Microseconds since 1970 UTC.
    pub us: i64,
    /// It had digits below a microsecond, which were rounded down (towards the past, also before 1970).
    pub rounded: bool,
}

impl Precision {
    /// A time of this unit as microseconds; `None` outside the years 1 to 9999.
    #[must_use]
    pub fn to_us(self, time: i64) -> Option<Moment> {
        let (us, rounded) = match self {
            Self::Nanoseconds => (time.div_euclid(1_000), time.rem_euclid(1_000) != 0),
            Self::Microseconds => (time, false),
            Self::Milliseconds => (time.checked_mul(1_000)?, false),
            Self::Seconds => (time.checked_mul(1_000_000)?, false),
            Self::Minutes => (time.checked_mul(60_000_000)?, false),
            Self::Hours => (time.checked_mul(3_600_000_000)?, false),
            Self::Auto => return Self::of_size(time.unsigned_abs()).to_us(time),
        };
        (MIN_TIME_US..=MAX_TIME_US).contains(&us).then_some(Moment { us, rounded })
    }

    fn of_size(size: u64) -> Self {
        match size {
            0..5_000_000_000 => Self::Seconds,
            5_000_000_000..5_000_000_000_000 => Self::Milliseconds,
            5_000_000_000_000..5_000_000_000_000_000 => Self::Microseconds,
            _ => Self::Nanoseconds,
        }
    }
}

impl FromStr for Precision {
    type Err = UnknownPrecision;

    /// The spellings of InfluxDB 1 and 2 (`ns n us u ms s m h`) and of InfluxDB 3.
    fn from_str(name: &str) -> Result<Self, UnknownPrecision> {
        match name {
            "ns" | "n" | "nanosecond" => Ok(Self::Nanoseconds),
            "us" | "u" | "microsecond" => Ok(Self::Microseconds),
            "ms" | "millisecond" => Ok(Self::Milliseconds),
            "s" | "second" => Ok(Self::Seconds),
            "m" => Ok(Self::Minutes),
            "h" => Ok(Self::Hours),
            "auto" => Ok(Self::Auto),
            other => Err(UnknownPrecision(other.chars().take(32).collect())),
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Datelike};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_spelling_of_every_version_is_known() {
        for (names, precision) in [
            (&["ns", "n", "nanosecond"][..], Precision::Nanoseconds),
            (&["us", "u", "microsecond"], Precision::Microseconds),
            (&["ms", "millisecond"], Precision::Milliseconds),
            (&["s", "second"], Precision::Seconds),
            (&["m"], Precision::Minutes),
            (&["h"], Precision::Hours),
            (&["auto"], Precision::Auto),
        ] {
            for name in names {
                assert_eq!(name.parse(), Ok(precision), "{name}");
            }
        }
        for name in ["", "bogus", "NS", "minute", "seconds", " s"] {
            assert!(name.parse::<Precision>().is_err(), "{name:?}");
        }
    }

    #[test]
    fn nanoseconds_round_towards_the_past() {
        let at = |ns| Precision::Nanoseconds.to_us(ns).map(|moment| (moment.us, moment.rounded));
        assert_eq!(at(1_999), Some((1, true)));
        assert_eq!(at(2_000), Some((2, false)));
        assert_eq!(at(-1), Some((-1, true)));
        assert_eq!(at(-1_000), Some((-1, false)));
        assert_eq!(at(i64::MIN), Some((-9_223_372_036_854_776, true)));
        assert_eq!(at(i64::MAX), Some((9_223_372_036_854_775, true)));
    }

    #[test]
    fn the_years_1_to_9999_are_the_bounds_of_every_unit() {
        assert_eq!(DateTime::from_timestamp_micros(MIN_TIME_US).unwrap().to_rfc3339(), "0001-01-01T00:00:00+00:00");
        assert_eq!(DateTime::from_timestamp_micros(MAX_TIME_US + 1).unwrap().year(), 10_000);
        assert!(Precision::Microseconds.to_us(MIN_TIME_US).is_some());
        assert!(Precision::Microseconds.to_us(MAX_TIME_US).is_some());
        assert_eq!(Precision::Microseconds.to_us(MIN_TIME_US - 1), None);
        assert_eq!(Precision::Microseconds.to_us(MAX_TIME_US + 1), None);
        assert!(Precision::Seconds.to_us(253_402_300_799).is_some());
        assert_eq!(Precision::Seconds.to_us(253_402_300_800), None);
        for precision in [Precision::Milliseconds, Precision::Seconds, Precision::Minutes, Precision::Hours] {
            assert_eq!(precision.to_us(i64::MAX), None, "{precision:?} overflows");
            assert_eq!(precision.to_us(i64::MIN), None, "{precision:?} overflows");
        }
    }

    #[test]
    fn auto_changes_its_unit_exactly_at_the_bounds_on_both_sides_of_1970() {
        let at = |time| Precision::Auto.to_us(time).unwrap().us;
        assert_eq!(at(4_999_999_999), 4_999_999_999_000_000);
        assert_eq!(at(5_000_000_000), 5_000_000_000_000);
        assert_eq!(at(4_999_999_999_999), 4_999_999_999_999_000);
        assert_eq!(at(5_000_000_000_000), 5_000_000_000_000);
        assert_eq!(at(4_999_999_999_999_999), 4_999_999_999_999_999);
        assert_eq!(at(5_000_000_000_000_000), 5_000_000_000_000);
        assert_eq!(at(-4_999_999_999), -4_999_999_999_000_000);
        assert_eq!(at(-5_000_000_000), -5_000_000_000_000);
        assert_eq!(at(i64::MIN), -9_223_372_036_854_776);
    }

    proptest! {
        #[test]
        fn every_unit_agrees_with_arithmetic_in_128_bits(time: i64) {
            let units = [
                (Precision::Nanoseconds, 1_i128), (Precision::Microseconds, 1_000), (Precision::Milliseconds, 1_000_000),
                (Precision::Seconds, 1_000_000_000), (Precision::Minutes, 60_000_000_000), (Precision::Hours, 3_600_000_000_000),
            ];
            for (precision, ns) in units {
                for time in [time, time >> 16, time >> 32] {
                    let exact_ns = i128::from(time) * ns;
                    let us = exact_ns.div_euclid(1_000);
                    let expected = i64::try_from(us).ok().filter(|us| (MIN_TIME_US..=MAX_TIME_US).contains(us));
                    let moment = precision.to_us(time);
                    prop_assert_eq!(moment.map(|moment| moment.us), expected);
                    prop_assert_eq!(moment.is_some_and(|moment| moment.rounded), expected.is_some() && us * 1_000 != exact_ns);
                }
            }
        }
    }
}
