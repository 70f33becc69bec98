//! Rows of two sides, as the server sends them -> joined: a million trades with five million quotes of 100 symbols, over six
//! and a half hours, in slices of half a million rows.

use std::hint::black_box;

use chunkwise::asof::{AsofJoin, SideRows, Unmatched};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const PAIRS: u32 = 100;
const TRADES: i64 = 1_000_000;
const QUOTES: i64 = 5_000_000;
const SPAN_US: i64 = 6 * 3_600_000_000 + 1_800_000_000;
const SLICES: i64 = 12;
const TOLERANCE_US: i64 = 10_000_000;

/// The rows of one slice in order of time.
fn slice(rows: i64, slice: i64, fields: usize, shift_us: i64) -> SideRows {
    let mut side = SideRows::new(fields);
    for at in rows * slice / SLICES..rows * (slice + 1) / SLICES {
        let pair = u32::try_from(at * 7_919 % i64::from(PAIRS)).unwrap_or(0);
        let values = (0..fields).map(|field| 100.0 + ((at + field as i64) % 977) as f64 / 8.0);
        side.push(pair, at * (SPAN_US / rows) + shift_us, values);
    }
    side
}

fn asof(criterion: &mut Criterion) {
    let slices: Vec<(SideRows, SideRows)> =
        (0..SLICES).map(|at| (slice(TRADES, at, 1, 13), slice(QUOTES, at, 2, 0))).collect();
    let mut group = criterion.benchmark_group("asof");
    group.throughput(Throughput::Elements((TRADES + QUOTES).unsigned_abs())).sample_size(10);
    group.bench_function("trades with quotes", |bench| {
        bench.iter(|| {
            let mut join = AsofJoin::new(PAIRS as usize, 1, 2, TOLERANCE_US, Unmatched::Kept);
            for (trades, quotes) in &slices {
                join.push(trades, quotes);
            }
            black_box(join.finish()).len()
        });
    });
    group.finish();
}

criterion_group!(benches, asof);
criterion_main!(benches);
