//! The innermost loops of one against many over panels: sums over a few buckets for tiles of series side by side.
//!
//! A vector holds neighbouring series of one bucket, so that no sum runs across its lanes. Sums run in float32 over at most
//! [`STRETCH`] buckets, which is where their rounding stays near that of the values, and go to float64 then. Two tiles are
//! summed in lockstep: two streams of memory keep more reads under way than one (of 800 MB, 64 ms against 76 with one
//! stream, where adding the values up alone takes 55).
//!
//! Each loop is compiled for several sets of instructions, and the best that the machine has is called. Only where there are
//! fused multiply-adds are they asked for: elsewhere they would be calls into a library.

use multiversion::multiversion;

/// Series of a tile.
pub(in crate::correlation) const LANES: usize = 16;
/// Buckets that are summed in float32.
pub(in crate::correlation) const STRETCH: usize = 64;

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
    for lane in 0..LANES {
        let bit = u32::from(present) >> lane & 1;
        let x = f32::from_bits(x.to_bits() & bit.wrapping_neg());
        pairs.n[lane] += bit;
        pairs.x[lane] += x;
        pairs.xx[lane] += x * x;
    }
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "it must be compiled for the caller's instructions")]
fn complete_body<const FMA: bool>(tiles: [&[Lane32]; 2], x: &[f32], parts: [&mut Part; 2]) {
    let [first, second] = parts;
    let (mut a, mut b) = (*first, *second);
    for ((value, other), x) in tiles[0].iter().zip(tiles[1]).zip(x) {
        add::<FMA>(value, *x, &mut a);
        add::<FMA>(other, *x, &mut b);
    }
    (*first, *second) = (a, b);
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "it must be compiled for the caller's instructions")]
fn masked_body<const FMA: bool>(tile: &[Lane32], present: &[u16], x: &[f32], part: &mut Part, pairs: &mut Pairs) {
    let (mut sums, mut counted) = (*part, *pairs);
    for ((value, present), x) in tile.iter().zip(present).zip(x) {
        add::<FMA>(value, *x, &mut sums);
        add_pairs(*present, *x, &mut counted);
    }
    (*part, *pairs) = (sums, counted);
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

#[inline(always)]
#[expect(clippy::inline_always, reason = "it must be compiled for the caller's instructions")]
fn sum_body<const FMA: bool>(group: Group<'_>, from: usize, x: &[f32], parts: &mut [Part], pairs: &mut [Pairs]) {
    let tile = |at: usize| {
        let first = at * group.buckets + from;
        first..first + x.len()
    };
    let mut at = 0;
    while let Some(full) = group.full.get(at) {
        if *full && group.full.get(at + 1) == Some(&true) {
            if let Some([first, second]) = parts.get_mut(at..at + 2) {
                complete_body::<FMA>([&group.values[tile(at)], &group.values[tile(at + 1)]], x, [first, second]);
            }
            at += 2;
            continue;
        }
        if *full {
            let mut none = Part::default();
            complete_body::<FMA>([&group.values[tile(at)]; 2], x, [&mut parts[at], &mut none]);
        } else {
            let (values, present) = (&group.values[tile(at)], &group.present[tile(at)]);
            masked_body::<FMA>(values, present, x, &mut parts[at], &mut pairs[at]);
        }
        at += 1;
    }
}

/// Adds the products of some tiles' buckets from `from` on with the target's values `x`, at most [`STRETCH`] of them, to a
/// `Part` a tile, and for tiles in which something is missing the target's side to its `Pairs`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx2+fma", "x86_64+avx2+fma", "aarch64+neon"))]
pub(in crate::correlation) fn sum(group: Group<'_>, from: usize, x: &[f32], parts: &mut [Part], pairs: &mut [Pairs]) {
    if multiversion::target::target_cfg_f!(any(target_feature = "fma", target_arch = "aarch64")) {
        sum_body::<true>(group, from, x, parts, pairs);
    } else {
        sum_body::<false>(group, from, x, parts, pairs);
    }
}
