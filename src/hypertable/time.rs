//! Times as PostgreSQL takes them.

use chrono::{DateTime, Datelike, Utc};

/// A bound of time as PostgreSQL takes it: its own time begins in 4713 BC, which the bounds of chunks may lie before.
#[must_use]
pub fn moment(us: i64) -> DateTime<Utc> {
    const EARLIEST_US: i64 = -200_000_000_000_000_000;
    DateTime::from_timestamp_micros(us.max(EARLIEST_US)).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// A timestamptz that no setting of the session reads differently; infinite beyond what PostgreSQL knows.
#[must_use]
pub fn time_literal(us: i64) -> String {
    match DateTime::<Utc>::from_timestamp_micros(us) {
        Some(time) if (-4_000..=200_000).contains(&time.year()) => {
            let (year, era) = if time.year() > 0 { (time.year(), "") } else { (1 - time.year(), " BC") };
            format!("'{year:04}-{}+00{era}'::timestamptz", time.format("%m-%d %H:%M:%S%.6f"))
        }
        _ if us < 0 => "'-infinity'::timestamptz".to_owned(),
        _ => "'infinity'::timestamptz".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_whole_and_in_utc() {
        assert_eq!(time_literal(0), "'1970-01-01 00:00:00.000000+00'::timestamptz");
        assert_eq!(time_literal(-1), "'1969-12-31 23:59:59.999999+00'::timestamptz");
        assert_eq!(time_literal(-62_135_596_800_000_000), "'0001-01-01 00:00:00.000000+00'::timestamptz");
        assert_eq!(time_literal(-62_135_596_800_000_001), "'0001-12-31 23:59:59.999999+00 BC'::timestamptz");
        assert_eq!(time_literal(253_402_300_800_000_000), "'10000-01-01 00:00:00.000000+00'::timestamptz");
        assert_eq!(time_literal(i64::MIN), "'-infinity'::timestamptz");
    }
}
