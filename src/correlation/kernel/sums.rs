//! Sums in float64 of what tiles gave stretch by stretch, and what becomes of them.
//!
//! Deviations of a stretch may be from an offset of its own, a series' as well as the target's. Then they are brought to one
//! reference as they are added: with `d = offset - reference`, `e` the same of the target, and n pairs
//!
//! ```text
//! y  += y' + n d            yy += yy' + 2 d y' + n d^2          xy += xy' + d x' + e y' + n d e
//! x  += x' + n e            xx += xx' + 2 e x' + n e^2
//! ```

use multiversion::multiversion;

use super::{
    Moments, TRUSTED,
    tiles::{LANES, Pairs, Part},
};

/// One bucket, or one sum, a series of a tile.
pub(in crate::correlation) type Lane64 = [f64; LANES];

/// A sum is trusted while the squares that went into it are at most so many times what is left about the mean: with
/// deviations in float32 an r then keeps an error below 1e-6.
const TRUSTED_SINGLE: f64 = 4.0;
/// The same for what is lost in float64.
const TRUSTED_DOUBLE: f64 = 1e6;

/// The sums of the target over a stretch of which it has every bucket.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::correlation) struct TargetSums {
    pub(in crate::correlation) n: f64,
    pub(in crate::correlation) x: f64,
    pub(in crate::correlation) xx: f64,
}

impl TargetSums {
    /// Adds those of another stretch.
    pub(in crate::correlation) fn add(&mut self, other: Self) {
        self.n += other.n;
        self.x += other.x;
        self.xx += other.xx;
    }
}

/// Where a stretch's deviations are counted from.
#[derive(Debug, Clone, Copy)]
pub(in crate::correlation) struct Origin<'a> {
    /// The offsets of a tile's series.
    pub(in crate::correlation) offsets: &'a Lane64,
    /// The target's offset, as a deviation from its reference.
    pub(in crate::correlation) target: f64,
}

/// All sums of a tile over a number of stretches.
#[derive(Debug, Clone, Copy)]
pub(in crate::correlation) struct Sums {
    n: Lane64,
    x: Lane64,
    xx: Lane64,
    y: Lane64,
    yy: Lane64,
    xy: Lane64,
    /// The squares as they came, about the offsets of their stretches: what float32 has rounded.
    rough_xx: Lane64,
    rough_yy: Lane64,
}

/// What the sums of a tile say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::correlation) struct Verdicts {
    /// r of each series, NaN where a side is constant.
    pub(in crate::correlation) r: Lane64,
    /// The pairs of each series.
    pub(in crate::correlation) n: Lane64,
    /// Whether r is as good as it has to be; rounding may have spoilt the others.
    pub(in crate::correlation) trusted: [bool; LANES],
}

/// Adds stretches whose deviations are from 0, tile by tile, and empties them. `masked` tells of which tiles `pairs` were
/// counted.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx2+fma", "x86_64+avx2+fma", "aarch64+neon"))]
pub(in crate::correlation) fn flush(sums: &mut [Sums], parts: &mut [Part], pairs: &mut [Pairs], masked: &mut [bool]) {
    let counted = pairs.iter_mut().zip(masked);
    for ((sums, part), (pairs, masked)) in sums.iter_mut().zip(parts).zip(counted) {
        for lane in 0..LANES {
            sums.y[lane] += f64::from(part.y[lane]);
            sums.yy[lane] += f64::from(part.yy[lane]);
            sums.xy[lane] += f64::from(part.xy[lane]);
        }
        *part = Part::default();
        if *masked {
            for lane in 0..LANES {
                sums.n[lane] += f64::from(pairs.n[lane]);
                sums.x[lane] += f64::from(pairs.x[lane]);
                sums.xx[lane] += f64::from(pairs.xx[lane]);
            }
            *pairs = Pairs::default();
            *masked = false;
        }
    }
}

/// Adds a tile's stretch of other origins, brings it to the tile's `references`, and empties it; a reference that is not set
/// yet (NaN) is set by the first values. `common` is of the target where the tile has every value.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx2+fma", "x86_64+avx2+fma", "aarch64+neon"))]
pub(in crate::correlation) fn flush_from(
    origin: Origin<'_>,
    references: &mut Lane64,
    common: TargetSums,
    sums: &mut Sums,
    part: &mut Part,
    pairs: &mut Pairs,
) {
    let mut own = Sums::default();
    for lane in 0..LANES {
        own.n[lane] = common.n + f64::from(pairs.n[lane]);
        own.x[lane] = common.x + f64::from(pairs.x[lane]);
        own.xx[lane] = common.xx + f64::from(pairs.xx[lane]);
        own.y[lane] = f64::from(part.y[lane]);
        own.yy[lane] = f64::from(part.yy[lane]);
        own.xy[lane] = f64::from(part.xy[lane]);
    }
    (own.rough_xx, own.rough_yy) = (own.xx, own.yy);
    bring_body(origin, references, &own, sums);
    *part = Part::default();
    *pairs = Pairs::default();
}

