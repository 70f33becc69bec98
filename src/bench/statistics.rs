//! Medians, and lines through figures that should not fall, or not grow faster than something else.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// The median; NaN of nothing.
pub(super) fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

/// The slope of a straight line through figures, by least squares.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Trend {
    /// How much a figure changes from step to step, or as x grows by 1.
    pub(super) slope: f64,
    /// Half the width of the slope's 95 % interval (Student's t, n - 2).
    pub(super) half_width: f64,
}

/// The trend of at least three figures that were taken at equal steps.
pub(super) fn trend(figures: &[f64]) -> Option<Trend> {
    line(&figures.iter().enumerate().map(|(at, figure)| (at as f64, *figure)).collect::<Vec<_>>())
}

/// The slope of the logarithms of at least three points (x, y): how often y doubles as x doubles once. `None` where a logarithm
/// has no sense.
pub(super) fn log_log(points: &[(f64, f64)]) -> Option<Trend> {
    let has_logarithm = |(x, y): &(f64, f64)| x.is_finite() && y.is_finite() && *x > 0.0 && *y > 0.0;
    let logarithms: Vec<_> = points.iter().map(|(x, y)| (x.ln(), y.ln())).collect();
    points.iter().all(has_logarithm).then(|| line(&logarithms)).flatten()
}

/// Through at least three points (x, y), not all with the same x.
fn line(points: &[(f64, f64)]) -> Option<Trend> {
    let n = points.len() as f64;
    if points.len() < 3 {
        return None;
    }
    let middle = points.iter().map(|(x, _)| x).sum::<f64>() / n;
    let mean = points.iter().map(|(_, y)| y).sum::<f64>() / n;
    let offsets = || points.iter().map(|(x, y)| (x - middle, y - mean));
    let spread: f64 = offsets().map(|(x, _)| x * x).sum();
    if spread <= 0.0 {
        return None;
    }
    let slope = offsets().map(|(x, y)| x * y).sum::<f64>() / spread;
    let left_over: f64 = offsets().map(|(x, y)| (y - slope * x).powi(2)).sum();
    let t = StudentsT::new(0.0, 1.0, n - 2.0).ok()?.inverse_cdf(0.975);
    Some(Trend { slope, half_width: t * (left_over / (n - 2.0) / spread).sqrt() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn a_straight_line_has_its_slope_and_no_doubt() {
        let trend = trend(&[10.0, 12.0, 14.0, 16.0]).unwrap();
        assert!((trend.slope - 2.0).abs() < 1e-12 && trend.half_width < 1e-9);
        assert_eq!(super::trend(&[1.0, 2.0]), None);
    }

    #[test]
    fn a_power_has_its_exponent_as_slope() {
        let points: Vec<_> = [1.0_f64, 2.0, 5.0, 50.0].map(|x| (x, 3.0 * x.powf(1.5))).to_vec();
        let found = log_log(&points).unwrap();
        assert!((found.slope - 1.5).abs() < 1e-12 && found.half_width < 1e-9);
        assert!(log_log(&[(10.0, 7.0), (100.0, 7.0), (1_000.0, 7.0)]).unwrap().slope.abs() < 1e-12);
        assert_eq!(log_log(&[(0.0, 1.0), (1.0, 1.0), (2.0, 1.0)]), None);
        assert_eq!(log_log(&[(1.0, f64::NAN), (2.0, 1.0), (3.0, 1.0)]), None);
        assert_eq!(log_log(&[(2.0, 1.0), (2.0, 2.0), (2.0, 3.0)]), None);
    }

    #[test]
    fn the_interval_is_the_textbook_s() {
        // R: confint(lm(c(1, 3, 2, 5, 4) ~ seq(0, 4)))
        let trend = trend(&[1.0, 3.0, 2.0, 5.0, 4.0]).unwrap();
        assert!((trend.slope - 0.8).abs() < 1e-12);
        assert!((trend.half_width - 1.102_201_9).abs() < 1e-3, "{}", trend.half_width);
    }
}
