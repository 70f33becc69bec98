//! A batch's way to COPY: filling it, sorting it, joining several, encoding it; 50,000 rows of 1,000 series.

use std::hint::black_box;

use chunkwise::{
    batch::{Batch, BatchColumn, Value},
    copy::Encoder,
    hypertable::ColumnType,
};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

const ROWS: i64 = 50_000;
const SERIES: i64 = 1_000;

fn columns() -> Vec<BatchColumn> {
    [("price", ColumnType::Float8), ("size", ColumnType::Int8), ("venue", ColumnType::Text)]
        .map(|(name, kind)| BatchColumn { name: name.to_owned(), kind })
        .into()
}

/// Rows as they arrive: by time, one series after the other. Every tenth has a text.
fn filled() -> Batch {
    let mut batch = Batch::new(columns());
    for i in 0..ROWS {
        let values = [(0, Value::Float8(i as f64 / 3.0)), (1, Value::Int8(i)), (2, Value::Text("XNAS"))];
        let values = if i % 10 == 0 { &values[..] } else { &values[..2] };
        batch.push_row(1_700_000_000_000_000 + i, i * 7 % SERIES, values).expect("the row is valid");
    }
    batch
}

fn encoded(batch: &Batch, piece: &mut Vec<u8>) -> usize {
    let mut encoder = Encoder::new(batch).expect("three columns can be copied");
    let mut bytes = 0;
    while encoder.next_piece(piece).expect("the texts are short") {
        bytes += black_box(&*piece).len();
    }
    bytes
}

fn encoder(criterion: &mut Criterion) {
    let batch = filled();
    let sorted = batch.clone();
    sorted.sort();
    let parts = vec![&batch; 8];
    let mut piece = Vec::new();

    let mut group = criterion.benchmark_group("batch");
    group.throughput(Throughput::Elements(ROWS.unsigned_abs()));
    group.bench_function("fill", |bencher| bencher.iter(filled));
    group.bench_function("sort", |bencher| {
        bencher.iter_batched_ref(|| batch.clone(), |batch| batch.sort(), BatchSize::LargeInput)
    });
    group.throughput(Throughput::Elements(8 * ROWS.unsigned_abs()));
    group.bench_function("concat", |bencher| bencher.iter(|| Batch::concat(black_box(&parts))));
    group.finish();

    let mut group = criterion.benchmark_group("encoder");
    group.throughput(Throughput::Bytes(encoded(&sorted, &mut piece) as u64));
    group.bench_function("arrived", |bencher| bencher.iter(|| encoded(&batch, &mut piece)));
    group.bench_function("sorted", |bencher| bencher.iter(|| encoded(&sorted, &mut piece)));
    group.finish();
}

criterion_group!(benches, encoder);
criterion_main!(benches);
