//! Sums in several accumulators at once.

/// How many accumulators a sum of one or two products runs in: four SSE2 registers, enough to hide the latency of an
/// addition.
pub(super) const LANES: usize = 8;

/// The sum over the lanes, of which there is a power of two.
pub(super) fn total<const N: usize>(mut lanes: [f64; N]) -> f64 {
    let mut width = N;
    while width > 1 {
        width /= 2;
        for lane in 0..width {
            lanes[lane] += lanes[lane + width];
        }
    }
    lanes[0]
}

/// The values that are left after whole blocks, with the other lanes set to `rest`.
pub(super) fn padded<const N: usize>(tail: &[f64], rest: f64) -> [f64; N] {
    let mut lanes = [rest; N];
    lanes[..tail.len()].copy_from_slice(tail);
    lanes
}

/// The sum of all values; NaN if one is NaN.
pub(super) fn sum(values: &[f64]) -> f64 {
    let (blocks, tail) = values.as_chunks::<LANES>();
    let mut sums: [f64; LANES] = padded(tail, 0.0);
    for block in blocks {
        for (sum, value) in sums.iter_mut().zip(block) {
            *sum += value;
        }
    }
    total(sums)
}
