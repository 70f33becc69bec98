use proptest::prelude::*;

use super::*;
use crate::question::Timestamp;

const HOUR_US: i64 = 3_600 * Width::SECOND_US;

fn us(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().us()
}

fn calendar(width: &str, zone: &str) -> Calendar {
    Calendar::new(width.parse().unwrap(), zone.parse().unwrap())
}

fn starts(width: &str, zone: &str, from: &str, to: &str) -> Vec<String> {
    let starts = calendar(width, zone).starts(us(from), us(to), 1_000).unwrap();
    starts.iter().map(Timestamp::display_us).collect()
}

#[test]
fn weeks_begin_on_mondays_and_months_on_the_first() {
    assert_eq!(calendar("1w", "UTC").floor(us("2024-02-29")), us("2024-02-26"));
    assert_eq!(calendar("1w", "UTC").floor(us("1999-12-31")), us("1999-12-27"));
    assert_eq!(calendar("2w", "UTC").floor(us("2000-01-20")), us("2000-01-17"));
    assert_eq!(calendar("1mo", "UTC").floor(us("2024-02-29T23:59:59Z")), us("2024-02-01"));
    assert_eq!(calendar("3mo", "UTC").floor(us("1999-12-31")), us("1999-10-01"));
    assert_eq!(calendar("5mo", "UTC").floor(us("2000-05-31")), us("2000-01-01"));
    assert_eq!(calendar("5mo", "UTC").next(us("2000-01-01")), us("2000-06-01"));
}

#[test]
fn widths_that_do_not_divide_a_day_count_from_the_origin() {
    // 2000-01-04 00:00 is 24 hours after the origin: 3 buckets of 7 hours and 3 hours more.
    assert_eq!(calendar("7h", "UTC").floor(us("2000-01-04")), us("2000-01-03T21:00:00Z"));
    assert_eq!(calendar("7h", "UTC").previous(us("2000-01-03")), us("2000-01-02T17:00:00Z"));
    assert_eq!(calendar("7h", "UTC").ordinal(us("2000-01-02T23:00:00Z")), -1);
}

#[test]
fn shorter_buckets_than_a_day_are_cut_in_utc_whatever_the_zone() {
    assert_eq!(calendar("12h", "Asia/Kolkata"), calendar("12h", "UTC"));
    assert_eq!(calendar("1d", "Etc/UTC"), calendar("1d", "UTC"));
}

#[test]
fn local_days_have_23_and_25_hours_when_the_clock_changes() {
    assert_eq!(
        starts("1d", "Europe/Berlin", "2024-03-30T00:00:00Z", "2024-04-02T00:00:00Z"),
        ["2024-03-30T23:00:00Z", "2024-03-31T22:00:00Z", "2024-04-01T22:00:00Z"]
    );
    let berlin = calendar("1d", "Europe/Berlin");
    let autumn = berlin.floor(us("2024-10-27T12:00:00Z"));
    assert_eq!(autumn, us("2024-10-26T22:00:00Z"));
    assert_eq!(berlin.next(autumn) - autumn, 25 * HOUR_US);
    assert_eq!(berlin.ordinal(berlin.next(autumn)), berlin.ordinal(autumn) + 1);
}

#[test]
fn a_day_without_midnight_starts_when_the_clock_goes_on() {
    for (zone, day, start, hours) in [
        ("America/Sao_Paulo", "2018-11-04T12:00:00Z", "2018-11-04T03:00:00Z", 23),
        ("Asia/Beirut", "2022-03-27T12:00:00Z", "2022-03-26T22:00:00Z", 23),
        ("Africa/Cairo", "2024-04-26T12:00:00Z", "2024-04-25T22:00:00Z", 23),
    ] {
        let days = calendar("1d", zone);
        assert_eq!(days.floor(us(day)), us(start), "{zone}");
        assert_eq!(days.next(us(start)) - us(start), hours * HOUR_US, "{zone}");
    }
}

