//! How a file writes its times: the formats, and reading one cell by them.

use std::fmt;

use chrono::{
    DateTime, NaiveDateTime, NaiveTime, TimeZone,
    format::{Item, Parsed, StrftimeItems, parse},
};
use chrono_tz::Tz;

use super::{
    LoadError,
    cell::read_integer,
    iso::parse_iso,
    refusal::{Reason, excerpt},
};
use crate::protocol::{MAX_TIME_US, MIN_TIME_US, Precision};

/// How the cells of the time column are read.
#[derive(Debug, Clone, PartialEq)]
pub struct TimeRule {
    /// The format.
    pub format: TimeFormat,
    /// The zone of times that carry none. A time that its clocks show twice is taken as the earlier one.
    pub zone: Tz,
}

/// A way to write times.
#[derive(Debug, Clone, PartialEq)]
pub enum TimeFormat {
    /// The year first: RFC 3339, `2020-01-31`, `2020-01-31 09:30[:00[.000]]`, with or without a zone.
    Iso,
    /// A number since 1970 UTC.
    Unix(UnixUnit),
    /// An integer since 1970 UTC in a unit that was named.
    Integer(Precision),
    /// A pattern of chrono's `strftime`.
    Pattern(TimePattern),
    /// As the column's own type says, in Parquet.
    Typed,
}

/// What a number since 1970 counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnixUnit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// Microseconds.
    Microseconds,
    /// Nanoseconds; rounded down to microseconds.
    Nanoseconds,
}

impl UnixUnit {
    /// The unit by the size of the number, as InfluxDB 3 takes it: below 5e9 seconds, 5e12 milliseconds, 5e15
    /// microseconds, else nanoseconds.
    #[must_use]
    pub fn by_size(number: f64) -> Self {
        match number.abs() {
            n if n < 5e9 => Self::Seconds,
            n if n < 5e12 => Self::Milliseconds,
            n if n < 5e15 => Self::Microseconds,
            _ => Self::Nanoseconds,
        }
    }

    fn nanoseconds(self) -> i128 {
        match self {
            Self::Seconds => 1_000_000_000,
            Self::Milliseconds => 1_000_000,
            Self::Microseconds => 1_000,
            Self::Nanoseconds => 1,
        }
    }
}

/// A checked pattern of chrono's `strftime`.
#[derive(Debug, Clone, PartialEq)]
pub struct TimePattern {
    text: String,
    items: Vec<Item<'static>>,
}

impl TimePattern {
    /// Checks the pattern.
    ///
    /// # Errors
    /// [`LoadError::InvalidTimeFormat`] for a sign that is not known, or a pattern without any.
    pub fn new(text: &str) -> Result<Self, LoadError> {
        let invalid = || LoadError::InvalidTimeFormat(text.to_owned());
        let items = StrftimeItems::new(text).parse_to_owned().map_err(|_| invalid())?;
        let reads = items.iter().any(|item| matches!(item, Item::Numeric(..) | Item::Fixed(..)));
        if reads { Ok(Self { text: text.to_owned(), items }) } else { Err(invalid()) }
    }
}

impl fmt::Display for TimeFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Iso => f.write_str("YYYY-MM-DD[THH:MM[:SS[.fff]]][zone]"),
            Self::Unix(UnixUnit::Seconds) => f.write_str("seconds since 1970"),
            Self::Unix(UnixUnit::Milliseconds) => f.write_str("milliseconds since 1970"),
            Self::Unix(UnixUnit::Microseconds) => f.write_str("microseconds since 1970"),
            Self::Unix(UnixUnit::Nanoseconds) => f.write_str("nanoseconds since 1970"),
            Self::Integer(precision) => write!(f, "{} since 1970", unit_name(*precision)),
            Self::Pattern(pattern) => f.write_str(&pattern.text),
            Self::Typed => f.write_str("its type says"),
        }
    }
}

impl fmt::Display for TimeRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.format {
            TimeFormat::Unix(_) | TimeFormat::Integer(_) => write!(f, "{}", self.format),
            _ => write!(f, "{}, {} where no zone is written", self.format, self.zone),
        }
    }
}

/// The unit in words.
pub(super) fn unit_name(precision: Precision) -> &'static str {
    match precision {
        Precision::Nanoseconds => "nanoseconds",
        Precision::Microseconds => "microseconds",
        Precision::Milliseconds => "milliseconds",
        Precision::Seconds => "seconds",
        Precision::Minutes => "minutes",
        Precision::Hours => "hours",
        Precision::Auto => "the unit that fits each number's size",
    }
}

/// A time read from a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CellTime {
    /// Microseconds since 1970 UTC.
    pub(super) us: i64,
    /// Whether digits beyond the microseconds were dropped.
    pub(super) rounded: bool,
}

