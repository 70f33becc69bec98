//! Correlations over a window that moves.
//!
//! A sum that takes new buckets in and old ones out drifts. Here nothing is taken out: the buckets are cut into blocks of the
//! window's length, each window is the end of one block and the beginning of the next, and the moments of ends and beginnings
//! are all computed by one pass backwards and one forwards through each block (the idea of van Herk, "A fast algorithm for
//! local minimum and maximum filters", Pattern Recognition Letters 13 (1992)). Moments are updated by Welford's recurrence
//! and put together by Chan, Golub and LeVeque's formula. A running mean that is far from 0 has few digits for a small spread,
//! so both sides of the pairs count from their first pair: those differences round nothing where the values are near each other.

use ndarray::{Array2, ArrayView1, ArrayView2, Axis};
use rayon::prelude::*;

use super::Stop;

/// The moments of some pairs.
#[derive(Debug, Clone, Copy, Default)]
struct Moments {
    n: f64,
    /// One of the pairs, from which the means are counted.
    origin: (f64, f64),
    mean_x: f64,
    mean_y: f64,
    xx: f64,
    yy: f64,
    xy: f64,
}

impl Moments {
    /// With one pair more; a missing one changes nothing.
    fn with(self, x: f64, y: f64) -> Self {
        if x.is_nan() || y.is_nan() {
            return self;
        }
        let n = self.n + 1.0;
        let origin = if self.n == 0.0 { (x, y) } else { self.origin };
        let (x, y) = (x - origin.0, y - origin.1);
        let (dx, dy) = (x - self.mean_x, y - self.mean_y);
        let (mean_x, mean_y) = (self.mean_x + dx / n, self.mean_y + dy / n);
        let rest = y - mean_y;
        let (xx, yy, xy) = (self.xx + dx * (x - mean_x), self.yy + dy * rest, self.xy + dx * rest);
        Self { n, origin, mean_x, mean_y, xx, yy, xy }
    }

    /// Those of all pairs of both.
    fn and(self, other: Self) -> Self {
        if self.n == 0.0 || other.n == 0.0 {
            return if self.n == 0.0 { other } else { self };
        }
        let n = self.n + other.n;
        let dx = (other.origin.0 - self.origin.0) + (other.mean_x - self.mean_x);
        let dy = (other.origin.1 - self.origin.1) + (other.mean_y - self.mean_y);
        let share = other.n / n;
        let between = self.n * share;
        Self {
            n,
            origin: self.origin,
            mean_x: self.mean_x + dx * share,
            mean_y: self.mean_y + dy * share,
            xx: self.xx + other.xx + dx * dx * between,
            yy: self.yy + other.yy + dy * dy * between,
            xy: self.xy + other.xy + dx * dy * between,
        }
    }

    fn r(&self, min_overlap: usize) -> f64 {
        // Of equal values the sums are exactly 0.
        if self.n < min_overlap as f64 || self.xx <= 0.0 || self.yy <= 0.0 {
            return f64::NAN;
        }
        let r = self.xy / (self.xx.sqrt() * self.yy.sqrt());
        if r.is_finite() { r.clamp(-1.0, 1.0) } else { f64::NAN }
    }
}

/// The columns at which the windows end: the first whole window's last column, then `step` columns further each.
pub fn window_ends(buckets: usize, window: usize, step: usize) -> impl ExactSizeIterator<Item = usize> + Clone {
    let windows = if window == 0 || buckets < window { 0 } else { (buckets - window) / step.max(1) + 1 };
    (0..windows).map(move |index| window - 1 + index * step.max(1))
}

