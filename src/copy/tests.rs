//! Tests of both codecs: golden bytes, and each against the other or a plain reader.

use proptest::{collection::vec, option, prelude::*};

use crate::{
    batch::{BatchColumn, Value},
    hypertable::ColumnType,
    protocol::{MAX_TIME_US, MIN_TIME_US},
};

use super::*;
use crate::batch::Batch;

fn columns(kinds: &[ColumnType]) -> Vec<BatchColumn> {
    kinds.iter().enumerate().map(|(i, &kind)| BatchColumn { name: format!("c{i}"), kind }).collect()
}

/// The whole COPY in one piece, and the lengths of the pieces that it came in.
fn encoded(mut encoder: Encoder<'_>) -> (Vec<u8>, Vec<usize>) {
    let (mut all, mut lengths, mut piece) = (Vec::new(), Vec::new(), vec![1, 2, 3]);
    while encoder.next_piece(&mut piece).unwrap() {
        all.extend_from_slice(&piece);
        lengths.push(piece.len());
    }
    assert!(piece.is_empty() && !encoder.next_piece(&mut piece).unwrap(), "it is over once it is over");
    (all, lengths)
}

/// Reads any binary COPY the plain way: a list of rows of values.
fn plain_rows(mut bytes: &[u8]) -> Vec<Vec<Option<Vec<u8>>>> {
    fn take<'a>(bytes: &mut &'a [u8], count: usize) -> &'a [u8] {
        let (taken, rest) = bytes.split_at(count);
        *bytes = rest;
        taken
    }
    assert_eq!(take(&mut bytes, 19), b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0");
    let mut rows = Vec::new();
    loop {
        let count = i16::from_be_bytes(take(&mut bytes, 2).try_into().unwrap());
        if count == -1 {
            assert!(bytes.is_empty());
            return rows;
        }
        let cells = (0..count).map(|_| {
            let length = i32::from_be_bytes(take(&mut bytes, 4).try_into().unwrap());
            usize::try_from(length).ok().map(|length| take(&mut bytes, length).to_vec())
        });
        rows.push(cells.collect());
    }
}

type WindowRow = (i64, i64, f64);

fn window_batch(rows: &[WindowRow]) -> Batch {
    let mut batch = Batch::new(columns(&[ColumnType::Float8]));
    for &(time_us, series_id, value) in rows {
        batch.push_row(time_us, series_id, &[(0, Value::Float8(value))]).unwrap();
    }
    batch
}

fn decoded<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<(i64, i64, u64)>, DecodeError> {
    let (mut decoder, mut rows) = (Decoder::new(), Vec::new());
    for piece in pieces {
        decoder.push(piece, &mut |time_us, series_id, value: f64| rows.push((time_us, series_id, value.to_bits())))?;
    }
    let count = decoder.finish()?;
    assert_eq!(count, rows.len() as u64);
    Ok(rows)
}

fn bits(rows: &[WindowRow]) -> Vec<(i64, i64, u64)> {
    rows.iter().map(|&(time_us, series_id, value)| (time_us, series_id, value.to_bits())).collect()
}

/// A row of every type and a NULL, worked out by hand from PostgreSQL's documentation of COPY.
#[test]
fn a_row_has_the_bytes_that_postgresql_documents() {
    use ColumnType::{Bool, Float8, Int8, Text, Timestamptz};
    let mut batch = Batch::new(columns(&[Float8, Int8, Bool, Text, Timestamptz, Float8]));
    let values = [
        (0, Value::Float8(-2.5)),
        (1, Value::Int8(-2)),
        (2, Value::Bool(true)),
        (3, Value::Text("é!")),
        (4, Value::Timestamptz(946_684_799_999_999)),
    ];
    batch.push_row(946_684_800_000_001, 258, &values).unwrap();
    let (bytes, pieces) = encoded(Encoder::new(&batch).unwrap());
    #[rustfmt::skip]
    let expected = [
        b"PGCOPY\n\xff\r\n\0".as_slice(), &[0, 0, 0, 0], &[0, 0, 0, 0],
        &[0, 8],                                            // columns
        &[0, 0, 0, 8], &[0, 0, 0, 0, 0, 0, 0, 1],           // time: 1 us after 2000-01-01
        &[0, 0, 0, 8], &[0, 0, 0, 0, 0, 0, 1, 2],           // series_id: 258
        &[0, 0, 0, 8], &[0xc0, 0x04, 0, 0, 0, 0, 0, 0],     // -2.5
        &[0, 0, 0, 8], &[255, 255, 255, 255, 255, 255, 255, 254],
        &[0, 0, 0, 1], &[1],
        &[0, 0, 0, 3], "é!".as_bytes(),
        &[0, 0, 0, 8], &[255; 8],                           // 1 us before 2000-01-01
        &[255, 255, 255, 255],                              // NULL
        &[255, 255],
    ]
    .concat();
    assert_eq!(bytes, expected);
    assert_eq!(pieces, [expected.len()]);
}

