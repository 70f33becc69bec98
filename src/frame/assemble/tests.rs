use std::collections::BTreeMap;

use chrono_tz::Tz;
use ndarray::{array, s};
use proptest::prelude::*;

use super::*;
use crate::question::Width;

const NAN: f64 = f64::NAN;

fn minutes() -> Calendar {
    Calendar::new(Width::Fixed(60), Tz::UTC)
}

/// A frame of consecutive buckets from time 0 on, with the grid's bitmap.
fn raw(values: Array2<f64>) -> (Frame, Vec<bool>) {
    let times_us = (0..).step_by(60).take(values.ncols()).collect();
    let observed = values.columns().into_iter().map(|column| column.iter().any(|value| !value.is_nan())).collect();
    (Frame { times_us, values }, observed)
}

fn shape(grid: Grid, max_age_us: Option<i64>, transform: Transform) -> Shape {
    let fill = max_age_us.map_or(Fill::None, |us| Fill::Locf { max_age: Width::Fixed(us) });
    Shape { grid, fill, transform }
}

fn assembled(values: Array2<f64>, shape: &Shape, keep_from_us: i64) -> Frame {
    let (frame, observed) = raw(values);
    assemble(frame, &observed, shape, &minutes(), keep_from_us)
}

/// Equal values, missing in the same places.
fn same(a: &Array2<f64>, b: &Array2<f64>) -> bool {
    a.dim() == b.dim() && a.iter().zip(b).all(|(a, b)| a == b || (a.is_nan() && b.is_nan()))
}

#[track_caller]
fn assert_frame(frame: &Frame, times_us: &[i64], values: &Array2<f64>) {
    assert_eq!(frame.times_us, times_us);
    assert!(same(&frame.values, values), "{} is not {values}", frame.values);
}

#[test]
fn a_bucket_that_nobody_observed_is_no_column_and_no_neighbour() {
    let values = array![[1.0, NAN, 3.0, 6.0], [2.0, NAN, NAN, 5.0]];
    let frame = assembled(values.clone(), &shape(Grid::Observed, None, Transform::Diff), 0);
    assert_frame(&frame, &[0, 120, 180], &array![[NAN, 2.0, 3.0], [NAN, NAN, NAN]]);
    let frame = assembled(values, &shape(Grid::Regular, None, Transform::Diff), 0);
    assert_frame(&frame, &[0, 60, 120, 180], &array![[NAN, NAN, NAN, 3.0], [NAN, NAN, NAN, NAN]]);
}

#[test]
fn a_column_that_only_others_observed_stays_on_the_grid() {
    let (frame, _) = raw(array![[1.0, NAN, 4.0]]);
    let frame = assemble(frame, &[true; 3], &shape(Grid::Observed, None, Transform::Diff), &minutes(), 0);
    assert_frame(&frame, &[0, 60, 120], &array![[NAN, NAN, NAN]]);
}

#[test]
fn own_takes_each_series_last_value_within_the_gap() {
    let mut values = Array2::from_elem((2, 36), NAN);
    values.slice_mut(s![0, ..]).assign(&ndarray::Array1::from_iter((0..36).map(f64::from)));
    values[(1, 0)] = 1.0;
    values[(1, 2)] = 5.0;
    values[(1, 34)] = 7.0;
    let frame = assembled(values.clone(), &shape(Grid::Own, None, Transform::Diff), 0);
    assert_eq!((frame.values[(1, 2)], frame.values[(1, 34)]), (4.0, 2.0), "2 - 0 and 34 - 2 are within 32 buckets");
    values[(1, 34)] = NAN;
    values[(1, 35)] = 7.0;
    let frame = assembled(values, &shape(Grid::Own, None, Transform::Diff), 0);
    assert!(frame.values[(1, 35)].is_nan(), "35 - 2 is not");
}

#[test]
fn a_value_is_carried_as_far_as_its_age_allows_and_before_the_transform() {
    let values = array![[1.0, NAN, NAN, NAN, 5.0], [1.0, 1.0, 1.0, 1.0, 1.0]];
    let frame = assembled(values.clone(), &shape(Grid::Regular, Some(120), Transform::Level), 0);
    assert!(same(&frame.values.slice(s![0..1, ..]).to_owned(), &array![[1.0, 1.0, 1.0, NAN, 5.0]]));
    let frame = assembled(values, &shape(Grid::Regular, Some(180), Transform::Diff), 60);
    assert!(same(&frame.values.slice(s![0..1, ..]).to_owned(), &array![[0.0, 0.0, 0.0, 4.0]]));
}

