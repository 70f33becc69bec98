//! The innermost loops of one against many over panels: sums over a few buckets for tiles of series side by side.
//!
//! A vector holds neighbouring series of one bucket, so that no sum runs across its lanes. Sums run in float32 over at most
//! [`STRETCH`] buckets, which is where their rounding stays near that of the values, and go to float64 then. Tiles are summed
//! one after the other, as they lie in memory, and of short panels up to [`SLABS`] in lockstep, so that a tile's sums are
//! fetched and put away once for all of them. Both were measured (800 MB on an AMD EPYC, where adding the values up alone takes
//! 24 ms): one tile after the other 26 ms, two in lockstep 33, four 30; panels of five buckets one by one 34 ms, two in lockstep
//! 31, four 27, eight 26, sixteen 30.
//!
//! Each loop is compiled for several sets of instructions, and the best that the machine has is called. Only where there are
//! fused multiply-adds are they asked for: elsewhere they would be calls into a library.

use multiversion::multiversion;

/// Series of a tile.
pub(in crate::correlation) const LANES: usize = 16;
/// Buckets that are summed in float32.
pub(in crate::correlation) const STRETCH: usize = 64;

/// Panels that are summed in lockstep, at most.
pub(in crate::correlation) const SLABS: usize = 8;

/// One bucket of a tile.
pub(in crate::correlation) type Lane32 = [f32; LANES];

/// Sums over a stretch: of the values, their squares, and their products with the target's.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::correlation) struct Part {
    pub(in crate::correlation) y: Lane32,
    pub(in crate::correlation) yy: Lane32,
    pub(in crate::correlation) xy: Lane32,
}

/// The target's side of a stretch, which where values are missing differs from series to series.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::correlation) struct Pairs {
    pub(in crate::correlation) n: [u32; LANES],
    pub(in crate::correlation) x: Lane32,
    pub(in crate::correlation) xx: Lane32,
}

/// `a b + c`, fused where the instructions are there.
#[inline(always)]
#[expect(clippy::inline_always, reason = "it must be compiled for the caller's instructions")]
fn fused<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "it must be compiled for the caller's instructions")]
fn add<const FMA: bool>(value: &Lane32, x: f32, part: &mut Part) {
    for (lane, y) in value.iter().enumerate() {
        part.y[lane] += y;
        part.yy[lane] = fused::<FMA>(*y, *y, part.yy[lane]);
        part.xy[lane] = fused::<FMA>(*y, x, part.xy[lane]);
    }
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "it must be compiled for the caller's instructions")]
fn add_pairs(present: u16, x: f32, pairs: &mut Pairs) {
    let xx = x * x;
    for lane in 0..LANES {
        let is_there = present & (1 << lane) != 0;
        pairs.n[lane] += u32::from(is_there);
        pairs.x[lane] += if is_there { x } else { 0.0 };
        pairs.xx[lane] += if is_there { xx } else { 0.0 };
    }
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "it must be compiled for the caller's instructions")]
fn complete_body<'a, const FMA: bool>(cells: impl Iterator<Item = (&'a Lane32, &'a f32)>, sums: &mut Part) {
    for (value, x) in cells {
        add::<FMA>(value, *x, sums);
    }
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "it must be compiled for the caller's instructions")]
fn masked_body<'a, const FMA: bool>(
    cells: impl Iterator<Item = ((&'a Lane32, &'a u16), &'a f32)>,
    sums: &mut Part,
    pairs: &mut Pairs,
) {
    let mut counted = *pairs;
    for ((value, present), x) in cells {
        add::<FMA>(value, *x, sums);
        add_pairs(*present, *x, &mut counted);
    }
    *pairs = counted;
}

/// Tiles of a panel that lie one behind the other, each bucket after bucket.
#[derive(Debug, Clone, Copy)]
pub(in crate::correlation) struct Group<'a> {
    /// Buckets of a tile.
    pub(in crate::correlation) buckets: usize,
    /// Values, 0 where they are missing.
    pub(in crate::correlation) values: &'a [Lane32],
    /// A bit a value, set where it is there; as long as `values`, or empty where nothing is missing.
    pub(in crate::correlation) present: &'a [u16],
    /// For each tile whether nothing is missing in it.
    pub(in crate::correlation) full: &'a [bool],
}

/// Some buckets of a panel, and the target's values in them, at most [`STRETCH`].
#[derive(Debug, Clone, Copy)]
pub(in crate::correlation) struct Buckets<'a> {
    /// The first one's place in its tile.
    pub(in crate::correlation) from: usize,
    /// From the first to the last, with those between them in which the target has no value.
    pub(in crate::correlation) len: usize,
    /// Where they are, counted from the first, in ascending order; empty where they follow each other.
    pub(in crate::correlation) at: &'a [usize],
    pub(in crate::correlation) x: &'a [f32],
}

/// What a step takes of one panel.
#[derive(Debug, Clone, Copy)]
pub(in crate::correlation) struct Slab<'a> {
    pub(in crate::correlation) group: Group<'a>,
    pub(in crate::correlation) buckets: Buckets<'a>,
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "it must be compiled for the caller's instructions")]
fn sum_body<const FMA: bool>(slabs: &[Slab<'_>], parts: &mut [Part], pairs: &mut [Pairs]) {
    for (tile, (part, pairs)) in parts.iter_mut().zip(pairs).enumerate() {
        let mut sums = *part;
        for Slab { group, buckets } in slabs {
            let Some(full) = group.full.get(tile) else { continue };
            let first = tile * group.buckets + buckets.from;
            let (at, x) = (buckets.at, buckets.x);
            let values = &group.values[first..first + buckets.len];
            if *full {
                if at.is_empty() {
                    complete_body::<FMA>(values.iter().zip(x), &mut sums);
                } else {
                    complete_body::<FMA>(at.iter().map(|at| &values[*at]).zip(x), &mut sums);
                }
                continue;
            }
            let present = &group.present[first..first + buckets.len];
            if at.is_empty() {
                masked_body::<FMA>(values.iter().zip(present).zip(x), &mut sums, pairs);
            } else {
                masked_body::<FMA>(at.iter().map(|at| (&values[*at], &present[*at])).zip(x), &mut sums, pairs);
            }
        }
        *part = sums;
    }
}

/// Adds the products of some panels' tiles with the target's values to a `Part` a tile, and for tiles in which something is
/// missing the target's side to its `Pairs`. A tile that a panel has not is passed over in it.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx2+fma", "x86_64+avx2+fma", "aarch64+neon"))]
pub(in crate::correlation) fn sum(slabs: &[Slab<'_>], parts: &mut [Part], pairs: &mut [Pairs]) {
    if multiversion::target::target_cfg_f!(any(target_feature = "fma", target_arch = "aarch64")) {
        sum_body::<true>(slabs, parts, pairs);
    } else {
        sum_body::<false>(slabs, parts, pairs);
    }
}
