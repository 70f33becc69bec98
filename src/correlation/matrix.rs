//! All pairs of some series.
//!
//! Rows without gaps are brought to length 1 about their mean: their correlations are then one product of the rows with
//! themselves, of which only the upper half is computed. With gaps a pair's sums run over the buckets that both have; with
//! missing values as 0 and a mask of 0 and 1 these sums are products of matrices too:
//!
//! ```text
//! n = M M'    sum x = X M'    sum x^2 = X^2 M'    sum xy = X X'
//! ```
//!
//! The products are of float32, whose rounding r shows by up to 1e-5; [`strip`] says which pairs could be further off, and
//! those are computed from the float64 values.

mod pairs;
mod strip;

use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis, s};
use rayon::prelude::*;

pub use pairs::{Pair, top_pairs};
use strip::{MOST_STRIP_ROWS, Rows, Strip, narrow, strip_rows};

use crate::question::Method;

/// Rows and columns that are copied at once: they stay in the nearest cache.
const TILE: usize = 64;

/// The correlations of all pairs, symmetric.
///
/// r is kept as float32, whose rounding (6e-8) is far below the bound of [`matrix`]: the matrix is written and read at the
/// memory's speed, and this is half of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    /// (series, series), in [-1, 1]; NaN where undefined.
    pub r: Array2<f32>,
    /// How many buckets both series have.
    pub n: Overlaps,
}

/// How many buckets the series of each pair have in common.
#[derive(Debug, Clone, PartialEq)]
pub enum Overlaps {
    /// Nothing is missing: all have all.
    Same(usize),
    /// (series, series), symmetric.
    Each(Array2<u32>),
}

impl Overlaps {
    /// Those of a row with so many series, in their order.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn row(&self, row: usize, series: usize) -> impl Iterator<Item = i64> + Clone + '_ {
        (0..series).map(move |column| match self {
            Self::Same(n) => i64::try_from(*n).unwrap_or(i64::MAX),
            Self::Each(n) => i64::from(n[(row, column)]),
        })
    }
}

impl Matrix {
    /// About the memory that the matrix of so many series over so many buckets takes, the values not counted.
    #[must_use]
    pub fn bytes_needed(series: u64, buckets: u64) -> u64 {
        // r and n, and what is made of the values in float32.
        series.saturating_mul(series).saturating_mul(8).saturating_add(top_pairs_bytes(series, buckets))
    }
}

/// About the memory that [`top_pairs`] takes besides the values.
#[must_use]
pub fn top_pairs_bytes(series: u64, buckets: u64) -> u64 {
    let threads = rayon::current_num_threads() as u64;
    let strips = threads.saturating_mul((MOST_STRIP_ROWS * Strip::ARRAYS * 4) as u64).saturating_mul(series);
    series.saturating_mul(buckets).saturating_mul(20).saturating_add(strips)
}

/// Correlates all pairs of the rows of `values` (series x buckets, missing = NaN).
///
/// r is within 1e-5 of what float64 gives; on the diagonal it is 1. It is NaN where fewer than `min_overlap` pairs are there,
/// or all values of a side are equal. A weighted `method` counts as Pearson. Spearman's ranks depend on both sides' gaps, so
/// that a pair with a gap is computed for itself, which takes a hundred times longer than the product.
#[must_use]
pub fn matrix(values: ArrayView2<'_, f64>, method: Method, min_overlap: usize) -> Matrix {
    let rows = Rows::new(values, method);
    let series = values.nrows();
    let strip_rows = strip_rows(series);
    let mut r = Array2::zeros((series, series));
    let strips = r.axis_chunks_iter_mut(Axis(0), strip_rows).into_par_iter().enumerate();
    let n = if let Some(n) = rows.n() {
        strips.for_each(|(index, r)| rows.correlate(index * strip_rows, min_overlap, r));
        Overlaps::Same(n)
    } else {
        let mut n = Array2::zeros((series, series));
        strips.zip(n.axis_chunks_iter_mut(Axis(0), strip_rows)).for_each_init(
            Strip::default,
            |strip, ((index, mut r), mut n)| {
                let first = index * strip_rows;
                strip.compute(&rows, first, min_overlap, |row, column, cell| {
                    r[(row - first, column)] = narrow(cell.r);
                    n[(row - first, column)] = u32::try_from(cell.n).unwrap_or(u32::MAX);
                });
            },
        );
        mirror(n.view_mut());
        Overlaps::Each(n)
    };
    mirror(r.view_mut());
    Matrix { r, n }
}

