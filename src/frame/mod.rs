//! Rows -> aligned arrays. Pure.
//!
//! ```text
//! Calendar     which buckets there are, and which one a time is in
//!    |
//! Accumulator  rows (series, bucket, time, value) -> one value a cell, in any order, slice by slice
//!    |
//! assemble     grid -> fill -> transform -> without the history that was only needed for neighbours
//!    |
//! Frame        rows = series, columns = buckets, missing = NaN
//! ```
//!
//! Nothing here depends on the order in which rows arrive, nor on where a chunk, a slice of reading or a range begins.

mod accumulate;
mod assemble;
mod calendar;
mod starts;

use ndarray::Array2;

pub use accumulate::Accumulator;
pub use assemble::{History, Neighbour, Shape, Shaper, assemble};
pub use calendar::Calendar;
pub use starts::{Starts, TooManyBuckets};

/// Values of several series on common buckets: rows = series, columns = buckets, missing = NaN.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// The start of each bucket, microseconds since 1970 UTC, ascending.
    pub times_us: Vec<i64>,
    /// The values.
    pub values: Array2<f64>,
}

impl Frame {
    /// Where values are missing, in the shape of the values: `true` for missing, as in numpy's masked arrays.
    #[must_use]
    pub fn mask(&self) -> Array2<bool> {
        self.values.mapv(f64::is_nan)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn the_mask_is_true_where_a_value_is_missing() {
        let frame = Frame { times_us: vec![0, 10], values: array![[1.0, f64::NAN], [f64::NAN, 0.0]] };
        assert_eq!(frame.mask(), array![[false, true], [true, false]]);
    }
}