impl TimeRule {
    /// Reads a trimmed cell.
    pub(super) fn read(&self, cell: &[u8]) -> Result<CellTime, Reason> {
        let time = match &self.format {
            TimeFormat::Iso => {
                let time = parse_iso(cell).ok_or_else(|| self.not_a_time(cell))?;
                let us = match time.offset_us {
                    Some(offset_us) => time.local_us - offset_us,
                    None => self.to_utc(time.local_us, cell)?,
                };
                CellTime { us, rounded: time.rounded }
            }
            TimeFormat::Unix(unit) => read_unix(cell, *unit).ok_or_else(|| self.not_a_time(cell))?,
            TimeFormat::Integer(precision) => {
                let number = read_integer(cell).map_err(|_| self.not_a_time(cell))?;
                let moment = precision.to_us(number).ok_or_else(|| Reason::TimeOutOfRange(excerpt(cell)))?;
                CellTime { us: moment.us, rounded: moment.rounded }
            }
            TimeFormat::Pattern(pattern) => self.read_pattern(pattern, cell)?,
            TimeFormat::Typed => return Err(self.not_a_time(cell)),
        };
        if (MIN_TIME_US..=MAX_TIME_US).contains(&time.us) {
            Ok(time)
        } else {
            Err(Reason::TimeOutOfRange(excerpt(cell)))
        }
    }

    /// Times in UTC, as their type says.
    pub(super) const UTC: Self = Self { format: TimeFormat::Typed, zone: Tz::UTC };

    /// A time in microseconds, of the rule's zone unless it has one; `shown` is what a message shows of it.
    pub(super) fn place(&self, us: i64, has_zone: bool, shown: impl Fn() -> String) -> Result<i64, Reason> {
        let us = if has_zone { us } else { self.to_utc(us, shown().as_bytes())? };
        if (MIN_TIME_US..=MAX_TIME_US).contains(&us) { Ok(us) } else { Err(Reason::TimeOutOfRange(shown())) }
    }

    fn not_a_time(&self, cell: &[u8]) -> Reason {
        Reason::NotATime { cell: excerpt(cell), format: self.format.to_string() }
    }

    fn to_utc(&self, local_us: i64, cell: &[u8]) -> Result<i64, Reason> {
        if self.zone == Tz::UTC {
            return Ok(local_us);
        }
        let local = DateTime::from_timestamp_micros(local_us).map(|time| time.naive_utc());
        let Some(local) = local else { return Err(Reason::TimeOutOfRange(excerpt(cell))) };
        self.zone
            .from_local_datetime(&local)
            .earliest()
            .map(|time| time.timestamp_micros())
            .ok_or_else(|| Reason::NoSuchLocalTime { cell: excerpt(cell), zone: self.zone.to_string() })
    }

    fn read_pattern(&self, pattern: &TimePattern, cell: &[u8]) -> Result<CellTime, Reason> {
        let mut parsed = Parsed::new();
        let text = std::str::from_utf8(cell).map_err(|_| self.not_a_time(cell))?;
        parse(&mut parsed, text, pattern.items.iter()).map_err(|_| self.not_a_time(cell))?;
        let is_utc = parsed.timestamp().is_some();
        let (us, nanoseconds) = if parsed.offset().is_some() {
            let time = parsed.to_datetime().map_err(|_| self.not_a_time(cell))?;
            (time.timestamp_micros(), time.timestamp_subsec_nanos())
        } else {
            let local = naive(&parsed).ok_or_else(|| self.not_a_time(cell))?.and_utc();
            let local_us = local.timestamp_micros();
            (if is_utc { local_us } else { self.to_utc(local_us, cell)? }, local.timestamp_subsec_nanos())
        };
        Ok(CellTime { us, rounded: nanoseconds % 1_000 != 0 })
    }
}

/// A date without a time is its midnight; an hour without minutes is its beginning.
fn naive(parsed: &Parsed) -> Option<NaiveDateTime> {
    if let Ok(time) = parsed.to_naive_datetime_with_offset(0) {
        return Some(time);
    }
    let date = parsed.to_naive_date().ok()?;
    match (parsed.hour_div_12(), parsed.hour_mod_12(), parsed.minute()) {
        (None, None, None) => Some(date.and_time(NaiveTime::MIN)),
        (Some(half), Some(hour), None) => date.and_hms_opt(half * 12 + hour, 0, 0),
        _ => None,
    }
}

