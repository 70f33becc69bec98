//! Batch -> bytes.

use super::{POSTGRES_EPOCH_US, SIGNATURE};
use crate::batch::{Batch, Value};

/// A piece is handed over when it has grown to this: large enough that system calls do not count, small enough to stay in
/// a core's cache.
const PIECE_BYTES: usize = 256 << 10;

/// Encodes a batch piece by piece, in the batch's order.
#[derive(Debug)]
pub struct Encoder<'b> {
    batch: &'b Batch,
    next: Next,
}

#[derive(Debug)]
enum Next {
    Header,
    Row(usize),
    End,
}

impl<'b> Encoder<'b> {
    /// An encoder at the batch's beginning.
    #[must_use]
    pub fn new(batch: &'b Batch) -> Self {
        Self { batch, next: Next::Header }
    }

    /// Replaces what is in `piece` by the next piece; false, with an empty piece, after the last one.
    pub fn next_piece(&mut self, piece: &mut Vec<u8>) -> bool {
        piece.clear();
        let mut row = match self.next {
            Next::Header => {
                piece.reserve(PIECE_BYTES + 4096);
                piece.extend_from_slice(SIGNATURE);
                piece.extend_from_slice(&[0; 8]);
                0
            }
            Next::Row(row) => row,
            Next::End => return false,
        };
        // The number of columns of a table is far below 2^15: PostgreSQL's limit is 1,600.
        let columns = i16::try_from(self.batch.columns().len() + 2).unwrap_or(i16::MAX).to_be_bytes();
        while row < self.batch.len() && piece.len() < PIECE_BYTES {
            encode_row(self.batch, self.batch.row_at(row), columns, piece);
            row += 1;
        }
        self.next = if row < self.batch.len() {
            Next::Row(row)
        } else {
            piece.extend_from_slice(&(-1_i16).to_be_bytes());
            Next::End
        };
        true
    }
}

fn encode_row(batch: &Batch, row: usize, columns: [u8; 2], out: &mut Vec<u8>) {
    // Count, time and series have one length in every row: one copy of 26 bytes.
    let mut head = [0; 26];
    head[..2].copy_from_slice(&columns);
    head[2..6].copy_from_slice(&8_i32.to_be_bytes());
    head[6..14].copy_from_slice(&(batch.time_us(row) - POSTGRES_EPOCH_US).to_be_bytes());
    head[14..18].copy_from_slice(&8_i32.to_be_bytes());
    head[18..].copy_from_slice(&batch.series_id(row).to_be_bytes());
    out.extend_from_slice(&head);
    for column in 0..batch.columns().len() {
        match batch.value(row, column) {
            None => out.extend_from_slice(&(-1_i32).to_be_bytes()),
            Some(Value::Float8(value)) => eight(out, value.to_bits().to_be_bytes()),
            Some(Value::Int8(value)) => eight(out, value.to_be_bytes()),
            Some(Value::Timestamptz(us)) => eight(out, (us - POSTGRES_EPOCH_US).to_be_bytes()),
            Some(Value::Bool(value)) => out.extend_from_slice(&[0, 0, 0, 1, u8::from(value)]),
            Some(Value::Text(text)) => match i32::try_from(text.len()) {
                Ok(length) => {
                    out.extend_from_slice(&length.to_be_bytes());
                    out.extend_from_slice(text.as_bytes());
                }
                // Beyond 2 GiB, which no request can be: NULL rather than a length that smuggles bytes.
                Err(_) => out.extend_from_slice(&(-1_i32).to_be_bytes()),
            },
        }
    }
}

fn eight(out: &mut Vec<u8>, value: [u8; 8]) {
    let mut field = [0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0];
    field[4..].copy_from_slice(&value);
    out.extend_from_slice(&field);
}
