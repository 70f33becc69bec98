//! numpy's npy (version 1.0) and npz, in C order.

use std::io::Cursor;

use ndarray::{Array1, Array2, ArrayView1};
use ndarray_npy::{NpzWriter, WritableElement, WriteNpyExt};

use super::FormatError;
use crate::query::{AnswerRows, CorrelateAnswer, LagAnswer, RollingAnswer, WindowAnswer};

/// More than any header and the archive's own records take.
const OVERHEAD_BYTES: usize = 4 * 1024;

/// One array. An array that lies in memory in another order is written in C order all the same.
pub(super) fn npy<T: WritableElement + Copy>(array: &Array2<T>) -> Result<Vec<u8>, FormatError> {
    let mut bytes = Vec::with_capacity(array.len() * size_of::<T>() + OVERHEAD_BYTES);
    array.as_standard_layout().write_npy(&mut bytes)?;
    Ok(bytes)
}

pub(super) fn window_npz(answer: &WindowAnswer) -> Result<Vec<u8>, FormatError> {
    let mut npz = archive(answer.frame.values.len() * size_of::<f64>() + answer.frame.times_us.len() * 8);
    npz.add_array("values", &answer.frame.values.as_standard_layout())?;
    npz.add_array("series_id", &series_ids(&answer.rows))?;
    npz.add_array("times", &ArrayView1::from(&answer.frame.times_us))?;
    Ok(npz.finish()?.into_inner())
}

pub(super) fn correlate_npz(answer: &CorrelateAnswer) -> Result<Vec<u8>, FormatError> {
    let mut npz = archive(answer.r.len() * (size_of::<f64>() + size_of::<i64>()));
    npz.add_array("r", &answer.r.as_standard_layout())?;
    npz.add_array("n", &answer.n.as_standard_layout())?;
    npz.add_array("series_id", &series_ids(&answer.rows))?;
    let ranges = Array2::from_shape_fn((answer.ranges.len(), 2), |(range, end)| {
        let range = answer.ranges[range];
        if end == 0 { range.from.us() } else { range.to.us() }
    });
    npz.add_array("ranges", &ranges)?;
    Ok(npz.finish()?.into_inner())
}

pub(super) fn matrix_npz(
    rows: &AnswerRows,
    r: &Array2<f64>,
    n: &Array2<i64>,
    order: &[usize],
) -> Result<Vec<u8>, FormatError> {
    let mut npz = archive((r.len() + n.len()) * size_of::<f64>());
    npz.add_array("r", &r.as_standard_layout())?;
    npz.add_array("n", &n.as_standard_layout())?;
    npz.add_array("series_id", &series_ids(rows))?;
    let order: Array1<i64> = order.iter().map(|row| i64::try_from(*row).unwrap_or(i64::MAX)).collect();
    npz.add_array("order", &order)?;
    Ok(npz.finish()?.into_inner())
}

pub(super) fn rolling_npz(answer: &RollingAnswer) -> Result<Vec<u8>, FormatError> {
    let mut npz = archive(answer.r.len() * size_of::<f64>());
    npz.add_array("r", &answer.r.as_standard_layout())?;
    npz.add_array("series_id", &series_ids(&answer.rows))?;
    npz.add_array("times", &ArrayView1::from(&answer.times_us))?;
    Ok(npz.finish()?.into_inner())
}

pub(super) fn lag_npz(answer: &LagAnswer) -> Result<Vec<u8>, FormatError> {
    let mut npz = archive(answer.r.len() * (size_of::<f64>() + size_of::<i64>()));
    npz.add_array("r", &answer.r.as_standard_layout())?;
    npz.add_array("n", &answer.n.as_standard_layout())?;
    npz.add_array("series_id", &series_ids(&answer.rows))?;
    npz.add_array("lags", &ArrayView1::from(&answer.lags))?;
    Ok(npz.finish()?.into_inner())
}

fn archive(guess_bytes: usize) -> NpzWriter<Cursor<Vec<u8>>> {
    NpzWriter::new(Cursor::new(Vec::with_capacity(guess_bytes + OVERHEAD_BYTES)))
}

fn series_ids(rows: &AnswerRows) -> Array1<i64> {
    rows.series.iter().map(|series| series.series_id).collect()
}
