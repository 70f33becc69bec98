//! Spearman's r: Pearson's r of average ranks.

use super::{Correlation, Target, lanes, pairs};

/// Buffers that are used again from series to series.
#[derive(Debug, Default)]
pub(in crate::correlation) struct Scratch {
    /// Values with their places.
    sorted: Vec<(f64, usize)>,
    x: Vec<f64>,
    y: Vec<f64>,
}

/// Replaces every value by its rank, from 1 on; equal values get the average of theirs.
fn replace_by_ranks(values: &mut [f64], sorted: &mut Vec<(f64, usize)>) {
    sorted.clear();
    sorted.extend(values.iter().copied().zip(0..));
    sorted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let mut below = 0;
    for equal in sorted.chunk_by(|a, b| a.0 == b.0) {
        let rank = below as f64 + (equal.len() as f64 + 1.0) / 2.0;
        for (_, place) in equal {
            values[*place] = rank;
        }
        below += equal.len();
    }
}

/// The ranks of a slice, or the slice itself if a value is missing: its ranks then depend on the other side's gaps.
pub(in crate::correlation) fn of_target(values: &[f64]) -> Vec<f64> {
    let mut ranks = values.to_vec();
    if !lanes::sum(values).is_nan() {
        replace_by_ranks(&mut ranks, &mut Vec::new());
    }
    ranks
}

impl Target<'_> {
    /// Spearman's r with a slice of the same length, where this target is of [`of_target`].
    ///
    /// O(n log n), and half of it where neither side has a gap.
    pub(in crate::correlation) fn spearman(
        &self,
        other: &[f64],
        min_overlap: usize,
        scratch: &mut Scratch,
    ) -> Correlation {
        assert_eq!(self.values.len(), other.len(), "both sides have the same buckets");
        let Scratch { sorted, x, y } = scratch;
        if self.centred.is_some() && !lanes::sum(other).is_nan() {
            y.clear();
            y.extend_from_slice(other);
            replace_by_ranks(y, sorted);
            return self.pearson(y, min_overlap);
        }
        x.clear();
        y.clear();
        for (a, b) in pairs(self.values, other) {
            x.push(a);
            y.push(b);
        }
        if x.len() < min_overlap {
            return Correlation { r: f64::NAN, n: x.len() };
        }
        replace_by_ranks(x, sorted);
        replace_by_ranks(y, sorted);
        Target::new(x).pearson(y, min_overlap)
    }
}
