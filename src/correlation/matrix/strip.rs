//! A few rows against all that follow them.

use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis, CowArray, Ix2, linalg::general_mat_mul, s};
use rayon::prelude::*;

use crate::{
    correlation::{
        Stop,
        kernel::{Correlation, Scratch, Target, ranks_of_target},
    },
    question::Method,
};

/// The most rows that are multiplied at once with all that follow: the product's strip stays small, little of it lies below
/// the diagonal, and what follows is not packed for too few rows.
pub(super) const MOST_STRIP_ROWS: usize = 256;

/// How many rows of so many are multiplied at once: of few, fewer, so that all cores have something to do.
pub(super) fn strip_rows(series: usize) -> usize {
    (series / 8).clamp(MOST_STRIP_ROWS / 2, MOST_STRIP_ROWS)
}

/// Of a pair's own sum of squares about 0 at least this part must be left about the pair's mean. With less, what rounding in
/// float32 leaves in r (some 3e-7 over this) could come near 1e-5.
const LEAST_PART: f32 = 0.1;

/// The rows, made ready for products.
pub(super) struct Rows<'v> {
    /// Whether the product is still wanted.
    stop: Stop,
    /// Values; for Spearman ranks where a row has no gaps. Of the ranks' own ranks within some pairs r is the same.
    values: CowArray<'v, f64, Ix2>,
    method: Method,
    /// Deviations from the row's mean, of length 1; 0 where missing.
    deviations: Array2<f32>,
    /// Where a row has a gap: 1 where there is a value.
    masked: Option<Masked>,
    kinds: Vec<Kind>,
}

struct Masked {
    mask: Array2<f32>,
    squares: Array2<f32>,
}

/// What is known of a row beforehand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// For products.
    Plain,
    /// All values are equal, or there is none: no pair has an r.
    Constant,
    /// Must be computed pair by pair.
    Odd,
}

impl<'v> Rows<'v> {
    pub(super) fn new(of: ArrayView2<'v, f64>, method: Method) -> Self {
        let (series, buckets) = of.dim();
        let mut values = CowArray::from(of);
        let has_gaps = of.axis_iter(Axis(0)).into_par_iter().any(|row| row.iter().any(|value| value.is_nan()));
        if method == Method::Spearman {
            values.axis_iter_mut(Axis(0)).into_par_iter().for_each(|mut row| {
                let ranks = ranks_of_target(&row.to_vec());
                row.iter_mut().zip(ranks).for_each(|(value, rank)| *value = rank);
            });
        }
        let mut deviations = Array2::zeros((series, buckets));
        let kinds = values
            .axis_iter(Axis(0))
            .into_par_iter()
            .zip(deviations.axis_iter_mut(Axis(0)))
            .map(|(row, deviations)| prepare(row.iter().copied(), deviations, method))
            .collect();
        let masked = has_gaps.then(|| Masked {
            mask: values.mapv(|value| if value.is_nan() { 0.0 } else { 1.0 }),
            squares: deviations.mapv(|deviation: f32| deviation * deviation),
        });
        Self { stop: Stop::current(), values, method, deviations, masked, kinds }
    }

    fn len(&self) -> usize {
        self.values.nrows()
    }

    /// How many buckets every pair has; `None` where a row has gaps.
    pub(super) fn n(&self) -> Option<usize> {
        self.masked.is_none().then(|| self.values.ncols())
    }

    /// Where no row has gaps: r of the rows from `first` on, as many as `r` has, with themselves and all that follow. `r` is
    /// (rows, series); what is left of the column `first` is not touched.
    pub(super) fn correlate(&self, first: usize, min_overlap: usize, mut r: ArrayViewMut2<'_, f32>) {
        if self.stop.is_given() {
            return;
        }
        let x = &self.deviations;
        let mut r = r.slice_mut(s![.., first..]);
        let strip = x.slice(s![first..first + r.nrows(), ..]);
        general_mat_mul(1.0, &strip, &x.slice(s![first.., ..]).t(), 0.0, &mut r);
        let as_they_are =
            self.kinds[first..].iter().all(|kind| *kind == Kind::Plain) && x.ncols() >= min_overlap.max(3);
        for (row, mut r) in r.rows_mut().into_iter().enumerate() {
            if as_they_are {
                r.mapv_inplace(|r| r.clamp(-1.0, 1.0));
                r[row] = 1.0;
                continue;
            }
            for (column, r) in r.iter_mut().enumerate().skip(row) {
                if self.stop.is_given() {
                    return;
                }
                *r = narrow(self.of_product(first + row, first + column, *r, min_overlap).r);
            }
        }
    }

    /// A pair without gaps, from its product.
    fn of_product(&self, a: usize, b: usize, product: f32, min_overlap: usize) -> Correlation {
        let n = self.values.ncols();
        let kinds = [self.kinds[a], self.kinds[b]];
        if n < min_overlap || kinds.contains(&Kind::Constant) {
            Correlation { r: f64::NAN, n }
        } else if kinds.contains(&Kind::Odd) {
            self.exactly(a, b, min_overlap)
        } else {
            Correlation::of(if a == b { 1.0 } else { f64::from(product).clamp(-1.0, 1.0) }, n)
        }
    }

