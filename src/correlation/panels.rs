//! One series against many over panels: stretches of buckets in float32, tile after tile of series.
//!
//! ```text
//! ranges      |------- A -------|        |-- C --|
//!                    |------- B -------|
//! segments    |  A   |    A+B   |  B   | |   C   |       each bucket is summed once for all ranges that hold it
//! steps       ||||||||||||||||||||||||||||||||||||       at most 64 buckets of one panel, those in which the target has a value
//! ```
//!
//! Threads take groups of tiles, and go with one through all steps, so that a panel's memory is read in order whether it has
//! five buckets or thousands; see the kernel for how steps are summed. At the end of a segment its sums go to its ranges, and
//! after the last one r and n are made of them, so that only a group's sums are held at once.

mod group;
mod steps;

use std::ops::Range;

use ndarray::{Array2, Axis};
use rayon::prelude::*;

use self::{group::GroupSums, steps::plan};
use super::{Stop, kernel::tiles::LANES};

/// Tiles that a thread sums at once, at most: those of a chunk of five buckets are 80 kB of memory in one piece, and their sums
/// stay in its second cache.
const MOST_GROUP_TILES: usize = 256;
/// As few as this only with fewer series.
const LEAST_GROUP_TILES: usize = 16;
/// With fewer groups a thread that is done early would wait long for the others.
const GROUPS_A_THREAD: usize = 8;
/// A group has so many sums at most, of 1 kB each: one a tile for the segment under way, and one for each range.
const MOST_GROUP_SUMS: usize = 512;

/// Consecutive buckets of series side by side.
///
/// Series stand in tiles of [`Panel::LANES`], the last one padded; a tile has bucket after bucket, and within a bucket its
/// series: `[tile][bucket][lane]`. A panel may have fewer series than another; those have no values in it.
#[derive(Debug, Clone, Copy)]
pub struct Panel<'a> {
    /// How many buckets there are.
    pub buckets: usize,
    /// Deviations from the offsets, 0 where a value is missing.
    pub values: &'a [[f32; LANES]],
    /// A bit a value, set where it is there; as long as `values`, or empty where nothing is missing.
    pub present: &'a [u16],
    /// For each tile whether nothing is missing in it; a series that is none counts as missing.
    pub full: &'a [bool],
    /// What deviations are counted from, series by series; empty where that is 0.
    pub offsets: &'a [[f64; LANES]],
    /// For each tile a bit for every series whose values float32 cannot hold.
    pub wild: &'a [u16],
}

/// r and n of every series in every range; rows = ranges, columns = series.
#[derive(Debug, Clone)]
pub struct OneVsPanels {
    /// NaN where undefined, and where doubtful.
    pub r: Array2<f64>,
    /// How many buckets both series have.
    pub n: Array2<i64>,
    /// (range, series) where rounding may have spoilt r: to be computed in float64.
    pub doubtful: Vec<(usize, usize)>,
}

impl Panel<'_> {
    /// Series of a tile.
    pub const LANES: usize = LANES;

    fn value(&self, series: usize, bucket: usize) -> Option<f32> {
        let (tile, lane) = (series / LANES, series % LANES);
        let at = tile * self.buckets + bucket;
        let is_there = match self.full.get(tile) {
            Some(true) => true,
            Some(false) => self.present.get(at)? >> lane & 1 == 1,
            None => false,
        };
        is_there.then(|| self.values.get(at).map(|values| values[lane])).flatten()
    }

    fn offset(&self, series: usize) -> f64 {
        self.offsets.get(series / LANES).map_or(0.0, |offsets| offsets[series % LANES])
    }
}

/// Correlates the series number `target` with the first `series` of the panels over each of `ranges`, which are numbers of
/// buckets counted through all panels, and may overlap. r is Pearson's, as of [`one_vs_all`](super::one_vs_all()).
///
/// An r that is not doubtful is within 1e-6 of what float64 gives. A series with itself gives exactly 1. O(series x buckets
/// of all ranges together) time on all cores.
#[must_use]
pub fn one_vs_panels(
    panels: &[Panel<'_>],
    target: usize,
    series: usize,
    ranges: &[Range<usize>],
    min_overlap: usize,
) -> OneVsPanels {
    let plan = plan(panels, target, ranges);
    let min_overlap = i64::try_from(min_overlap).unwrap_or(i64::MAX);
    let mut r = Array2::from_elem((ranges.len(), series), f64::NAN);
    let mut n = Array2::zeros((ranges.len(), series));
    let group_tiles = group_tiles(series.div_ceil(LANES), ranges.len());
    let columns = group_tiles * LANES;
    let stop = Stop::current();
    let doubtful = r
        .axis_chunks_iter_mut(Axis(1), columns)
        .into_par_iter()
        .zip(n.axis_chunks_iter_mut(Axis(1), columns))
        .enumerate()
        // What a thread has made room for serves all its groups.
        .map_init(
            || GroupSums::new(panels, ranges.len()),
            |sums, (group, (r, n))| {
                sums.begin(group * group_tiles, r.ncols().div_ceil(LANES));
                if !stop.is_given() {
                    sums.run(&plan);
                }
                sums.finish(r, n, min_overlap, target)
            },
        )
        .flatten_iter()
        .collect();
    OneVsPanels { r, n, doubtful }
}

/// How many tiles a thread sums at once.
fn group_tiles(tiles: usize, ranges: usize) -> usize {
    let fair = tiles / (rayon::current_num_threads() * GROUPS_A_THREAD);
    let most = MOST_GROUP_TILES.min(MOST_GROUP_SUMS / (1 + ranges)).max(LEAST_GROUP_TILES);
    fair.clamp(LEAST_GROUP_TILES, most)
}

#[cfg(test)]
mod tests;
