//! Rows -> columnar batch: rows of one measurement on their way to one COPY.
//!
//! ```text
//! times_us  series_ids  | price (float8)      size (int8)      venue (text)
//! ----------------------+---------------------------------------------------
//! Vec<i64>  Vec<i64>    | Vec<f64> + bits     Vec<i64> + bits  String + ends + bits
//! ```
//!
//! A column holds its cells up to the last row that has one: what is missing before is marked by a bit, what is missing
//! behind is not stored at all. A column that most rows lack holds the rows that have it instead. So a row costs only the
//! fields that it has, and no client can make much memory of few bytes.
//!
//! Rows keep the order in which they arrived; [`Batch::sort`] adds a permutation by series and time, in which rows are read
//! from then on. The database writes such a batch twice as fast into an index on (series_id, time).
//!
//! What a batch has taken, a binary COPY takes too: times are within the years 1 to 9999, text is without NUL bytes and
//! not too long, and every value has its column's type. One row that fails would fail the whole COPY.

mod blocks;
mod column;
mod concat;
mod order;
mod recent;
mod row;
mod validity;

use std::{ops::Range, sync::OnceLock};

use crate::{
    hypertable::ColumnType,
    protocol::{MAX_TIME_US, MIN_TIME_US},
};

use self::column::Column;
pub use self::{
    blocks::Block,
    concat::ConcatError,
    recent::{Put, Recent, RecentBatch},
    row::{MAX_TEXT_BYTES, Row, RowError, Value},
};

/// A field's column of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchColumn {
    /// The column's name in the storage table.
    pub name: String,
    /// Its type.
    pub kind: ColumnType,
}

/// Rows of one measurement, column by column.
#[derive(Debug, Clone)]
pub struct Batch {
    columns: Vec<BatchColumn>,
    /// The cells of each column.
    cells: Vec<Column>,
    times_us: Vec<i64>,
    series_ids: Vec<i64>,
    bounds_us: Option<(i64, i64)>,
    /// The rows in order of (series, time), or none if they arrived so; not set while they are read as they arrived.
    order: OnceLock<Option<Vec<u32>>>,
}

impl Batch {
    /// An empty batch with these columns, besides `time` and `series_id`, which every batch has.
    #[must_use]
    pub fn new(columns: Vec<BatchColumn>) -> Self {
        let cells = columns.iter().map(|column| Column::new(column.kind)).collect();
        Self { columns, cells, times_us: Vec::new(), series_ids: Vec::new(), bounds_us: None, order: OnceLock::new() }
    }

    /// Adds a column, in which the rows so far are NULL, and returns its place. Its name must be a new one.
    pub fn add_column(&mut self, column: BatchColumn) -> usize {
        self.cells.push(Column::new(column.kind));
        self.columns.push(column);
        self.columns.len() - 1
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.times_us.len()
    }