    /// A pair in float64.
    pub(super) fn exactly(&self, a: usize, b: usize, min_overlap: usize) -> Correlation {
        let [target, other] = [a, b].map(|row| self.values.row(row).to_vec());
        let target = Target::new(&target);
        match self.method {
            Method::Spearman => target.spearman(&other, min_overlap, &mut Scratch::default()),
            Method::Pearson | Method::Ewma { .. } => target.pearson(&other, min_overlap),
        }
    }
}

/// Fills in a row's deviations.
fn prepare(
    values: impl Iterator<Item = f64> + Clone,
    deviations: ndarray::ArrayViewMut1<'_, f32>,
    method: Method,
) -> Kind {
    let present = || values.clone().filter(|value| !value.is_nan());
    let count = present().count();
    let Some(first) = present().next() else { return Kind::Constant };
    if present().all(|value| value == first) {
        return Kind::Constant;
    }
    let has_gaps = count < deviations.len();
    if method == Method::Spearman && has_gaps {
        return Kind::Odd;
    }
    // From the first value, so that a far mean costs no digits.
    let mean = present().map(|value| value - first).sum::<f64>() / count as f64;
    let squares: f64 = present().map(|value| (value - first - mean).powi(2)).sum();
    if !(1e-140..=1e140).contains(&squares) {
        return Kind::Odd;
    }
    let scale = 1.0 / squares.sqrt();
    for (deviation, value) in deviations.into_iter().zip(values) {
        // Of length 1: a float32 holds it.
        *deviation = if value.is_nan() { 0.0 } else { narrow((value - first - mean) * scale) };
    }
    Kind::Plain
}

/// The products of a strip; its memory is used from strip to strip.
#[derive(Default)]
pub(super) struct Strip {
    /// Sums of xy, n, and for either side of x and x^2 over the pairs; with no gaps only the first.
    products: [Vec<f32>; Self::ARRAYS],
}

impl Strip {
    /// So many arrays of float32 are as large as the strip.
    pub(super) const ARRAYS: usize = 6;

    /// Computes the rows from `first` on, as many as a strip has, with all rows from there on, and gives each pair right of the
    /// diagonal, and the diagonal.
    pub(super) fn compute(
        &mut self,
        rows: &Rows<'_>,
        first: usize,
        min_overlap: usize,
        mut cell: impl FnMut(usize, usize, Correlation),
    ) {
        if rows.stop.is_given() {
            return;
        }
        let last = rows.len().min(first + strip_rows(rows.len()));
        let width = rows.len() - first;
        let mut product = |at: usize, left: &Array2<f32>, right: &Array2<f32>| {
            let memory = &mut self.products[at];
            // What is there from the last strip is overwritten.
            memory.resize((last - first) * width, 0.0);
            let Ok(mut out) = ArrayViewMut2::from_shape((last - first, width), memory) else { return };
            general_mat_mul(1.0, &left.slice(s![first..last, ..]), &right.slice(s![first.., ..]).t(), 0.0, &mut out);
        };
        let x = &rows.deviations;
        product(0, x, x);
        if let Some(Masked { mask, squares }) = &rows.masked {
            product(1, mask, mask);
            product(2, x, mask);
            product(3, mask, x);
            product(4, squares, mask);
            product(5, mask, squares);
        }
        for a in first..last {
            let line = (a - first) * width;
            for b in a..rows.len() {
                // A pair by itself takes as long as many that products give.
                if rows.stop.is_given() {
                    return;
                }
                let at = line + b - first;
                let sums = |product: usize| self.products[product].get(at).copied().unwrap_or(0.0);
                if rows.masked.is_none() {
                    cell(a, b, rows.of_product(a, b, sums(0), min_overlap));
                    continue;
                }
                let n = count(sums(1));
                let kinds = [rows.kinds[a], rows.kinds[b]];
                let found = if n < min_overlap || kinds.contains(&Kind::Constant) {
                    Correlation { r: f64::NAN, n }
                } else if kinds.contains(&Kind::Odd) {
                    rows.exactly(a, b, min_overlap)
                } else {
                    match r_of_sums(sums(0), n, [sums(2), sums(3)], [sums(4), sums(5)]) {
                        Some(_) if a == b => Correlation { r: 1.0, n },
                        Some(r) => Correlation::of(r, n),
                        None => rows.exactly(a, b, min_overlap),
                    }
                };
                cell(a, b, found);
            }
        }
    }
}

/// An r as it is kept.
pub(super) fn narrow(r: f64) -> f32 {
    #[expect(clippy::cast_possible_truncation, reason = "rounding to float32 is meant")]
    let narrow = r as f32;
    narrow
}

/// A sum of ones, which float32 holds exactly up to 2^24.
fn count(ones: f32) -> usize {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number, at least 0")]
    let count = ones as usize;
    count
}

/// r from the sums over a pair's buckets; `None` where they do not tell it well enough.
fn r_of_sums(xy: f32, n: usize, x: [f32; 2], xx: [f32; 2]) -> Option<f64> {
    let n = n as f64;
    let [sum_x, sum_y] = x.map(f64::from);
    let left = |sum: f64, squares: f32| {
        let about_mean = f64::from(squares) - sum * sum / n;
        (about_mean > f64::from(LEAST_PART * squares)).then_some(about_mean)
    };
    let (var_x, var_y) = (left(sum_x, xx[0])?, left(sum_y, xx[1])?);
    let r = (f64::from(xy) - sum_x * sum_y / n) / (var_x.sqrt() * var_y.sqrt());
    r.is_finite().then(|| r.clamp(-1.0, 1.0))
}
