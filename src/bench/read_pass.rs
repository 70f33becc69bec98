//! What a correlation is held against: memory that is read once by all cores.

use std::time::Instant;

use rayon::prelude::*;

/// Adds up all values on all cores; in milliseconds.
pub(super) fn read_pass(pieces: &[&[f32]]) -> f64 {
    let begun = Instant::now();
    let values: usize = pieces.iter().map(|piece| piece.len()).sum();
    let part = values.div_ceil(rayon::current_num_threads() * 8).max(1);
    let sum: f32 = pieces.par_iter().flat_map(|piece| piece.par_chunks(part)).map(sum).sum();
    let elapsed = begun.elapsed();
    std::hint::black_box(sum);
    elapsed.as_secs_f64() * 1e3
}

/// In sixteen accumulators, so that memory is what it waits for.
fn sum(values: &[f32]) -> f32 {
    let (blocks, rest) = values.as_chunks::<16>();
    let mut sums = [0.0_f32; 16];
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
        let values: Vec<f32> = (0..37_u8).map(f32::from).collect();
        assert_eq!(sum(&values), 666.0);
        assert!(read_pass(&[&values, &[], &values[..5]]) > 0.0);
    }
}
