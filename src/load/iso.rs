//! ISO 8601 dates and times, read byte by byte: a load spends a good part of its time here.
//!
//! ```text
//! date [ ("T" | " ") HH ":" MM [ ":" SS [ ("." | ",") digits ] ] [ " " ] [ zone ] ]
//! date = YYYY ("-" | "/") M[M] (the same sign) D[D]          zone = "Z" | "UTC" | "GMT" | (+|-)HH[[:]MM]
//! ```
//!
//! RFC 3339 is a subset. The year comes first, so nothing of this is ambiguous.

use chrono::{Datelike, NaiveDate};

const DAY_US: i64 = 86_400_000_000;
const MINUTE_US: i64 = 60_000_000;
/// Days from 0001-01-01, where chrono counts from, to 1970-01-01.
const EPOCH_DAYS_FROM_CE: i64 = 719_163;

/// A moment as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct IsoTime {
    /// The clock's microseconds since 1970, as if it were UTC.
    pub(super) local_us: i64,
    /// How far the clock is ahead of UTC, where that is written.
    pub(super) offset_us: Option<i64>,
    /// Whether digits beyond the microseconds were dropped.
    pub(super) rounded: bool,
    /// Whether there is a date alone.
    pub(super) date_only: bool,
}

/// Reads all of `text`; `None` if it is anything else.
pub(super) fn parse_iso(text: &[u8]) -> Option<IsoTime> {
    let mut cursor = Cursor(text);
    let mut time = IsoTime {
        local_us: cursor.date_days()? * DAY_US,
        offset_us: None,
        rounded: false,
        date_only: cursor.is_done(),
    };
    if time.date_only {
        return Some(time);
    }
    cursor.one_of(b"Tt ")?;
    let (hour, minute) = (cursor.digits(2)?, cursor.after(b':')?.digits(2)?);
    let mut second = 0;
    if let Some(after) = cursor.after(b':') {
        second = after.digits(2)?;
        if cursor.one_of(b".,").is_some() {
            let (us, rounded) = cursor.fraction_us()?;
            time.local_us += us;
            time.rounded = rounded;
        }
    }
    // A leap second is the first of the next minute, as in PostgreSQL.
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    time.local_us += (hour * 60 + minute) * MINUTE_US + second * 1_000_000;
    if !cursor.is_done() {
        time.offset_us = Some(cursor.offset_us()?);
    }
    cursor.is_done().then_some(time)
}

struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn is_done(&self) -> bool {
        self.0.is_empty()
    }

    fn one_of(&mut self, signs: &[u8]) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        signs.contains(&first).then(|| {
            self.0 = rest;
            first
        })
    }

    fn after(&mut self, sign: u8) -> Option<&mut Self> {
        self.one_of(&[sign])?;
        Some(self)
    }

    fn digit(&mut self) -> Option<i64> {
        let (&first, rest) = self.0.split_first()?;
        first.is_ascii_digit().then(|| {
            self.0 = rest;
            i64::from(first - b'0')
        })
    }

    /// Exactly `count` digits.
    fn digits(&mut self, count: usize) -> Option<i64> {
        (0..count).try_fold(0, |value, _| Some(value * 10 + self.digit()?))
    }

    fn one_or_two_digits(&mut self) -> Option<i64> {
        let first = self.digit()?;
        Some(self.digit().map_or(first, |second| first * 10 + second))
    }

    fn date_days(&mut self) -> Option<i64> {
        let year = self.digits(4)?;
        let sign = self.one_of(b"-/")?;
        let month = self.one_or_two_digits()?;
        let day = self.after(sign)?.one_or_two_digits()?;
        let date =
            NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, u32::try_from(month).ok()?, u32::try_from(day).ok()?)?;
        (year > 0).then(|| i64::from(date.num_days_from_ce()) - EPOCH_DAYS_FROM_CE)
    }

    /// One digit or more after the point, as microseconds rounded down, and whether anything was dropped.
    fn fraction_us(&mut self) -> Option<(i64, bool)> {
        let (mut us, mut unit, mut rounded) = (self.digit()? * 100_000, 10_000, false);
        while let Some(digit) = self.digit() {
            us += digit * unit;
            rounded |= unit == 0 && digit != 0;
            unit /= 10;
        }
        Some((us, rounded))
    }

    fn offset_us(&mut self) -> Option<i64> {
        let _ = self.one_of(b" ");
        if matches!(self.0, b"Z" | b"z" | b"UTC" | b"GMT") {
            self.0 = &[];
            return Some(0);
        }
        let sign = if self.one_of(b"+-")? == b'-' { -1 } else { 1 };
        let hours = self.digits(2)?;
        let minutes = if self.is_done() {
            0
        } else {
            let _ = self.one_of(b":");
            self.digits(2)?
        };
        (hours <= 23 && minutes <= 59).then_some(sign * (hours * 60 + minutes) * MINUTE_US)
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, SecondsFormat};
    use proptest::prelude::*;

    use super::*;

    fn utc_us(text: &str) -> Option<i64> {
        parse_iso(text.as_bytes()).map(|time| time.local_us - time.offset_us.unwrap_or(0))
    }

    #[test]
    fn the_usual_ways_to_write_a_time_are_read() {
        let midnight = 1_577_836_800_000_000;
        for text in
            ["2020-01-01", "2020/01/01", "2020-1-1", "2020-01-01 00:00", "2020-01-01T00:00:00", "2020-01-01T00:00:00Z"]
        {
            assert_eq!(utc_us(text), Some(midnight), "{text}");
        }
        for text in
            ["2020-01-01T05:30:00+05:30", "2019-12-31 19:00-0500", "2019-12-31T19:00:00-05", "2020-01-01 00:00:00 UTC"]
        {
            assert_eq!(utc_us(text), Some(midnight), "{text}");
        }
        assert_eq!(utc_us("2020-01-01 00:00:00.5"), Some(midnight + 500_000));
        assert_eq!(utc_us("1969-12-31T23:59:59.999999Z"), Some(-1));
    }

    #[test]
    fn digits_beyond_microseconds_are_dropped_and_said() {
        let time = parse_iso(b"2020-01-01T00:00:00.123456789Z").unwrap();
        assert_eq!((time.local_us.rem_euclid(1_000_000), time.rounded), (123_456, true));
        assert!(!parse_iso(b"2020-01-01T00:00:00.123456000Z").unwrap().rounded);
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "2020",
            "2020-01",
            "2020-13-01",
            "2020-02-30",
            "0000-01-01",
            "01/02/2020",
            "2020-01/02",
            "20200101",
            "2020-01-01T",
            "2020-01-01 24:00",
            "2020-01-01 00:60",
            "2020-01-01T00:00:00.",
            "2020-01-01T00:00:00+1",
            "2020-01-01T00:00:00Zjunk",
            "2020-01-01 00:00 PM",
            "-2020-01-01",
            "٢٠٢٠-01-01",
        ] {
            assert_eq!(parse_iso(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_chrono_writes_is_read_back(us in -62_135_596_800_000_000i64..253_402_300_799_000_000, offset_minutes in -1_439i32..1_439) {
            let utc = DateTime::from_timestamp_micros(us).unwrap();
            prop_assert_eq!(utc_us(&utc.to_rfc3339_opts(SecondsFormat::AutoSi, true)), Some(us));
            let local = utc.with_timezone(&chrono::FixedOffset::east_opt(offset_minutes * 60).unwrap());
            if (1..=9999).contains(&chrono::Datelike::year(&local)) {
                prop_assert_eq!(utc_us(&local.to_rfc3339()), Some(us));
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = parse_iso(&bytes);
        }
    }
}