    /// Whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.times_us.is_empty()
    }

    /// The columns, in the order in which they were given.
    #[must_use]
    pub fn columns(&self) -> &[BatchColumn] {
        &self.columns
    }

    /// The earliest and the latest time of the rows, both inclusive; none without rows.
    #[must_use]
    pub fn time_bounds(&self) -> Option<(i64, i64)> {
        self.bounds_us
    }

    /// How many bytes of memory the batch holds, room for growth included; for limits, not to the byte.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let columns: usize = self.cells.iter().map(Column::bytes).sum();
        let order = self.order().map_or(0, size_of_val);
        columns + (self.times_us.capacity() + self.series_ids.capacity()) * size_of::<i64>() + order
    }

    /// Gives back the room for growth.
    pub fn shrink_to_fit(&mut self) {
        self.times_us.shrink_to_fit();
        self.series_ids.shrink_to_fit();
        self.cells.iter_mut().for_each(Column::shrink_to_fit);
    }

    /// Adds a row. `values` are pairs of a column's place and a value, in any order; columns that are not named are NULL.
    /// Of a column that is named twice the later value counts. A sorted batch is unsorted after.
    ///
    /// # Errors
    /// A [`RowError`] if the database would refuse the row; the batch is then as it was.
    pub fn push_row(&mut self, time_us: i64, series_id: i64, values: &[(usize, Value<'_>)]) -> Result<(), RowError> {
        let row = self.len();
        if u32::try_from(row).is_err() {
            return Err(RowError::BatchFull);
        }
        if !(MIN_TIME_US..=MAX_TIME_US).contains(&time_us) {
            return Err(RowError::TimeOutOfRange { us: time_us });
        }
        for &(column, value) in values {
            let known = self.columns.get(column).ok_or(RowError::UnknownColumn { column })?;
            value.check(known)?;
        }
        for &(column, value) in values {
            self.cells[column].set(row, value);
        }
        self.times_us.push(time_us);
        self.series_ids.push(series_id);
        let (from, to) = self.bounds_us.unwrap_or((time_us, time_us));
        self.bounds_us = Some((from.min(time_us), to.max(time_us)));
        self.order.take();
        Ok(())
    }

    /// Gives rows that were added under placeholders their series: `id_of` gets what [`push_row`](Self::push_row) was given
    /// for each row, in order of arrival.
    pub fn replace_series(&mut self, mut id_of: impl FnMut(i64) -> i64) {
        for id in &mut self.series_ids {
            *id = id_of(*id);
        }
        self.order.take();
    }

    /// The series of the rows, in the order of their arrival.
    #[must_use]
    pub fn series_ids(&self) -> &[i64] {
        &self.series_ids
    }

    /// The rows' times, in microseconds since 1970 UTC, in order of arrival.
    #[must_use]
    pub fn times_us(&self) -> &[i64] {
        &self.times_us
    }

    /// Lets the rows be read by series and, within a series, by time. Rows equal in both stay as they arrived, so that
    /// the last one of them is still the one that was sent last. Done once; to ask again costs nothing.
    pub fn sort(&self) {
        self.order.get_or_init(|| order::permutation(&self.series_ids, &self.times_us));
    }

    fn order(&self) -> Option<&[u32]> {
        self.order.get()?.as_deref()
    }

    /// Which row, by its arrival, is at a place of the order in which rows are read.
    fn arrival(&self, place: usize) -> usize {
        // The permutation is of `u32`, which every platform that runs this can index with.
        self.order().map_or(place, |order| order[place] as usize)
    }

    /// The row at a place of the order in which rows are read.
    ///
    /// # Panics
    /// If `place` is not below [`len`](Self::len).
    #[must_use]
    pub fn row(&self, place: usize) -> Row<'_> {
        let arrival = self.arrival(place);
        Row::new(&self.cells, arrival, self.times_us[arrival], self.series_ids[arrival])
    }

    /// All rows, in the order in which they are read.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = Row<'_>> {
        (0..self.len()).map(|place| self.row(place))
    }

    /// The batch in pieces that are worth a COPY each, in the order in which rows are read: in one piece, unless most of
    /// its cells are NULL. Hundreds of columns of which each row has two would else be some hundred NULLs a row, which
    /// cost the server as much as values. Together the pieces have every row once, and cells in proportion to the values.
    #[must_use]
    pub fn blocks(&self) -> Vec<Block> {
        blocks::blocks(self)
    }

    /// Those of some columns in which any of the rows at these places has a value.
    ///
    /// # Panics
    /// If there is no such row or column.
    #[must_use]
    pub fn columns_in(&self, columns: &[usize], places: &Range<usize>) -> Vec<usize> {
        let has = |column: &usize| places.clone().any(|place| self.row(place).cell(*column).is_some());
        columns.iter().copied().filter(has).collect()
    }

    /// Joins the rows of several batches of one measurement, in order, as they arrived. Columns are joined by name: where
    /// a batch lacks one, its rows are NULL there.
    ///
    /// # Errors
    /// [`ConcatError`] if a column has two types, or if the rows are more than a batch can hold.
    pub fn concat(batches: &[&Self]) -> Result<Self, ConcatError> {
        concat::concat(batches)
    }
}

#[cfg(test)]
mod tests;