/// Copies what is right of the diagonal to its left: a quarter, and then the squares beside it.
fn mirror<T: Copy + Send + Sync>(mut square: ArrayViewMut2<'_, T>) {
    let size = square.nrows();
    if size <= TILE {
        for row in 0..size {
            for column in 0..row {
                square[(row, column)] = square[(column, row)];
            }
        }
        return;
    }
    let (top, bottom) = square.split_at(Axis(0), size / 2);
    let (first, right) = top.split_at(Axis(1), size / 2);
    let (left, second) = bottom.split_at(Axis(1), size / 2);
    rayon::join(|| transpose(right.view(), left), || rayon::join(|| mirror(first), || mirror(second)));
}

/// Tile by tile: rows of the one are columns of the other.
fn transpose<T: Copy + Send + Sync>(from: ArrayView2<'_, T>, mut into: ArrayViewMut2<'_, T>) {
    let strips = into.axis_chunks_iter_mut(Axis(0), TILE).into_par_iter();
    strips.zip(from.axis_chunks_iter(Axis(1), TILE)).for_each(|(mut into, from)| {
        let tiles = into.axis_chunks_iter_mut(Axis(1), TILE).zip(from.axis_chunks_iter(Axis(0), TILE));
        tiles.for_each(|(mut into, from)| into.assign(&from.t()));
    });
}

