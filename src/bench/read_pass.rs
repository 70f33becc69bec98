//! What a correlation is held against: memory that is read once by all cores.

use std::time::Instant;

use multiversion::multiversion;
use rayon::prelude::*;

/// With which instructions memory is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// Those that every machine of this kind has, as any program would. Where cores are short of time, because something else
    /// runs, it is slower than memory.
    Plain,
    /// The widest that this machine has, which the kernel uses too: as fast as memory is.
    Widest,
}

/// Adds up all values on all cores; in milliseconds.
pub(super) fn read_pass(pieces: &[&[f32]], reading: Reading) -> f64 {
    let begun = Instant::now();
    let values: usize = pieces.iter().map(|piece| piece.len()).sum();
    let part = values.div_ceil(rayon::current_num_threads() * 8).max(1);
    let parts = pieces.par_iter().flat_map(|piece| piece.par_chunks(part));
    let sum: f32 = match reading {
        Reading::Plain => parts.map(plain_sum).sum(),
        Reading::Widest => parts.map(widest_sum).sum(),
    };
    let elapsed = begun.elapsed();
    std::hint::black_box(sum);
    elapsed.as_secs_f64() * 1e3
}

/// In sixteen accumulators, so that memory is what it waits for.
fn plain_sum(values: &[f32]) -> f32 {
    sum::<16>(values)
}

/// In as many as fill four of the widest registers.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx2+fma", "x86_64+avx2+fma", "aarch64+neon"))]
fn widest_sum(values: &[f32]) -> f32 {
    sum::<64>(values)
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "it must be compiled for the caller's instructions")]
fn sum<const ACCUMULATORS: usize>(values: &[f32]) -> f32 {
    let (blocks, rest) = values.as_chunks::<ACCUMULATORS>();
    let mut sums = [0.0_f32; ACCUMULATORS];
    for block in blocks {
        for (sum, value) in sums.iter_mut().zip(block) {
            *sum += value;
        }
    }
    sums.iter().chain(rest).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_read() {
        let values: Vec<f32> = (0..=140_u8).map(f32::from).collect();
        assert_eq!([plain_sum(&values), widest_sum(&values)], [9_870.0; 2]);
        for reading in [Reading::Plain, Reading::Widest] {
            assert!(read_pass(&[&values, &[], &values[..5]], reading) > 0.0);
        }
    }
}
