//! Aggregated buckets -> the frame asked for: grid, then fill, then transform.
//!
//! With `x(b)` the aggregate of a series in bucket `b`:
//!
//! - **grid** says which buckets are columns: those in which any series of the measurement has the field (`observed`),
//!   all (`regular`), or those in which any of the rows has it (`own`).
//! - **fill** `locf` puts into a missing cell the row's last earlier value, if its bucket starts at most `max_age`
//!   before.
//! - **transform** of `a`, the neighbour's value, and `b`: `b - a`, `b / a - 1` or `ln(b / a)`; missing where either is
//!   missing or the result is not finite. The neighbour is the column before; with `regular` only if it is the bucket
//!   before; with `own` the row's own last value before, after filling, if at most [`Grid::MAX_GAP`] buckets back.
//!
//! A value depends on buckets before the range: [`Shape::history`] says on which, so that a reader hands them in and
//! the answer does not depend on where a range begins.

use ndarray::Array2;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Calendar, Frame};
use crate::question::{Fill, Grid, Transform};

mod history;
mod row;
mod shaper;
#[cfg(test)]
mod tests;

pub use history::{History, Neighbour};
use row::{Neighbours, RowPlan};
pub use shaper::Shaper;

/// With fewer cells than this, threads cost more than they save.
const PARALLEL_CELLS: usize = 1 << 16;

/// What is made of aggregated buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Which buckets are columns.
    pub grid: Grid,
    /// How missing cells are filled.
    pub fill: Fill,
    /// What is made of neighbours.
    pub transform: Transform,
}

impl Shape {
    /// The greatest age of a carried value, `None` without `locf`. Months, which a question may not ask for here, count
    /// as 28 days.
    fn max_age_us(&self) -> Option<i64> {
        match self.fill {
            Fill::None => None,
            Fill::Locf { max_age } => Some(max_age.at_least_us()),
        }
    }
}

/// Makes the frame asked for of aggregated buckets, and drops the columns that start before `keep_from_us`.
///
/// `raw` holds finite values and NaN, its columns ascending: those of the range and, before them, the history that
/// [`Shape::history`] asks for. It may leave out buckets in which nothing was read because nothing matters there; for
/// [`Grid::Regular`] those of the range are all there. `observed[c]` says whether any series of the measurement has the
/// field in column `c`; only [`Grid::Observed`] looks at it.
///
/// Works in place: O(cells) time, by rows on all cores where there are many, and O(columns) memory besides `raw`.
///
/// # Panics
/// If `raw.times_us` or `observed` is not as long as `raw` has columns.
#[must_use]
pub fn assemble(raw: Frame, observed: &[bool], shape: &Shape, calendar: &Calendar, keep_from_us: i64) -> Frame {
    let Frame { times_us, values } = raw;
    let (rows, columns) = values.dim();
    assert_eq!(times_us.len(), columns, "every column has a time");
    assert_eq!(observed.len(), columns, "every column is observed or not");
    if rows == 0 || columns == 0 {
        return without_cells(rows, times_us, observed, shape, keep_from_us);
    }

    let mut cells = in_row_order(values);
    let kept = match shape.grid {
        Grid::Observed => positions(observed),
        Grid::Regular => (0..columns).collect(),
        Grid::Own => positions(&with_values(&cells, columns)),
    };
    let kept_us: Vec<i64> = kept.iter().map(|column| times_us[*column]).collect();
    let first = kept_us.partition_point(|start| *start < keep_from_us);

    let plan = RowPlan {
        times_us: &times_us,
        max_age_us: shape.max_age_us(),
        neighbours: &Neighbours::new(shape, calendar, &kept_us),
        kept: &kept,
        transform: shape.transform,
    };
    if !plan.changes_nothing() {
        if cells.len() < PARALLEL_CELLS {
            cells.chunks_exact_mut(columns).for_each(|row| plan.apply(row));
        } else {
            cells.par_chunks_exact_mut(columns).for_each(|row| plan.apply(row));
        }
    }

    let len = kept.len() - first;
    if len < columns {
        // Each row moves to the front, over cells of rows that have moved already.
        for row in 0..rows {
            let start = row * columns;
            cells.copy_within(start + first..start + kept.len(), row * len);
        }
        cells.truncate(rows * len);
        cells.shrink_to_fit();
    }
    Frame { times_us: kept_us[first..].to_vec(), values: from_cells(rows, len, cells) }
}

/// The frame of no rows or no columns.
fn without_cells(rows: usize, mut times_us: Vec<i64>, observed: &[bool], shape: &Shape, keep_from_us: i64) -> Frame {
    let mut observed = observed.iter();
    times_us.retain(|start| {
        let is_observed = observed.next().is_some_and(|observed| *observed);
        let is_column = match shape.grid {
            Grid::Observed => is_observed,
            Grid::Regular => true,
            Grid::Own => false,
        };
        is_column && *start >= keep_from_us
    });
    let columns = times_us.len();
    Frame { times_us, values: Array2::zeros((rows, columns)) }
}

/// The cells row after row; copied only if the array has another layout.
fn in_row_order(values: Array2<f64>) -> Vec<f64> {
    if !values.is_standard_layout() {
        return values.iter().copied().collect();
    }
    let len = values.len();
    let (mut cells, offset) = values.into_raw_vec_and_offset();
    cells.drain(..offset.unwrap_or(0));
    cells.truncate(len);
    cells
}

fn from_cells(rows: usize, columns: usize, cells: Vec<f64>) -> Array2<f64> {
    Array2::from_shape_vec((rows, columns), cells).expect("there are rows x columns cells")
}

/// The numbers of the columns that are set.
fn positions(columns: &[bool]) -> Vec<usize> {
    columns.iter().enumerate().filter_map(|(column, set)| set.then_some(column)).collect()
}

/// For each column whether any row has a value in it.
fn with_values(cells: &[f64], columns: usize) -> Vec<bool> {
    let none = || vec![false; columns];
    let either = |mut seen: Vec<bool>, other: Vec<bool>| {
        seen.iter_mut().zip(other).for_each(|(seen, other)| *seen |= other);
        seen
    };
    cells
        .par_chunks_exact(columns)
        .with_min_len(PARALLEL_CELLS.div_ceil(columns))
        .fold(none, |mut seen, row| {
            seen.iter_mut().zip(row).for_each(|(seen, value)| *seen |= !value.is_nan());
            seen
        })
        .reduce(none, either)
}
