//! Rows -> bars of a minute: two million rows of 1,000 series, two fields, as they lie in a live chunk (batches sorted by
//! series) and in any order; and minutes -> hours.

use std::hint::black_box;

use chunkwise::rollup::{Bar, Bars, Finished, Key, Level, Number, Weighting};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

const ROWS: i64 = 2_000_000;
const SERIES: i64 = 1_000;
/// Two minutes of 1,000 rows of each series each.
const STEP_US: i64 = 60;
const BATCH: i64 = 50_000;

type Row = (i64, i64, [Option<Key>; 2]);

fn row(at: i64, series: i64) -> Row {
    let price = 100.0 + (at % 977) as f64 / 8.0;
    (at * STEP_US, series, [Key::of_float(price), Some(Key::of_int(at % 100))])
}

/// In batches, each sorted by series.
fn batched() -> Vec<Row> {
    let mut rows: Vec<Row> = (0..ROWS).map(|at| row(at, at * 7_919 % SERIES)).collect();
    for batch in rows.chunks_mut(usize::try_from(BATCH).unwrap_or(1)) {
        batch.sort_unstable_by_key(|row| (row.1, row.0));
    }
    rows
}

fn scattered() -> Vec<Row> {
    (0..ROWS).map(|at| row(at, at * 7_919 % SERIES)).collect()
}

fn bars() -> Bars {
    Bars::new(vec![Number::Float, Number::Int], Some(Weighting { value: 0, weight: 1 }))
}

fn of_rows(rows: &[Row]) -> Finished {
    let mut bars = bars();
    for (time_us, series_id, keys) in rows {
        bars.add(Level::Minute.floor(*time_us), *time_us, *series_id, keys);
    }
    bars.finish()
}

fn rollup(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("rollup");
    group.throughput(Throughput::Elements(ROWS.unsigned_abs())).sample_size(10);
    for (name, rows) in [("rows in sorted batches", batched()), ("rows in any order", scattered())] {
        group.bench_function(name, |bench| bench.iter(|| black_box(of_rows(&rows)).len()));
    }
    let minutes: Vec<(i64, i64, [Bar; 2])> = (0..ROWS / 10)
        .map(|at| {
            let (_, series, keys) = row(at, at * 7_919 % SERIES);
            let time_us = at / SERIES * Level::Minute.width_us();
            (time_us, series, keys.map(|key| key.map_or(Bar::EMPTY, |key| Bar::stored(time_us, [key; 4], 1.0, 1))))
        })
        .collect();
    group.throughput(Throughput::Elements((ROWS / 10).unsigned_abs()));
    group.bench_function("minutes to hours", |bench| {
        bench.iter_batched(
            bars,
            |mut bars| {
                for (time_us, series_id, parts) in &minutes {
                    bars.merge(Level::Hour.floor(*time_us), *series_id, parts, chunkwise::rollup::Weighted::default());
                }
                black_box(bars.finish()).len()
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

criterion_group!(benches, rollup);
criterion_main!(benches);
