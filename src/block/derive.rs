//! Base panels -> compute panels, and rows in float64. Pure.

use std::sync::Arc;

use rayon::prelude::*;

use super::panel::{Base, Compute, LANES};
use crate::{frame::Shaper, question::Transform};

/// A value outside these bounds, or its square, is more than float32 can be trusted with.
const HELD: std::ops::RangeInclusive<f64> = 1e-15..=1e15;
/// With squares about 0 of more than so many times those about the mean, a series wants an offset: soon its r would be doubtful.
const FAR_FROM_ZERO: f64 = 2.0;
/// Of few values the mean is far from 0 by chance; not if Student's t is more than this: of three values it is one time in a
/// hundred.
const BEYOND_CHANCE: f64 = 10.0;
/// If more than one of so many series want an offset beyond chance, all get one.
const OFFSETS_FROM: usize = 64;

/// How many series' means are far from 0.
#[derive(Debug, Clone, Copy, Default)]
struct Far {
    anyhow: usize,
    beyond_chance: usize,
}

impl Far {
    /// Of so many series. If most are, that is no chance either: with two values half of them are.
    fn want_offsets(self, series: usize) -> bool {
        self.beyond_chance > series / OFFSETS_FROM || self.anyhow > series / 4 * 3
    }
}

impl std::ops::AddAssign for Far {
    fn add_assign(&mut self, other: Self) {
        self.anyhow += other.anyhow;
        self.beyond_chance += other.beyond_chance;
    }
}

/// A bucket of an earlier panel.
#[derive(Debug, Clone)]
pub(super) struct Earlier {
    pub(super) panel: Arc<Base>,
    pub(super) bucket: usize,
    pub(super) start_us: i64,
}

/// How the values of a panel come about: its base, what its first buckets depend on, and what is made of a row of both.
#[derive(Debug)]
pub(super) struct Recipe {
    pub(super) base: Arc<Base>,
    /// Ascending.
    pub(super) history: Vec<Earlier>,
    /// Of rows with the history's columns, then the panel's.
    pub(super) shaper: Shaper,
}

/// A tile of derived values on its way to a panel.
struct Tile {
    /// Series by series the panel's buckets.
    values: Vec<f64>,
    means: [f64; LANES],
    far: Far,
}

impl Recipe {
    /// The panel's values of a series, missing = NaN; `row` is a buffer.
    pub(super) fn values(&self, series: usize, row: &mut Vec<f64>, into: &mut [f64]) {
        row.clear();
        row.extend(self.history.iter().map(|earlier| earlier.panel.value(series, earlier.bucket)));
        row.extend((0..self.base.buckets).map(|bucket| self.base.value(series, bucket)));
        self.shaper.apply(row);
        into.fill(f64::NAN);
        for (value, column) in row.iter().zip(self.shaper.kept()) {
            if let Some(into) = column.checked_sub(self.history.len()).and_then(|bucket| into.get_mut(bucket)) {
                *into = *value;
            }
        }
    }

    /// The panel's buckets that are on the grid.
    pub(super) fn on_grid(&self) -> impl Iterator<Item = usize> + '_ {
        self.shaper.kept().iter().filter_map(|column| column.checked_sub(self.history.len()))
    }

    /// The versions of the panels that the first buckets depend on.
    pub(super) fn history_versions(&self) -> Vec<u64> {
        let mut versions: Vec<u64> = self.history.iter().map(|earlier| earlier.panel.version).collect();
        versions.dedup();
        versions
    }

    /// The panel to compute with. Takes long for many series.
    pub(super) fn derive(&self) -> Compute {
        let (base, buckets) = (&self.base, self.base.buckets);
        let (tiles, cells) = (base.tiles(), base.tiles() * buckets);
        let mut values = vec![[0.0_f32; LANES]; cells];
        let mut present = vec![0_u16; cells];
        let mut offsets = vec![[0.0_f64; LANES]; tiles];
        let mut wild = vec![0_u16; tiles];
        // Whether offsets are worth their cost is seen after a part of the tiles; levels are mostly far from 0, changes near.
        let sample = tiles.div_ceil(100).max(1);
        let (mut far, mut sampled) = (Far::default(), 0);
        for tile in (0..tiles).step_by(sample) {
            far += self.tile(tile, &mut Vec::new()).far;
            sampled += LANES.min(base.series - tile * LANES);
        }
        let with_offsets = far.want_offsets(sampled);
        values
            .par_chunks_exact_mut(buckets.max(1))
            .zip(present.par_chunks_exact_mut(buckets.max(1)))
            .zip(offsets.par_iter_mut().zip(wild.par_iter_mut()))
            .enumerate()
            .for_each_init(Vec::new, |row, (tile, ((values, present), (offsets, wild)))| {
                let derived = self.tile(tile, row);
                if with_offsets {
                    *offsets = derived.means;
                }
                for lane in 0..LANES {
                    let own = &derived.values[lane * buckets..(lane + 1) * buckets];
                    for (bucket, value) in own.iter().enumerate() {
                        if value.is_nan() {
                            continue;
                        }
                        present[bucket] |= 1 << lane;
                        let deviation = value - offsets[lane];
                        if deviation != 0.0 && !HELD.contains(&deviation.abs()) {
                            *wild |= 1 << lane;
                            continue;
                        }
                        #[expect(clippy::cast_possible_truncation, reason = "what is lost is the panel's precision")]
                        let single = deviation as f32;
                        values[bucket][lane] = single;
                    }
                }
            });
        let full: Vec<bool> =
            present.par_chunks_exact(buckets.max(1)).map(|tile| tile.iter().all(|bits| *bits == u16::MAX)).collect();
        if full.iter().all(|full| *full) {
            present = Vec::new();
        }
        if !with_offsets {
            offsets = Vec::new();
        }
        let history = self.history_versions();
        let (values, present, offsets) = (values.into(), present.into(), offsets.into());
        Compute { base: base.version, history, buckets, values, present, full, offsets, wild }
    }

    fn tile(&self, tile: usize, row: &mut Vec<f64>) -> Tile {
        let buckets = self.base.buckets;
        let mut values = vec![f64::NAN; LANES * buckets];
        let (mut means, mut far) = ([0.0; LANES], Far::default());
        for (lane, own) in values.chunks_exact_mut(buckets.max(1)).enumerate() {
            let series = tile * LANES + lane;
            if series >= self.base.series {
                continue;
            }
            self.values(series, row, own);
            let there = || own.iter().filter(|value| !value.is_nan());
            let Some(first) = there().next() else { continue };
            let n = there().count() as f64;
            let mean = there().map(|value| value / n).sum::<f64>();
            // Of equal values, deviations are exactly 0.
            means[lane] = if there().all(|value| value == first) || !mean.is_finite() { *first } else { mean };
            let squares = |about: f64| there().map(|value| (value - about) * (value - about)).sum::<f64>();
            let (about_zero, about_mean) = (squares(0.0), squares(means[lane]));
            // One value says nothing of the spread, its kind does: levels are mostly far from 0.
            let tells = n > 1.0 || self.shaper.transform() == Transform::Level;
            if tells && about_zero > FAR_FROM_ZERO * about_mean {
                let t_squared = (about_zero - about_mean) / about_mean * (n - 1.0);
                let is_chance = n == 2.0 || (n > 2.0 && t_squared <= BEYOND_CHANCE * BEYOND_CHANCE);
                far += Far { anyhow: 1, beyond_chance: usize::from(!is_chance) };
            }
        }
        Tile { values, means, far }
    }
}