#[test]
fn transforms_are_missing_where_they_are_not_finite() {
    let values = array![[2.0, 1.0, 0.0, 3.0, -3.0, -6.0]];
    let pct = assembled(values.clone(), &shape(Grid::Regular, None, Transform::Pct), 0);
    assert!(same(&pct.values, &array![[NAN, -0.5, -1.0, NAN, -2.0, 1.0]]), "{}", pct.values);
    let log = assembled(values, &shape(Grid::Regular, None, Transform::LogReturn), 0);
    assert!(same(&log.values, &array![[NAN, 0.5_f64.ln(), NAN, NAN, NAN, NAN]]), "{}", log.values);
}

#[test]
fn the_neighbour_before_the_range_counts_and_is_dropped() {
    let frame = assembled(array![[1.0, 3.0, NAN, 10.0]], &shape(Grid::Observed, None, Transform::Diff), 100);
    assert_frame(&frame, &[180], &array![[7.0]]);
}

#[test]
fn a_gap_in_what_was_read_is_no_neighbour_on_a_regular_grid() {
    let frame = Frame { times_us: vec![0, 180, 240], values: array![[1.0, 2.0, 4.0]] };
    let frame = assemble(frame, &[true; 3], &shape(Grid::Regular, None, Transform::Diff), &minutes(), 0);
    assert_frame(&frame, &[0, 180, 240], &array![[NAN, NAN, 2.0]]);
}

#[test]
fn frames_without_cells_and_in_other_layouts_are_fine() {
    let own = shape(Grid::Own, Some(60), Transform::Diff);
    assert_frame(&assembled(Array2::zeros((0, 3)), &own, 0), &[], &Array2::zeros((0, 0)));
    assert_frame(&assembled(Array2::zeros((2, 0)), &own, 0), &[], &Array2::zeros((2, 0)));
    assert_frame(&assembled(Array2::from_elem((2, 3), NAN), &own, 0), &[], &Array2::zeros((2, 0)));
    let regular = shape(Grid::Regular, None, Transform::Diff);
    assert_frame(&assembled(Array2::zeros((0, 3)), &regular, 60), &[60, 120], &Array2::zeros((0, 2)));
    let transposed = array![[1.0, 5.0], [2.0, 7.0], [4.0, 9.0]].reversed_axes();
    assert_frame(&assembled(transposed, &regular, 60), &[60, 120], &array![[1.0, 2.0], [2.0, 2.0]]);
    let sliced = array![[0.0, 1.0, 2.0], [1.0, 5.0, 7.0]].slice_move(s![1.., ..]);
    assert_frame(&assembled(sliced, &regular, 60), &[60, 120], &array![[4.0, 2.0]]);
}

#[test]
fn history_reaches_as_far_as_a_neighbour_and_what_is_carried_into_it() {
    let read = |grid, age, transform, previous| {
        shape(grid, age, transform).history().read_from_us(&minutes(), 6_000, previous)
    };
    assert_eq!(read(Grid::Observed, None, Transform::Level, Some(600)), 6_000);
    assert_eq!(read(Grid::Observed, Some(90), Transform::Level, Some(600)), 5_940);
    assert_eq!(read(Grid::Observed, None, Transform::Pct, Some(600)), 600);
    assert_eq!(read(Grid::Observed, Some(120), Transform::Pct, Some(600)), 480);
    assert_eq!(read(Grid::Observed, Some(120), Transform::Pct, None), 5_880);
    assert_eq!(read(Grid::Regular, Some(60), Transform::Diff, None), 5_880);
    assert_eq!(read(Grid::Own, None, Transform::Diff, None), 6_000 - 32 * 60);
}

/// The answer by the definitions, one cell at a time, over maps from bucket to value as a pandas pivot has them.
fn oracle(frame: &Frame, observed: &[bool], shape: &Shape) -> BTreeMap<i64, Vec<f64>> {
    let rows = frame.values.nrows();
    let at = |row: usize, bucket: i64| -> Option<f64> {
        let column = frame.times_us.iter().position(|start| *start == bucket)?;
        Some(frame.values[(row, column)]).filter(|value| !value.is_nan())
    };
    let grid: Vec<i64> = frame
        .times_us
        .iter()
        .zip(observed)
        .enumerate()
        .filter(|(column, (_, observed))| match shape.grid {
            Grid::Observed => **observed,
            Grid::Regular => true,
            Grid::Own => frame.values.column(*column).iter().any(|value| !value.is_nan()),
        })
        .map(|(_, (start, _))| *start)
        .collect();
    let filled = |row: usize, bucket: i64| -> Option<f64> {
        let age = shape.max_age_us().unwrap_or(0);
        let sources = frame.times_us.iter().rev().filter(|start| **start <= bucket && bucket - **start <= age);
        sources.filter_map(|start| at(row, *start)).next()
    };
    let neighbour = |row: usize, bucket: i64| -> Option<f64> {
        let mut before = grid.iter().rev().filter(|start| **start < bucket);
        match shape.grid {
            Grid::Observed => filled(row, *before.next()?),
            Grid::Regular => filled(row, *before.next().filter(|start| **start == bucket - 60)?),
            Grid::Own => before.filter(|start| bucket - **start <= 32 * 60).find_map(|start| filled(row, *start)),
        }
    };
    let value = |row: usize, bucket: i64| -> Option<f64> {
        let b = filled(row, bucket)?;
        let made = match shape.transform {
            Transform::Level => return Some(b),
            Transform::Diff => b - neighbour(row, bucket)?,
            Transform::Pct => b / neighbour(row, bucket)? - 1.0,
            Transform::LogReturn => (b / neighbour(row, bucket).filter(|a| *a > 0.0 && b > 0.0)?).ln(),
        };
        Some(made).filter(|made| made.is_finite())
    };
    grid.iter().map(|bucket| (*bucket, (0..rows).map(|row| value(row, *bucket).unwrap_or(NAN)).collect())).collect()
}

