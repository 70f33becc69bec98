use proptest::prelude::*;

use super::*;

const AGGREGATES: [Aggregate; 7] = [
    Aggregate::Last,
    Aggregate::First,
    Aggregate::Mean,
    Aggregate::Min,
    Aggregate::Max,
    Aggregate::Sum,
    Aggregate::Count,
];

fn finish(aggregate: Aggregate, rows: &[(i64, f64)]) -> f64 {
    let mut accumulator = Accumulator::new(1, 1, aggregate);
    for (time_us, value) in rows {
        accumulator.add(0, 0, *time_us, *value);
    }
    accumulator.finish()[(0, 0)]
}

#[test]
fn each_aggregate_gives_what_its_name_says() {
    let rows = [(20, 4.0), (10, 1.0), (30, 2.0), (40, f64::NAN), (0, f64::INFINITY)];
    let results = AGGREGATES.map(|aggregate| finish(aggregate, &rows));
    assert_eq!(results, [2.0, 1.0, 7.0 / 3.0, 1.0, 4.0, 7.0, 3.0]);
}

#[test]
fn rows_at_the_same_time_give_their_greater_value() {
    for rows in [[(5, 1.0), (5, 3.0), (5, 2.0)], [(5, 3.0), (5, 2.0), (5, 1.0)]] {
        assert_eq!(finish(Aggregate::Last, &rows), 3.0);
        assert_eq!(finish(Aggregate::First, &rows), 3.0);
    }
    for rows in [[(5, 0.0), (5, -0.0)], [(5, -0.0), (5, 0.0)]] {
        assert!(finish(Aggregate::Last, &rows).is_sign_positive());
        assert!(finish(Aggregate::Min, &rows).is_sign_negative());
    }
}

#[test]
fn an_empty_bucket_is_missing_for_every_aggregate() {
    for aggregate in AGGREGATES {
        assert!(finish(aggregate, &[(0, f64::NAN)]).is_nan(), "{aggregate:?}");
        let mut accumulator = Accumulator::new(2, 3, aggregate);
        accumulator.add(1, 2, 0, 0.0);
        assert_eq!(accumulator.observed(), [false, false, true], "{aggregate:?}");
    }
    assert_eq!(Accumulator::new(3, 0, Aggregate::Last).finish().dim(), (3, 0));
    assert_eq!(Accumulator::new(0, 3, Aggregate::Last).observed(), [false; 3]);
}

#[test]
fn a_sum_that_overflows_is_missing_but_observed() {
    let mut accumulator = Accumulator::new(1, 1, Aggregate::Sum);
    for value in [1e308, 1e308, -1e308, -1e308, -1e308, -1e308] {
        accumulator.add(0, 0, 0, value);
    }
    let other = accumulator.clone();
    accumulator.merge(&other, 0);
    assert_eq!(accumulator.observed(), [true]);
    assert!(accumulator.finish()[(0, 0)].is_nan());
}

#[test]
fn a_sum_keeps_what_plain_addition_loses() {
    assert_eq!(finish(Aggregate::Sum, &[(0, 1e16), (0, 1.0), (0, -1e16)]), 1.0);
    assert_eq!(finish(Aggregate::Mean, &[(0, 1.0), (0, 1e16), (0, 1.0), (0, -1e16)]), 0.5);
}

#[test]
fn memory_is_told_before_it_is_taken() {
    assert_eq!(Accumulator::bytes_needed(1_000, 2_000, Aggregate::Last), Some(2_000_000 * 24));
    assert_eq!(Accumulator::bytes_needed(1_000, 2_000, Aggregate::Min), Some(2_000_000 * 16));
    assert_eq!(Accumulator::bytes_needed(1_000, 2_000, Aggregate::Mean), Some(2_000_000 * 32));
    assert_eq!(Accumulator::bytes_needed(usize::MAX, 2, Aggregate::Count), None);
}

