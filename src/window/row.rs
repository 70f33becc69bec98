//! The rows that come back: `time, series_id, value` in PostgreSQL's binary COPY format.
//!
//! ```text
//! first message   "PGCOPY\n\xff\r\n\0"  i32 flags  i32 length of an extension  extension  (then a row or the end)
//! a row           i16 3   i32 8  i64 microseconds since 2000   i32 8  i64 series_id   i32 8  f64 value
//! the end         i16 -1
//! ```

/// 2000-01-01 in microseconds since 1970.
const EPOCH_2000_US: i64 = 946_684_800_000_000;
const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
const ROW_BYTES: usize = 2 + 3 * (4 + 8);

/// A row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Row {
    pub(super) time_us: i64,
    pub(super) series_id: i64,
    pub(super) value: f64,
}

/// The server sent something else than rows of three columns of 8 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server's COPY holds something else than the columns asked for")]
pub struct MalformedRow;

/// Reads a message of COPY, which holds one row; `None` where it holds none.
#[inline]
pub(super) fn decode(message: &[u8]) -> Result<Option<Row>, MalformedRow> {
    if let Ok(row) = <&[u8; ROW_BYTES]>::try_from(message) {
        return decode_row(row).map(Some);
    }
    let Some(rest) = message.strip_prefix(SIGNATURE) else {
        return if message == (-1_i16).to_be_bytes() { Ok(None) } else { Err(MalformedRow) };
    };
    let (extension_bytes, rest) = rest
        .get(4..)
        .and_then(|rest| rest.split_first_chunk::<4>())
        .and_then(|(length, rest)| Some((usize::try_from(i32::from_be_bytes(*length)).ok()?, rest)))
        .ok_or(MalformedRow)?;
    match rest.get(extension_bytes..) {
        Some([]) => Ok(None),
        Some(rest) => decode(rest),
        None => Err(MalformedRow),
    }
}

#[inline]
fn decode_row(row: &[u8; ROW_BYTES]) -> Result<Row, MalformedRow> {
    let [c0, c1, columns @ ..] = row;
    let (columns, []) = columns.as_chunks::<12>() else { return Err(MalformedRow) };
    let [time, series_id, value] = columns else { return Err(MalformedRow) };
    if i16::from_be_bytes([*c0, *c1]) != 3 {
        return Err(MalformedRow);
    }
    let (time, series_id, value) = (eight(time)?, eight(series_id)?, eight(value)?);
    Ok(Row {
        // PostgreSQL's infinities are the ends of i64.
        time_us: i64::from_be_bytes(time).saturating_add(EPOCH_2000_US),
        series_id: i64::from_be_bytes(series_id),
        value: f64::from_be_bytes(value),
    })
}

/// The bytes of a column that must have eight.
#[inline]
fn eight(column: &[u8; 12]) -> Result<[u8; 8], MalformedRow> {
    match *column {
        [0, 0, 0, 8, a, b, c, d, e, f, g, h] => Ok([a, b, c, d, e, f, g, h]),
        _ => Err(MalformedRow),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(time: i64, series_id: i64, value: f64) -> Vec<u8> {
        let mut bytes = 3_i16.to_be_bytes().to_vec();
        for column in [time.to_be_bytes(), series_id.to_be_bytes(), value.to_be_bytes()] {
            bytes.extend(8_i32.to_be_bytes());
            bytes.extend(column);
        }
        bytes
    }

    #[test]
    fn a_copy_begins_with_a_signature_and_ends_with_minus_one() {
        let header = [SIGNATURE, &[0; 4], &3_i32.to_be_bytes(), &[9; 3]].concat();
        let expected = Row { time_us: EPOCH_2000_US + 5, series_id: -7, value: 1.5 };
        assert_eq!(decode(&[header.clone(), row(5, -7, 1.5)].concat()), Ok(Some(expected)));
        assert_eq!(decode(&row(5, -7, 1.5)), Ok(Some(expected)));
        assert_eq!(decode(&header), Ok(None));
        assert_eq!(decode(&[header, vec![0xff, 0xff]].concat()), Ok(None));
        assert_eq!(decode(&[0xff, 0xff]), Ok(None));
    }

    #[test]
    fn an_infinite_time_stays_at_the_end_of_time() {
        assert_eq!(decode(&row(i64::MAX, 1, 0.0)).unwrap().unwrap().time_us, i64::MAX);
    }

    #[test]
    fn anything_else_is_an_error_and_no_panic() {
        let good = row(1, 2, 3.0);
        for length in 0..good.len() {
            assert_eq!(decode(&good[..length]), Err(MalformedRow), "{length}");
        }
        let mut null = good.clone();
        null[2..6].copy_from_slice(&(-1_i32).to_be_bytes());
        let mut four_columns = good;
        four_columns[1] = 4;
        let endless = [SIGNATURE, &[0; 4], &i32::MAX.to_be_bytes()].concat();
        let negative = [SIGNATURE, &[0; 4], &(-1_i32).to_be_bytes()].concat();
        for message in [null, four_columns, endless, negative] {
            assert_eq!(decode(&message), Err(MalformedRow));
        }
    }
}
