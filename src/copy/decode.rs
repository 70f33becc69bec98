//! The bytes of a COPY TO -> rows of a window.
//!
//! The decoder knows one shape of row, the one that windows are read in:
//!
//! ```text
//!  0        2           6        14          18        26          30        38
//!  i16 = 3  | i32 = 8   | time   | i32 = 8   | series  | i32 = 8   | value   |
//! ```
//!
//! `COPY (SELECT time, series_id, value ...) TO STDOUT (FORMAT binary)`, where `time` is timestamptz, `series_id` int8,
//! `value` float8, and none of them NULL. So a row is 38 bytes, always, and reading it is a comparison of ten of them.

use super::{POSTGRES_EPOCH_US, SIGNATURE, TRAILER};

const ROW_BYTES: usize = 38;
const COLUMNS: [u8; 2] = 3_i16.to_be_bytes();
const EIGHT: [u8; 4] = 8_i32.to_be_bytes();
/// Signature, flags, length of the extension.
pub(super) const HEADER_BYTES: usize = SIGNATURE.len() + 8;

/// Why bytes are not a COPY of the rows that were asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The stream does not begin as a binary COPY does, or with flags that change its meaning.
    #[error("the stream does not begin with the header of a binary COPY")]
    Header,
    /// A row has not three columns of eight bytes each; one may be NULL, or of another type.
    #[error("row {row} is not (timestamptz, int8, float8) without NULLs")]
    Shape {
        /// Which row of the stream; the first is 0.
        row: u64,
    },
    /// A row has not as many columns as were asked for, or a length below zero.
    #[error("row {row} has not the columns that were asked for")]
    Tuple {
        /// Which row of the stream; the first is 0.
        row: u64,
    },
    /// A time is `infinity` or `-infinity`, or beyond what microseconds since 1970 can count. A question with two bounds
    /// never gets one.
    #[error("the time of row {row} is infinite or beyond the year 294247")]
    Time {
        /// Which row of the stream; the first is 0.
        row: u64,
    },
    /// There are bytes behind the trailer.
    #[error("the stream goes on behind its trailer")]
    Trailing,
    /// The stream ended before its trailer: rows are missing.
    #[error("the stream ended after {rows} rows, before its trailer")]
    Truncated {
        /// The rows that had come.
        rows: u64,
    },
}

/// Reads a COPY in pieces of any size: a piece may end within a row, or within the header.
///
/// After an error the decoder is of no use; the rows that it has given were right.
#[derive(Debug)]
pub struct Decoder {
    stage: Stage,
    rows: u64,
    /// What is left of the last piece, shorter than what must be looked at in one go.
    carry: [u8; ROW_BYTES],
    carried: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Header,
    /// So many bytes of the header's extension are still to come.
    Extension(u32),
    Rows,
    Done,
}

impl Default for Decoder {
    fn default() -> Self {
        Self { stage: Stage::Header, rows: 0, carry: [0; ROW_BYTES], carried: 0 }
    }
}

impl Decoder {
    /// A decoder for a stream from its start.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the next bytes of the stream. `sink` gets each row that is complete: the time in microseconds since 1970 UTC,
    /// the series, and the value, bit for bit (NaN and infinities included).
    ///
    /// # Errors
    /// [`DecodeError`]; `sink` has then had the rows before the one that is wrong.
    pub fn push(&mut self, mut piece: &[u8], sink: &mut impl FnMut(i64, i64, f64)) -> Result<(), DecodeError> {
        while self.carried > 0 && !piece.is_empty() {
            // Byte by byte: it ends with the row, or the header, that was cut.
            self.carry[self.carried] = piece[0];
            self.carried += 1;
            piece = &piece[1..];
            let carry = self.carry;
            let carried = self.carried;
            let left = self.read(&carry[..carried], sink)?;
            if left < carried {
                self.carried = 0;
            }
        }
        if self.carried > 0 {
            return Ok(());
        }
        let left = self.read(piece, sink)?;
        self.carry[..left].copy_from_slice(&piece[piece.len() - left..]);
        self.carried = left;
        Ok(())
    }

    /// Ends the stream; gives the number of its rows.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] if the trailer has not come.
    pub fn finish(self) -> Result<u64, DecodeError> {
        if self.stage == Stage::Done { Ok(self.rows) } else { Err(DecodeError::Truncated { rows: self.rows }) }
    }

