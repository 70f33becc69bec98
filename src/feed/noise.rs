//! Seeded random numbers that are the same on every machine.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{RngCore, SeedableRng},
};

/// A stream of random numbers.
#[derive(Debug, Clone)]
pub(super) struct Noise(ChaCha8Rng);

impl Noise {
    pub(super) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// Near the standard normal distribution: the sum of four uniform numbers, scaled to mean 0 and variance 1. Its tails
    /// end at 3.46, so that no step is absurd.
    pub(super) fn normal(&mut self) -> f64 {
        /// A uniform number of 16 bits has the mean (2^16 - 1) / 2 ...
        const MEAN: f64 = 4.0 * 32_767.5;
        /// ... and the variance (2^32 - 1) / 12; four of them together four times that.
        const VARIANCE: f64 = 4_294_967_295.0 / 3.0;
        let bits = self.0.next_u64();
        let sum: u64 = (0..4).map(|lane| (bits >> (16 * lane)) & 0xffff).sum();
        (sum as f64 - MEAN) / VARIANCE.sqrt()
    }

    /// Uniform between two numbers.
    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * (self.0.next_u32() as f64 / 4_294_967_296.0)
    }

    /// Uniform below `limit`, which is not 0; its bias is less than `limit` / 2^32.
    pub(super) fn below(&mut self, limit: u32) -> u32 {
        let product = u64::from(self.0.next_u32()) * u64::from(limit);
        u32::try_from(product >> 32).unwrap_or(0)
    }

    /// 1 in half of the cases, 2 in a quarter, 3 in an eighth, and so on to 33.
    pub(super) fn geometric(&mut self) -> u32 {
        self.0.next_u32().trailing_zeros() + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_numbers_have_their_moments() {
        let mut noise = Noise::new(7);
        let numbers: Vec<f64> = (0..200_000).map(|_| noise.normal()).collect();
        let mean = numbers.iter().sum::<f64>() / 200_000.0;
        let variance = numbers.iter().map(|z| z * z).sum::<f64>() / 200_000.0;
        let beyond_two = numbers.iter().filter(|z| z.abs() > 2.0).count() as f64 / 200_000.0;
        assert!(mean.abs() < 0.01 && (variance - 1.0).abs() < 0.01, "{mean} {variance}");
        assert!((0.035..0.055).contains(&beyond_two), "{beyond_two}, of the normal distribution 0.0455");
    }

    #[test]
    fn numbers_below_a_limit_reach_all_of_it() {
        let mut noise = Noise::new(1);
        let mut counts = [0; 5];
        (0..10_000).for_each(|_| counts[noise.below(5) as usize] += 1);
        assert!(counts.iter().all(|count| (1_800..2_200).contains(count)), "{counts:?}");
    }
}
