//! One series against many over several ranges.

use std::ops::Range;

use ndarray::{Array2, ArrayView1, ArrayView2};
use rayon::prelude::*;

use super::{
    Stop,
    kernel::{Correlation, Scratch, Target, Weights, ranks_of_target},
};
use crate::question::Method;

/// The correlations of one series with many; rows = ranges, columns = series.
#[derive(Debug, Clone, PartialEq)]
pub struct OneVsAll {
    /// In [-1, 1]; NaN where undefined.
    pub r: Array2<f64>,
    /// How many buckets both series have.
    pub n: Array2<i64>,
}

/// Correlates `target` with every row of `others` (series x buckets, missing = NaN) over each of `ranges`, which are
/// columns and may overlap.
///
/// r is NaN where fewer than `min_overlap` pairs are there, or all values of a side are equal. A series with itself
/// gives exactly 1, but for weighted pairs, where it is 1 to rounding. O(series x buckets of all ranges) time for Pearson
/// and weighted pairs, with a logarithm more for Spearman, on all cores; O(buckets of all ranges) memory besides the answer.
///
/// # Panics
/// If `target` is not as long as `others` has columns, or a range reaches beyond.
#[must_use]
pub fn one_vs_all(
    target: ArrayView1<'_, f64>,
    others: ArrayView2<'_, f64>,
    ranges: &[Range<usize>],
    method: Method,
    min_overlap: usize,
) -> OneVsAll {
    let parts: Vec<Part> = ranges.iter().map(|range| Part { target: range.clone(), other: range.clone() }).collect();
    by_parts(target, others, &parts, method, min_overlap)
}

/// Correlates `target` with every row of `others` (series x buckets, missing = NaN), moved by -`max_lag` to `max_lag`
/// buckets: with the lag k, target(t) is paired with other(t + k), both within the columns there are.
///
/// The answer's rows are lags, ascending; otherwise as [`one_vs_all`] by Pearson.
///
/// # Panics
/// If `target` is not as long as `others` has columns.
#[must_use]
pub fn lagged(
    target: ArrayView1<'_, f64>,
    others: ArrayView2<'_, f64>,
    max_lag: usize,
    min_overlap: usize,
) -> OneVsAll {
    let buckets = target.len();
    let part = |ahead: usize, behind: usize| {
        let length = buckets.saturating_sub(ahead.max(behind));
        let (ahead, behind) = (ahead.min(buckets), behind.min(buckets));
        Part { target: behind..behind + length, other: ahead..ahead + length }
    };
    let earlier = (1..=max_lag).rev().map(|lag| part(0, lag));
    let later = (0..=max_lag).map(|lag| part(lag, 0));
    let parts: Vec<Part> = earlier.chain(later).collect();
    by_parts(target, others, &parts, Method::Pearson, min_overlap)
}

/// Columns of the target, and as many of the others that are paired with them.
struct Part {
    target: Range<usize>,
    other: Range<usize>,
}

fn by_parts(
    target: ArrayView1<'_, f64>,
    others: ArrayView2<'_, f64>,
    parts: &[Part],
    method: Method,
    min_overlap: usize,
) -> OneVsAll {
    assert_eq!(target.len(), others.ncols(), "target and others have the same buckets");
    let target = target.to_vec();
    let values: Vec<Vec<f64>> = parts
        .iter()
        .map(|part| match method {
            Method::Pearson | Method::Ewma { .. } => target[part.target.clone()].to_vec(),
            Method::Spearman => ranks_of_target(&target[part.target.clone()]),
        })
        .collect();
    let targets: Vec<Target<'_>> = values.iter().map(|part| Target::new(part)).collect();
    let weights = match method {
        Method::Ewma { half_life } => Some(Weights::new(half_life.buckets(), target.len())),
        Method::Pearson | Method::Spearman => None,
    };

    let (series, shape) = (others.nrows(), (parts.len(), others.nrows()));
    let mut cells = vec![Correlation { r: f64::NAN, n: 0 }; series * parts.len()];
    let stop = Stop::current();
    cells.par_chunks_mut(parts.len().max(1)).enumerate().for_each_init(
        || (Scratch::default(), Vec::new()),
        |(scratch, copy), (series, cells)| {
            let row = others.row(series);
            let row = row.as_slice().unwrap_or_else(|| {
                copy.clear();
                copy.extend(row.iter().copied());
                copy
            });
            for (((cell, target), values), part) in cells.iter_mut().zip(&targets).zip(&values).zip(parts) {
                if stop.is_given() {
                    return;
                }
                let other = &row[part.other.clone()];
                *cell = match (&weights, method) {
                    (Some(weights), _) => weights.pearson(values, other, min_overlap),
                    (None, Method::Spearman) => target.spearman(other, min_overlap, scratch),
                    (None, _) => target.pearson(other, min_overlap),
                };
            }
        },
    );

    let cell = |(part, series): (usize, usize)| cells[series * parts.len() + part];
    OneVsAll {
        r: Array2::from_shape_fn(shape, |at| cell(at).r),
        n: Array2::from_shape_fn(shape, |at| i64::try_from(cell(at).n).unwrap_or(i64::MAX)),
    }
}

