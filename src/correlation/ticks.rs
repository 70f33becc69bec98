//! Correlations of raw rows, which do not come at the same times.
//!
//! Both estimators are of changes from row to row, and take no means off: over short times those are nothing beside the
//! changes.
//!
//! - Hayashi and Yoshida, "On covariance estimation of non-synchronously observed diffusion processes", Bernoulli 11 (2005):
//!   the sum of the products of all changes whose half-open times overlap, over the root of the sums of squares. It uses every
//!   row, and for few rows may be beyond 1.
//! - Refresh times (Barndorff-Nielsen, Hansen, Lunde and Shephard, "Multivariate realised kernels", J. Econometrics 162
//!   (2011)): changes between the moments at which both series have had a new row since the moment before.

use rayon::prelude::*;

use super::Stop;
use crate::question::TickMethod;

/// The rows of one series: times in microseconds since 1970 UTC, ascending and all different, and finite values.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ticks {
    times_us: Vec<i64>,
    values: Vec<f64>,
}

impl Ticks {
    /// Brings rows into the order of time. Of rows at the same time the greatest value counts; a value that is not finite is no
    /// row.
    #[must_use]
    pub fn new(mut rows: Vec<(i64, f64)>) -> Self {
        rows.retain(|(_, value)| value.is_finite());
        rows.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)));
        rows.dedup_by_key(|(time_us, _)| *time_us);
        let (times_us, values) = rows.into_iter().unzip();
        Self { times_us, values }
    }

    /// The logarithms of the values; what is not greater than 0 is no row.
    #[must_use]
    pub fn ln(self) -> Self {
        let rows = self.times_us.into_iter().zip(self.values).filter(|(_, value)| *value > 0.0);
        let (times_us, values) = rows.map(|(time_us, value)| (time_us, value.ln())).unzip();
        Self { times_us, values }
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.times_us.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.times_us.is_empty()
    }

    fn changes(&self) -> impl Iterator<Item = f64> + '_ {
        self.values.windows(2).map(|pair| pair[1] - pair[0])
    }
}

/// An r of raw rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TickCorrelation {
    /// NaN where undefined; by Hayashi and Yoshida it may be beyond 1.
    pub r: f64,
    /// Pairs of changes: those that overlap, or those between refresh times.
    pub n: u64,
}

/// Correlates the changes of `target` with those of each of `others`, on all cores.
///
/// r is NaN with fewer than `min_overlap` pairs of changes, or where a side does not change.
#[must_use]
pub fn by_ticks(target: &Ticks, others: &[Ticks], method: TickMethod, min_overlap: usize) -> Vec<TickCorrelation> {
    let correlate = match method {
        TickMethod::HayashiYoshida => hayashi_yoshida,
        TickMethod::RefreshTime => refresh_time,
    };
    let defined = |found: TickCorrelation| {
        let enough = found.n >= min_overlap as u64 && found.r.is_finite();
        TickCorrelation { r: if enough { found.r } else { f64::NAN }, ..found }
    };
    let (stop, nothing) = (Stop::current(), Ticks::default());
    let unless_stopped = |other| if stop.is_given() { &nothing } else { other };
    others.par_iter().map(|other| defined(correlate(target, unless_stopped(other)))).collect()
}

fn hayashi_yoshida(x: &Ticks, y: &Ticks) -> TickCorrelation {
    let (mut xy, mut n) = (0.0, 0);
    // The changes of y that overlap with one of x are neighbours, so that their sum is the change from the first to the last.
    let mut first = 0;
    for (times, values) in x.times_us.windows(2).zip(x.values.windows(2)) {
        let (from, to) = (times[0], times[1]);
        // The change of y from row j to j + 1 ends at j + 1: it overlaps unless that is at or before `from`.
        while y.times_us.get(first + 1).is_some_and(|end| *end <= from) {
            first += 1;
        }
        // Its last begins before `to`.
        let mut last = first;
        while y.times_us.get(last + 1).is_some() && y.times_us.get(last).is_some_and(|begin| *begin < to) {
            last += 1;
        }
        if last > first {
            xy += (values[1] - values[0]) * (y.values[last] - y.values[first]);
            n += (last - first) as u64;
        }
        // The last one may reach into the next change of x.
        first = first.max(last.saturating_sub(1));
    }
    let squares = |ticks: &Ticks| ticks.changes().map(|change| change * change).sum::<f64>();
    TickCorrelation { r: xy / (squares(x).sqrt() * squares(y).sqrt()), n }
}

