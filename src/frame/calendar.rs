//! Which buckets there are: TimescaleDB's `time_bucket`, in UTC or in local time.
//!
//! Buckets are half-open and numbered from an origin: 2000-01-03 00:00, a Monday, for fixed widths, and 2000-01-01 for
//! months (<https://docs.tigerdata.com/api/latest/hyperfunctions/time_bucket/>). They are cut in UTC, except that with
//! a zone other than UTC buckets of a day or more, and months, are cut in the zone's wall-clock time. Such a bucket
//! starts at the first moment whose local time is at or after the local boundary, so that
//!
//! - where the clock skips midnight (America/Sao_Paulo, 2018-11-04) the day starts when the clock goes on, at 01:00;
//! - where midnight comes twice (America/Havana, every autumn) the day starts with the first;
//! - where the clock goes back over midnight (America/St_Johns until 2011) the time that comes again belongs to the new
//!   day: buckets are stretches of real time and never interleave;
//! - a day that a zone skipped whole (Pacific/Apia, 2011-12-30) is no bucket.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeZone, Utc};
use chrono_tz::{GapInfo, Tz};

use super::{Starts, TooManyBuckets};
use crate::question::Width;

#[cfg(test)]
mod tests;

/// 2000-01-03 00:00, a Monday.
const FIXED_ORIGIN_US: i64 = 946_857_600_000_000;

/// 100,000 years, well within what chrono can express: times beyond are taken for this one.
const LIMIT_US: i64 = 36_525_000 * Width::DAY_US;

/// Cuts time into buckets of one width.
///
/// All times are microseconds since 1970 UTC. Right for the years 1 to 9999; never panics, and gives saturated starts
/// where a bucket reaches beyond what `i64` holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    width: Width,
    /// `None` where buckets are cut in UTC.
    zone: Option<Tz>,
    /// The numbers of days that do not exist, ascending.
    skipped: Vec<i64>,
}

impl Calendar {
    /// Whether buckets are cut in UTC, as all that are shorter than a day are.
    #[must_use]
    pub fn is_utc(&self) -> bool {
        self.zone.is_none()
    }

    /// Buckets of this width, cut in this zone if they are a day or more. A width below 1 counts as 1.
    #[must_use]
    pub fn new(width: Width, tz: Tz) -> Self {
        let (width, is_long) = match width {
            Width::Fixed(us) => (Width::Fixed(us.max(1)), us >= Width::DAY_US),
            Width::Months(months) => (Width::Months(months.max(1)), true),
        };
        let mut calendar =
            Self { width, zone: (is_long && tz != Tz::UTC && tz != Tz::Etc__UTC).then_some(tz), skipped: Vec::new() };
        if let (Width::DAY, Some(zone)) = (width, calendar.zone) {
            calendar.skipped = calendar.skipped_days(zone);
        }
        calendar
    }

    /// The start of the bucket that holds this time.
    #[must_use]
    pub fn floor(&self, t_us: i64) -> i64 {
        self.start(self.number(t_us))
    }

    /// The first start at or after this time.
    #[must_use]
    pub fn ceil(&self, t_us: i64) -> i64 {
        self.start(self.number_from(t_us))
    }

    /// The start of the bucket after the one that holds this time.
    #[must_use]
    pub fn next(&self, start_us: i64) -> i64 {
        self.start(self.number(start_us).saturating_add(1))
    }

    /// The start of the bucket before the one that starts here.
    #[must_use]
    pub fn previous(&self, start_us: i64) -> i64 {
        self.floor(self.floor(start_us).saturating_sub(1))
    }

    /// The number of the bucket that holds this time; consecutive buckets have consecutive numbers.
    #[must_use]
    pub fn ordinal(&self, start_us: i64) -> i64 {
        self.without_skipped(self.number(start_us))
    }

    /// All buckets whose start lies in `[from_us, to_us)`.
    ///
    /// # Errors
    /// [`TooManyBuckets`] where they are more than `max`; nothing is allocated then.
    pub fn starts(&self, from_us: i64, to_us: i64, max: usize) -> Result<Starts, TooManyBuckets> {
        let first = self.number_from(from_us);
        let end = self.number_from(to_us).max(first);
        let would_be = self.without_skipped(end).abs_diff(self.without_skipped(first));
        let len = match usize::try_from(would_be) {
            Ok(len) if len <= max => len,
            _ => return Err(TooManyBuckets { would_be, limit: max }),
        };
        if let (Width::Fixed(width_us), None) = (self.width, self.zone) {
            return Ok(Starts::Regular { first_us: self.start(first), width_us, len });
        }
        let mut starts = Vec::with_capacity(len);
        starts.extend((first..end).filter(|number| !self.skipped.contains(number)).map(|number| self.start(number)));
        Ok(Starts::Listed { starts, end_us: self.start(end) })
    }