/// An order of the series in which similar ones are neighbours: the leaves of their tree by average linkage, where the
/// distance of two series is 1 - r, and 1 where r is undefined.
///
/// O(series^2) time and memory (D. Müllner, "Modern hierarchical, agglomerative clustering algorithms", 2011).
///
/// # Panics
/// If `r` is not square.
#[must_use]
pub fn similar_together(r: &Array2<f32>) -> Vec<usize> {
    assert!(r.is_square(), "a matrix of all pairs is square");
    let series = r.nrows();
    if series < 2 {
        return (0..series).collect();
    }
    let mut distances = Vec::with_capacity(series * (series - 1) / 2);
    for row in 0..series {
        distances.extend(r.slice(s![row, row + 1..]).iter().map(|r| if r.is_nan() { 1.0 } else { 1.0 - r }));
    }
    let tree = kodama::linkage(&mut distances, series, kodama::Method::Average);
    // A step joins two clusters, which are series or earlier steps; its own number follows all before it.
    let mut order = Vec::with_capacity(series);
    let mut open = vec![series + tree.steps().len() - 1];
    while let Some(cluster) = open.pop() {
        match cluster.checked_sub(series).and_then(|step| tree.steps().get(step)) {
            Some(step) => open.extend([step.cluster2, step.cluster1]),
            None => order.push(cluster),
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use proptest::prelude::*;

    use super::*;
    use crate::{correlation::one_vs_all, question::Order};

    const NAN: f64 = f64::NAN;

    /// r and n of each pair by itself, in float64.
    fn oracle(values: ArrayView2<'_, f64>, method: Method, min_overlap: usize) -> (Array2<f64>, Array2<i64>) {
        let (series, whole) = (values.nrows(), 0..values.ncols());
        let (mut r, mut n) = (Array2::zeros((series, series)), Array2::zeros((series, series)));
        for row in 0..series {
            let one = one_vs_all(values.row(row), values, std::slice::from_ref(&whole), method, min_overlap);
            r.row_mut(row).assign(&one.r.row(0));
            n.row_mut(row).assign(&one.n.row(0));
        }
        (r, n)
    }

    fn all(n: &Overlaps, series: usize) -> Array2<i64> {
        let rows = (0..series).flat_map(|row| n.row(row, series));
        Array2::from_shape_vec((series, series), rows.collect()).unwrap()
    }

    fn assert_near(found: &Matrix, (r, n): &(Array2<f64>, Array2<i64>)) {
        assert_eq!(all(&found.n, r.nrows()), n);
        for (at, found) in found.r.indexed_iter() {
            let (found, expected) = (f64::from(*found), r[at]);
            assert!(
                (found - expected).abs() < 1e-5 || (found.is_nan() && expected.is_nan()),
                "{at:?}: {found} not {expected}"
            );
        }
    }

    fn waves(series: usize, buckets: usize, gaps: usize) -> Array2<f64> {
        Array2::from_shape_fn((series, buckets), |(row, column)| {
            let (row_f, column_f) = (row as f64, column as f64);
            if gaps > 0 && (row * 7 + column * 13) % gaps == 0 {
                NAN
            } else {
                (column_f * (0.1 + row_f / 97.0)).sin() + (column_f / 11.0).cos() + 1e3 * row_f
            }
        })
    }

    #[test]
    fn equals_one_against_all_for_each_over_several_strips() {
        for (gaps, buckets) in [(0, 50), (9, 50), (0, 1), (3, 4)] {
            let values = waves(MOST_STRIP_ROWS + 37, buckets, gaps);
            for method in [Method::Pearson, Method::Spearman] {
                if method == Method::Spearman && gaps > 0 && buckets > 4 {
                    continue; // pair by pair, and below with fewer
                }
                assert_near(&matrix(values.view(), method, 3), &oracle(values.view(), method, 3));
            }
        }
        let values = waves(20, 40, 9);
        assert_near(&matrix(values.view(), Method::Spearman, 3), &oracle(values.view(), Method::Spearman, 3));
    }

    #[test]
    fn odd_rows_are_computed_with_care() {
        let values = array![
            [1e200, 2e200, -1e200, 4e200, 1e200, 3e200],
            [1.0, 2.0, 2.5, 4.0, 3.0, 1.0],
            [5.0, 5.0, 5.0, 5.0, 5.0, 5.0],
            [NAN, 7.0, 7.0, 7.0, NAN, 8.0],
            [NAN, NAN, NAN, NAN, NAN, NAN],
            [1e6 + 0.001, 1e6 + 0.003, 1e6, 1e6 + 0.002, NAN, 1e6 + 0.004],
            [1e-200, 3e-200, 2e-200, 5e-200, 1e-200, 0.0],
        ];
        for method in [Method::Pearson, Method::Spearman] {
            assert_near(&matrix(values.view(), method, 2), &oracle(values.view(), method, 2));
        }
        assert_eq!(matrix(values.slice(s![..0, ..]), Method::Pearson, 2).r.dim(), (0, 0));
        assert_eq!(all(&matrix(values.slice(s![.., ..0]), Method::Pearson, 2).n, values.nrows()).sum(), 0);
    }

    #[test]
    fn the_strongest_pairs_are_those_of_the_matrix() {
        for gaps in [0, 7] {
            let values = waves(MOST_STRIP_ROWS + 20, 60, gaps);
            let whole = matrix(values.view(), Method::Pearson, 10);
            for order in [Order::Abs, Order::Desc, Order::Asc] {
                let pairs = top_pairs(values.view(), Method::Pearson, 10, 50, order);
                assert_eq!(pairs.len(), 50);
                let n = all(&whole.n, values.nrows());
                let score = |r: f64| match order {
                    Order::Abs => r.abs(),
                    Order::Desc => r,
                    Order::Asc => -r,
                };
                let mut scores: Vec<f64> = whole
                    .r
                    .indexed_iter()
                    .filter(|((a, b), r)| a < b && !r.is_nan())
                    .map(|(_, r)| score(f64::from(*r)))
                    .collect();
                scores.sort_by(|a, b| b.total_cmp(a));
                for (pair, expected) in pairs.iter().zip(&scores) {
                    assert!(pair.a < pair.b && (score(pair.r) - expected).abs() < 1e-5, "{pair:?} {expected}");
                    assert_eq!(i64::try_from(pair.n).unwrap(), n[(pair.a, pair.b)]);
                }
            }
        }
        assert!(top_pairs(waves(1, 20, 0).view(), Method::Pearson, 2, 5, Order::Abs).is_empty());
    }

    #[test]
    fn similar_series_are_neighbours() {
        let groups = [0, 1, 2, 0, 1, 2, 0, 1, 2];
        let r = Array2::from_shape_fn((9, 9), |(a, b)| if groups[a] == groups[b] { 0.9 } else { 0.1 });
        let order = similar_together(&r);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..9).collect::<Vec<_>>());
        let changes = order.windows(2).filter(|pair| groups[pair[0]] != groups[pair[1]]).count();
        assert_eq!(changes, 2, "{order:?}");
        assert_eq!(similar_together(&array![[1.0]]), [0]);
        assert_eq!(similar_together(&Array2::zeros((0, 0))), [0; 0]);
        assert_eq!(similar_together(&Array2::from_elem((3, 3), f32::NAN)).len(), 3);
    }

    proptest! {
        #[test]
        fn any_gaps_offsets_and_constants_are_within_the_bound(
            (series, buckets, cells) in (1..9_usize, 1..60_usize).prop_flat_map(|(series, buckets)| {
                let cell = prop_oneof![
                    5 => (-1.0..1.0_f64).prop_map(Some), 1 => Just(None), 2 => Just(Some(0.25)),
                ];
                (Just(series), Just(buckets), prop::collection::vec(cell, series * buckets))
            }),
            offset in prop_oneof![Just(0.0), Just(1e6), Just(-1e3)],
            scale in prop_oneof![Just(1.0), Just(1e-3), Just(1e5)],
        ) {
            let values = cells.iter().map(|cell| cell.map_or(NAN, |cell| offset + scale * cell)).collect();
            let values = Array2::from_shape_vec((series, buckets), values).unwrap();
            assert_near(&matrix(values.view(), Method::Pearson, 3), &oracle(values.view(), Method::Pearson, 3));
        }
    }
}