    /// Reads what is whole; gives how many bytes at the end are not, fewer than a row's.
    fn read(&mut self, mut bytes: &[u8], sink: &mut impl FnMut(i64, i64, f64)) -> Result<usize, DecodeError> {
        loop {
            match self.stage {
                Stage::Header => {
                    let Some((header, rest)) = bytes.split_first_chunk() else { return Ok(bytes.len()) };
                    self.stage = Stage::Extension(extension_bytes(header)?);
                    bytes = rest;
                }
                Stage::Extension(0) => self.stage = Stage::Rows,
                Stage::Extension(wanted) => {
                    let skipped = bytes.len().min(usize::try_from(wanted).unwrap_or(usize::MAX));
                    if skipped == 0 {
                        return Ok(0);
                    }
                    // Not more than `wanted`, so the conversion back loses nothing.
                    self.stage = Stage::Extension(wanted - u32::try_from(skipped).unwrap_or(wanted));
                    bytes = &bytes[skipped..];
                }
                Stage::Rows => {
                    bytes = self.rows(bytes, sink)?;
                    if self.stage == Stage::Rows {
                        return Ok(bytes.len());
                    }
                }
                Stage::Done => return if bytes.is_empty() { Ok(0) } else { Err(DecodeError::Trailing) },
            }
        }
    }

    /// Reads whole rows, and the trailer if it is there; gives the bytes behind them.
    fn rows<'a>(&mut self, mut bytes: &'a [u8], sink: &mut impl FnMut(i64, i64, f64)) -> Result<&'a [u8], DecodeError> {
        while let Some((row, rest)) = bytes.split_first_chunk::<ROW_BYTES>() {
            if row[..2] != COLUMNS || row[2..6] != EIGHT || row[14..18] != EIGHT || row[26..30] != EIGHT {
                break;
            }
            let time_us =
                unix_time(i64::from_be_bytes(eight_at(row, 6))).ok_or(DecodeError::Time { row: self.rows })?;
            sink(time_us, i64::from_be_bytes(eight_at(row, 18)), f64::from_be_bytes(eight_at(row, 30)));
            self.rows += 1;
            bytes = rest;
        }
        if let Some(rest) = bytes.strip_prefix(&TRAILER) {
            self.stage = Stage::Done;
            return Ok(rest);
        }
        // A row of another shape is refused as soon as its start shows it: it may be shorter than one of ours, and the
        // stream may end with it.
        let starts_well =
            |at: usize, expected: &[u8]| bytes.iter().skip(at).zip(expected).all(|(byte, want)| byte == want);
        let whole = bytes.len() >= ROW_BYTES;
        let first = starts_well(0, &COLUMNS) || bytes == &TRAILER[..1];
        if whole || !first || ![2, 14, 26].iter().all(|&at| starts_well(at, &EIGHT)) {
            return Err(DecodeError::Shape { row: self.rows });
        }
        Ok(bytes)
    }
}

/// How long the header's extension is.
pub(super) fn extension_bytes(header: &[u8; HEADER_BYTES]) -> Result<u32, DecodeError> {
    let (signature, numbers) = header.split_at(SIGNATURE.len());
    let (flags, extension) = numbers.split_at(4);
    // The low half of the flags is for what a reader may pass over, the high half for what it must know; bit 16 would put
    // an object id before each row.
    if signature != SIGNATURE || flags[..2] != [0, 0] {
        return Err(DecodeError::Header);
    }
    let extension = extension.try_into().map_err(|_| DecodeError::Header)?;
    u32::try_from(i32::from_be_bytes(extension)).map_err(|_| DecodeError::Header)
}

/// The eight bytes of a row from `at` on; `at` is one of three constants, all within the row.
fn eight_at(row: &[u8; ROW_BYTES], at: usize) -> [u8; 8] {
    let mut value = [0; 8];
    value.copy_from_slice(&row[at..at + 8]);
    value
}

/// A timestamptz as microseconds since 1970; `None` for the infinities, which are the ends of 64 bits, and for the last
/// years before them.
fn unix_time(postgres_us: i64) -> Option<i64> {
    if postgres_us == i64::MIN { None } else { postgres_us.checked_add(POSTGRES_EPOCH_US) }
}
