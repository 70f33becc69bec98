//! One series against many over panels: stretches of buckets in float32, tile after tile of series.
//!
//! ```text
//! ranges      |------- A -------|        |-- C --|
//!                    |------- B -------|
//! segments    |  A   |    A+B   |  B   | |   C   |       each bucket is summed once for all ranges that hold it
//! steps       ||||||||||||||||||||||||||||||||||||       at most 64 buckets of one panel in which the target has a value
//! ```
//!
//! Threads take groups of tiles, and go with one through all steps, so that a panel's memory is read in order whether it has
//! five buckets or thousands; see the kernel for how a step is summed. At the end of a segment its sums go to its ranges, and
//! after the last one r and n are made of them, so that only a group's sums are held at once.

use std::ops::Range;

use ndarray::{Array2, ArrayViewMut2, Axis};
use rayon::prelude::*;

use super::{
    Stop,
    kernel::{
        sums::{self, Lane64, Origin, Sums, TargetSums},
        tiles::{self, Group, LANES, Pairs, Part, STRETCH},
    },
};

/// Tiles that a thread sums at once: their sums stay in its nearest cache.
const GROUP_TILES: usize = 32;

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

/// A stretch of one panel in which the target has every value.
struct Step {
    panel: usize,
    /// The first bucket of the panel.
    from: usize,
    /// The target's deviations.
    x: Vec<f32>,
    sums: TargetSums,
    /// The target's offset, as a deviation from its reference.
    offset: f64,
}

/// Steps that belong to the same ranges.
struct Segment {
    steps: Vec<Step>,
    ranges: Vec<usize>,
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
    let segments = segments(panels, target, ranges);
    let shifted = panels.iter().any(|panel| !panel.offsets.is_empty());
    let min_overlap = i64::try_from(min_overlap).unwrap_or(i64::MAX);
    let mut r = Array2::from_elem((ranges.len(), series), f64::NAN);
    let mut n = Array2::zeros((ranges.len(), series));
    let columns = GROUP_TILES * LANES;
    let stop = Stop::current();
    let doubtful = r
        .axis_chunks_iter_mut(Axis(1), columns)
        .into_par_iter()
        .zip(n.axis_chunks_iter_mut(Axis(1), columns))
        .enumerate()
        .flat_map_iter(|(group, (r, n))| {
            let mut sums = GroupSums::new(group * GROUP_TILES, r.ncols().div_ceil(LANES), ranges.len());
            if !stop.is_given() {
                sums.run(panels, shifted, &segments);
            }
            sums.finish(r, n, min_overlap, target)
        })
        .collect();
    OneVsPanels { r, n, doubtful }
}

