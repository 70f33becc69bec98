//! The sums of some tiles, from panels to r and n.

use ndarray::{ArrayViewMut2, Axis};

use super::{
    super::kernel::{
        sums::{self, Lane64, Origin, Sums, TargetSums},
        tiles::{self, Buckets, Group, LANES, Pairs, Part, SLABS, Slab},
    },
    Panel,
    steps::{Plan, Step, Stretch},
};

/// The sums of some tiles over all steps.
pub(super) struct GroupSums<'a> {
    panels: &'a [Panel<'a>],
    /// The first tile.
    first: usize,
    tiles: Vec<Tile>,
    /// The target over the steps of which all tiles are full, which is still to be added to each tile's.
    common: TargetSums,
    parts: Vec<Part>,
    pairs: Vec<Pairs>,
    /// For each tile whether its pairs were counted one by one since the last flush.
    masked: Vec<bool>,
    /// For each tile the sums over the segment of what is counted from 0.
    segment: Vec<Sums>,
    /// For each tile the sums over the segment about its references; empty where all is counted from 0.
    about_references: Vec<Sums>,
    /// For each range its tiles' sums.
    ranges: Vec<Vec<Sums>>,
    /// For each range and tile the series with values that float32 cannot hold.
    wild: Vec<Vec<u16>>,
}

/// What is held of a tile besides what the loops add to.
#[derive(Clone)]
struct Tile {
    /// The target over the segment's steps from 0 of which the tile is full.
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

/// Empties a list, and puts `value` into it so many times.
fn refill<T: Clone>(list: &mut Vec<T>, value: T, times: usize) {
    list.clear();
    list.resize(times, value);
}

impl<'a> GroupSums<'a> {
    /// Of no tiles yet.
    pub(super) fn new(panels: &'a [Panel<'a>], ranges: usize) -> Self {
        Self {
            panels,
            first: 0,
            tiles: Vec::new(),
            common: TargetSums::default(),
            parts: Vec::new(),
            pairs: Vec::new(),
            masked: Vec::new(),
            segment: Vec::new(),
            about_references: Vec::new(),
            ranges: vec![Vec::new(); ranges],
            wild: vec![Vec::new(); ranges],
        }
    }

    /// Turns to `tiles` tiles from number `first` on, with nothing in them.
    pub(super) fn begin(&mut self, first: usize, tiles: usize) {
        let has_offsets = self.panels.iter().any(|panel| !panel.offsets.is_empty());
        self.first = first;
        self.common = TargetSums::default();
        refill(&mut self.tiles, Tile::new(), tiles);
        refill(&mut self.parts, Part::default(), tiles);
        refill(&mut self.pairs, Pairs::default(), tiles);
        refill(&mut self.masked, false, tiles);
        refill(&mut self.segment, Sums::default(), tiles);
        refill(&mut self.about_references, Sums::default(), if has_offsets { tiles } else { 0 });
        self.ranges.iter_mut().for_each(|range| refill(range, Sums::default(), tiles));
        self.wild.iter_mut().for_each(|range| refill(range, 0, tiles));
    }

    /// Goes through all steps.
    pub(super) fn run(&mut self, plan: &Plan) {
        for segment in &plan.segments {
            for stretch in &segment.stretches {
                match stretch {
                    Stretch::FromZero(steps) => self.add_from_zero(steps),
                    Stretch::FromOffsets(step) => self.add_from_offsets(step),
                }
            }
            self.end_segment(&segment.ranges, plan.reference);
        }
    }

    fn add_from_zero(&mut self, steps: &[Step]) {
        for steps in steps.chunks(SLABS) {
            let slabs: Vec<Slab<'_>> = steps.iter().filter_map(|step| self.slab(step)).collect();
            tiles::sum(&slabs, &mut self.parts, &mut self.pairs);
        }
        for step in steps {
            self.count(step);
        }
        sums::flush(&mut self.segment, &mut self.parts, &mut self.pairs, &mut self.masked);
    }

    fn add_from_offsets(&mut self, step: &Step) {
        let (Some(panel), Some(slab)) = (self.panels.get(step.panel), self.slab(step)) else { return };
        tiles::sum(&[slab], &mut self.parts, &mut self.pairs);
        let offsets = panel.offsets.get(self.first..).unwrap_or_default();
        for (at, (offsets, full)) in offsets.iter().zip(slab.group.full).enumerate() {
            let tile = &mut self.tiles[at];
            tile.wild |= panel.wild.get(self.first + at).copied().unwrap_or(0);
            let origin = Origin { offsets, target: step.offset };
            let common = if *full { step.sums } else { TargetSums::default() };
            let (part, pairs) = (&mut self.parts[at], &mut self.pairs[at]);
            sums::flush_from(origin, &mut tile.references, common, &mut self.about_references[at], part, pairs);
        }
    }

    /// The tiles of the group that a step's panel has.
    fn slab<'step>(&self, step: &'step Step) -> Option<Slab<'step>>
    where
        'a: 'step,
    {
        let panel = self.panels.get(step.panel)?;
        let end = panel.full.len().min(self.first + self.tiles.len());
        let full = panel.full.get(self.first..end)?;
        let cells = self.first * panel.buckets..end * panel.buckets;
        let present = panel.present.get(cells.clone()).unwrap_or_default();
        let group = Group { buckets: panel.buckets, values: panel.values.get(cells)?, present, full };
        Some(Slab { group, buckets: Buckets { from: step.from, len: step.len, at: &step.at, x: &step.x } })
    }

    /// Remembers of which tiles a step's pairs were counted one by one; of the others they are the target's.
    fn count(&mut self, step: &Step) {
        let Some(panel) = self.panels.get(step.panel) else { return };
        let end = panel.full.len().min(self.first + self.tiles.len());
        let full = panel.full.get(self.first..end).unwrap_or_default();
        let wild = panel.wild.get(self.first..end).unwrap_or_default();
        let all_full = full.len() == self.tiles.len() && full.iter().fold(true, |all, full| all & full);
        if all_full && wild.iter().fold(0, |any, wild| any | wild) == 0 {
            self.common.add(step.sums);
            return;
        }
        self.spread_common();
        for (at, (tile, full)) in self.tiles.iter_mut().zip(full).enumerate() {
            tile.wild |= wild.get(at).copied().unwrap_or(0);
            self.masked[at] |= !full;
            if *full {
                tile.common.add(step.sums);
            }
        }
    }

    /// Gives every tile what the target had over the steps of which all were full.
    fn spread_common(&mut self) {
        let common = std::mem::take(&mut self.common);
        if common.n > 0.0 {
            self.tiles.iter_mut().for_each(|tile| tile.common.add(common));
        }
    }

    /// Adds the segment's sums to those of its ranges. `reference` is what the target's deviations are brought to.
    fn end_segment(&mut self, ranges: &[usize], reference: f64) {
        self.spread_common();
        for (at, (tile, segment)) in self.tiles.iter_mut().zip(&mut self.segment).enumerate() {
            segment.end_from_zero(std::mem::take(&mut tile.common));
            if let Some(about_references) = self.about_references.get_mut(at) {
                let from_zero = Origin { offsets: &[0.0; LANES], target: -reference };
                sums::bring(from_zero, &mut tile.references, segment, about_references);
                *segment = std::mem::take(about_references);
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
    pub(super) fn finish(
        &self,
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
