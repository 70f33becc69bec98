use proptest::prelude::*;

use super::*;

/// A row as the oracle knows it.
type Row = (u32, i64, [f64; 2]);

const PAIRS: u32 = 3;

fn side(rows: &[Row]) -> SideRows {
    let mut side = SideRows::new(2);
    for (pair, time_us, values) in rows {
        side.push(*pair, *time_us, *values);
    }
    side
}

/// NaN is equal to itself, and less than anything.
fn key(values: [f64; 2]) -> [Option<i64>; 2] {
    #[expect(clippy::cast_possible_truncation, reason = "the tests' values are small and whole")]
    values.map(|value| value.is_finite().then_some(value as i64))
}

type Expected = (u32, i64, [Option<i64>; 2], Option<(i64, [Option<i64>; 2])>);

/// Looks at every right row for every left row.
fn naive(left: &[Row], right: &[Row], tolerance_us: i64, unmatched: Unmatched) -> Vec<Expected> {
    let says_something = |row: &&Row| key(row.2) != [None, None];
    let mut expected: Vec<Expected> = left
        .iter()
        .filter(says_something)
        .filter_map(|(pair, time_us, values)| {
            let best = right
                .iter()
                .filter(says_something)
                .filter(|(other, at, _)| other == pair && at <= time_us && time_us - at <= tolerance_us)
                .map(|(_, at, values)| (*at, key(*values)))
                .max();
            (best.is_some() || unmatched == Unmatched::Kept).then_some((*pair, *time_us, key(*values), best))
        })
        .collect();
    expected.sort();
    expected
}

fn told(joined: &Joined) -> Vec<Expected> {
    let pair_of = |values: &[f64]| key([values[0], values[1]]);
    (0..joined.len())
        .map(|row| {
            let right = &joined.right[row * 2..][..2];
            let best = joined.right_times_us[row].map(|at| (at, pair_of(right)));
            assert!(best.is_some() || right.iter().all(|value| value.is_nan()));
            (joined.pairs[row], joined.times_us[row], pair_of(&joined.left[row * 2..][..2]), best)
        })
        .collect()
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let value = || prop_oneof![4 => (-3_i8..3).prop_map(f64::from), 1 => Just(f64::NAN), 1 => Just(f64::INFINITY)];
    prop::collection::vec((0..PAIRS, 0_i64..60, [value(), value()]), 0..60)
}

proptest! {
    #[test]
    fn every_left_row_gets_what_a_look_at_every_right_row_finds(
        left in rows(),
        right in rows(),
        tolerance_us in prop_oneof![0_i64..20, Just(i64::MAX)],
        cuts in prop::collection::btree_set(0_i64..60, 0..4),
        kept: bool,
    ) {
        let unmatched = if kept { Unmatched::Kept } else { Unmatched::Dropped };
        let mut join = AsofJoin::new(PAIRS as usize, 2, 2, tolerance_us, unmatched);
        let mut from_us = i64::MIN;
        for to_us in cuts.into_iter().chain([i64::MAX]) {
            let within = |rows: &[Row]| -> Vec<Row> {
                rows.iter().filter(|row| (from_us..to_us).contains(&row.1)).copied().collect()
            };
            join.push(&side(&within(&left)), &side(&within(&right)));
            from_us = to_us;
        }
        prop_assert_eq!(told(&join.finish()), naive(&left, &right, tolerance_us, unmatched));
    }
}

#[test]
fn a_right_row_counts_from_its_moment_to_the_end_of_the_tolerance() {
    let at = |times: &[i64]| side(&times.iter().map(|time| (0, *time, [1.0, 2.0])).collect::<Vec<_>>());
    let mut join = AsofJoin::new(1, 2, 2, 5, Unmatched::Kept);
    join.push(&at(&[9, 10, 15, 16]), &at(&[10]));
    assert_eq!(join.finish().right_times_us, [None, Some(10), Some(10), None]);
}

#[test]
fn times_at_the_ends_of_the_world_are_no_overflow() {
    let at = |time| side(&[(0, time, [1.0, 2.0])]);
    let mut join = AsofJoin::new(1, 2, 2, i64::MAX, Unmatched::Kept);
    join.push(&at(i64::MAX), &at(i64::MIN));
    assert_eq!(join.finish().right_times_us, [Some(i64::MIN)]);
}

#[test]
fn a_row_without_a_number_says_nothing() {
    let rows = side(&[(0, 1, [f64::NAN, f64::INFINITY]), (0, 2, [1.0, f64::NAN])]);
    assert_eq!(rows.len(), 1);
}
