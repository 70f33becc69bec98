//! numpy's npy (version 1.0) and npz, in C order.

use std::io::Cursor;

use ndarray::{Array1, Array2, ArrayView1};
use ndarray_npy::{NpzWriter, WritableElement, WriteNpyExt};

use super::FormatError;
use crate::query::{AnswerRows, CorrelateAnswer, LagAnswer, Overlaps, RollingAnswer, WindowAnswer};

/// More than any header and the archive's own records take.
const OVERHEAD_BYTES: usize = 4 * 1024;

/// One array. An array that lies in memory in another order is written in C order all the same.
pub(super) fn npy<T: WritableElement + Copy>(array: &Array2<T>) -> Result<Vec<u8>, FormatError> {
    let mut bytes = Vec::with_capacity(array.len() * size_of::<T>() + OVERHEAD_BYTES);
    array.as_standard_layout().write_npy(&mut bytes)?;
    Ok(bytes)
}

/// One array of float32 as the contract's float64, each number widened on its way: no array of that width is made for it.
pub(super) fn widened(array: &Array2<f32>) -> Vec<u8> {
    // NumPy's "NEP 1: a simple file format", version 1.0: the data begin at a multiple of 64.
    const BEFORE_HEADER: usize = 10;
    let (rows, columns) = array.dim();
    let header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({rows}, {columns}), }}");
    let length = (BEFORE_HEADER + header.len() + 1).next_multiple_of(64) - BEFORE_HEADER;
    let mut bytes = Vec::with_capacity(BEFORE_HEADER + length + array.len() * size_of::<f64>());
    bytes.extend_from_slice(b"\x93NUMPY\x01\x00");
    bytes.extend_from_slice(&u16::try_from(length).unwrap_or(u16::MAX).to_le_bytes());
    bytes.extend_from_slice(format!("{header:<width$}\n", width = length - 1).as_bytes());
    for row in array.rows() {
        bytes.extend(row.iter().flat_map(|value| f64::from(*value).to_le_bytes()));
    }
    bytes
}

pub(super) fn window_npz(answer: &WindowAnswer) -> Result<Vec<u8>, FormatError> {
    let arrays = 1 + answer.also.len();
    let mut npz = archive(arrays * answer.frame.values.len() * size_of::<f64>() + answer.frame.times_us.len() * 8);
    npz.add_array("values", &answer.frame.values.as_standard_layout())?;
    for (aggregate, values) in &answer.also {
        npz.add_array(aggregate.name(), &values.as_standard_layout())?;
    }
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
    r: &Array2<f32>,
    n: &Overlaps,
    order: &[usize],
) -> Result<Vec<u8>, FormatError> {
    let mut npz = archive(r.len() * (size_of::<f64>() + size_of::<i64>()));
    npz.add_array("r", &r.mapv(f64::from))?;
    let n = match n {
        Overlaps::Same(n) => Array2::from_elem(r.dim(), i64::try_from(*n).unwrap_or(i64::MAX)),
        Overlaps::Each(n) => n.mapv(i64::from),
    };
    npz.add_array("n", &n)?;
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