/// Pearson's r of two slices of equal length, missing = NaN: a cell of [`one_vs_all`].
///
/// # Panics
/// If the slices differ in length.
#[must_use]
pub fn one_vs_one(target: &[f64], other: &[f64], min_overlap: usize) -> f64 {
    Target::new(target).pearson(other, min_overlap).r
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use ndarray::{array, s};

    use super::*;

    const NAN: f64 = f64::NAN;

    #[test]
    fn rows_are_ranges_and_columns_are_series() {
        let others = array![[1.0, 2.0, 3.0, 4.0], [4.0, 3.0, 3.0, 4.0], [NAN, 1.0, 5.0, NAN]];
        let answer = one_vs_all(others.row(0), others.view(), &[0..4, 0..2, 1..3], Method::Pearson, 2);
        assert_eq!(answer.n, array![[4, 4, 2], [2, 2, 1], [2, 2, 2]]);
        assert_eq!(answer.r.row(0).to_vec(), [1.0, 0.0, 1.0]);
        assert_eq!(answer.r.slice(s![1, ..2]).to_vec(), [1.0, -1.0]);
        assert!(answer.r[(1, 2)].is_nan(), "one pair");
        assert!(answer.r[(2, 1)].is_nan(), "constant within the range");
    }

    #[test]
    fn other_layouts_and_empty_questions_are_fine() {
        let columns = array![[1.0, 2.0], [3.0, 1.0], [5.0, 0.0]];
        let others = columns.t();
        let whole = 0..3;
        let answer = one_vs_all(others.row(0), others, from_ref(&whole), Method::Spearman, 2);
        assert_eq!(answer.r, array![[1.0, -1.0]]);
        assert_eq!(one_vs_all(others.row(0), others, &[], Method::Pearson, 2).r.dim(), (0, 2));
        assert_eq!(
            one_vs_all(others.row(0), others.slice(s![..0, ..]), from_ref(&whole), Method::Pearson, 2).r.dim(),
            (1, 0)
        );
        assert_eq!(one_vs_all(others.row(0), others, from_ref(&(2..2)), Method::Pearson, 2).n, array![[0, 0]]);
    }

    #[test]
    fn fewer_pairs_than_asked_for_are_counted_but_give_no_r() {
        let others = array![[1.0, 2.0, 4.0], [3.0, NAN, 1.0]];
        for method in [Method::Pearson, Method::Spearman] {
            let answer = one_vs_all(others.row(0), others.view(), from_ref(&(0..3)), method, 3);
            assert_eq!(answer.n, array![[3, 2]]);
            assert!(answer.r[(0, 0)] == 1.0 && answer.r[(0, 1)].is_nan());
        }
    }

    #[test]
    fn a_lag_moves_the_others() {
        // The other follows the target two buckets later.
        let target = array![1.0, 3.0, 2.0, 5.0, 4.0, 7.0, 1.0];
        let others = array![[NAN, NAN, 1.0, 3.0, 2.0, 5.0, 4.0]];
        let answer = lagged(target.view(), others.view(), 2, 2);
        assert_eq!(answer.n.column(0).to_vec(), [3, 4, 5, 5, 5]);
        assert_eq!(answer.r[(4, 0)], 1.0, "at lag 2");
        for (row, lag) in (-2_isize..=2).enumerate() {
            let pairs: Vec<(f64, f64)> = (0..7_isize)
                .filter(|at| (0..7).contains(&(at + lag)))
                .map(|at| (target[at.unsigned_abs()], others[(0, (at + lag).unsigned_abs())]))
                .filter(|(_, other)| !other.is_nan())
                .collect();
            let (x, y): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
            assert!((answer.r[(row, 0)] - one_vs_one(&x, &y, 2)).abs() < 1e-12, "lag {lag}");
        }
        let beyond = lagged(target.view(), others.view(), 9, 2);
        assert_eq!((beyond.n.dim(), beyond.n[(0, 0)], beyond.n[(18, 0)]), ((19, 1), 0, 0));
    }
}