/// An integer, or a decimal number as scripts write seconds: `1577836800.25`.
fn read_unix(cell: &[u8], unit: UnixUnit) -> Option<CellTime> {
    let (negative, digits) = match cell.split_first()? {
        (b'-', rest) => (true, rest),
        (b'+', rest) => (false, rest),
        _ => (false, cell),
    };
    let (whole, fraction) = match memchr::memchr(b'.', digits) {
        Some(point) => (&digits[..point], &digits[point + 1..]),
        None => (digits, &[][..]),
    };
    // 20 digits are more than 64 bits of nanoseconds hold, and far from an overflow of 128.
    if whole.is_empty() || whole.len() > 20 || !whole.iter().chain(fraction).all(u8::is_ascii_digit) {
        return None;
    }
    let whole = whole.iter().fold(0i128, |value, digit| value * 10 + i128::from(digit - b'0'));
    let mut ns = whole * unit.nanoseconds();
    let mut digit_ns = unit.nanoseconds();
    let mut rounded = false;
    for digit in fraction {
        digit_ns /= 10;
        ns += i128::from(digit - b'0') * digit_ns;
        rounded |= digit_ns == 0 && *digit != b'0';
    }
    let ns = if negative { -ns } else { ns };
    let us = i64::try_from(ns.div_euclid(1_000)).ok()?;
    Some(CellTime { us, rounded: rounded || ns.rem_euclid(1_000) != 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(format: TimeFormat, zone: Tz) -> TimeRule {
        TimeRule { format, zone }
    }

    fn pattern(text: &str) -> TimeFormat {
        TimeFormat::Pattern(TimePattern::new(text).unwrap())
    }

    fn us(format: TimeFormat, cell: &str) -> Result<i64, Reason> {
        rule(format, Tz::UTC).read(cell.as_bytes()).map(|time| time.us)
    }

    const NOON: i64 = 1_577_880_000_000_000;

    #[test]
    fn numbers_since_1970_are_read_in_their_unit() {
        for (cell, unit) in [
            ("1577880000", UnixUnit::Seconds),
            ("1577880000.0", UnixUnit::Seconds),
            ("1577880000000", UnixUnit::Milliseconds),
            ("1577880000000000", UnixUnit::Microseconds),
            ("1577880000000000999", UnixUnit::Nanoseconds),
        ] {
            assert_eq!(us(TimeFormat::Unix(unit), cell), Ok(NOON), "{cell}");
            assert_eq!(UnixUnit::by_size(cell.parse().unwrap()), unit, "{cell}");
        }
        assert_eq!(us(TimeFormat::Unix(UnixUnit::Seconds), "-0.5"), Ok(-500_000));
        let rounded = rule(TimeFormat::Unix(UnixUnit::Nanoseconds), Tz::UTC).read(b"-1").unwrap();
        assert_eq!(rounded, CellTime { us: -1, rounded: true }, "rounded down, not towards zero");
    }

    #[test]
    fn numbers_that_are_no_time_are_refused() {
        for cell in ["", "-", "1e9", "0x10", "1.2.3", "99999999999999999999999", "१"] {
            assert!(us(TimeFormat::Unix(UnixUnit::Seconds), cell).is_err(), "{cell}");
        }
        assert!(matches!(us(TimeFormat::Unix(UnixUnit::Seconds), "9223372036854"), Err(Reason::TimeOutOfRange(_))));
    }

    #[test]
    fn patterns_are_read_with_and_without_times_and_zones() {
        assert_eq!(us(pattern("%d/%m/%Y %H:%M"), "01/01/2020 12:00"), Ok(NOON));
        assert_eq!(us(pattern("%d/%m/%Y %I %p"), "01/01/2020 12 PM"), Ok(NOON));
        assert_eq!(us(pattern("%m/%d/%Y"), "01/02/2020"), Ok(NOON + 43_200_000_000));
        assert_eq!(us(pattern("%Y-%m-%d %H:%M %z"), "2020-01-01 13:00 +0100"), Ok(NOON));
        assert_eq!(us(pattern("%s"), "1577880000"), Ok(NOON));
        assert!(matches!(us(pattern("%d/%m/%Y"), "2020-01-01"), Err(Reason::NotATime { .. })));
        assert!(TimePattern::new("%Q").is_err() && TimePattern::new("noon").is_err());
    }

    #[test]
    fn a_zone_moves_times_that_carry_none() {
        let new_york = |cell: &str| rule(TimeFormat::Iso, Tz::America__New_York).read(cell.as_bytes()).map(|t| t.us);
        assert_eq!(new_york("2020-01-01 07:00"), Ok(NOON));
        assert_eq!(new_york("2020-01-01T12:00:00Z"), Ok(NOON), "a written zone wins");
        assert!(matches!(new_york("2020-03-08 02:30"), Err(Reason::NoSuchLocalTime { .. })));
        assert_eq!(new_york("2020-11-01 01:30"), us(TimeFormat::Iso, "2020-11-01 05:30"), "the earlier of two");
    }
}
