//! Pearson's r with weights that fall with age.

use super::{Correlation, both_vary};

/// Weights by age in buckets: 1, then half of it for each half-life.
#[derive(Debug)]
pub(in crate::correlation) struct Weights {
    by_age: Vec<f64>,
}

impl Weights {
    /// For slices of up to `buckets` buckets.
    pub(in crate::correlation) fn new(half_life_buckets: f64, buckets: usize) -> Self {
        Self { by_age: (0..buckets).map(|age| (-(age as f64) / half_life_buckets).exp2()).collect() }
    }

    /// The weighted r of two slices of the same length, oldest bucket first.
    ///
    /// A missing pair has no weight, but ages the ones before it (pandas' `ignore_na=False`). Weights count from the last
    /// pair, which changes nothing, as only their ratios matter, and keeps them from vanishing.
    pub(in crate::correlation) fn pearson(&self, x: &[f64], y: &[f64], min_overlap: usize) -> Correlation {
        assert!(x.len() == y.len() && x.len() <= self.by_age.len(), "both sides have the same buckets");
        let paired = |at: &usize| !x[*at].is_nan() && !y[*at].is_nan();
        let n = (0..x.len()).filter(paired).count();
        let undefined = Correlation { r: f64::NAN, n };
        let Some(last) = (0..x.len()).rfind(paired) else { return undefined };
        if n < min_overlap || !both_vary(x, y) {
            return undefined;
        }
        let pairs = || (0..=last).filter(paired).map(|at| (self.by_age[last - at], x[at], y[at]));
        let (mut weight, mut mean_x, mut mean_y) = (0.0, 0.0, 0.0);
        for (w, x, y) in pairs() {
            weight += w;
            mean_x += w * x;
            mean_y += w * y;
        }
        mean_x /= weight;
        mean_y /= weight;
        let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
        for (w, x, y) in pairs() {
            let (dx, dy) = (x - mean_x, y - mean_y);
            xx += w * dx * dx;
            yy += w * dy * dy;
            xy += w * dx * dy;
        }
        // All that varies may have lost its weight.
        let r = xy / (xx.sqrt() * yy.sqrt());
        Correlation { r: if r.is_finite() { r.clamp(-1.0, 1.0) } else { f64::NAN }, n }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAN: f64 = f64::NAN;

    #[test]
    fn equals_pandas() {
        // pandas: pd.Series(x).ewm(halflife=h).corr(pd.Series(y)).iloc[-1]
        let x = [1.0, 2.0, 4.0, 3.0, 7.0, 5.0];
        let y = [2.0, 1.0, 3.0, 5.0, 4.0, 8.0];
        let r = |half_life, x: &[f64], y: &[f64]| Weights::new(half_life, x.len()).pearson(x, y, 2);
        for (half_life, expected) in
            [(1.0, 0.050_042_777_795_362_51), (2.5, 0.399_885_154_616_681_6), (20.0, 0.533_017_347_405_276_4)]
        {
            assert!((r(half_life, &x, &y).r - expected).abs() < 1e-12, "{half_life}");
        }
        let (x, y) = ([1.0, NAN, 4.0, 3.0, 7.0, 5.0], [2.0, 1.0, 3.0, 5.0, NAN, 8.0]);
        let gaps = r(2.0, &x, &y);
        assert!((gaps.r - 0.811_510_345_680_778_3).abs() < 1e-12 && gaps.n == 4, "{gaps:?}");
    }

    #[test]
    fn with_a_long_half_life_it_is_pearsons_r() {
        let x: Vec<f64> = (0..100_u32).map(|i| f64::from(i * 7 % 13)).collect();
        let y: Vec<f64> = (0..100_u32).map(|i| f64::from(i * 5 % 17)).collect();
        let plain = super::super::Target::new(&x).pearson(&y, 2).r;
        assert!((Weights::new(1e12, 100).pearson(&x, &y, 2).r - plain).abs() < 1e-10);
    }

    #[test]
    fn what_has_no_r_is_nan_however_far_back_the_last_pair_is() {
        let weights = Weights::new(0.5, 5_000);
        let r = |x: &[f64], y: &[f64]| weights.pearson(x, y, 2);
        assert_eq!(r(&[], &[]).n, 0);
        assert!(r(&[1.0, 1.0], &[1.0, 2.0]).r.is_nan());
        assert!(r(&[1.0, NAN], &[NAN, 2.0]).r.is_nan());
        let mut old = vec![NAN; 5_000];
        old[..4].copy_from_slice(&[1.0, 2.0, 3.0, 5.0]);
        assert!((r(&old, &old).r - 1.0).abs() < 1e-12);
    }
}
