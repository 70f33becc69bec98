//! Panels to compute with, and the two things that are done to them.

use std::{ops::Range, time::Instant};

use ndarray::{Array2, Axis};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::{
    bench::{
        BenchError,
        environment::available_memory_bytes,
        read_pass::{Reading, read_pass},
    },
    block::LoosePanels,
    correlation::{Panel, one_vs_panels},
};

/// With fewer pairs there is no r.
const MIN_OVERLAP: usize = 10;
/// Series that are made with one generator.
const SERIES_AT_ONCE: usize = 512;
/// What a question's answer and everything else in the process may take besides the panels.
const MORE_BYTES: u64 = 64 << 20;
/// Bytes of r, n and the kernel's sums for each series, with five ranges.
const BYTES_A_SERIES: u64 = 5 * (8 + 8) * 2;

/// What panels are made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Making {
    pub(super) series: usize,
    pub(super) buckets: usize,
    /// Buckets of a chunk.
    pub(super) chunk_buckets: usize,
    /// The share of values that are missing, at random.
    pub(super) missing: f64,
}

/// Panels in memory.
#[derive(Debug)]
pub(super) struct Made {
    panels: LoosePanels,
    series: usize,
}

impl Making {
    /// All buckets in one chunk, and nothing missing.
    pub(super) fn complete(series: usize, buckets: usize) -> Self {
        Self { series, buckets, chunk_buckets: buckets, missing: 0.0 }
    }

    /// The most memory that it takes to make and to measure it.
    pub(super) fn bytes(&self) -> u64 {
        LoosePanels::most_bytes(self.series, self.buckets)
            .saturating_add(BYTES_A_SERIES.saturating_mul(self.series as u64))
            .saturating_add(MORE_BYTES)
    }

    /// Whether it fits into the memory that is free; where the system does not tell, it does.
    pub(super) fn fits(&self) -> bool {
        self.fits_into(available_memory_bytes()).is_ok()
    }

    fn fits_into(&self, available: Option<u64>) -> Result<(), BenchError> {
        match available {
            Some(available) if self.bytes() > available => {
                Err(BenchError::Memory { series: self.series, buckets: self.buckets, needed: self.bytes(), available })
            }
            _ => Ok(()),
        }
    }

    /// Makes the panels; the same ones every time.
    pub(super) fn make(self) -> Result<Made, BenchError> {
        self.fits_into(available_memory_bytes())?;
        let Self { series, buckets, chunk_buckets, missing } = self;
        let panels = LoosePanels::derive(series, buckets, chunk_buckets, |within| changes(series, within, missing));
        Ok(Made { panels, series })
    }
}

impl Made {
    /// Their views, to be taken before the clock runs.
    pub(super) fn views(&self) -> Vec<Panel<'_>> {
        self.panels.views()
    }

    /// Correlates a series with all over these ranges; in milliseconds.
    pub(super) fn correlate(&self, panels: &[Panel<'_>], ranges: &[Range<usize>]) -> f64 {
        let begun = Instant::now();
        let found = one_vs_panels(panels, self.series / 2, self.series, ranges, MIN_OVERLAP);
        let elapsed = begun.elapsed();
        std::hint::black_box(found);
        elapsed.as_secs_f64() * 1e3
    }
}

/// Reads the values of panels; in milliseconds.
pub(super) fn read_values(panels: &[Panel<'_>], reading: Reading) -> f64 {
    let pieces: Vec<&[f32]> = panels.iter().map(|panel| panel.values.as_flattened()).collect();
    read_pass(&pieces, reading)
}

/// Changes of a market that all series follow more or less.
fn changes(series: usize, within: Range<usize>, missing: f64) -> Array2<f64> {
    let mut random = ChaCha8Rng::seed_from_u64(within.start as u64);
    let market: Vec<f64> = within.map(|_| random.random_range(-1.0..1.0)).collect();
    let seed: u64 = random.random();
    let mut values = Array2::zeros((series, market.len()));
    values.axis_chunks_iter_mut(Axis(0), SERIES_AT_ONCE).into_par_iter().enumerate().for_each(|(part, mut rows)| {
        let mut random = ChaCha8Rng::seed_from_u64(seed.wrapping_add(part as u64));
        for (place, mut row) in rows.rows_mut().into_iter().enumerate() {
            let share = (place % 10) as f64 / 10.0;
            for (value, market) in row.iter_mut().zip(&market) {
                let own: f64 = random.random_range(-1.0..1.0);
                let is_missing = missing > 0.0 && random.random_bool(missing);
                *value = if is_missing { f64::NAN } else { share * market + (1.0 - share) * own };
            }
        }
    });
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_much_is_missing_as_was_asked_for() {
        let there = |missing: f64| {
            let values = changes(1_000, 0..100, missing);
            values.iter().filter(|value| value.is_nan()).count()
        };
        assert_eq!(there(0.0), 0);
        assert!((4_500..5_500).contains(&there(0.05)), "{}", there(0.05));
        let made = Making { missing: 0.05, ..Making::complete(100, 40) }.make().unwrap();
        assert!(made.views().iter().any(|panel| panel.full.contains(&false)));
        assert!(
            made.correlate(&made.views(), &[0..40, 3..20]) > 0.0 && read_values(&made.views(), Reading::Plain) > 0.0
        );
    }

    #[test]
    fn too_much_is_told_with_what_to_lower() {
        let making = Making::complete(100_000, 2_000);
        assert!(making.fits_into(None).is_ok() && making.fits_into(Some(4 << 30)).is_ok());
        let error = making.fits_into(Some(500_000_000)).unwrap_err().to_string();
        assert!(error.starts_with("100000 series over 2000 buckets take 1"), "{error}");
        assert!(error.ends_with("and 500 MB are free: lower --series or --buckets"), "{error}");
    }
}
