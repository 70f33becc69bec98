//! Against the kernel in float64, which the tests beside it hold against the formula.

use std::slice::from_ref;

use ndarray::s;
use proptest::prelude::*;

use super::*;
use crate::{
    correlation::{one_vs_all, one_vs_one},
    question::Method,
};

/// A panel as it is kept.
#[derive(Default)]
struct Owned {
    buckets: usize,
    values: Vec<[f32; LANES]>,
    present: Vec<u16>,
    full: Vec<bool>,
    offsets: Vec<[f64; LANES]>,
}

impl Owned {
    /// Of some columns of the first `series` rows, about their means or about 0.
    #[expect(clippy::cast_possible_truncation, reason = "as panels are kept")]
    fn new(values: &Array2<f64>, columns: Range<usize>, series: usize, about_means: bool) -> Self {
        let (tiles, buckets) = (series.div_ceil(LANES), columns.len());
        let mut panel = Self {
            buckets,
            values: vec![[0.0; LANES]; tiles * buckets],
            present: vec![0; tiles * buckets],
            full: Vec::new(),
            offsets: vec![[0.0; LANES]; if about_means { tiles } else { 0 }],
        };
        for row in 0..series {
            let (tile, lane) = (row / LANES, row % LANES);
            let own: Vec<f64> = columns.clone().map(|column| values[(row, column)]).collect();
            let there: Vec<f64> = own.iter().copied().filter(|value| !value.is_nan()).collect();
            let is_constant = there.windows(2).all(|pair| pair[0] == pair[1]);
            let mean = if is_constant {
                there.first().copied().unwrap_or(0.0)
            } else {
                there.iter().sum::<f64>() / there.len() as f64
            };
            let offset = if about_means { mean } else { 0.0 };
            if about_means {
                panel.offsets[tile][lane] = offset;
            }
            for (bucket, value) in own.iter().enumerate().filter(|(_, value)| !value.is_nan()) {
                let at = tile * buckets + bucket;
                panel.values[at][lane] = (value - offset) as f32;
                panel.present[at] |= 1 << lane;
            }
        }
        panel.full = panel.present.chunks(buckets).map(|tile| tile.iter().all(|bits| *bits == u16::MAX)).collect();
        panel
    }

    fn view<'a>(&'a self, wild: &'a [u16]) -> Panel<'a> {
        let Self { buckets, values, present, full, offsets } = self;
        Panel { buckets: *buckets, values, present, full, offsets, wild }
    }
}

/// Cuts columns into panels of these lengths, again and again.
fn panels(values: &Array2<f64>, lengths: &[usize], about_means: bool) -> Vec<Owned> {
    let mut panels = Vec::new();
    let (mut from, mut lengths) = (0, lengths.iter().cycle());
    while from < values.ncols() {
        let to = values.ncols().min(from + lengths.next().unwrap());
        panels.push(Owned::new(values, from..to, values.nrows(), about_means));
        from = to;
    }
    panels
}

/// Every cell is that of the other kernel, or said to be doubtful.
#[track_caller]
fn assert_agrees(values: &Array2<f64>, panels: &[Owned], target: usize, ranges: &[Range<usize>]) -> usize {
    let views: Vec<Panel<'_>> = panels.iter().map(|panel| panel.view(&[])).collect();
    let got = one_vs_panels(&views, target, values.nrows(), ranges, 3);
    let expected = one_vs_all(values.row(target), values.view(), ranges, Method::Pearson, 3);
    assert_eq!(got.n, expected.n);
    for ((at, got_r), expected) in got.r.indexed_iter().zip(&expected.r) {
        if got.doubtful.contains(&at) {
            continue;
        }
        let agrees = (got_r - expected).abs() <= 1e-6 || (got_r.is_nan() && expected.is_nan());
        assert!(agrees, "{at:?}: {got_r} is not {expected}");
    }
    got.doubtful.len()
}

