//! The kernel for slices without gaps.

use super::{
    Moments,
    lanes::{self, LANES, padded, total},
    varies,
};

/// A slice without gaps, as deviations from its mean.
#[derive(Debug)]
pub(super) struct Centred {
    deviations: Vec<f64>,
    /// The sum of the deviations: what rounding left in the mean, times their number.
    sum: f64,
    /// The sum of their squares.
    squares: f64,
    varies: bool,
}

/// The sums over the second pass.
#[derive(Default)]
struct Sums {
    y: [f64; LANES],
    yy: [f64; LANES],
    xy: [f64; LANES],
}

impl Sums {
    #[inline]
    fn add(&mut self, x: &[f64; LANES], y: &[f64; LANES], mean: f64) {
        for lane in 0..LANES {
            let deviation = y[lane] - mean;
            self.y[lane] += deviation;
            self.yy[lane] += deviation * deviation;
            self.xy[lane] += x[lane] * deviation;
        }
    }

    fn over(x: &[f64], y: &[f64], mean: f64) -> Self {
        let mut sums = Self::default();
        let ((x_blocks, x_tail), (y_blocks, y_tail)) = (x.as_chunks::<LANES>(), y.as_chunks::<LANES>());
        for (x, y) in x_blocks.iter().zip(y_blocks) {
            sums.add(x, y, mean);
        }
        sums.add(&padded(x_tail, 0.0), &padded(y_tail, mean), mean);
        sums
    }
}

impl Centred {
    /// `None` if a value is missing.
    pub(super) fn new(values: &[f64]) -> Option<Self> {
        let sum = lanes::sum(values);
        if sum.is_nan() {
            return None;
        }
        let mean = sum / values.len() as f64;
        let deviations: Vec<f64> = values.iter().map(|value| value - mean).collect();
        let sums = Sums::over(&deviations, values, mean);
        let varies = varies(values.iter().copied());
        Some(Self { sum: total(sums.y), squares: total(sums.yy), deviations, varies })
    }

    /// Whether not all values are equal.
    pub(super) fn varies(&self) -> bool {
        self.varies
    }

    /// The moments with another slice without gaps, of this mean.
    pub(super) fn moments(&self, other: &[f64], mean: f64) -> Moments {
        let sums = Sums::over(&self.deviations, other, mean);
        let moments = Moments { xx: self.squares, yy: total(sums.yy), xy: total(sums.xy) };
        moments.corrected(other.len() as f64, self.sum, total(sums.y))
    }
}
