//! COPY: typed columns through the encoder and back, and any bytes through the decoders.

#![no_main]

use arbitrary::Arbitrary;
use chunkwise::{
    batch::{Batch, BatchColumn, Value},
    copy::{DecodeError, Decoder, Encoder, TupleDecoder, timestamptz_us},
    hypertable::ColumnType,
};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
enum Input {
    Rows { kinds: Vec<u8>, rows: Vec<Row>, sorted: bool, pieces: u16 },
    Stream { bytes: Vec<u8>, has_header: bool, pieces: u16 },
}

#[derive(Debug, Arbitrary)]
struct Row {
    time_us: i64,
    series_id: i64,
    /// The column and what its value is made of.
    cells: Vec<(u8, i64, String)>,
}

fuzz_target!(|input: Input| {
    match input {
        Input::Rows { kinds, rows, sorted, pieces } => round_trip(&kinds[..kinds.len().min(40)], &rows, sorted, pieces),
        Input::Stream { bytes, has_header, pieces } => any_stream(&bytes, has_header, pieces),
    }
});

/// A value as the server has it: the bytes of the COPY.
type Cell = Option<Vec<u8>>;

fn round_trip(kinds: &[u8], rows: &[Row], sorted: bool, pieces: u16) {
    let kinds: Vec<_> = kinds.iter().map(|kind| ColumnType::ALL[usize::from(*kind) % ColumnType::ALL.len()]).collect();
    let columns = kinds.iter().enumerate().map(|(i, &kind)| BatchColumn { name: format!("c{i}"), kind });
    let mut batch = Batch::new(columns.collect());
    let mut expected: Vec<(i64, i64, Vec<Cell>)> = Vec::new();
    for Row { time_us, series_id, cells } in rows {
        let values: Vec<_> = cells
            .iter()
            .filter_map(|(column, bits, text)| {
                let column = usize::from(*column).checked_rem(kinds.len())?;
                let value = match kinds[column] {
                    ColumnType::Float8 => Value::Float8(f64::from_bits(bits.cast_unsigned())),
                    ColumnType::Int8 => Value::Int8(*bits),
                    ColumnType::Bool => Value::Bool(*bits > 0),
                    ColumnType::Text => Value::Text(text),
                    ColumnType::Timestamptz => Value::Timestamptz(*bits),
                };
                Some((column, value))
            })
            .collect();
        if batch.push_row(*time_us, *series_id, &values).is_err() {
            continue;
        }
        let mut cells = vec![None; kinds.len()];
        for (column, value) in values {
            cells[column] = Some(bytes_of(value));
        }
        expected.push((*series_id, *time_us, cells));
    }
    if sorted {
        batch.sort();
        expected.sort_by_key(|row| (row.0, row.1));
    }

    let mut encoder = Encoder::new(&batch).expect("the columns are few");
    let (mut stream, mut piece) = (Vec::new(), Vec::new());
    while encoder.next_piece(&mut piece).expect("the texts are short") {
        stream.extend_from_slice(&piece);
    }
    let mut decoder = TupleDecoder::new(kinds.len() + 2);
    let mut decoded = Vec::new();
    for piece in stream.chunks(usize::from(pieces) + 1) {
        let row = &mut |values: &[Option<&[u8]>]| {
            let time_us = values[0].and_then(timestamptz_us).expect("each row has a time");
            let series_id = values[1].and_then(|bytes| bytes.try_into().ok()).map(i64::from_be_bytes);
            let cells = values[2..].iter().map(|value| value.map(<[u8]>::to_vec)).collect();
            decoded.push((series_id.expect("each row has a series"), time_us, cells));
        };
        decoder.push(piece, row).expect("what was written is read");
    }
    assert_eq!(decoder.finish(), Ok(expected.len() as u64));
    assert_eq!(decoded, expected);
    sparse(&batch, &expected);
}

fn bytes_of(value: Value<'_>) -> Vec<u8> {
    const POSTGRES_EPOCH_US: i64 = 946_684_800_000_000;
    match value {
        Value::Float8(value) => value.to_be_bytes().into(),
        Value::Int8(value) => value.to_be_bytes().into(),
        Value::Bool(value) => vec![u8::from(value)],
        Value::Text(text) => text.as_bytes().into(),
        Value::Timestamptz(us) => (us - POSTGRES_EPOCH_US).to_be_bytes().into(),
    }
}

/// Blocks have every row once, in order, and leave out no value.
fn sparse(batch: &Batch, expected: &[(i64, i64, Vec<Cell>)]) {
    let mut next = 0;
    for block in batch.blocks() {
        assert_eq!(block.places.start, next);
        next = block.places.end;
        for (_, _, cells) in &expected[block.places.clone()] {
            let present = cells.iter().enumerate().filter(|(_, cell)| cell.is_some()).map(|(column, _)| column);
            assert!({ present }.all(|column| block.columns.contains(&column)));
        }
    }
    assert_eq!(next, expected.len());
}

type Window = Result<Vec<(i64, i64, u64)>, DecodeError>;

fn windows<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Window {
    let (mut decoder, mut rows) = (Decoder::new(), Vec::new());
    for piece in pieces {
        decoder.push(piece, &mut |time_us, series_id, value| rows.push((time_us, series_id, value.to_bits())))?;
    }
    decoder.finish()?;
    Ok(rows)
}

fn tuples<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Result<Vec<Vec<Cell>>, DecodeError> {
    let (mut decoder, mut rows) = (TupleDecoder::new(3), Vec::new());
    for piece in pieces {
        decoder.push(piece, &mut |row| rows.push(row.iter().map(|value| value.map(<[u8]>::to_vec)).collect()))?;
    }
    decoder.finish()?;
    Ok(rows)
}

fn any_stream(bytes: &[u8], has_header: bool, pieces: u16) {
    let header = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
    let stream = if has_header { [&header[..], bytes].concat() } else { bytes.to_vec() };
    let cut = usize::from(pieces) + 1;
    let (window, whole) = (windows(stream.chunks(cut)), [&stream[..]]);
    assert_eq!(window, windows(whole.into_iter()));
    let rows = tuples(stream.chunks(cut));
    assert_eq!(rows, tuples(whole.into_iter()));
    // What the one knows the other knows too.
    if let Ok(window) = window {
        assert_eq!(rows.map(|rows| rows.len()), Ok(window.len()));
    }
}