#[test]
fn a_day_with_two_midnights_starts_with_the_first() {
    // Havana goes from 01:00 back to 00:00, so its day has 25 hours from the first midnight on.
    let havana = calendar("1d", "America/Havana");
    assert_eq!(havana.floor(us("2023-11-05T05:30:00Z")), us("2023-11-05T04:00:00Z"));
    assert_eq!(havana.next(us("2023-11-05T04:00:00Z")), us("2023-11-06T05:00:00Z"));
    // St John's went from 00:01 back to 23:01 of the day before: the hour that came again stays with the new day.
    let st_johns = calendar("1d", "America/St_Johns");
    assert_eq!(st_johns.floor(us("2006-10-29T03:00:00Z")), us("2006-10-29T02:30:00Z"));
    assert_eq!(st_johns.next(us("2006-10-29T02:30:00Z")), us("2006-10-30T03:30:00Z"));
    // Beirut goes from 24:00 back to 23:00: midnight comes once, an hour later.
    assert_eq!(calendar("1d", "Asia/Beirut").floor(us("2022-10-29T21:30:00Z")), us("2022-10-28T21:00:00Z"));
}

#[test]
fn a_day_that_a_zone_skipped_is_no_bucket() {
    for (zone, from, to) in [
        ("Pacific/Apia", "2011-12-28T10:00:00Z", "2012-01-01T00:00:00Z"),
        ("Pacific/Kwajalein", "1993-08-19T12:00:00Z", "1993-08-23T00:00:00Z"),
        ("Asia/Manila", "1844-12-29T15:56:00Z", "1845-01-02T00:00:00Z"),
    ] {
        let days = calendar("1d", zone);
        let starts: Vec<i64> = days.starts(us(from), us(to), 9).unwrap().iter().collect();
        assert_eq!(starts.len(), 4, "{zone}");
        for pair in starts.windows(2) {
            assert_eq!((days.next(pair[0]), days.previous(pair[1])), (pair[1], pair[0]), "{zone}");
            assert_eq!(days.ordinal(pair[1]) - days.ordinal(pair[0]), 1, "{zone}");
        }
    }
}

#[test]
fn local_months_and_weeks_start_at_local_midnight() {
    assert_eq!(
        starts("1mo", "America/New_York", "2024-02-15T00:00:00Z", "2024-05-01T00:00:00Z"),
        ["2024-03-01T05:00:00Z", "2024-04-01T04:00:00Z"]
    );
    assert_eq!(
        starts("1w", "America/New_York", "2024-03-08T00:00:00Z", "2024-03-20T00:00:00Z"),
        ["2024-03-11T04:00:00Z", "2024-03-18T04:00:00Z"]
    );
}

#[test]
fn more_buckets_than_allowed_are_refused_before_they_are_made() {
    let error = Calendar::new(Width::Fixed(1), Tz::UTC).starts(us("0001-01-01"), us("9999-12-31"), 10).unwrap_err();
    assert_eq!(error, TooManyBuckets { would_be: 315_537_811_200_000_000, limit: 10 });
    let error = calendar("1d", "Europe/Berlin").starts(us("2024-01-01"), us("2024-01-12"), 10).unwrap_err();
    assert_eq!(error, TooManyBuckets { would_be: 11, limit: 10 });
    assert!(calendar("1d", "UTC").starts(us("2024-01-02"), us("2024-01-01"), 0).unwrap().is_empty());
}

/// The first minute whose local time is at or after the boundary, by looking at every minute around it.
fn scan(zone: Tz, boundary_us: i64) -> i64 {
    const MINUTE_US: i64 = 60 * Width::SECOND_US;
    let first = (boundary_us - 26 * HOUR_US).div_euclid(MINUTE_US);
    let last = (boundary_us + 26 * HOUR_US).div_euclid(MINUTE_US);
    (first..=last).map(|minute| minute * MINUTE_US).find(|t| t + offset_us(zone, *t) >= boundary_us).unwrap()
}

fn zones() -> impl Strategy<Value = Tz> {
    prop_oneof![
        prop::sample::select(chrono_tz::TZ_VARIANTS.as_slice()),
        prop::sample::select(vec![Tz::Pacific__Apia, Tz::America__St_Johns, Tz::America__Havana, Tz::Asia__Beirut]),
    ]
}

fn widths() -> impl Strategy<Value = Width> {
    prop_oneof![
        prop::sample::select(vec![1, 250_000, 7 * HOUR_US, Width::DAY_US, 36 * HOUR_US, 7 * Width::DAY_US])
            .prop_map(Width::Fixed),
        (1..i64::MAX).prop_map(Width::Fixed),
        (1..15).prop_map(Width::Months),
        any::<i32>().prop_map(Width::Months),
    ]
}

