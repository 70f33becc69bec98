//! Durations as text: `250ms 1s 10s 1m 5m 1h 1d 1w 1mo`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A length of time: a fixed number of microseconds, or a number of calendar months.
///
/// A day is 24 hours here; buckets of a day or more are cut at local midnight by [`crate::frame::Calendar`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Width {
    /// Microseconds, greater than zero.
    Fixed(i64),
    /// Calendar months, greater than zero.
    Months(i32),
}

/// Why a text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a duration: write a whole number and a unit, such as 250ms, 10s, 5m, 1h, 1d, 1w or 1mo")]
pub struct WidthError {
    text: String,
}

const MAX_US: i64 = 366 * 1000 * Width::DAY_US;

impl Width {
    /// One second in microseconds.
    pub const SECOND_US: i64 = 1_000_000;
    /// One day in microseconds.
    pub const DAY_US: i64 = 86_400 * Self::SECOND_US;
    /// One day.
    pub const DAY: Self = Self::Fixed(Self::DAY_US);

    /// Microseconds, where that is a constant.
    #[must_use]
    pub fn fixed_us(self) -> Option<i64> {
        match self {
            Self::Fixed(us) => Some(us),
            Self::Months(_) => None,
        }
    }

    /// Microseconds; a month counts as its shortest, 28 days. For estimates, never for arithmetic on times.
    #[must_use]
    pub fn at_least_us(self) -> i64 {
        match self {
            Self::Fixed(us) => us,
            Self::Months(months) => i64::from(months) * 28 * Self::DAY_US,
        }
    }
}

impl FromStr for Width {
    type Err = WidthError;

    fn from_str(text: &str) -> Result<Self, WidthError> {
        let error = || WidthError { text: text.chars().take(40).collect() };
        let split = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(error)?;
        let (number, unit) = text.split_at(split);
        let number: i64 = number.parse().map_err(|_| error())?;
        let unit_us = match unit {
            "ms" => 1_000,
            "s" => Self::SECOND_US,
            "m" => 60 * Self::SECOND_US,
            "h" => 3_600 * Self::SECOND_US,
            "d" => Self::DAY_US,
            "w" => 7 * Self::DAY_US,
            "mo" => {
                return match i32::try_from(number) {
                    Ok(months @ 1..=12_000) => Ok(Self::Months(months)),
                    _ => Err(error()),
                };
            }
            _ => return Err(error()),
        };
        match number.checked_mul(unit_us) {
            Some(us @ 1..=MAX_US) => Ok(Self::Fixed(us)),
            _ => Err(error()),
        }
    }
}

impl fmt::Display for Width {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(i64, &str); 6] = [
            (7 * Width::DAY_US, "w"),
            (Width::DAY_US, "d"),
            (3_600 * Width::SECOND_US, "h"),
            (60 * Width::SECOND_US, "m"),
            (Width::SECOND_US, "s"),
            (1_000, "ms"),
        ];
        match *self {
            Self::Months(months) => write!(f, "{months}mo"),
            Self::Fixed(us) => {
                let (unit_us, unit) = UNITS.into_iter().find(|(unit_us, _)| us % unit_us == 0).unwrap_or((1, "us"));
                write!(f, "{}{unit}", us / unit_us)
            }
        }
    }
}

impl Serialize for Width {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Width {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_back_as_they_are_written() {
        for text in ["250ms", "1s", "10s", "1m", "5m", "1h", "1d", "1w", "1mo", "36h", "14mo"] {
            assert_eq!(text.parse::<Width>().unwrap().to_string(), text);
        }
        assert_eq!("60s".parse::<Width>().unwrap().to_string(), "1m");
    }

    #[test]
    fn nonsense_is_refused() {
        for text in
            ["", "1", "m", "0s", "-1s", "1.5h", "1 h", "1y", "99999999999999999999s", "9223372036854775807d", "0mo"]
        {
            assert!(text.parse::<Width>().is_err(), "{text}");
        }
    }
}