/// Rows of random walks' changes or levels, or gentle, or constant, some with gaps.
fn rows() -> impl Strategy<Value = Array2<f64>> {
    let kind = (0..5_u8, prop::sample::select(vec![0_u32, 0, 5, 60]));
    (1..70_usize, 1..150_usize).prop_flat_map(move |(rows, columns)| {
        let cells = prop::collection::vec((-1.0..1.0_f64, 0..100_u32), rows * columns);
        (prop::collection::vec(kind.clone(), rows), cells).prop_map(move |(kinds, cells)| {
            let mut values = Array2::zeros((rows, columns));
            for (row, (kind, gaps)) in kinds.into_iter().enumerate() {
                let mut level = 100.0;
                for column in 0..columns {
                    let (change, gap) = cells[row * columns + column];
                    level += change;
                    let value = match kind {
                        0 | 1 => change,
                        2 => level,
                        3 => 1e6 + 1e-3 * change,
                        _ => 7.5,
                    };
                    values[(row, column)] = if gap < gaps { f64::NAN } else { value };
                }
            }
            values
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn panels_give_what_arrays_give(
        values in rows(),
        lengths in prop::collection::vec(1..80_usize, 1..4),
        about_means in prop::bool::ANY,
        cuts in prop::collection::vec((0..150_usize, 0..150_usize), 0..5),
        target in 0..70_usize,
    ) {
        let panels = panels(&values, &lengths, about_means);
        let columns = values.ncols();
        let mut ranges: Vec<Range<usize>> =
            cuts.into_iter().map(|(a, b)| a.min(b).min(columns)..a.max(b).min(columns)).collect();
        ranges.push(0..columns);
        assert_agrees(&values, &panels, target % values.nrows(), &ranges);
    }
}

fn walks(rows: usize, columns: usize, level: f64, scale: f64) -> Array2<f64> {
    let mut state = 1_u64;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / f64::from(1_u32 << 24) - 0.5
    };
    let mut values = Array2::zeros((rows, columns));
    for mut row in values.rows_mut() {
        let mut sum = level;
        row.iter_mut().for_each(|value| {
            sum += scale * random();
            *value = sum;
        });
    }
    values
}

#[test]
fn levels_far_from_0_are_trusted_about_their_means_and_doubtful_about_0() {
    let values = walks(40, 300, 1e6, 1e-3);
    let whole = std::slice::from_ref(&(0..300));
    assert_eq!(assert_agrees(&values, &panels(&values, &[32], true), 3, whole), 0);
    assert_eq!(assert_agrees(&values, &panels(&values, &[32], false), 3, whole), 40);
}

#[test]
fn a_series_with_itself_is_exactly_1_and_constants_have_no_r() {
    let mut values = walks(20, 100, 0.0, 1.0);
    values.row_mut(5).fill(0.0);
    values.row_mut(6).fill(0.1);
    let panels = panels(&values, &[32], true);
    let views: Vec<Panel<'_>> = panels.iter().map(|panel| panel.view(&[])).collect();
    let got = one_vs_panels(&views, 17, 20, &[0..100, 0..64], 2);
    assert_eq!([got.r[(0, 17)], got.r[(1, 17)]], [1.0, 1.0]);
    assert!(got.r.column(5).iter().chain(&got.r.column(6)).all(|r| r.is_nan()));
    assert!(!got.doubtful.iter().any(|(_, series)| matches!(series, 5 | 6)), "constants are no doubt");
    assert_eq!(one_vs_panels(&views, 17, 20, &[], 2).r.dim(), (0, 20));
    assert_eq!(one_vs_panels(&[], 17, 20, std::slice::from_ref(&(0..0)), 2).n.sum(), 0);
}

#[test]
fn series_that_an_older_panel_has_not_have_no_values_in_it() {
    let values = walks(40, 64, 5.0, 1.0);
    let older = Owned::new(&values, 0..32, 20, true);
    let newer = Owned::new(&values, 32..64, 40, true);
    let mut expected = values.clone();
    expected.slice_mut(ndarray::s![20.., ..32]).fill(f64::NAN);
    assert_agrees(&expected, &[older, newer], 2, &[0..64, 10..40]);
}

#[test]
fn what_float32_cannot_hold_is_doubtful() {
    let values = walks(20, 32, 0.0, 1.0);
    let panel = Owned::new(&values, 0..32, 20, true);
    let wild = [1 << 3, 1 << 1];
    let got = one_vs_panels(&[panel.view(&wild)], 0, 20, std::slice::from_ref(&(0..32)), 2);
    assert_eq!(got.doubtful, [(0, 3), (0, 17)]);
}

#[test]
fn r_of_f64_slices_is_that_of_arrays() {
    let values = walks(2, 20, 0.0, 1.0);
    let (x, y) = (values.row(0).to_vec(), values.row(1).to_vec());
    let whole = one_vs_all(values.row(0), values.view(), std::slice::from_ref(&(0..20)), Method::Pearson, 2);
    assert_eq!(one_vs_one(&x, &y, 2), whole.r[(0, 1)]);
    assert!(one_vs_one(&x, &y, 21).is_nan());
}

#[test]
fn short_panels_without_gaps_give_what_arrays_give_wherever_a_stretch_ends() {
    // Whole tiles, an odd number of them, more than are summed at once, and a last one that is never whole.
    for rows in [16, 48, 600] {
        let levels = walks(rows, 212, 0.0, 1.0);
        let values = &levels.slice(s![.., 1..]) - &levels.slice(s![.., ..-1]);
        for lengths in [&[5][..], &[1], &[7, 64, 3], &[100]] {
            let panels = panels(&values, lengths, false);
            assert_eq!(assert_agrees(&values, &panels, rows / 2, &[0..211, 3..150]), 0);
        }
    }
}

#[test]
fn two_pairs_lie_on_a_line_however_they_are_summed() {
    let whole = 0..300;
    let mut values = walks(64, 300, 10.0, 1.0);
    // Each series but the first has two values.
    for (row, mut values) in values.rows_mut().into_iter().enumerate().skip(1) {
        let there = [row * 3, row * 4 + 40];
        values
            .iter_mut()
            .enumerate()
            .filter(|(column, _)| !there.contains(column))
            .for_each(|(_, value)| *value = f64::NAN);
    }
    for about_means in [false, true] {
        let panels = panels(&values, &[7, 64], about_means);
        let views: Vec<Panel<'_>> = panels.iter().map(|panel| panel.view(&[])).collect();
        let got = one_vs_panels(&views, 0, 64, from_ref(&whole), 2);
        let trusted = (1..64).filter(|series| !got.doubtful.contains(&(0, *series)));
        assert!(trusted.map(|series| got.r[(0, series)]).all(|r| r.abs() == 1.0));
    }
    let all = one_vs_all(values.row(0), values.view(), from_ref(&whole), Method::Pearson, 2);
    assert!(all.r.iter().all(|r| r.abs() == 1.0) && all.n.iter().skip(1).all(|n| *n == 2));
}
