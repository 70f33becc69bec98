//! Rows -> frame: 1,000 series x 2,000 buckets, one row a cell.

use std::hint::black_box;

use chrono_tz::Tz;
use chunkwise::{
    frame::{Accumulator, Calendar, Frame, Shape, assemble},
    question::{Aggregate, Fill, Grid, Transform, Width},
};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

const SERIES: usize = 1_000;
const BUCKETS: usize = 2_000;
const MINUTE_US: i64 = 60 * Width::SECOND_US;

/// Rows as they come out of a chunk: by series, then by time.
fn rows() -> impl Iterator<Item = (usize, i64, f64)> {
    (0..SERIES).flat_map(|series| {
        (0..).step_by(60_000_000).take(BUCKETS).map(move |time_us| (series, time_us, 100.0 + (time_us % 977) as f64))
    })
}

fn accumulated(aggregate: Aggregate) -> Accumulator {
    let calendar = Calendar::new(Width::Fixed(MINUTE_US), Tz::UTC);
    let end_us = i64::try_from(BUCKETS).unwrap_or(0) * MINUTE_US;
    let starts = calendar.starts(0, end_us, BUCKETS).expect("the range holds as many buckets as allowed");
    let mut accumulator = Accumulator::new(SERIES, starts.len(), aggregate);
    for (series, time_us, value) in rows() {
        if let Some(bucket) = starts.index_of(time_us) {
            accumulator.add(series, bucket, time_us, value);
        }
    }
    accumulator
}

fn align(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("align");
    group.throughput(Throughput::Elements((SERIES * BUCKETS) as u64)).sample_size(20);
    for aggregate in [Aggregate::Last, Aggregate::Mean, Aggregate::Max] {
        group.bench_function(format!("accumulate {aggregate:?}"), |bench| {
            bench.iter(|| accumulated(aggregate).finish())
        });
    }

    let calendar = Calendar::new(Width::Fixed(MINUTE_US), Tz::UTC);
    let raw = Frame {
        times_us: (0..).step_by(60_000_000).take(BUCKETS).collect(),
        values: accumulated(Aggregate::Last).finish(),
    };
    let observed = vec![true; BUCKETS];
    for (grid, transform) in [
        (Grid::Observed, Transform::Level),
        (Grid::Observed, Transform::Diff),
        (Grid::Observed, Transform::LogReturn),
        (Grid::Own, Transform::LogReturn),
    ] {
        let shape = Shape { grid, fill: Fill::None, transform };
        group.bench_function(format!("assemble {grid:?} {transform:?}"), |bench| {
            bench.iter_batched(
                || raw.clone(),
                |raw| assemble(black_box(raw), &observed, &shape, &calendar, MINUTE_US),
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, align);
criterion_main!(benches);
