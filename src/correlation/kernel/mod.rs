//! Pearson's and Spearman's r of two slices, missing = NaN.
//!
//! Two passes: means, then products of deviations, with what rounding left in the means taken off again (see
//! [`Moments`]). Sums run in several accumulators, which the compiler turns into vectors without `unsafe`, and which
//! keep rounding errors small. Where neither side has a gap ([`complete`]) the target's deviations are computed once
//! for all series; the other kernel ([`paired`]) masks. A third path ([`scaled`]) takes over where squares would leave
//! the range of a float64.
//!
//! One against many over panels sums in one pass instead: [`tiles`] in float32 over a few buckets, [`sums`] in float64 over
//! all, which also knows where the result cannot be trusted, so that it is computed anew as above.

use std::ops::RangeInclusive;

mod complete;
mod lanes;
mod paired;
mod ranks;
mod scaled;
pub(super) mod sums;
#[cfg(test)]
mod tests;
pub(super) mod tiles;
mod weighted;

use complete::Centred;
pub(super) use ranks::{Scratch, of_target as ranks_of_target};
pub(super) use weighted::Weights;

/// Sums of squares within these bounds, and their products, neither overflow nor lose digits to underflow.
const TRUSTED: RangeInclusive<f64> = 1e-140..=1e140;

/// Sums of products of deviations from the means.
#[derive(Debug, Clone, Copy)]
struct Moments {
    xx: f64,
    yy: f64,
    xy: f64,
}

impl Moments {
    /// Takes off what the rounding of the means has added: with `x` and `y` the sums of the deviations, which would be
    /// 0 for exact means.
    fn corrected(self, n: f64, x: f64, y: f64) -> Self {
        Self { xx: self.xx - x * x / n, yy: self.yy - y * y / n, xy: self.xy - x * y / n }
    }

    /// r, or `None` where the sums cannot be trusted.
    ///
    /// A series with itself has three equal sums, of which this makes exactly 1: the root of a square is exact.
    fn r(self) -> Option<f64> {
        let trusted = TRUSTED.contains(&self.xx) && TRUSTED.contains(&self.yy);
        trusted.then(|| (self.xy / (self.xx * self.yy).sqrt()).clamp(-1.0, 1.0))
    }
}

/// An r and over how many pairs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Correlation {
    /// NaN where undefined.
    pub(super) r: f64,
    /// How many buckets both sides have.
    pub(super) n: usize,
}

impl Correlation {
    /// An r as it was computed from so many pairs.
    pub(super) fn of(r: f64, n: usize) -> Self {
        Self { r: if n == 2 { of_two_pairs(r) } else { r }, n }
    }
}

/// Two points lie on a line, which is not left to rounding: of many series with so few pairs each is as strong as the other, and
/// their order must not depend on how their sums came about.
#[inline(always)]
#[expect(clippy::inline_always, reason = "it must be compiled for the caller's instructions")]
fn of_two_pairs(r: f64) -> f64 {
    if r.is_nan() { r } else { 1.0_f64.copysign(r) }
}

/// One side of many correlations over the same buckets.
#[derive(Debug)]
pub(super) struct Target<'a> {
    values: &'a [f64],
    /// `None` where a value is missing.
    centred: Option<Centred>,
}

impl<'a> Target<'a> {
    /// Prepares one side.
    pub(super) fn new(values: &'a [f64]) -> Self {
        Self { values, centred: Centred::new(values) }
    }

    /// Pearson's r with a slice of the same length.
    pub(super) fn pearson(&self, other: &[f64], min_overlap: usize) -> Correlation {
        assert_eq!(self.values.len(), other.len(), "both sides have the same buckets");
        if let Some(centred) = &self.centred {
            let sum = lanes::sum(other);
            if !sum.is_nan() {
                let n = other.len();
                let defined = n >= min_overlap && centred.varies() && varies(other.iter().copied());
                let r = if defined { centred.moments(other, sum / n as f64).r() } else { Some(f64::NAN) };
                return Correlation::of(r.unwrap_or_else(|| scaled::r(self.values, other)), n);
            }
        }
        let means = paired::Means::new(self.values, other);
        let defined = means.count() >= min_overlap && both_vary(self.values, other);
        let r = if defined { means.moments(self.values, other).r() } else { Some(f64::NAN) };
        Correlation::of(r.unwrap_or_else(|| scaled::r(self.values, other)), means.count())
    }
}

/// Whether not all values are equal.
fn varies(mut values: impl Iterator<Item = f64>) -> bool {
    values.next().is_some_and(|first| values.any(|value| value != first))
}

/// The pairs without a missing side.
fn pairs<'a>(x: &'a [f64], y: &'a [f64]) -> impl Iterator<Item = (f64, f64)> + 'a {
    x.iter().copied().zip(y.iter().copied()).filter(|(x, y)| !x.is_nan() && !y.is_nan())
}

/// Whether on neither side all values of the pairs are equal.
fn both_vary(x: &[f64], y: &[f64]) -> bool {
    varies(pairs(x, y).map(|(x, _)| x)) && varies(pairs(x, y).map(|(_, y)| y))
}
