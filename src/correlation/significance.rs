//! What an r is worth.

use statrs::function::beta::checked_beta_reg;

/// The 97.5 % quantile of the normal distribution.
const Z_975: f64 = 1.959_963_984_540_054;

/// The two-sided p-value of an r over `n` pairs, under Student's t with `n - 2` degrees of freedom, as scipy's
/// `pearsonr`.
///
/// With `t^2 = r^2 (n - 2) / (1 - r^2)` it is `I_x((n - 2) / 2, 1/2)` at `x = 1 - r^2`, the regularised incomplete beta
/// function (Abramowitz and Stegun, 26.7.1). 0 for |r| = 1 and where it underflows; NaN where r is undefined, beyond
/// [-1, 1], or `n` is below 3.
#[must_use]
pub fn p_value(r: f64, n: i64) -> f64 {
    if n < 3 || !(-1.0..=1.0).contains(&r) {
        return f64::NAN;
    }
    if r.abs() == 1.0 {
        return 0.0;
    }
    let half_freedom = (n - 2) as f64 / 2.0;
    checked_beta_reg(half_freedom, 0.5, (1.0 - r) * (1.0 + r)).map_or(f64::NAN, |p| p.clamp(0.0, 1.0))
}

/// The 95 % interval of an r over `n` pairs by Fisher's z: `tanh(atanh r -+ 1.96 / sqrt(n - 3))`.
///
/// `None` where r is undefined, |r| = 1, or `n` is below 4.
#[must_use]
pub fn ci95(r: f64, n: i64) -> Option<[f64; 2]> {
    let is_open = r > -1.0 && r < 1.0;
    (is_open && n >= 4).then(|| {
        let z = r.atanh();
        let half = Z_975 / ((n - 3) as f64).sqrt();
        [(z - half).tanh(), (z + half).tanh()]
    })
}

/// Benjamini and Hochberg's adjusted p-values, in the order of `p`, as scipy's `false_discovery_control`.
///
/// Undefined p-values (NaN) stay so and are not counted. O(n log n).
#[must_use]
pub fn q_values(p: &[f64]) -> Vec<f64> {
    let mut q = vec![f64::NAN; p.len()];
    let mut greatest_first: Vec<usize> = (0..p.len()).filter(|index| !p[*index].is_nan()).collect();
    greatest_first.sort_unstable_by(|a, b| p[*b].total_cmp(&p[*a]));
    let count = greatest_first.len();
    let mut least = 1.0_f64;
    for (place, index) in greatest_first.into_iter().enumerate() {
        least = least.min(p[index] * count as f64 / (count - place) as f64);
        q[index] = least;
    }
    q
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn assert_near(value: f64, expected: f64, relative: f64) {
        assert!((value - expected).abs() <= relative * expected.abs(), "{value} is not {expected}");
    }

    /// r, n and p by scipy's `stats.t.sf`, from few pairs to many.
    #[test]
    fn p_values_agree_with_scipy_for_any_number_of_pairs() {
        for (r, n, p) in [
            (0.5, 3, 0.666_666_666_666_666_6),
            (-0.9, 3, 0.287_132_586_257_412_5),
            (0.3, 4, 0.7),
            (0.99, 10, 4.322_718_437_500_012e-8),
            (0.1, 10, 0.783_424_406_25),
            (0.02, 1_000, 0.527_564_829_041_501_9),
            (0.06, 1_000, 0.057_867_214_431_051_625),
            (0.9, 500, 1.019_314_008_826_209_3e-181),
            (-0.05, 8_313, 5.092_273_134_651_073e-6),
            (0.003, 1_000_000, 0.002_699_769_472_086_619_7),
            (0.01, 10_000_000, 1.751_666_068_236_755e-219),
        ] {
            assert_near(p_value(r, n), p, 1e-7);
        }
    }

    #[test]
    fn p_values_are_undefined_or_extreme_where_r_is() {
        assert_eq!(p_value(1.0, 10), 0.0);
        assert_eq!(p_value(-1.0, 3), 0.0);
        assert_eq!(p_value(0.0, 10), 1.0);
        for (r, n) in [(f64::NAN, 10), (0.5, 2), (0.5, i64::MIN), (1.1, 10), (f64::INFINITY, 10)] {
            assert!(p_value(r, n).is_nan(), "{r} {n}");
        }
    }

    #[test]
    fn intervals_are_fishers() {
        let [low, high] = ci95(0.5, 28).unwrap();
        // atanh 0.5 = 0.549306, -+ 1.959964 / 5
        assert_near(low, (0.549_306_144_334_054_8_f64 - 0.391_992_796_908_010_8).tanh(), 1e-14);
        assert_near(high, (0.549_306_144_334_054_8_f64 + 0.391_992_796_908_010_8).tanh(), 1e-14);
        assert_eq!(ci95(0.5, 3), None);
        assert_eq!(ci95(1.0, 100), None);
        assert_eq!(ci95(f64::NAN, 100), None);
    }

    #[test]
    fn q_values_are_benjamini_and_hochbergs() {
        let q = q_values(&[0.01, 0.04, f64::NAN, 0.03, 0.005]);
        let expected = [0.02, 0.04, f64::NAN, 0.04, 0.02];
        for (q, expected) in q.iter().zip(expected) {
            assert!((q - expected).abs() < 1e-15 || (q.is_nan() && expected.is_nan()), "{q} is not {expected}");
        }
        assert_eq!(q_values(&[]), [0.0; 0]);
        assert_eq!(q_values(&[1.0, 1.0]), [1.0, 1.0]);
    }

    proptest! {
        #[test]
        fn p_values_are_probabilities_that_fall_as_r_grows(r in 0.0..1.0_f64, n in 3..1_000_000_i64) {
            let p = p_value(r, n);
            prop_assert!((0.0..=1.0).contains(&p));
            prop_assert_eq!(p, p_value(-r, n));
            prop_assert!(p_value((r + 1e-3).min(1.0), n) <= p);
        }

        #[test]
        fn intervals_hold_their_r(r in -0.999..0.999_f64, n in 4..100_000_i64) {
            let [low, high] = ci95(r, n).unwrap();
            prop_assert!(-1.0 <= low && low <= r && r <= high && high <= 1.0);
        }

        #[test]
        fn a_q_value_is_the_least_ratio_from_its_p_value_on(p in prop::collection::vec(0.0..1.0_f64, 1..30)) {
            for (p_value, q) in p.iter().zip(q_values(&p)) {
                let at_most = |bound: f64| p.iter().filter(|p| **p <= bound).count() as f64;
                let greater = p.iter().filter(|other| *other >= p_value);
                let ratios = greater.map(|other| other * p.len() as f64 / at_most(*other));
                prop_assert!((q - ratios.fold(1.0, f64::min)).abs() < 1e-15);
            }
        }
    }
}
