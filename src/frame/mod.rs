//! Rows -> aligned arrays. Pure.

use ndarray::Array2;

/// Values of several series on common buckets: rows = series, columns = buckets, missing = NaN.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// The start of each bucket, microseconds since 1970 UTC, ascending.
    pub times_us: Vec<i64>,
    /// The values.
    pub values: Array2<f64>,
}
