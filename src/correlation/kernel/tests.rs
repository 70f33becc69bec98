use proptest::prelude::*;

use super::{ranks::of_target, *};

const NAN: f64 = f64::NAN;

fn pearson(x: &[f64], y: &[f64]) -> Correlation {
    Target::new(x).pearson(y, 2)
}

fn spearman(x: &[f64], y: &[f64]) -> Correlation {
    Target::new(&of_target(x)).spearman(y, 2, &mut Scratch::default())
}

/// Pearson's r by its formula, of deviations from the first pair and then from the mean, with every sum in one go.
fn naive(x: &[f64], y: &[f64]) -> Correlation {
    let paired: Vec<(f64, f64)> = pairs(x, y).collect();
    let n = paired.len();
    let undefined = Correlation { r: NAN, n };
    let Some((x0, y0)) = paired.first().copied() else { return undefined };
    if paired.iter().all(|(x, _)| *x == x0) || paired.iter().all(|(_, y)| *y == y0) {
        return undefined;
    }
    let mean =
        |of: fn(&(f64, f64)) -> f64, origin: f64| paired.iter().map(|pair| of(pair) - origin).sum::<f64>() / n as f64;
    let (x_mean, y_mean) = (mean(|pair| pair.0, x0), mean(|pair| pair.1, y0));
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for (x, y) in &paired {
        let (dx, dy) = ((x - x0) - x_mean, (y - y0) - y_mean);
        (xx, yy, xy) = (xx + dx * dx, yy + dy * dy, xy + dx * dy);
    }
    Correlation { r: xy / (xx.sqrt() * yy.sqrt()), n }
}

/// Average ranks by counting.
fn naive_ranks(values: &[f64]) -> Vec<f64> {
    let count = |is: &dyn Fn(f64) -> bool| values.iter().filter(|other| is(**other)).count() as f64;
    values.iter().map(|value| count(&|other| other < *value) + (count(&|other| other == *value) + 1.0) / 2.0).collect()
}

#[track_caller]
fn assert_near(got: Correlation, expected: Correlation) {
    let near = (got.r - expected.r).abs() <= 1e-12 || (got.r.is_nan() && expected.r.is_nan());
    assert!(near && got.n == expected.n, "{got:?} is not {expected:?}");
}

#[test]
fn lengths_around_the_lanes_are_summed_whole() {
    for len in 0..40_u32 {
        let x: Vec<f64> = (0..len).map(|i| f64::from(i * i % 17)).collect();
        let y: Vec<f64> = (0..len).map(|i| f64::from(i * 7 % 11) - 3.0).collect();
        assert_near(pearson(&x, &y), naive(&x, &y));
        let mut gappy = y.clone();
        gappy.iter_mut().step_by(3).for_each(|value| *value = NAN);
        assert_near(pearson(&x, &gappy), naive(&x, &gappy));
        assert_near(pearson(&gappy, &x), naive(&gappy, &x));
    }
}

#[test]
fn only_exactly_equal_values_are_constant() {
    let x = [1.0, 2.0, 3.0];
    assert!(pearson(&x, &[5.0, 5.0, 5.0]).r.is_nan());
    assert!(pearson(&[0.1; 3], &x).r.is_nan());
    assert!(pearson(&[0.0, -0.0, 0.0], &x).r.is_nan());
    let quiet = [1e6, 1e6, 1e6_f64.next_up()];
    assert!((pearson(&x, &quiet).r - 0.75_f64.sqrt()).abs() < 1e-12);
    assert!(pearson(&[1.0, 1.0, NAN, 2.0], &[1.0, 2.0, 3.0, NAN]).r.is_nan(), "constant within the pairs");
}

#[test]
fn values_whose_squares_overflow_or_vanish_still_correlate() {
    let x = [1.0, 4.0, 2.0, 8.0, 5.0, 7.0];
    let y = [2.0, 3.0, 1.0, 9.0, 4.0, 8.0];
    let expected = naive(&x, &y);
    for (a, b) in [(1e307, 1.0), (1e-307, 1.0), (1e307, 1e-307), (1e100, 1e-100), (1e-320, 1e307)] {
        let (x, y) = (x.map(|x| x * a), y.map(|y| y * b));
        let got = pearson(&x, &y);
        assert!((got.r - expected.r).abs() < 1e-3, "{a} {b}: {got:?}");
        assert_eq!(pearson(&x, &x).r, 1.0);
        let gap = |values: [f64; 6]| [values.as_slice(), &[NAN]].concat();
        assert_eq!(pearson(&gap(x), &gap(y)).r, got.r, "{a} {b}");
    }
    assert!(pearson(&[f64::INFINITY, 1.0, 2.0], &[1.0, 2.0, 3.0]).r.is_nan());
    assert!(pearson(&[f64::INFINITY, f64::NEG_INFINITY, 2.0], &[1.0, 2.0, 3.0]).r.is_nan());
}