/// Cuts the ranges into segments, and these into steps.
fn segments(panels: &[Panel<'_>], target: usize, ranges: &[Range<usize>]) -> Vec<Segment> {
    let mut cuts: Vec<usize> = ranges.iter().flat_map(|range| [range.start, range.end]).collect();
    cuts.sort_unstable();
    cuts.dedup();
    let mut reference = None;
    let mut segments = Vec::new();
    for cut in cuts.windows(2) {
        let (from, to) = (cut[0], cut[1]);
        let holds = |range: &Range<usize>| range.start <= from && to <= range.end;
        let holding: Vec<usize> = (0..ranges.len()).filter(|range| holds(&ranges[*range])).collect();
        if holding.is_empty() {
            continue;
        }
        let mut steps = Vec::new();
        let mut first = 0;
        for (index, panel) in panels.iter().enumerate() {
            let within = from.saturating_sub(first)..to.saturating_sub(first).min(panel.buckets);
            add_steps(&mut steps, index, panel, target, within, &mut reference);
            first += panel.buckets;
        }
        segments.push(Segment { steps, ranges: holding });
    }
    segments
}

fn add_steps(
    steps: &mut Vec<Step>,
    index: usize,
    panel: &Panel<'_>,
    target: usize,
    within: Range<usize>,
    reference: &mut Option<f64>,
) {
    let offset = panel.offset(target);
    let mut run: Option<(usize, Vec<f32>)> = None;
    for bucket in within.start..=within.end {
        let value = if bucket < within.end { panel.value(target, bucket) } else { None };
        if let (Some(x), Some((_, run))) = (value, &mut run)
            && run.len() < STRETCH
        {
            run.push(x);
            continue;
        }
        if let Some((from, x)) = run.take() {
            let sums = x.iter().fold(TargetSums::default(), |sums, x| {
                let x = f64::from(*x);
                TargetSums { n: sums.n + 1.0, x: sums.x + x, xx: sums.xx + x * x }
            });
            let offset = offset - *reference.get_or_insert(offset);
            steps.push(Step { panel: index, from, x, sums, offset });
        }
        run = value.map(|x| (bucket, vec![x]));
    }
}

/// The sums of some tiles over all steps.
struct GroupSums {
    /// The first tile.
    first: usize,
    tiles: Vec<Tile>,
    parts: Vec<Part>,
    pairs: Vec<Pairs>,
    /// For each tile whether its pairs were counted one by one since the last flush.
    masked: Vec<bool>,
    /// For each tile the sums over the segment.
    segment: Vec<Sums>,
    /// For each range its tiles' sums.
    ranges: Vec<Vec<Sums>>,
    /// For each range and tile the series with values that float32 cannot hold.
    wild: Vec<Vec<u16>>,
}

/// What is held of a tile besides what the loops add to.
#[derive(Clone)]
struct Tile {
    /// The target over the steps of which the tile is full, since the segment began, or, shifted, since the last flush.
    common: TargetSums,
    wild: u16,
    /// The first offset of each series, to which all its sums are brought; NaN before.
    references: Lane64,
}

impl Tile {
    fn new() -> Self {
        let references = [f64::NAN; LANES];
        Self { common: TargetSums::default(), wild: 0, references }
    }
}

impl GroupSums {
    fn new(first: usize, tiles: usize, ranges: usize) -> Self {
        Self {
            first,
            tiles: vec![Tile::new(); tiles],
            parts: vec![Part::default(); tiles],
            pairs: vec![Pairs::default(); tiles],
            masked: vec![false; tiles],
            segment: vec![Sums::default(); tiles],
            ranges: vec![vec![Sums::default(); tiles]; ranges],
            wild: vec![vec![0; tiles]; ranges],
        }
    }

    /// Goes through all steps; `shifted` where a panel's deviations are from anything but 0.
    fn run(&mut self, panels: &[Panel<'_>], shifted: bool, segments: &[Segment]) {
        for segment in segments {
            // Buckets of the stretch under way, and the target's offset there.
            let (mut held, mut target) = (0, 0.0);
            for step in &segment.steps {
                let Some(panel) = panels.get(step.panel) else { continue };
                // What is counted from 0 goes on from panel to panel.
                let has_offsets = !panel.offsets.is_empty();
                if held > 0 && (held + step.x.len() > STRETCH || has_offsets) {
                    self.end_stretch(shifted, &[], target);
                    held = 0;
                }
                self.add(panel, step);
                (held, target) = (held + step.x.len(), step.offset);
                if has_offsets {
                    self.end_stretch(shifted, panel.offsets, target);
                    held = 0;
                }
            }
            self.end_stretch(shifted, &[], target);
            self.end_segment(&segment.ranges, shifted);
        }
    }

    /// Brings what was summed in float32 to the segment's sums.
    fn end_stretch(&mut self, shifted: bool, offsets: &[Lane64], target: f64) {
        if shifted { self.flush_from(offsets, target) } else { self.flush() }
    }

    /// Adds a step to the sums in float32.
    fn add(&mut self, panel: &Panel<'_>, step: &Step) {
        let end = panel.full.len().min(self.first + self.tiles.len());
        let Some(full) = panel.full.get(self.first..end) else { return };
        let cells = self.first * panel.buckets..end * panel.buckets;
        let group = Group {
            buckets: panel.buckets,
            values: &panel.values[cells.clone()],
            present: panel.present.get(cells).unwrap_or_default(),
            full,
        };
        tiles::sum(group, step.from, &step.x, &mut self.parts, &mut self.pairs);
        for (at, (tile, full)) in self.tiles.iter_mut().zip(full).enumerate() {
            tile.wild |= panel.wild.get(self.first + at).copied().unwrap_or(0);
            self.masked[at] |= !full;
            if *full {
                tile.common.add(step.sums);
            }
        }
    }

    /// Brings what was summed in float32 to the segment's sums.
    fn flush(&mut self) {
        sums::flush(&mut self.segment, &mut self.parts, &mut self.pairs, &mut self.masked);
    }

    /// The same of deviations from a panel's offsets, or from 0 where there are none.
    fn flush_from(&mut self, offsets: &[Lane64], target: f64) {
        for (at, tile) in self.tiles.iter_mut().enumerate() {
            let offsets = offsets.get(self.first + at).unwrap_or(&[0.0; LANES]);
            let (sums, part, pairs) = (&mut self.segment[at], &mut self.parts[at], &mut self.pairs[at]);
            sums::flush_from(Origin { offsets, target }, &mut tile.references, tile.common, sums, part, pairs);
            tile.common = TargetSums::default();
            self.masked[at] = false;
        }
    }

    fn end_segment(&mut self, ranges: &[usize], shifted: bool) {
        for (at, (tile, segment)) in self.tiles.iter_mut().zip(&mut self.segment).enumerate() {
            if !shifted {
                segment.end_unshifted(tile.common);
                tile.common = TargetSums::default();
            }
            for range in ranges {
                self.ranges[*range][at].merge(segment);
                self.wild[*range][at] |= tile.wild;
            }
            *segment = Sums::default();
            tile.wild = 0;
        }
    }

    /// r and n of the series, rows = ranges, columns = series, and what is doubtful of them as (range, series).
    fn finish(
        self,
        mut r: ArrayViewMut2<'_, f64>,
        mut n: ArrayViewMut2<'_, i64>,
        min_overlap: i64,
        target: usize,
    ) -> Vec<(usize, usize)> {
        let mut doubtful = Vec::new();
        let first = self.first * LANES;
        for (range, (mut r, mut n)) in r.rows_mut().into_iter().zip(n.rows_mut()).enumerate() {
            let (tiles, wild) = (&self.ranges[range], &self.wild[range]);
            let of_tiles = r.axis_chunks_iter_mut(Axis(0), LANES).zip(n.axis_chunks_iter_mut(Axis(0), LANES));
            for (tile, (mut r, mut n)) in of_tiles.enumerate() {
                let found = sums::verdicts(&tiles[tile]);
                for (lane, (r, n)) in r.iter_mut().zip(n.iter_mut()).enumerate() {
                    #[expect(clippy::cast_possible_truncation, reason = "a sum of numbers of buckets")]
                    let count = found.n[lane] as i64;
                    *n = count;
                    if count < min_overlap.max(2) {
                        continue;
                    }
                    let series = first + tile * LANES + lane;
                    if found.trusted[lane] && wild[tile] >> lane & 1 == 0 {
                        let value = found.r[lane];
                        *r = if series == target && !value.is_nan() { 1.0 } else { value };
                    } else {
                        doubtful.push((range, series));
                    }
                }
            }
        }
        doubtful
    }
}

#[cfg(test)]
mod tests;