/// Correlates `target` with every row of `others` (series x buckets, missing = NaN) over windows of `window` buckets, each
/// `step` further than the one before.
///
/// Rows are series, columns the windows of [`window_ends`]. r is NaN where a window has fewer than `min_overlap` pairs, or all
/// values of a side are equal. O(series x buckets) time whatever the window, on all cores.
///
/// # Panics
/// If `target` is not as long as `others` has columns.
#[must_use]
pub fn rolling(
    target: ArrayView1<'_, f64>,
    others: ArrayView2<'_, f64>,
    window: usize,
    step: usize,
    min_overlap: usize,
) -> Array2<f64> {
    assert_eq!(target.len(), others.ncols(), "target and others have the same buckets");
    let buckets = target.len();
    let target = target.to_vec();
    let ends = window_ends(buckets, window, step);
    let mut r = Array2::from_elem((others.nrows(), ends.len()), f64::NAN);
    if ends.len() == 0 {
        return r;
    }
    let stop = Stop::current();
    r.axis_iter_mut(Axis(0)).into_par_iter().zip(others.axis_iter(Axis(0))).for_each_init(
        || (vec![Moments::default(); buckets], vec![Moments::default(); buckets]),
        |(beginnings, endings), (mut r, other)| {
            if stop.is_given() {
                return;
            }
            let pair = |at: usize| (target[at], other[at]);
            for start in (0..buckets).step_by(window) {
                let block = start..buckets.min(start + window);
                let mut so_far = Moments::default();
                for at in block.clone() {
                    let (x, y) = pair(at);
                    so_far = so_far.with(x, y);
                    beginnings[at] = so_far;
                }
                let mut so_far = Moments::default();
                for at in block.rev() {
                    let (x, y) = pair(at);
                    so_far = so_far.with(x, y);
                    endings[at] = so_far;
                }
            }
            for (r, end) in r.iter_mut().zip(ends.clone()) {
                let start = end + 1 - window;
                let whole = start.is_multiple_of(window);
                let moments = if whole { endings[start] } else { endings[start].and(beginnings[end]) };
                *r = moments.r(min_overlap);
            }
        },
    );
    r
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use proptest::prelude::*;

    use super::*;
    use crate::correlation::one_vs_one;

    #[test]
    fn windows_end_where_they_are_whole() {
        let ends = |buckets, window, step| window_ends(buckets, window, step).collect::<Vec<_>>();
        assert_eq!(ends(5, 3, 1), [2, 3, 4]);
        assert_eq!(ends(7, 3, 2), [2, 4, 6]);
        assert_eq!(ends(3, 3, 9), [2]);
        assert_eq!(ends(2, 3, 1), [0; 0]);
    }

    #[test]
    fn a_constant_side_has_no_r() {
        let others = array![[5.0, 5.0, 5.0, 5.0, 6.0]];
        let r = rolling(array![1.0, 2.0, 3.0, 4.0, 5.0].view(), others.view(), 3, 1, 2);
        assert!(r[(0, 0)].is_nan() && r[(0, 1)].is_nan() && r[(0, 2)] > 0.8);
    }

    proptest! {
        #[test]
        fn every_window_is_what_it_is_alone(
            (x, y) in (2..200_usize).prop_flat_map(|length| {
                let value = prop_oneof![4 => -1.0..1.0_f64, 1 => Just(f64::NAN)];
                (prop::collection::vec(value.clone(), length), prop::collection::vec(value, length))
            }),
            window in 2..60_usize,
            step in 1..5_usize,
            offset in prop_oneof![Just(0.0), Just(1e6)],
        ) {
            let [x, y] = [x, y].map(|side| side.iter().map(|value| value + offset).collect::<Vec<f64>>());
            let (target, other) = (ArrayView1::from(&x), ArrayView1::from(&y).insert_axis(Axis(0)));
            let r = rolling(target, other, window, step, 3);
            for (r, end) in r.row(0).iter().zip(window_ends(x.len(), window, step)) {
                let range = end + 1 - window..end + 1;
                let expected = one_vs_one(&x[range.clone()], &y[range], 3);
                prop_assert!((r - expected).abs() < 1e-9 || (r.is_nan() && expected.is_nan()), "{} {}", r, expected);
            }
        }
    }
}
