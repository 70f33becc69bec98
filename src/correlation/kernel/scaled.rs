//! Values so great or so small that their squares leave the range of a float64.

use super::{complete::Centred, lanes, pairs};

/// Pearson's r over the pairs of two slices that both vary there; NaN where a value is infinite.
///
/// r does not change with the scale of a side, so each is first multiplied by a power of two, which loses nothing.
pub(super) fn r(x: &[f64], y: &[f64]) -> f64 {
    let (mut x, mut y): (Vec<f64>, Vec<f64>) = pairs(x, y).unzip();
    scale(&mut x);
    scale(&mut y);
    let mean = lanes::sum(&y) / y.len() as f64;
    Centred::new(&x).and_then(|x| x.moments(&y, mean).r()).unwrap_or(f64::NAN)
}

/// Brings the greatest |value| near 1. Not all values are equal, so deviations are then at least of the order 1e-16.
fn scale(values: &mut [f64]) {
    let greatest = values.iter().fold(0.0_f64, |greatest, value| greatest.max(value.abs()));
    let factor = (-greatest.log2().floor().clamp(-1_000.0, 1_000.0)).exp2();
    values.iter_mut().for_each(|value| *value *= factor);
}