/// Adds a tile's sums of other origins, and brings them to its `references` as [`flush_from`] does.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx2+fma", "x86_64+avx2+fma", "aarch64+neon"))]
pub(in crate::correlation) fn bring(origin: Origin<'_>, references: &mut Lane64, own: &Sums, sums: &mut Sums) {
    bring_body(origin, references, own, sums);
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "it must be compiled for the caller's instructions")]
fn bring_body(origin: Origin<'_>, references: &mut Lane64, own: &Sums, sums: &mut Sums) {
    let e = origin.target;
    for (lane, reference) in references.iter_mut().enumerate() {
        let (n, x, y) = (own.n[lane], own.x[lane], own.y[lane]);
        let offset = origin.offsets[lane];
        let is_first = n > 0.0 && reference.is_nan();
        *reference = if is_first { offset } else { *reference };
        let d = if n > 0.0 { offset - *reference } else { 0.0 };
        sums.n[lane] += n;
        sums.x[lane] += x + n * e;
        sums.xx[lane] += own.xx[lane] + 2.0 * e * x + n * e * e;
        sums.rough_xx[lane] += own.rough_xx[lane];
        sums.y[lane] += y + n * d;
        sums.yy[lane] += own.yy[lane] + 2.0 * d * y + n * d * d;
        sums.rough_yy[lane] += own.rough_yy[lane];
        sums.xy[lane] += own.xy[lane] + d * x + e * y + n * d * e;
    }
}

impl Default for Sums {
    fn default() -> Self {
        let zero = [0.0; LANES];
        Self { n: zero, x: zero, xx: zero, y: zero, yy: zero, xy: zero, rough_xx: zero, rough_yy: zero }
    }
}

impl Sums {
    /// Of what is counted from 0: adds what the target gave over the stretches of which the tile has every value, and
    /// remembers that no square was brought to another reference.
    pub(in crate::correlation) fn end_from_zero(&mut self, common: TargetSums) {
        for lane in 0..LANES {
            self.n[lane] += common.n;
            self.x[lane] += common.x;
            self.xx[lane] += common.xx;
        }
        (self.rough_xx, self.rough_yy) = (self.xx, self.yy);
    }

    /// Adds sums of the same references.
    pub(in crate::correlation) fn merge(&mut self, other: &Self) {
        let each = |into: &mut Lane64, from: &Lane64| into.iter_mut().zip(from).for_each(|(into, from)| *into += from);
        each(&mut self.n, &other.n);
        each(&mut self.x, &other.x);
        each(&mut self.xx, &other.xx);
        each(&mut self.y, &other.y);
        each(&mut self.yy, &other.yy);
        each(&mut self.xy, &other.xy);
        each(&mut self.rough_xx, &other.rough_xx);
        each(&mut self.rough_yy, &other.rough_yy);
    }
}

/// r of all series of a tile.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx2+fma", "x86_64+avx2+fma", "aarch64+neon"))]
pub(in crate::correlation) fn verdicts(sums: &Sums) -> Verdicts {
    let mut verdicts = Verdicts { r: [f64::NAN; LANES], n: sums.n, trusted: [false; LANES] };
    // Without a branch, so that all lanes go at once.
    for lane in 0..LANES {
        let (n, x, y) = (sums.n[lane], sums.x[lane], sums.y[lane]);
        let (squares_x, squares_y) = (sums.xx[lane], sums.yy[lane]);
        let Moments { xx, yy, xy } = Moments { xx: squares_x, yy: squares_y, xy: sums.xy[lane] }.corrected(n, x, y);
        // Nothing but zeros has no squares: equal to its reference throughout.
        let constant = (squares_x == 0.0) | (squares_y == 0.0);
        let near_x = (sums.rough_xx[lane] <= TRUSTED_SINGLE * xx) & (squares_x <= TRUSTED_DOUBLE * xx);
        let near_y = (sums.rough_yy[lane] <= TRUSTED_SINGLE * yy) & (squares_y <= TRUSTED_DOUBLE * yy);
        let (least, most) = (*TRUSTED.start(), *TRUSTED.end());
        let within = (xx >= least) & (xx <= most) & (yy >= least) & (yy <= most);
        let r = (xy / (xx * yy).sqrt()).clamp(-1.0, 1.0);
        let r = if n == 2.0 { super::of_two_pairs(r) } else { r };
        verdicts.r[lane] = if constant { f64::NAN } else { r };
        verdicts.trusted[lane] = constant | (near_x & near_y & within);
    }
    verdicts
}