#[test]
fn a_copy_of_no_rows_is_a_header_and_a_trailer() {
    let batch = window_batch(&[]);
    let (bytes, _) = encoded(Encoder::new(&batch).unwrap());
    assert_eq!(bytes, b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0\xff\xff");
    assert_eq!(decoded([&bytes[..]]), Ok(vec![]));
}

#[test]
fn what_cannot_be_counted_is_an_error() {
    let wide = |fields| Batch::new(columns(&vec![ColumnType::Bool; fields]));
    assert!(Encoder::new(&wide(32_765)).is_ok());
    assert_eq!(Encoder::new(&wide(32_766)).unwrap_err(), EncodeError::TooManyColumns { columns: 32_768 });
    assert_eq!(encode::value_bytes(2_147_483_647), Ok(i32::MAX));
    assert_eq!(encode::value_bytes(2_147_483_648), Err(EncodeError::ValueTooLong { bytes: 2_147_483_648 }));
}

#[test]
fn pieces_are_of_the_documented_size_and_end_with_rows() {
    let rows: Vec<_> = (0..50_000).map(|i| (i, i % 7, 1.0)).collect();
    let batch = window_batch(&rows);
    let (bytes, pieces) = encoded(Encoder::new(&batch).unwrap());
    let (last, full) = pieces.split_last().unwrap();
    assert!(full.len() >= 3 && full.iter().all(|bytes| (PIECE_BYTES..PIECE_BYTES + 38).contains(bytes)), "{pieces:?}");
    assert!(*last <= PIECE_BYTES);
    assert_eq!(bytes.len(), 19 + 50_000 * 38 + 2);
    assert_eq!(decoded([&bytes[..]]), Ok(bits(&rows)));
}

#[test]
fn halves_of_a_batch_are_copies_of_their_own() {
    let batch = window_batch(&[(3, 2, 0.1), (2, 1, 0.2), (1, 1, 0.3), (9, 9, 0.4)]);
    batch.sort();
    let sorted = [(1, 1, 0.3), (2, 1, 0.2), (3, 2, 0.1), (9, 9, 0.4)];
    for (places, expected) in [(0..2, &sorted[..2]), (2..4, &sorted[2..]), (3..99, &sorted[3..]), (7..9, &[])] {
        let encoder = Encoder::of_rows(&batch, places).unwrap();
        assert_eq!(encoder.rows(), expected.len());
        assert_eq!(decoded([&encoded(encoder).0[..]]), Ok(bits(expected)));
    }
}

#[test]
fn columns_can_be_left_out_and_come_in_the_order_asked_for() {
    use ColumnType::{Bool, Int8, Text};
    let mut batch = Batch::new(columns(&[Bool, Text, Int8]));
    batch.push_row(1, 1, &[(0, Value::Bool(true)), (1, Value::Text("x")), (2, Value::Int8(7))]).unwrap();
    batch.push_row(2, 1, &[(2, Value::Int8(8))]).unwrap();
    let cells = |columns: &[usize]| {
        let rows = plain_rows(&encoded(Encoder::of_columns(&batch, columns, 0..2).unwrap()).0);
        rows.into_iter().map(|row| row[2..].to_vec()).collect::<Vec<_>>()
    };
    let eight = |value: i64| Some(value.to_be_bytes().to_vec());
    assert_eq!(cells(&[2, 1]), [[eight(7), Some(b"x".to_vec())], [eight(8), None]]);
    assert_eq!(cells(&[1, 0, 2])[0], [Some(b"x".to_vec()), Some(vec![1]), eight(7)]);
    assert_eq!(cells(&[0, 1, 2])[0], [Some(vec![1]), Some(b"x".to_vec()), eight(7)]);
    assert_eq!(cells(&[]), [vec![], vec![]]);
}

#[test]
fn values_are_bit_for_bit_the_same() {
    let values = [
        -0.0,
        0.0,
        5e-324,
        f64::MIN_POSITIVE / 3.0,
        f64::MAX,
        f64::NEG_INFINITY,
        f64::from_bits(0x7ff8_0000_0000_0123),
    ];
    let rows: Vec<_> = values.into_iter().zip(0..).map(|(value, i)| (MAX_TIME_US - i, i64::MIN + i, value)).collect();
    assert_eq!(decoded([&encoded(Encoder::new(&window_batch(&rows)).unwrap()).0[..]]), Ok(bits(&rows)));
}

#[test]
fn a_stream_that_is_cut_anywhere_is_an_error_wherever_it_is_cut() {
    let (bytes, _) = encoded(Encoder::new(&window_batch(&[(1, 1, 1.0), (2, 2, 2.0)])).unwrap());
    for cut in 0..bytes.len() {
        let rows = (cut.saturating_sub(19) / 38) as u64;
        assert_eq!(decoded([&bytes[..cut]]), Err(DecodeError::Truncated { rows }), "{cut}");
    }
    assert_eq!(decoded([&bytes[..], &[0]]), Err(DecodeError::Trailing));
    assert_eq!(decoded([&[&bytes[..], &[0]].concat()[..]]), Err(DecodeError::Trailing));
}

#[test]
fn rows_of_another_shape_are_named_however_they_are_cut() {
    let head = encoded(Encoder::new(&window_batch(&[(1, 1, 1.0)])).unwrap()).0;
    let head = &head[..head.len() - 2];
    let eight = [0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1];
    let null = [255; 4];
    let four = [0, 0, 0, 4, 0, 0, 0, 1];
    let rows: [&[&[u8]]; 8] = [
        &[&[0, 2], &eight, &eight],
        &[&[0, 4], &eight, &eight, &eight, &eight],
        &[&[0, 3], &eight, &eight, &null],
        &[&[0, 3], &null, &eight, &eight],
        &[&[0, 3], &eight, &four, &eight],
        &[&[0, 3], &eight, &eight, &four],
        &[&[255, 254]],
        &[&[1, 3], &eight, &eight, &eight],
    ];
    for row in rows {
        for trailer in [&[][..], &TRAILER] {
            let bytes = [head, &row.concat(), trailer].concat();
            assert_eq!(decoded([&bytes[..]]), Err(DecodeError::Shape { row: 1 }), "{row:?}");
            assert_eq!(decoded(bytes.chunks(1)), Err(DecodeError::Shape { row: 1 }), "{row:?}");
        }
    }
}

#[test]
fn infinite_times_are_errors_and_the_last_finite_ones_are_not() {
    let row = |postgres_us: i64| {
        let header = [&SIGNATURE[..], &[0; 8]].concat();
        let cell = |value: i64| [&[0, 0, 0, 8][..], &value.to_be_bytes()].concat();
        [header, vec![0, 3], cell(postgres_us), cell(1), cell(0), TRAILER.to_vec()].concat()
    };
    let time = |postgres_us| decoded([&row(postgres_us)[..]]).map(|rows| rows[0].0);
    assert_eq!(time(i64::MAX), Err(DecodeError::Time { row: 0 }));
    assert_eq!(time(i64::MIN), Err(DecodeError::Time { row: 0 }));
    assert_eq!(time(i64::MAX - POSTGRES_EPOCH_US), Ok(i64::MAX));
    assert_eq!(time(i64::MAX - POSTGRES_EPOCH_US + 1), Err(DecodeError::Time { row: 0 }));
    assert_eq!(time(0), Ok(946_684_800_000_000));
}

#[test]
fn the_header_may_have_an_extension_and_no_critical_flags() {
    let stream = |flags: [u8; 4], extension: &[u8]| {
        let length = i32::try_from(extension.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &flags, &length, extension, &TRAILER].concat()
    };
    for extension in [&b""[..], b"x", &[7; 100]] {
        let bytes = stream([0, 0, 0, 1], extension);
        assert_eq!(decoded([&bytes[..]]), Ok(vec![]));
        assert_eq!(decoded(bytes.chunks(1)), Ok(vec![]));
    }
    assert_eq!(decoded([&stream([0, 1, 0, 0], b"")[..]]), Err(DecodeError::Header), "object ids");
    assert_eq!(decoded([&[&SIGNATURE[..], &[0, 0, 0, 0, 255, 255, 255, 255]].concat()[..]]), Err(DecodeError::Header));
    assert_eq!(decoded([&b"time,series_id,value\n1,2,3\n"[..]]), Err(DecodeError::Header));
}

fn window_rows() -> impl Strategy<Value = Vec<WindowRow>> {
    let value = any::<u64>().prop_map(f64::from_bits);
    vec((MIN_TIME_US..=MAX_TIME_US, any::<i64>(), value), 0..12)
}

proptest! {
    #[test]
    fn what_was_encoded_is_decoded_however_it_is_cut(rows in window_rows(), mut cuts in vec(any::<prop::sample::Index>(), 0..9)) {
        let (bytes, _) = encoded(Encoder::new(&window_batch(&rows)).unwrap());
        prop_assert_eq!(decoded([&bytes[..]]), Ok(bits(&rows)));
        for at in 0..=bytes.len() {
            prop_assert_eq!(decoded([&bytes[..at], &bytes[at..]]), Ok(bits(&rows)));
        }
        prop_assert_eq!(decoded(bytes.chunks(1)), Ok(bits(&rows)));
        cuts.sort_by_key(|cut| cut.index(bytes.len()));
        let mut from = 0;
        let mut pieces = Vec::new();
        for at in cuts.iter().map(|cut| cut.index(bytes.len())).chain([bytes.len()]) {
            pieces.push(&bytes[from..at]);
            from = at;
        }
        prop_assert_eq!(decoded(pieces), Ok(bits(&rows)));
    }

    #[test]
    fn any_bytes_give_rows_or_an_error_and_no_panic(bytes in vec(any::<u8>(), 0..200), valid_start: bool, pieces in 1..50_usize) {
        let bytes = if valid_start { [&SIGNATURE[..], &[0; 8], &bytes].concat() } else { bytes };
        prop_assert_eq!(decoded([&bytes[..]]), decoded(bytes.chunks(pieces)));
    }

    #[test]
    fn a_copy_of_any_batch_has_its_values_in_its_order(
        rows in vec((0..9_i64, 0..3_i64, (option::of(any::<f64>()), option::of(any::<i64>()), option::of(any::<bool>()), option::of("[^\0]{0,9}"))), 0..40),
    ) {
        use ColumnType::{Bool, Float8, Int8, Text};
        let mut batch = Batch::new(columns(&[Float8, Int8, Bool, Text]));
        for (time_us, series_id, (float, integer, boolean, text)) in &rows {
            let values = [
                float.map(Value::Float8), integer.map(Value::Int8), boolean.map(Value::Bool), text.as_deref().map(Value::Text),
            ];
            let values: Vec<_> = values.into_iter().enumerate().filter_map(|(i, value)| Some((i, value?))).collect();
            batch.push_row(*time_us, *series_id, &values).unwrap();
        }
        batch.sort();
        let mut expected: Vec<_> = rows.iter().map(|(time_us, series_id, (float, integer, boolean, text))| {
            let cells = vec![
                Some((time_us - POSTGRES_EPOCH_US).to_be_bytes().to_vec()),
                Some(series_id.to_be_bytes().to_vec()),
                float.map(|value| value.to_be_bytes().to_vec()),
                integer.map(|value| value.to_be_bytes().to_vec()),
                boolean.map(|value| vec![u8::from(value)]),
                text.as_ref().map(|value| value.as_bytes().to_vec()),
            ];
            ((*series_id, *time_us), cells)
        }).collect();
        expected.sort_by_key(|row| row.0);
        let (bytes, _) = encoded(Encoder::new(&batch).unwrap());
        prop_assert_eq!(plain_rows(&bytes), expected.into_iter().map(|row| row.1).collect::<Vec<_>>());
    }
}
