//! One row of a batch, on its way in and out.

use memchr::memchr;

use crate::{
    hypertable::ColumnType,
    protocol::{MAX_TIME_US, MIN_TIME_US},
};

use super::{BatchColumn, column::Column};

/// How long text in one cell can be. PostgreSQL's own limit is 1 GiB a message; far below it no length can overflow on the
/// way there.
pub const MAX_TEXT_BYTES: usize = 64 << 20;

/// A cell that is not NULL.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// A cell of a `float8` column. NaN and infinities are passed on.
    Float8(f64),
    /// A cell of an `int8` column.
    Int8(i64),
    /// A cell of a `bool` column.
    Bool(bool),
    /// A cell of a `text` column.
    Text(&'a str),
    /// A cell of a `timestamptz` column: microseconds since 1970 UTC.
    Timestamptz(i64),
}

/// Why a row cannot be in a batch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// A value is for a column that the batch has not.
    #[error("the batch has no column {column}")]
    UnknownColumn {
        /// The place that was named.
        column: usize,
    },
    /// A value has another type than its column.
    #[error("column {column:?} is {expected}, the value is {found}")]
    TypeMismatch {
        /// The column's name.
        column: String,
        /// The column's type.
        expected: ColumnType,
        /// The value's type.
        found: ColumnType,
    },
    /// The row's time, or a value that is one, is outside the years 1 to 9999.
    #[error("the time {us} us is outside the years 1 to 9999")]
    TimeOutOfRange {
        /// The time, in microseconds since 1970 UTC.
        us: i64,
    },
    /// PostgreSQL's text cannot hold a NUL byte.
    #[error("the text for column {column:?} has a NUL byte")]
    NulByte {
        /// The column's name.
        column: String,
    },
    /// The text is longer than [`MAX_TEXT_BYTES`].
    #[error("the text for column {column:?} has {bytes} bytes, more than {MAX_TEXT_BYTES}")]
    TextTooLong {
        /// The column's name.
        column: String,
        /// The text's length.
        bytes: usize,
    },
    /// The batch has as many rows as it can count.
    #[error("the batch has {} rows, as many as it can hold", u32::MAX)]
    BatchFull,
}

impl Value<'_> {
    /// The type of column that the value is for.
    #[must_use]
    pub const fn kind(&self) -> ColumnType {
        match self {
            Self::Float8(_) => ColumnType::Float8,
            Self::Int8(_) => ColumnType::Int8,
            Self::Bool(_) => ColumnType::Bool,
            Self::Text(_) => ColumnType::Text,
            Self::Timestamptz(_) => ColumnType::Timestamptz,
        }
    }

    /// Can the value be a cell of `column`?
    pub(super) fn check(&self, column: &BatchColumn) -> Result<(), RowError> {
        let name = || column.name.clone();
        if self.kind() != column.kind {
            return Err(RowError::TypeMismatch { column: name(), expected: column.kind, found: self.kind() });
        }
        match *self {
            Self::Text(text) if text.len() > MAX_TEXT_BYTES => {
                Err(RowError::TextTooLong { column: name(), bytes: text.len() })
            }
            Self::Text(text) if memchr(0, text.as_bytes()).is_some() => Err(RowError::NulByte { column: name() }),
            Self::Timestamptz(us) if !(MIN_TIME_US..=MAX_TIME_US).contains(&us) => Err(RowError::TimeOutOfRange { us }),
            _ => Ok(()),
        }
    }
}

/// A row of a batch.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    cells: &'a [Column],
    arrival: usize,
    time_us: i64,
    series_id: i64,
}

impl<'a> Row<'a> {
    pub(super) fn new(cells: &'a [Column], arrival: usize, time_us: i64, series_id: i64) -> Self {
        Self { cells, arrival, time_us, series_id }
    }

    /// How many rows of the batch arrived before this one.
    #[must_use]
    pub fn arrival(&self) -> usize {
        self.arrival
    }

    /// The row's time, in microseconds since 1970 UTC.
    #[must_use]
    pub fn time_us(&self) -> i64 {
        self.time_us
    }

    /// The row's series.
    #[must_use]
    pub fn series_id(&self) -> i64 {
        self.series_id
    }

    /// A cell for each column of the batch, in the columns' order; none where it is NULL.
    pub fn cells(&self) -> impl ExactSizeIterator<Item = Option<Value<'a>>> + use<'a> {
        let arrival = self.arrival;
        self.cells.iter().map(move |column| column.cell(arrival))
    }

    /// The cell of one of the batch's columns; none where it is NULL.
    ///
    /// # Panics
    /// If the batch has no column at this place.
    #[must_use]
    pub fn cell(&self, column: usize) -> Option<Value<'a>> {
        self.cells[column].cell(self.arrival)
    }
}