fn refresh_time(x: &Ticks, y: &Ticks) -> TickCorrelation {
    let (mut xx, mut yy, mut xy, mut n) = (0.0, 0.0, 0.0, 0);
    // The next row of either.
    let (mut i, mut j) = (0, 0);
    let mut before: Option<(f64, f64)> = None;
    while let (Some(next_x), Some(next_y)) = (x.times_us.get(i), y.times_us.get(j)) {
        let refreshed = *next_x.max(next_y);
        while x.times_us.get(i).is_some_and(|time| *time <= refreshed) {
            i += 1;
        }
        while y.times_us.get(j).is_some_and(|time| *time <= refreshed) {
            j += 1;
        }
        let now = (x.values[i - 1], y.values[j - 1]);
        if let Some(before) = before {
            let (dx, dy) = (now.0 - before.0, now.1 - before.1);
            xx += dx * dx;
            yy += dy * dy;
            xy += dx * dy;
            n += 1;
        }
        before = Some(now);
    }
    let r = xy / (xx.sqrt() * yy.sqrt());
    // By Cauchy and Schwarz, but for rounding.
    TickCorrelation { r: if r.is_finite() { r.clamp(-1.0, 1.0) } else { r }, n }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ticks(rows: &[(i64, f64)]) -> Ticks {
        Ticks::new(rows.to_vec())
    }

    /// Every change with every other, as the formula has it.
    fn naive(x: &Ticks, y: &Ticks) -> TickCorrelation {
        let (mut xy, mut n) = (0.0, 0);
        for i in 1..x.len() {
            for j in 1..y.len() {
                let begin = x.times_us[i - 1].max(y.times_us[j - 1]);
                if begin < x.times_us[i].min(y.times_us[j]) {
                    xy += (x.values[i] - x.values[i - 1]) * (y.values[j] - y.values[j - 1]);
                    n += 1;
                }
            }
        }
        let squares = |ticks: &Ticks| ticks.changes().map(|change| change * change).sum::<f64>();
        TickCorrelation { r: xy / (squares(x) * squares(y)).sqrt(), n }
    }

    #[test]
    fn rows_are_brought_into_order() {
        let found = ticks(&[(3, 1.0), (1, 2.0), (3, 4.0), (2, f64::NAN), (0, f64::INFINITY)]);
        assert_eq!((found.times_us.clone(), found.values.clone()), (vec![1, 3], vec![2.0, 4.0]));
        assert_eq!(ticks(&[(1, 0.0), (2, -1.0), (3, 1.0)]).ln(), ticks(&[(3, 0.0)]));
    }

    #[test]
    fn at_the_same_times_both_are_the_plain_correlation_of_changes() {
        let x = ticks(&[(0, 1.0), (1, 2.0), (2, 4.0), (3, 3.0)]);
        let y = ticks(&[(0, 5.0), (1, 6.0), (2, 6.5), (3, 7.0)]);
        let expected = (1.0 + 2.0 * 0.5 - 0.5) / ((1.0 + 4.0 + 1.0_f64) * (1.0 + 0.25 + 0.25)).sqrt();
        for method in [TickMethod::HayashiYoshida, TickMethod::RefreshTime] {
            let [found] = by_ticks(&x, std::slice::from_ref(&y), method, 2)[..] else { panic!("one other") };
            assert!((found.r - expected).abs() < 1e-12 && found.n == 3, "{method:?}: {found:?}");
        }
    }

    #[test]
    fn refresh_times_wait_for_both() {
        let x = ticks(&[(0, 1.0), (1, 2.0), (2, 3.0), (7, 4.0)]);
        let y = ticks(&[(1, 1.0), (5, 3.0), (8, 2.0)]);
        // At 1: (2, 1), at 5: (3, 3), at 8: (4, 2).
        let found = refresh_time(&x, &y);
        assert_eq!(found.n, 2);
        assert!((found.r - (2.0 - 1.0) / (2.0_f64 * 5.0).sqrt()).abs() < 1e-12, "{found:?}");
    }

    #[test]
    fn what_does_not_change_or_overlap_has_no_r() {
        let x = ticks(&[(0, 1.0), (1, 2.0)]);
        for other in [ticks(&[]), ticks(&[(0, 1.0)]), ticks(&[(0, 1.0), (1, 1.0)]), ticks(&[(5, 1.0), (6, 2.0)])] {
            for method in [TickMethod::HayashiYoshida, TickMethod::RefreshTime] {
                assert!(by_ticks(&x, std::slice::from_ref(&other), method, 1)[0].r.is_nan(), "{other:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn all_overlapping_changes_are_found(
            x in prop::collection::vec((0..60_i64, -1.0..1.0_f64), 0..40),
            y in prop::collection::vec((0..60_i64, -1.0..1.0_f64), 0..40),
        ) {
            let (x, y) = (Ticks::new(x), Ticks::new(y));
            let (found, expected) = (hayashi_yoshida(&x, &y), naive(&x, &y));
            prop_assert_eq!(found.n, expected.n);
            prop_assert!((found.r - expected.r).abs() < 1e-9 || (found.r.is_nan() && expected.r.is_nan()));
            let turned = hayashi_yoshida(&y, &x);
            prop_assert_eq!(turned.n, expected.n);
            prop_assert!((turned.r - expected.r).abs() < 1e-9 || (turned.r.is_nan() && expected.r.is_nan()));
        }
    }
}
