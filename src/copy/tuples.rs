//! The bytes of a COPY TO -> rows of any columns, and back.
//!
//! [`Decoder`](super::Decoder) is for windows, whose rows have one shape; this one gives every row as the raw bytes of its
//! values, for readers that compare them.

use smallvec::SmallVec;

use super::{
    DecodeError, EncodeError, POSTGRES_EPOCH_US, SIGNATURE, TRAILER,
    decode::{HEADER_BYTES, extension_bytes},
};

/// Reads a COPY of rows with so many columns each, in pieces of any size.
///
/// After an error the decoder is of no use; the rows that it has given were right.
#[derive(Debug)]
pub struct TupleDecoder {
    columns: usize,
    stage: Stage,
    rows: u64,
    /// What was left of the last piece.
    carry: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Header,
    Rows,
    Done,
}

impl TupleDecoder {
    /// A decoder for a stream from its start.
    #[must_use]
    pub fn new(columns: usize) -> Self {
        Self { columns, stage: Stage::Header, rows: 0, carry: Vec::new() }
    }

    /// Reads the next bytes of the stream. `sink` gets the values of each row that is complete; `None` is NULL.
    ///
    /// # Errors
    /// [`DecodeError`]; `sink` has then had the rows before the one that is wrong.
    pub fn push(&mut self, piece: &[u8], sink: &mut impl FnMut(&[Option<&[u8]>])) -> Result<(), DecodeError> {
        if self.carry.is_empty() {
            let read = self.read(piece, sink)?;
            self.carry.extend_from_slice(&piece[read..]);
            return Ok(());
        }
        let mut carry = std::mem::take(&mut self.carry);
        carry.extend_from_slice(piece);
        let read = self.read(&carry, sink)?;
        carry.drain(..read);
        self.carry = carry;
        Ok(())
    }

    /// Ends the stream; gives the number of its rows.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] if the trailer has not come.
    pub fn finish(self) -> Result<u64, DecodeError> {
        if self.stage == Stage::Done { Ok(self.rows) } else { Err(DecodeError::Truncated { rows: self.rows }) }
    }

    /// Reads what is whole; gives how many bytes that was.
    fn read(&mut self, bytes: &[u8], sink: &mut impl FnMut(&[Option<&[u8]>])) -> Result<usize, DecodeError> {
        let mut at = 0;
        if self.stage == Stage::Header {
            let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else { return Ok(0) };
            let extension = usize::try_from(extension_bytes(header)?).map_err(|_| DecodeError::Header)?;
            if bytes.len() - HEADER_BYTES < extension {
                return Ok(0);
            }
            at = HEADER_BYTES + extension;
            self.stage = Stage::Rows;
        }
        while self.stage == Stage::Rows {
            let rest = &bytes[at..];
            if rest.first_chunk() == Some(&TRAILER) {
                self.stage = Stage::Done;
                at += TRAILER.len();
            } else {
                match self.row(rest, sink)? {
                    Some(length) => at += length,
                    None => return Ok(at),
                }
            }
        }
        if at < bytes.len() { Err(DecodeError::Trailing) } else { Ok(at) }
    }

    /// Reads a row; gives its length, or `None` where it is cut.
    fn row(&mut self, bytes: &[u8], sink: &mut impl FnMut(&[Option<&[u8]>])) -> Result<Option<usize>, DecodeError> {
        let wrong = DecodeError::Tuple { row: self.rows };
        let Some((count, mut rest)) = bytes.split_first_chunk() else { return Ok(None) };
        if usize::try_from(i16::from_be_bytes(*count)) != Ok(self.columns) {
            return Err(wrong);
        }
        let mut values: SmallVec<[Option<&[u8]>; 12]> = SmallVec::new();
        for _ in 0..self.columns {
            let Some((length, behind)) = rest.split_first_chunk() else { return Ok(None) };
            rest = behind;
            let length = i32::from_be_bytes(*length);
            if length == -1 {
                values.push(None);
                continue;
            }
            let length = usize::try_from(length).map_err(|_| wrong.clone())?;
            let Some((value, behind)) = rest.split_at_checked(length) else { return Ok(None) };
            values.push(Some(value));
            rest = behind;
        }
        sink(&values);
        self.rows += 1;
        Ok(Some(bytes.len() - rest.len()))
    }
}

/// Writes rows of eight-byte values behind each other as a binary COPY has them.
///
/// [`copy_pieces`](super::copy_pieces) sends what is written.
#[derive(Debug, Clone, Copy)]
pub struct TupleEncoder {
    columns: [u8; 2],
}

impl TupleEncoder {
    /// Rows with so many columns.
    ///
    /// # Errors
    /// [`EncodeError::TooManyColumns`].
    pub fn new(columns: usize) -> Result<Self, EncodeError> {
        let columns = i16::try_from(columns).map_err(|_| EncodeError::TooManyColumns { columns })?;
        Ok(Self { columns: columns.to_be_bytes() })
    }