    /// The number of the bucket that holds this time, skipped days counted: the last that starts at or before it.
    fn number(&self, t_us: i64) -> i64 {
        let t_us = t_us.clamp(-LIMIT_US, LIMIT_US);
        let Some(zone) = self.zone else { return self.number_of_boundary(t_us) };
        let mut number = self.number_of_boundary(t_us + offset_us(zone, t_us));
        // The clock may have gone back since a later bucket started, and a skipped day starts with the next one.
        while self.start(number + 1) <= t_us {
            number += 1;
        }
        number
    }

    /// The number of the first bucket that starts at or after this time.
    fn number_from(&self, t_us: i64) -> i64 {
        let number = self.number(t_us);
        if self.start(number) == t_us { number } else { number.saturating_add(1) }
    }

    fn without_skipped(&self, number: i64) -> i64 {
        let skipped = self.skipped.partition_point(|skipped| *skipped < number);
        number - i64::try_from(skipped).unwrap_or(0)
    }

    /// The moment at which the bucket with this number starts.
    fn start(&self, number: i64) -> i64 {
        let boundary_us = self.boundary_us(number);
        match self.zone {
            None => boundary_us,
            Some(zone) => first_moment_at(zone, boundary_us),
        }
    }

    /// The wall-clock time at which the bucket with this number starts.
    fn boundary_us(&self, number: i64) -> i64 {
        match self.width {
            Width::Fixed(us) => FIXED_ORIGIN_US.saturating_add(number.saturating_mul(us)),
            Width::Months(months) => {
                let months = number.saturating_mul(months.into());
                let date = i32::try_from(2000 + months.div_euclid(12))
                    .ok()
                    .and_then(|year| NaiveDate::from_ymd_opt(year, u32::try_from(months.rem_euclid(12)).ok()? + 1, 1));
                match date {
                    Some(date) => date.and_time(NaiveTime::MIN).and_utc().timestamp_micros(),
                    None if months < 0 => i64::MIN,
                    None => i64::MAX,
                }
            }
        }
    }

    /// The number of the last bucket whose wall-clock boundary is at or before this wall-clock time.
    fn number_of_boundary(&self, local_us: i64) -> i64 {
        match self.width {
            Width::Fixed(us) => (local_us - FIXED_ORIGIN_US).div_euclid(us),
            Width::Months(months) => {
                let date = clock(local_us).date();
                let since_origin = (i64::from(date.year()) - 2000) * 12 + i64::from(date.month0());
                since_origin.div_euclid(months.into())
            }
        }
    }

    /// The days that a zone skipped whole, by moving over the date line.
    ///
    /// Such a move changes the offset by a day for good, so it shows between samples that are a year apart.
    fn skipped_days(&self, zone: Tz) -> Vec<i64> {
        const YEAR_US: i64 = 365 * Width::DAY_US;
        let moves = |from_us, to_us| offset_us(zone, to_us) - offset_us(zone, from_us) > Width::DAY_US * 3 / 4;
        let mut skipped = Vec::new();
        // 1840 to 2040: the first zones had their own time by then, and no later move is known.
        for year in -130..70 {
            let (mut before_us, mut after_us) = (year * YEAR_US, (year + 1) * YEAR_US);
            if !moves(before_us, after_us) {
                continue;
            }
            let first_us = before_us;
            while after_us - before_us > 1 {
                let middle_us = before_us + (after_us - before_us) / 2;
                if moves(first_us, middle_us) {
                    after_us = middle_us;
                } else {
                    before_us = middle_us;
                }
            }
            let last_before = self.number_of_boundary(before_us + offset_us(zone, before_us));
            let first_after = self.number_of_boundary(after_us + offset_us(zone, after_us));
            skipped.extend((last_before..first_after).filter(|day| self.start(*day) == self.start(day + 1)));
        }
        skipped
    }
}

/// Microseconds as the reading of a clock; `us` must lie within [`LIMIT_US`] and a little.
fn clock(us: i64) -> NaiveDateTime {
    DateTime::<Utc>::from_timestamp_micros(us).unwrap_or_default().naive_utc()
}

/// By how much the zone's clocks are ahead of UTC at a moment.
fn offset_us(zone: Tz, t_us: i64) -> i64 {
    let offset = zone.offset_from_utc_datetime(&clock(t_us)).fix();
    i64::from(offset.local_minus_utc()) * Width::SECOND_US
}

/// The first moment at which the zone's clocks show `local_us` or later.
fn first_moment_at(zone: Tz, local_us: i64) -> i64 {
    if !(-LIMIT_US..=LIMIT_US).contains(&local_us) {
        return local_us;
    }
    let local = clock(local_us);
    match zone.from_local_datetime(&local).earliest() {
        Some(moment) => moment.timestamp_micros(),
        // The clocks skip this time: it is reached when they go on.
        None => GapInfo::new(&local, &zone).and_then(|gap| gap.end).map_or(local_us, |end| end.timestamp_micros()),
    }
}
