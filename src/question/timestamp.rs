//! Times as questions give them and answers show them.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Datelike, NaiveDate, SecondsFormat, Timelike, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A moment in microseconds since 1970-01-01 UTC, within the years 1 to 9999.
///
/// Read from RFC 3339 with a zone or from integer milliseconds since 1970; written as RFC 3339 in UTC with `Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// Why a value is not a time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimestampError {
    /// The text is no RFC 3339 time with a zone.
    #[error(
        "`{0}` is not a time: write RFC 3339 with a zone, such as 2020-01-01T00:00:00Z, or milliseconds since 1970"
    )]
    Malformed(String),
    /// The year is outside 1 to 9999.
    #[error("the time is outside the years 1 to 9999")]
    OutOfRange,
}

impl Timestamp {
    /// The moment `us` microseconds after 1970-01-01 UTC.
    ///
    /// # Errors
    /// [`TimestampError::OutOfRange`] outside the years 1 to 9999.
    pub fn from_us(us: i64) -> Result<Self, TimestampError> {
        DateTime::from_timestamp_micros(us)
            .filter(|time| (1..=9999).contains(&time.year()))
            .map(|_| Self(us))
            .ok_or(TimestampError::OutOfRange)
    }

    /// Microseconds since 1970-01-01 UTC.
    #[must_use]
    pub fn us(self) -> i64 {
        self.0
    }

    /// Writes microseconds since 1970 as RFC 3339 with `Z`, with as many digits of a second as are needed.
    #[must_use]
    pub fn display_us(us: i64) -> String {
        let Some(time) = DateTime::<Utc>::from_timestamp_micros(us) else { return us.to_string() };
        let part_us = us.rem_euclid(1_000_000);
        let (year, date) = (time.year(), time.date_naive());
        if !(0..=9_999).contains(&year) {
            return time.to_rfc3339_opts(SecondsFormat::AutoSi, true);
        }
        // Digit by digit: an answer may have a hundred thousand times, and chrono takes ten times as long for each.
        let mut text = String::with_capacity("2024-01-01T00:00:00.000000Z".len());
        let mut push = |before: &str, value: u32, least: u32| {
            text.push_str(before);
            let mut place = least;
            while place > 0 {
                text.push(char::from_digit(value / place % 10, 10).unwrap_or('0'));
                place /= 10;
            }
        };
        push("", year.unsigned_abs(), 1_000);
        push("-", date.month(), 10);
        push("-", date.day(), 10);
        push("T", time.hour(), 10);
        push(":", time.minute(), 10);
        push(":", time.second(), 10);
        let part_us = u32::try_from(part_us).unwrap_or(0);
        match part_us {
            0 => {}
            us if us % 1_000 == 0 => push(".", us / 1_000, 100),
            us => push(".", us, 100_000),
        }
        text.push('Z');
        text
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Self::display_us(self.0))
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    /// Also takes a bare date, `2020-01-01`, as midnight UTC, and digits as milliseconds: handy on a command line.
    fn from_str(text: &str) -> Result<Self, TimestampError> {
        if let Ok(ms) = text.parse::<i64>() {
            return Self::from_us(ms.checked_mul(1_000).ok_or(TimestampError::OutOfRange)?);
        }
        if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
            return Self::from_us(date.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_micros());
        }
        parse_rfc3339(text)
    }
}

fn parse_rfc3339(text: &str) -> Result<Timestamp, TimestampError> {
    let time =
        DateTime::parse_from_rfc3339(text).map_err(|_| TimestampError::Malformed(text.chars().take(40).collect()))?;
    Timestamp::from_us(time.timestamp_micros())
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Timestamp;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an RFC 3339 time with a zone, or integer milliseconds since 1970 UTC")
            }

            fn visit_i64<E: de::Error>(self, ms: i64) -> Result<Timestamp, E> {
                let us = ms.checked_mul(1_000).ok_or_else(|| E::custom(TimestampError::OutOfRange))?;
                Timestamp::from_us(us).map_err(E::custom)
            }

            fn visit_u64<E: de::Error>(self, ms: u64) -> Result<Timestamp, E> {
                self.visit_i64(i64::try_from(ms).map_err(|_| E::custom(TimestampError::OutOfRange))?)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Timestamp, E> {
                parse_rfc3339(text).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Result<Timestamp, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn a_zone_is_needed_and_honoured() {
        assert_eq!(json("\"2020-01-01T01:00:00+01:00\"").unwrap(), json("\"2020-01-01T00:00:00Z\"").unwrap());
        assert!(json("\"2020-01-01T00:00:00\"").is_err());
        assert!(json("\"2020-01-01\"").is_err(), "the contract asks for RFC 3339");
        assert_eq!("2020-01-01".parse::<Timestamp>().unwrap(), json("1577836800000").unwrap());
    }

    #[test]
    fn extremes_are_refused_and_never_panic() {
        for text in [
            "9223372036854775807",
            "18446744073709551615",
            "-9223372036854775808",
            "1e300",
            "1.5",
            "null",
            "\"+10000-01-01T00:00:00Z\"",
        ] {
            assert!(json(text).is_err(), "{text}");
        }
        assert_eq!(json("\"0001-01-01T00:00:00Z\"").unwrap().to_string(), "0001-01-01T00:00:00Z");
    }

    #[test]
    fn answers_show_only_the_digits_they_need() {
        assert_eq!(Timestamp::display_us(0), "1970-01-01T00:00:00Z");
        assert_eq!(Timestamp::display_us(250_000), "1970-01-01T00:00:00.250Z");
        assert_eq!(Timestamp::display_us(-1), "1969-12-31T23:59:59.999999Z");
        for n in -40_000_i64..40_000 {
            for us in [n * 1_577_847_333_777, n * 86_400_000_000 + 1_000, n * 3_600_000_000] {
                let time = DateTime::<Utc>::from_timestamp_micros(us).unwrap();
                let digits = match us.rem_euclid(1_000_000) {
                    0 => SecondsFormat::Secs,
                    us if us % 1_000 == 0 => SecondsFormat::Millis,
                    _ => SecondsFormat::Micros,
                };
                assert_eq!(Timestamp::display_us(us), time.to_rfc3339_opts(digits, true));
            }
        }
    }
}