#[test]
fn ranks_are_averaged_over_ties() {
    assert_eq!(of_target(&[3.0, 1.0, 3.0, -0.0, 0.0]), [4.5, 3.0, 4.5, 1.5, 1.5]);
    // By hand: ranks 1 2.5 2.5 4 and 2 1 3 4, deviations -1.5 0 0 1.5 and -0.5 -1.5 0.5 1.5.
    assert!((spearman(&[1.0, 2.0, 2.0, 9.0], &[5.0, 1.0, 6.0, 7.0]).r - 3.0 / (4.5_f64 * 5.0).sqrt()).abs() < 1e-15);
}

/// Two series of one length: an offset and a scale each, some alike, with gaps or without.
fn series() -> impl Strategy<Value = (Vec<f64>, Vec<f64>)> {
    let side = || {
        (
            prop::sample::select(vec![0.0, 1.0, 1e6, -1e6, 1e9]),
            prop::sample::select(vec![1e-3, 1.0, 1e5]),
            prop::sample::select(vec![0_u32, 0, 5, 50, 95]),
        )
    };
    let cells = prop::collection::vec(((-1.0..1.0_f64, 0..100_u32), (-1.0..1.0_f64, 0..100_u32)), 0..300);
    (side(), side(), 0.0..1.0_f64, cells).prop_map(|(x_side, y_side, shared, cells)| {
        let value = |(offset, scale, gaps): (f64, f64, u32), (value, gap): (f64, u32)| {
            if gap < gaps { NAN } else { offset + scale * value }
        };
        let x = cells.iter().map(|(x, _)| value(x_side, *x)).collect();
        let y = cells.iter().map(|(x, y)| value(y_side, (shared * x.0 + (1.0 - shared) * y.0, y.1))).collect();
        (x, y)
    })
}

proptest! {
    #[test]
    fn pearson_is_the_naive_formula((x, y) in series()) {
        let (got, expected) = (pearson(&x, &y), naive(&x, &y));
        prop_assert_eq!(got.n, expected.n);
        prop_assert_eq!(got.r.is_nan(), expected.r.is_nan());
        prop_assert!(got.r.is_nan() || (got.r - expected.r).abs() <= 1e-12, "{got:?} {expected:?}");
        prop_assert!(got.r.is_nan() || got.r.abs() <= 1.0);
    }

    #[test]
    fn pearson_is_the_same_from_both_sides_and_1_with_itself((x, y) in series()) {
        let (there, back) = (pearson(&x, &y), pearson(&y, &x));
        prop_assert!((there.r - back.r).abs() <= 1e-12 || (there.r.is_nan() && back.r.is_nan()));
        let own = pearson(&x, &x);
        prop_assert!(own.r == 1.0 || own.n < 2 || !varies(pairs(&x, &x).map(|(x, _)| x)), "{own:?}");
    }

    #[test]
    fn a_gap_beyond_the_pairs_changes_nothing((x, y) in series()) {
        let with_gap = |values: &[f64]| [values, &[NAN]].concat();
        let (plain, masked) = (pearson(&x, &y), pearson(&with_gap(&x), &with_gap(&y)));
        prop_assert_eq!(plain.n, masked.n);
        prop_assert!((plain.r - masked.r).abs() <= 1e-12 || (plain.r.is_nan() && masked.r.is_nan()));
    }

    #[test]
    fn spearman_is_pearson_of_ranks_within_the_pairs((x, y) in series(), ties in prop::bool::ANY) {
        let coarse = |value: &f64| if ties { (value * 4.0).round() } else { *value };
        let (x, y): (Vec<f64>, Vec<f64>) = (x.iter().map(coarse).collect(), y.iter().map(coarse).collect());
        let (px, py): (Vec<f64>, Vec<f64>) = pairs(&x, &y).unzip();
        let expected = naive(&naive_ranks(&px), &naive_ranks(&py));
        let got = spearman(&x, &y);
        prop_assert_eq!(got.n, px.len());
        let near = (got.r - expected.r).abs() <= 1e-12 || (got.r.is_nan() && expected.r.is_nan());
        prop_assert!(near, "{got:?} {expected:?}");
    }
}