proptest! {
    #[test]
    fn local_days_start_where_a_scan_of_all_minutes_finds_it(
        zone in zones(),
        days in 3_700..20_000_i64, // from 1980 on, since when offsets are whole minutes
        past_us in 0..Width::DAY_US,
        step in prop::sample::select(vec![1_i64, 3]),
    ) {
        let calendar = Calendar::new(Width::Fixed(step * Width::DAY_US), zone);
        let t_us = days * Width::DAY_US + past_us;
        let boundary = |number| FIXED_ORIGIN_US + number * step * Width::DAY_US;
        let near = (t_us - FIXED_ORIGIN_US).div_euclid(step * Width::DAY_US);
        let zone = calendar.zone.unwrap_or(Tz::UTC);
        let expected: Vec<i64> = (near - 2..=near + 3).map(|number| scan(zone, boundary(number))).collect();
        let floor = *expected.iter().rfind(|start| **start <= t_us).unwrap();
        prop_assert_eq!(calendar.floor(t_us), floor);
        prop_assert_eq!(calendar.next(t_us), *expected.iter().find(|start| **start > t_us).unwrap());
        prop_assert_eq!(calendar.previous(floor), *expected.iter().rfind(|start| **start < floor).unwrap());
    }

    #[test]
    fn buckets_tile_time_for_any_width_in_any_zone(
        zone in zones(),
        width in widths(),
        t_us in us("0001-01-01")..us("9999-12-31"),
    ) {
        let calendar = Calendar::new(width, zone);
        let (floor, ceil, next) = (calendar.floor(t_us), calendar.ceil(t_us), calendar.next(t_us));
        prop_assert!(floor <= t_us && t_us < next, "{floor} {next}");
        prop_assert_eq!(ceil, if floor == t_us { floor } else { next });
        if next < us("9999-12-31") && floor > us("0001-01-01") {
            prop_assert_eq!(calendar.floor(next), next);
            prop_assert_eq!(calendar.floor(next - 1), floor);
            prop_assert_eq!(calendar.previous(next), floor);
            prop_assert_eq!(calendar.ordinal(next), calendar.ordinal(floor) + 1);
        }
    }

    #[test]
    fn the_starts_of_a_range_are_those_that_next_walks_through(
        zone in zones(),
        width in widths().prop_filter("long enough to list", |width| width.fixed_us().is_none_or(|us| us >= HOUR_US)),
        from_us in us("0001-01-01")..us("9998-12-01"),
        length_us in 0..40 * Width::DAY_US,
    ) {
        let calendar = Calendar::new(width, zone);
        let to_us = from_us + length_us;
        let starts = calendar.starts(from_us, to_us, 1_000).unwrap();
        let walk = std::iter::successors(Some(calendar.ceil(from_us)), |start| Some(calendar.next(*start)));
        let walked: Vec<i64> = walk.take_while(|start| *start < to_us).collect();
        prop_assert_eq!(starts.iter().collect::<Vec<_>>(), walked.clone());
        prop_assert_eq!(starts.end_us(), calendar.ceil(to_us).max(calendar.ceil(from_us)));
        for (index, start) in walked.iter().enumerate() {
            prop_assert_eq!(starts.index_of(*start), Some(index));
            prop_assert_eq!(starts.index_of(calendar.next(*start) - 1), Some(index));
        }
        prop_assert_eq!(starts.index_of(starts.end_us()), None);
    }
}

#[test]
fn extreme_times_do_not_panic() {
    for width in [Width::Fixed(1), Width::Fixed(i64::MAX), Width::Fixed(0), Width::Months(i32::MAX), Width::Months(-1)]
    {
        for zone in [Tz::UTC, Tz::Pacific__Apia] {
            let calendar = Calendar::new(width, zone);
            for t_us in [i64::MIN, i64::MAX, us("0001-01-01"), us("9999-12-31")] {
                let (floor, next) = (calendar.floor(t_us), calendar.next(t_us));
                assert!(floor <= next, "{width:?} {zone} {t_us}");
                assert!(calendar.previous(floor) <= floor, "{width:?} {zone} {t_us}");
                assert!(calendar.starts(t_us, i64::MAX, 1_000).map_or(true, |starts| starts.len() <= 1_000));
            }
        }
    }
}
