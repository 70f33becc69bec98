//! Sums in float64 of what tiles gave stretch by stretch, and what becomes of them.
//!
//! Deviations of a stretch may be from an offset of its own, a series' as well as the target's. Then they are brought to one
//! reference as they are added: with `d = offset - reference`, `e` the same of the target, and n pairs
//!
//! ```text
//! y  += y' + n d            yy += yy' + 2 d y' + n d^2          xy += xy' + d x' + e y' + n d e
//! x  += x' + n e            xx += xx' + 2 e x' + n e^2
//! ```

use super::{
    Moments,
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

/// What the sums of a series say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::correlation) enum Verdict {
    /// r, NaN where a side is constant.
    Trusted(f64),
    /// Rounding may have spoilt it.
    Doubtful,
}

impl Default for Sums {
    fn default() -> Self {
        let zero = [0.0; LANES];
        Self { n: zero, x: zero, xx: zero, y: zero, yy: zero, xy: zero, rough_xx: zero, rough_yy: zero }
    }
}

impl Sums {
    /// Adds a stretch whose deviations are from 0, or from references already. `common` is of the buckets that all the
    /// tile's series have, `pairs` of the others.
    pub(in crate::correlation) fn add(&mut self, common: TargetSums, part: &Part, pairs: &Pairs) {
        for lane in 0..LANES {
            let (x, xx) = (common.x + f64::from(pairs.x[lane]), common.xx + f64::from(pairs.xx[lane]));
            let yy = f64::from(part.yy[lane]);
            self.n[lane] += common.n + f64::from(pairs.n[lane]);
            self.x[lane] += x;
            self.xx[lane] += xx;
            self.rough_xx[lane] += xx;
            self.y[lane] += f64::from(part.y[lane]);
            self.yy[lane] += yy;
            self.rough_yy[lane] += yy;
            self.xy[lane] += f64::from(part.xy[lane]);
        }
    }

    /// Adds a stretch of other origins, and brings it to the tile's `references`; one that is not set yet (NaN) is set by
    /// the first values.
    pub(in crate::correlation) fn add_from(
        &mut self,
        origin: Origin<'_>,
        references: &mut Lane64,
        common: TargetSums,
        part: &Part,
        pairs: &Pairs,
    ) {
        let e = origin.target;
        for (lane, reference) in references.iter_mut().enumerate() {
            let n = common.n + f64::from(pairs.n[lane]);
            let (x, xx) = (common.x + f64::from(pairs.x[lane]), common.xx + f64::from(pairs.xx[lane]));
            let (y, yy) = (f64::from(part.y[lane]), f64::from(part.yy[lane]));
            if n == 0.0 {
                continue;
            }
            if reference.is_nan() {
                *reference = origin.offsets[lane];
            }
            let d = origin.offsets[lane] - *reference;
            self.n[lane] += n;
            self.x[lane] += x + n * e;
            self.xx[lane] += xx + 2.0 * e * x + n * e * e;
            self.rough_xx[lane] += xx;
            self.y[lane] += y + n * d;
            self.yy[lane] += yy + 2.0 * d * y + n * d * d;
            self.rough_yy[lane] += yy;
            self.xy[lane] += f64::from(part.xy[lane]) + d * x + e * y + n * d * e;
        }
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

    /// The number of pairs of a series.
    #[expect(clippy::cast_possible_truncation, reason = "a sum of numbers of buckets")]
    pub(in crate::correlation) fn count(&self, lane: usize) -> i64 {
        self.n[lane] as i64
    }

    /// r of a series.
    pub(in crate::correlation) fn verdict(&self, lane: usize) -> Verdict {
        let (n, x, y) = (self.n[lane], self.x[lane], self.y[lane]);
        let (xx, yy) = (self.xx[lane], self.yy[lane]);
        // Nothing but zeros has no squares: equal to its reference throughout.
        if xx == 0.0 || yy == 0.0 {
            return Verdict::Trusted(f64::NAN);
        }
        let moments = Moments { xx, yy, xy: self.xy[lane] }.corrected(n, x, y);
        let is_near =
            |left: f64, squares: f64, rough: f64| rough <= TRUSTED_SINGLE * left && squares <= TRUSTED_DOUBLE * left;
        let trusted = is_near(moments.xx, xx, self.rough_xx[lane]) && is_near(moments.yy, yy, self.rough_yy[lane]);
        match moments.r().filter(|_| trusted) {
            Some(r) => Verdict::Trusted(r),
            None => Verdict::Doubtful,
        }
    }
}