#[test]
#[should_panic(expected = "bucket 3 of 3")]
fn a_bucket_out_of_bounds_is_not_taken_for_the_next_row() {
    Accumulator::new(2, 3, Aggregate::Last).add(0, 3, 0, 1.0);
}

const ROWS: usize = 3;
const BUCKETS: usize = 5;

/// (series, bucket, time, value).
type Rows = Vec<(usize, usize, i64, f64)>;

/// Rows in some order, and the same in another.
fn shuffled() -> impl Strategy<Value = (Rows, Rows)> {
    let value =
        prop_oneof![5 => -1e6..1e6, 1 => prop::sample::select(vec![0.0, -0.0, 1.0, f64::NAN, f64::NEG_INFINITY])];
    let rows = prop::collection::vec((0..ROWS, 0..BUCKETS, 0..4_i64, value), 0..80);
    rows.prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle()))
}

/// The aggregate of a cell by its definition.
fn oracle(aggregate: Aggregate, mut rows: Vec<(i64, f64)>) -> f64 {
    rows.retain(|(_, value)| value.is_finite());
    rows.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return f64::NAN };
    let values = || rows.iter().map(|(_, value)| *value);
    let count = values().count() as f64;
    match aggregate {
        Aggregate::Last => last.1,
        Aggregate::First => rows.iter().rfind(|row| row.0 == first.0).map_or(f64::NAN, |row| row.1),
        Aggregate::Mean => values().sum::<f64>() / count,
        Aggregate::Min => values().fold(f64::INFINITY, f64::min),
        Aggregate::Max => values().fold(f64::NEG_INFINITY, f64::max),
        Aggregate::Sum => values().sum(),
        Aggregate::Count => count,
    }
}

proptest! {
    #[test]
    fn any_order_and_any_slicing_of_the_rows_give_the_same_answer(
        (rows, other_order) in shuffled(),
        aggregate in prop::sample::select(AGGREGATES.to_vec()),
        (seam, parts) in (0..BUCKETS, 1..4_usize),
    ) {
        let mut whole = Accumulator::new(ROWS, BUCKETS, aggregate);
        for (row, bucket, time_us, value) in &rows {
            whole.add(*row, *bucket, *time_us, *value);
        }
        // Two slices of time that share the bucket at the seam, of which the second is read in parts.
        let mut early = Accumulator::new(ROWS, seam + 1, aggregate);
        let mut late = vec![Accumulator::new(ROWS, BUCKETS - seam, aggregate); parts];
        for (index, (row, bucket, time_us, value)) in other_order.iter().enumerate() {
            if *bucket < seam || (*bucket == seam && *time_us < 2) {
                early.add(*row, *bucket, *time_us, *value);
            } else {
                late[index % parts].add(*row, *bucket - seam, *time_us, *value);
            }
        }
        let mut merged = Accumulator::new(ROWS, BUCKETS, aggregate);
        for part in &late {
            merged.merge(part, seam);
        }
        merged.merge(&early, 0);

        prop_assert_eq!(whole.observed(), merged.observed());
        let (whole, merged) = (whole.finish(), merged.finish());
        for ((row, bucket), value) in whole.indexed_iter() {
            let cell = rows.iter().filter(|r| (r.0, r.1) == (row, bucket)).map(|r| (r.2, r.3)).collect();
            let expected = oracle(aggregate, cell);
            let exact = !matches!(aggregate, Aggregate::Mean | Aggregate::Sum);
            for got in [*value, merged[(row, bucket)]] {
                if exact || expected.is_nan() {
                    prop_assert!(got == expected || (got.is_nan() && expected.is_nan()), "{got} {expected}");
                } else {
                    prop_assert!((got - expected).abs() <= 1e-8, "{got} {expected}");
                    prop_assert!((got - value).abs() <= 4.0 * f64::EPSILON * value.abs() + 1e-20, "{got} {value}");
                }
            }
        }
    }
}
