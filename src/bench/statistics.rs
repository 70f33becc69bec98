//! Medians, and a line through figures that should not fall.

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

/// The slope of a straight line through figures that were taken at equal steps, by least squares.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Trend {
    /// How much a figure changes from step to step.
    pub(super) slope: f64,
    /// Half the width of the slope's 95 % interval (Student's t, n - 2).
    pub(super) half_width: f64,
}

/// The trend of at least three figures.
pub(super) fn trend(figures: &[f64]) -> Option<Trend> {
    let n = figures.len() as f64;
    if figures.len() < 3 {
        return None;
    }
    let (middle, mean) = ((n - 1.0) / 2.0, figures.iter().sum::<f64>() / n);
    let offsets = || figures.iter().enumerate().map(|(at, figure)| (at as f64 - middle, figure - mean));
    let spread: f64 = offsets().map(|(x, _)| x * x).sum();
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
    fn the_interval_is_the_textbook_s() {
        // R: confint(lm(c(1, 3, 2, 5, 4) ~ seq(0, 4)))
        let trend = trend(&[1.0, 3.0, 2.0, 5.0, 4.0]).unwrap();
        assert!((trend.slope - 0.8).abs() < 1e-12);
        assert!((trend.half_width - 1.102_201_9).abs() < 1e-3, "{}", trend.half_width);
    }
}
