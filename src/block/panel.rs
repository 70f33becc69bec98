//! What is kept of a stretch of time. Pure.
//!
//! ```text
//! tile 0                                   tile 1
//! bucket 0         bucket 1         ...    bucket 0          ...
//! s0 s1 ... s15    s0 s1 ... s15           s16 s17 ... s31
//! ```
//!
//! A tile is 16 series in the order in which they were met, the last tile padded; within it comes bucket after bucket, and
//! in a bucket the series side by side.

use ndarray::ArrayView2;
use rayon::prelude::*;

use super::cells::Cells;
use crate::correlation::Panel;

pub(super) const LANES: usize = Panel::LANES;

/// The aggregates of a panel's buckets, as the database has them.
#[derive(Debug)]
pub(super) struct Base {
    /// Random: no other panel has the same.
    pub(super) version: u64,
    /// How many series there were.
    pub(super) series: usize,
    pub(super) buckets: usize,
    /// Missing = NaN.
    pub(super) values: Cells<[f64; LANES]>,
    /// For each bucket whether any series of the measurement has the field.
    pub(super) observed: Vec<bool>,
    /// The same of the series here; rows may be left behind of a series that is gone.
    pub(super) valued: Vec<bool>,
}

/// What correlations compute with: a base panel filled and transformed.
#[derive(Debug)]
pub(super) struct Compute {
    /// The version of the base panel that it was made of.
    pub(super) base: u64,
    /// The base panels before it that its first buckets depend on, by version.
    pub(super) history: Vec<u64>,
    pub(super) buckets: usize,
    /// Deviations from the offsets, missing = 0.
    pub(super) values: Cells<[f32; LANES]>,
    /// A bit a value; empty where nothing is missing.
    pub(super) present: Cells<u16>,
    /// For each tile whether nothing is missing.
    pub(super) full: Vec<bool>,
    /// For each tile the offsets of its series; empty where they are 0.
    pub(super) offsets: Cells<[f64; LANES]>,
    /// For each tile the series that float32 cannot hold.
    pub(super) wild: Vec<u16>,
}

impl Base {
    /// A panel of values with a row a series and a column a bucket.
    pub(super) fn new(values: ArrayView2<'_, f64>, observed: Vec<bool>) -> Self {
        let (series, buckets) = values.dim();
        let mut tiles = vec![[f64::NAN; LANES]; series.div_ceil(LANES) * buckets];
        tiles.par_chunks_exact_mut(buckets.max(1)).enumerate().for_each(|(tile, cells)| {
            let first = tile * LANES;
            for series in first..series.min(first + LANES) {
                for (cell, value) in cells.iter_mut().zip(values.row(series)) {
                    cell[series - first] = *value;
                }
            }
        });
        let valued = valued(&tiles, buckets);
        Self { version: rand::random(), series, buckets, values: tiles.into(), observed, valued }
    }

    /// This panel with some buckets, from `first` on, taken from another; the other may have more series.
    pub(super) fn with(&self, first: usize, newer: &Self) -> Self {
        let (buckets, tiles) = (self.buckets, newer.series.div_ceil(LANES));
        let mut values = self.values.to_vec();
        values.resize(tiles * buckets, [f64::NAN; LANES]);
        values
            .par_chunks_exact_mut(buckets.max(1))
            .zip(newer.values.par_chunks_exact(newer.buckets.max(1)))
            .for_each(|(cells, newer)| cells[first..first + newer.len()].copy_from_slice(newer));
        let (mut observed, mut valued) = (self.observed.clone(), self.valued.clone());
        observed[first..first + newer.buckets].copy_from_slice(&newer.observed);
        valued[first..first + newer.buckets].copy_from_slice(&newer.valued);
        Self { version: rand::random(), series: newer.series, buckets, values: values.into(), observed, valued }
    }

    /// The value of a series in a bucket.
    pub(super) fn value(&self, series: usize, bucket: usize) -> f64 {
        self.values.get(series / LANES * self.buckets + bucket).map_or(f64::NAN, |values| values[series % LANES])
    }

    pub(super) fn tiles(&self) -> usize {
        self.series.div_ceil(LANES)
    }

    /// The memory that it takes.
    pub(super) fn bytes(&self) -> u64 {
        self.values.owned_bytes() + (2 * self.buckets + size_of::<Self>()) as u64
    }
}

impl Compute {
    /// As correlations take it.
    pub(super) fn view(&self) -> Panel<'_> {
        Panel {
            buckets: self.buckets,
            values: &self.values,
            present: &self.present,
            full: &self.full,
            offsets: &self.offsets,
            wild: &self.wild,
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        let of_tiles = (self.full.len() + size_of_val(self.wild.as_slice()) + size_of::<Self>()) as u64;
        of_tiles + self.offsets.owned_bytes() + self.values.owned_bytes() + self.present.owned_bytes()
    }
}

/// For each bucket whether a series has a value in it.
fn valued(tiles: &[[f64; LANES]], buckets: usize) -> Vec<bool> {
    let mut valued = vec![false; buckets];
    for tile in tiles.chunks_exact(buckets.max(1)) {
        for (valued, values) in valued.iter_mut().zip(tile) {
            *valued = *valued || values.iter().any(|value| !value.is_nan());
        }
    }
    valued
}
