//! The widths of bars.

use std::{fmt, str::FromStr};

/// A width that bars are kept at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// A minute.
    Minute,
    /// Five minutes.
    FiveMinutes,
    /// An hour.
    Hour,
    /// A day.
    Day,
}

/// A text that is no level.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a level: bars are kept at 1m, 5m, 1h and 1d")]
pub struct UnknownLevel(String);

const SECOND_US: i64 = 1_000_000;
const DAY_US: i64 = 86_400 * SECOND_US;

impl Level {
    /// All of them, each a multiple of the one before.
    pub const ALL: [Self; 4] = [Self::Minute, Self::FiveMinutes, Self::Hour, Self::Day];

    /// As in names and settings: `1m`, `5m`, `1h`, `1d`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Minute => "1m",
            Self::FiveMinutes => "5m",
            Self::Hour => "1h",
            Self::Day => "1d",
        }
    }

    /// Its width in microseconds. Buckets begin at multiples of it since 1970, as `time_bucket`'s do.
    #[must_use]
    pub const fn width_us(self) -> i64 {
        match self {
            Self::Minute => 60 * SECOND_US,
            Self::FiveMinutes => 300 * SECOND_US,
            Self::Hour => 3_600 * SECOND_US,
            Self::Day => DAY_US,
        }
    }

    /// The start of the bucket that holds this time.
    #[must_use]
    pub const fn floor(self, us: i64) -> i64 {
        us.saturating_sub(us.rem_euclid(self.width_us()))
    }

    /// The length of its table's chunks, of a measurement whose own chunks are `raw_us` long: a multiple of a day.
    pub(super) const fn chunk_us(self, raw_us: i64) -> i64 {
        let raw_us = if raw_us < DAY_US { DAY_US } else { raw_us };
        let longest_us = 364 * DAY_US;
        let us = match self {
            Self::Minute => raw_us,
            Self::FiveMinutes => raw_us.saturating_mul(4),
            Self::Hour => raw_us.saturating_mul(28),
            Self::Day => longest_us,
        };
        if us > longest_us { longest_us } else { us }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Level {
    type Err = UnknownLevel;

    fn from_str(text: &str) -> Result<Self, UnknownLevel> {
        Self::ALL
            .into_iter()
            .find(|level| level.name() == text)
            .ok_or_else(|| UnknownLevel(text.chars().take(40).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_level_is_made_of_whole_buckets_of_the_one_before() {
        for pair in Level::ALL.windows(2) {
            assert_eq!(pair[1].width_us() % pair[0].width_us(), 0);
        }
        for level in Level::ALL {
            assert_eq!(level.name().parse(), Ok(level));
            assert_eq!(level.chunk_us(3_600 * SECOND_US) % DAY_US, 0);
        }
        assert!("2m".parse::<Level>().is_err());
    }
}