fn shapes() -> impl Strategy<Value = Shape> {
    (
        prop::sample::select(vec![Grid::Observed, Grid::Regular, Grid::Own]),
        prop::option::of(0..600_i64),
        prop::sample::select(vec![Transform::Level, Transform::Diff, Transform::Pct, Transform::LogReturn]),
    )
        .prop_map(|(grid, age, transform)| shape(grid, age, transform))
}

/// Sparse values, so that gaps beyond every limit occur, and a bitmap that says more than the rows show.
fn frames() -> impl Strategy<Value = (Frame, Vec<bool>)> {
    let value = prop_oneof![4 => Just(NAN), 1 => (-2..9_i32).prop_map(f64::from)];
    (1..4_usize, 1..90_usize).prop_flat_map(move |(rows, columns)| {
        let cells = prop::collection::vec(value.clone(), rows * columns);
        let others = prop::collection::vec(prop::bool::weighted(0.1), columns);
        (cells, others).prop_map(move |(cells, others)| {
            let (frame, mut observed) = raw(from_cells(rows, columns, cells));
            observed.iter_mut().zip(others).for_each(|(observed, other)| *observed |= other);
            (frame, observed)
        })
    })
}

/// The columns for which `keep` holds.
fn select(frame: &Frame, observed: &[bool], keep: impl Fn(i64, bool) -> bool) -> (Frame, Vec<bool>) {
    let columns: Vec<usize> =
        (0..observed.len()).filter(|column| keep(frame.times_us[*column], observed[*column])).collect();
    let times_us = columns.iter().map(|column| frame.times_us[*column]).collect();
    let values = frame.values.select(ndarray::Axis(1), &columns);
    (Frame { times_us, values }, columns.iter().map(|column| observed[*column]).collect())
}

proptest! {
    #[test]
    fn assembling_gives_what_the_definitions_say(
        (frame, observed) in frames(),
        shape in shapes(),
        from in 0..5_000_i64,
    ) {
        let expected = oracle(&frame, &observed, &shape);
        let expected: Vec<_> = expected.into_iter().filter(|(start, _)| *start >= from).collect();
        let rows = frame.values.nrows();
        let frame = assemble(frame, &observed, &shape, &minutes(), from);
        prop_assert_eq!(&frame.times_us, &expected.iter().map(|(start, _)| *start).collect::<Vec<_>>());
        let expected = Array2::from_shape_fn((rows, expected.len()), |(row, column)| expected[column].1[row]);
        prop_assert!(same(&frame.values, &expected), "{} is not {}", frame.values, expected);
    }

    #[test]
    fn an_answer_does_not_depend_on_where_a_range_begins(
        (frame, observed) in frames(),
        shape in shapes(),
        begin in 0..90_i64,
    ) {
        let first_us = begin * 60;
        let whole = assemble(frame.clone(), &observed, &shape, &minutes(), 0);
        let (whole, _) = select(&whole, &vec![true; whole.times_us.len()], |start, _| start >= first_us);

        let seen = frame.times_us.iter().zip(&observed).filter(|(_, observed)| **observed).map(|(start, _)| *start);
        let previous = seen.filter(|start| *start < first_us).max();
        let history = shape.history();
        let read_from_us = history.read_from_us(&minutes(), first_us, previous);
        // A reader need not read where nothing matters: after the neighbour nothing was observed.
        let skips = history.neighbour == Neighbour::PreviousObserved;
        let (part, part_observed) = select(&frame, &observed, |start, observed| {
            start >= read_from_us && (start >= first_us || !skips || observed)
        });
        let part = assemble(part, &part_observed, &shape, &minutes(), first_us);

        prop_assert_eq!(&part.times_us, &whole.times_us);
        prop_assert!(same(&part.values, &whole.values), "{} is not {}", part.values, whole.values);
    }
}
