//! A batch -> the bytes of a COPY FROM.

use std::ops::Range;

use crate::batch::{Batch, Row, Value};

use super::{POSTGRES_EPOCH_US, SIGNATURE, TRAILER};

/// How large a piece is, but for the row that ends it. Drivers send each piece as a message of its own; between 256 KiB and
/// 1 MiB neither the messages nor the memory matter.
pub const PIECE_BYTES: usize = 512 << 10;

/// Why a batch cannot be a COPY.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// A row of a COPY counts its columns in 16 bits.
    #[error("a batch of {columns} columns cannot be copied")]
    TooManyColumns {
        /// The columns, `time` and `series_id` included.
        columns: usize,
    },
    /// A value's length is counted in 32 bits.
    #[error("a value of {bytes} bytes cannot be copied")]
    ValueTooLong {
        /// The value's length.
        bytes: usize,
    },
}

/// The bytes of a binary COPY of a batch's rows, in the batch's order, in pieces.
///
/// The columns are `time`, `series_id`, then the batch's: the statement must list them in this order. PostgreSQL takes a
/// COPY that ends without its trailer, so who sends the pieces must compare the count in the server's answer with
/// [`rows`](Self::rows), and abort the COPY if a piece is missing.
#[derive(Debug)]
pub struct Encoder<'a> {
    batch: &'a Batch,
    /// The batch's columns that are written; none for all.
    chosen: Option<&'a [usize]>,
    /// How many columns a row has.
    columns: i16,
    rows: usize,
    /// Places in the batch's order that are not written yet.
    left: Range<usize>,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Header,
    Rows,
    Done,
}

impl<'a> Encoder<'a> {
    /// A COPY of all rows.
    ///
    /// # Errors
    /// [`EncodeError::TooManyColumns`].
    pub fn new(batch: &'a Batch) -> Result<Self, EncodeError> {
        Self::of_rows(batch, 0..batch.len())
    }

    /// A COPY of the rows at these places of the batch's order, which are cut to those that there are: with it, a row that
    /// the database refuses is found by halving.
    ///
    /// # Errors
    /// [`EncodeError::TooManyColumns`].
    pub fn of_rows(batch: &'a Batch, places: Range<usize>) -> Result<Self, EncodeError> {
        Self::of(batch, None, places)
    }

    /// A COPY of the rows at these places with only some columns, such as a [`Block`](crate::batch::Block)'s, which must
    /// be among the batch's: the statement lists them in this order.
    ///
    /// # Errors
    /// [`EncodeError::TooManyColumns`].
    pub fn of_columns(batch: &'a Batch, columns: &'a [usize], places: Range<usize>) -> Result<Self, EncodeError> {
        let all = columns.len() == batch.columns().len() && columns.is_sorted();
        Self::of(batch, (!all).then_some(columns), places)
    }

    fn of(batch: &'a Batch, chosen: Option<&'a [usize]>, places: Range<usize>) -> Result<Self, EncodeError> {
        let columns = chosen.map_or(batch.columns().len(), <[usize]>::len) + 2;
        let left = places.start.min(batch.len())..places.end.min(batch.len());
        Ok(Self {
            batch,
            chosen,
            columns: i16::try_from(columns).map_err(|_| EncodeError::TooManyColumns { columns })?,
            rows: left.len(),
            left,
            stage: Stage::Header,
        })
    }

    /// How many rows the whole COPY has.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Replaces what is in `piece` by the next piece; false if there is none, and `piece` is then empty. The buffer is best
    /// used again and again.
    ///
    /// # Errors
    /// [`EncodeError::ValueTooLong`], which text within a batch's own limit cannot be; the COPY must then be aborted.
    pub fn next_piece(&mut self, piece: &mut Vec<u8>) -> Result<bool, EncodeError> {
        piece.clear();
        match self.stage {
            Stage::Done => return Ok(false),
            Stage::Header => {
                piece.reserve(PIECE_BYTES.min(self.expected_bytes()));
                piece.extend_from_slice(&SIGNATURE);
                piece.extend_from_slice(&[0; 8]);
                self.stage = Stage::Rows;
            }
            Stage::Rows => {}
        }
        while piece.len() < PIECE_BYTES {
            let Some(place) = self.left.next() else {
                piece.extend_from_slice(&TRAILER);
                self.stage = Stage::Done;
                break;
            };
            self.row(self.batch.row(place), piece)?;
        }
        Ok(true)
    }

    /// About how many bytes the COPY will have, if texts are short.
    fn expected_bytes(&self) -> usize {
        let columns = usize::from(self.columns.unsigned_abs());
        let row_bytes = size_of::<i16>() + columns * (size_of::<i32>() + size_of::<i64>());
        (SIGNATURE.len() + 8 + TRAILER.len()).saturating_add(self.rows.saturating_mul(row_bytes))
    }

    fn row(&self, row: Row<'_>, piece: &mut Vec<u8>) -> Result<(), EncodeError> {
        piece.extend_from_slice(&self.columns.to_be_bytes());
        eight_bytes(postgres_time(row.time_us()).to_be_bytes(), piece);
        eight_bytes(row.series_id().to_be_bytes(), piece);
        match self.chosen {
            None => row.cells().try_for_each(|value| cell(value, piece)),
            Some(columns) => columns.iter().try_for_each(|&column| cell(row.cell(column), piece)),
        }
    }
}

#[inline]
fn cell(value: Option<Value<'_>>, piece: &mut Vec<u8>) -> Result<(), EncodeError> {
    match value {
        None => piece.extend_from_slice(&(-1_i32).to_be_bytes()),
        Some(Value::Float8(value)) => eight_bytes(value.to_be_bytes(), piece),
        Some(Value::Int8(value)) => eight_bytes(value.to_be_bytes(), piece),
        Some(Value::Timestamptz(us)) => eight_bytes(postgres_time(us).to_be_bytes(), piece),
        Some(Value::Bool(value)) => piece.extend_from_slice(&[0, 0, 0, 1, u8::from(value)]),
        Some(Value::Text(text)) => {
            piece.extend_from_slice(&value_bytes(text.len())?.to_be_bytes());
            piece.extend_from_slice(text.as_bytes());
        }
    }
    Ok(())
}

/// A value of eight bytes behind its length, in one go.
fn eight_bytes(value: [u8; 8], piece: &mut Vec<u8>) {
    let mut cell = [0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0];
    cell[4..].copy_from_slice(&value);
    piece.extend_from_slice(&cell);
}

/// A batch's times are within the years 1 to 9999, far from where this would overflow.
fn postgres_time(us: i64) -> i64 {
    us - POSTGRES_EPOCH_US
}

pub(super) fn value_bytes(bytes: usize) -> Result<i32, EncodeError> {
    i32::try_from(bytes).map_err(|_| EncodeError::ValueTooLong { bytes })
}
