//! Rows of a window out of COPY: all in one piece, and a row a piece, as the server sends them.

use std::hint::black_box;

use chunkwise::{
    batch::{Batch, BatchColumn, Value},
    copy::{Decoder, Encoder},
    hypertable::ColumnType,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const ROWS: i64 = 100_000;
const HEADER_BYTES: usize = 19;
const ROW_BYTES: usize = 38;

fn stream() -> Vec<u8> {
    let mut batch = Batch::new(vec![BatchColumn { name: "value".to_owned(), kind: ColumnType::Float8 }]);
    for i in 0..ROWS {
        batch
            .push_row(1_700_000_000_000_000 + i, i % 1_000, &[(0, Value::Float8(i as f64))])
            .expect("the row is valid");
    }
    let mut encoder = Encoder::new(&batch).expect("one column can be copied");
    let (mut all, mut piece) = (Vec::new(), Vec::new());
    while encoder.next_piece(&mut piece).expect("there is no text") {
        all.extend_from_slice(&piece);
    }
    all
}

fn decoded<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> f64 {
    let mut decoder = Decoder::new();
    let mut sum = 0.0;
    for piece in pieces {
        let mut sink = |time_us: i64, series_id: i64, value: f64| sum += value + (time_us ^ series_id) as f64;
        decoder.push(piece, &mut sink).expect("the stream is one of ours");
    }
    decoder.finish().expect("the stream has a trailer");
    sum
}

fn decoder(criterion: &mut Criterion) {
    let stream = stream();
    let (first, rest) = stream.split_at(HEADER_BYTES + ROW_BYTES);
    let mut group = criterion.benchmark_group("decoder");
    group.throughput(Throughput::Elements(ROWS.unsigned_abs()));
    group.bench_function("one piece", |bencher| bencher.iter(|| decoded([black_box(&stream[..])].into_iter())));
    group.bench_function("a row a piece", |bencher| {
        bencher.iter(|| decoded([black_box(first)].into_iter().chain(rest.chunks(ROW_BYTES))));
    });
    group.bench_function("pieces that cut rows", |bencher| {
        bencher.iter(|| decoded(black_box(&stream[..]).chunks(4_096)))
    });
    group.finish();
}

criterion_group!(benches, decoder);
criterion_main!(benches);