    /// What stands before the first row.
    pub fn begin(self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&SIGNATURE);
        bytes.extend_from_slice(&[0; 8]);
    }

    /// What stands before each row.
    pub fn row(self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.columns);
    }

    /// A value of eight bytes, or NULL.
    pub fn value(self, value: Option<[u8; 8]>, bytes: &mut Vec<u8>) {
        match value {
            None => bytes.extend_from_slice(&(-1_i32).to_be_bytes()),
            Some(value) => {
                bytes.extend_from_slice(&8_i32.to_be_bytes());
                bytes.extend_from_slice(&value);
            }
        }
    }

    /// A time in microseconds since 1970 UTC.
    pub fn time(self, us: i64, bytes: &mut Vec<u8>) {
        self.value(Some(us.saturating_sub(POSTGRES_EPOCH_US).to_be_bytes()), bytes);
    }

    /// What stands behind the last row.
    pub fn end(self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&TRAILER);
    }
}

/// A timestamptz as microseconds since 1970 UTC; `None` for the infinities and what is not eight bytes.
#[must_use]
pub fn timestamptz_us(value: &[u8]) -> Option<i64> {
    let postgres_us = i64::from_be_bytes(value.try_into().ok()?);
    if postgres_us == i64::MIN { None } else { postgres_us.checked_add(POSTGRES_EPOCH_US) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Tuple = Vec<Option<Vec<u8>>>;

    fn encode(rows: &[Tuple]) -> Vec<u8> {
        let mut out = SIGNATURE.to_vec();
        out.extend_from_slice(&[0; 8]);
        for row in rows {
            out.extend_from_slice(&i16::try_from(row.len()).unwrap().to_be_bytes());
            for value in row {
                let length = value.as_ref().map_or(-1, |value| i32::try_from(value.len()).unwrap());
                out.extend_from_slice(&length.to_be_bytes());
                out.extend_from_slice(value.as_deref().unwrap_or_default());
            }
        }
        out.extend_from_slice(&TRAILER);
        out
    }

    fn decode(bytes: &[u8], piece: usize, columns: usize) -> Result<Vec<Tuple>, DecodeError> {
        let mut decoder = TupleDecoder::new(columns);
        let mut rows = Vec::new();
        for piece in bytes.chunks(piece) {
            decoder.push(piece, &mut |row| rows.push(row.iter().map(|value| value.map(<[u8]>::to_vec)).collect()))?;
        }
        assert_eq!(decoder.finish()?, rows.len() as u64);
        Ok(rows)
    }

    proptest! {
        #[test]
        fn rows_come_out_as_they_went_in_however_the_stream_is_cut(
            rows in prop::collection::vec(prop::collection::vec(prop::option::of(prop::collection::vec(any::<u8>(), 0..9)), 3), 0..20),
            piece in 1usize..50,
        ) {
            prop_assert_eq!(decode(&encode(&rows), piece, 3).unwrap(), rows);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, piece in 1usize..9) {
            let mut stream = encode(&[]);
            stream.truncate(HEADER_BYTES);
            stream.extend_from_slice(&bytes);
            drop(decode(&stream, piece, 2));
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let encoder = TupleEncoder::new(3).unwrap();
        let mut bytes = Vec::new();
        encoder.begin(&mut bytes);
        encoder.row(&mut bytes);
        encoder.time(POSTGRES_EPOCH_US + 5, &mut bytes);
        encoder.value(Some(7_i64.to_be_bytes()), &mut bytes);
        encoder.value(None, &mut bytes);
        encoder.end(&mut bytes);
        let value = |value: i64| Some(value.to_be_bytes().to_vec());
        assert_eq!(decode(&bytes, 9, 3), Ok(vec![vec![value(5), value(7), None]]));
        assert!(TupleEncoder::new(40_000).is_err());
    }

    #[test]
    fn what_is_not_such_a_copy_is_refused() {
        let bytes = encode(&[vec![None, Some(vec![1])]]);
        assert_eq!(decode(&bytes, 100, 3), Err(DecodeError::Tuple { row: 0 }));
        assert_eq!(decode(&bytes[..bytes.len() - 2], 100, 2), Err(DecodeError::Truncated { rows: 1 }));
        assert_eq!(decode(&[&bytes[..], b"x"].concat(), 100, 2), Err(DecodeError::Trailing));
        assert_eq!(decode(b"not a copy at all, is it", 100, 2), Err(DecodeError::Header));
        assert_eq!(timestamptz_us(&0_i64.to_be_bytes()), Some(POSTGRES_EPOCH_US));
        assert_eq!(timestamptz_us(&i64::MAX.to_be_bytes()), None);
    }
}
