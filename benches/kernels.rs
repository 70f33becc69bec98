//! One against many over 2,000 buckets: arrays in float64, complete and with gaps, with a naive loop as the control; panels
//! in float32, with a plain read pass over the same bytes as the control.
//!
//! Panels are of 16,000 series, or of as many as `CHUNKWISE_BENCH_SERIES` says:
//! `CHUNKWISE_BENCH_SERIES=100000 cargo bench --bench kernels -- panels` takes 1.6 GB of memory.

use std::{hint::black_box, ops::Range, slice::from_ref};

use chunkwise::{
    correlation::{Panel, one_vs_all, one_vs_panels},
    question::Method,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use multiversion::multiversion;
use ndarray::{Array2, ArrayView1};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

const SERIES: usize = 2_000;
const BUCKETS: usize = 2_000;

/// Values, of which this share is missing.
fn values(missing: f64) -> Array2<f64> {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    Array2::from_shape_simple_fn((SERIES, BUCKETS), || {
        if random.random_bool(missing) { f64::NAN } else { random.random_range(-1.0..1.0) }
    })
}

/// Pearson's r by the formula: two passes over the pairs, one accumulator a sum, one thread.
fn naive(x: ArrayView1<'_, f64>, y: ArrayView1<'_, f64>) -> f64 {
    let pairs = || x.iter().zip(y).filter(|(x, y)| !x.is_nan() && !y.is_nan());
    let (mut n, mut x_mean, mut y_mean) = (0.0, 0.0, 0.0);
    for (x, y) in pairs() {
        (n, x_mean, y_mean) = (n + 1.0, x_mean + x, y_mean + y);
    }
    (x_mean, y_mean) = (x_mean / n, y_mean / n);
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for (x, y) in pairs() {
        let (dx, dy) = (x - x_mean, y - y_mean);
        (xx, yy, xy) = (xx + dx * dx, yy + dy * dy, xy + dx * dy);
    }
    xy / (xx * yy).sqrt()
}

fn kernels(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("one_vs_all");
    group.throughput(Throughput::Bytes((SERIES * BUCKETS * size_of::<f64>()) as u64)).sample_size(20);
    for (name, missing) in [("complete", 0.0), ("5 % missing", 0.05)] {
        let values = values(missing);
        let target = values.row(0);
        let whole = 0..BUCKETS;
        for method in [Method::Pearson, Method::Spearman] {
            group.bench_function(format!("{method:?}, {name}"), |bench| {
                bench.iter(|| one_vs_all(black_box(target), values.view(), std::slice::from_ref(&whole), method, 10));
            });
        }
        group.bench_function(format!("naive Pearson, {name}"), |bench| {
            bench.iter(|| values.rows().into_iter().map(|other| naive(black_box(target), other)).collect::<Vec<_>>());
        });
    }
    group.finish();
}

/// A panel that is owned.
struct Owned {
    buckets: usize,
    values: Vec<[f32; Panel::LANES]>,
    present: Vec<u16>,
    full: Vec<bool>,
}

impl Owned {
    fn view(&self) -> Panel<'_> {
        let Self { buckets, values, present, full } = self;
        Panel { buckets: *buckets, values, present, full, offsets: &[], wild: &[] }
    }
}

/// Panels of so many buckets each.
fn panels(series: usize, buckets: usize, missing: f64) -> Vec<Owned> {
    let tiles = series / Panel::LANES;
    let panel = |first: usize| {
        let mut random = ChaCha8Rng::seed_from_u64(first as u64);
        let buckets = buckets.min(BUCKETS - first);
        let mut values = vec![[0.0; Panel::LANES]; tiles * buckets];
        let mut present = vec![0; tiles * buckets];
        for (values, present) in values.iter_mut().zip(&mut present) {
            for (lane, value) in values.iter_mut().enumerate() {
                if !random.random_bool(missing) {
                    *value = random.random_range(-1.0..1.0);
                    *present |= 1 << lane;
                }
            }
        }
        let full: Vec<bool> =
            present.chunks(buckets).map(|tile| tile.iter().all(|bits: &u16| *bits == u16::MAX)).collect();
        if missing == 0.0 {
            present = Vec::new();
        }
        Owned { buckets, values, present, full }
    };
    (0..BUCKETS).step_by(buckets).map(panel).collect()
}

/// Adds up all values: what reading them takes at least.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx2+fma", "x86_64+avx2+fma", "aarch64+neon"))]
fn read(values: &[[f32; Panel::LANES]]) -> f32 {
    let mut sums = [[0.0_f32; Panel::LANES]; 4];
    let (fours, rest) = values.as_chunks::<4>();
    for four in fours {
        for (sums, values) in sums.iter_mut().zip(four) {
            for lane in 0..Panel::LANES {
                sums[lane] += values[lane];
            }
        }
    }
    sums.iter().chain(rest).flatten().sum()
}

/// The same on all cores, in pieces as long as those that the kernel takes at once.
fn read_all(panels: &[Owned]) -> f32 {
    panels.par_iter().flat_map(|panel| panel.values.par_chunks(32 * panel.buckets)).map(read).sum()
}

fn panel_kernels(criterion: &mut Criterion) {
    let series = std::env::var("CHUNKWISE_BENCH_SERIES").ok().and_then(|series| series.parse().ok()).unwrap_or(16_000);
    let mut group = criterion.benchmark_group("panels");
    group.throughput(Throughput::Bytes((series * BUCKETS * size_of::<f32>()) as u64)).sample_size(20);
    let whole = 0..BUCKETS;
    let five: Vec<Range<usize>> = (0..5).map(|range| range * 200..BUCKETS - (4 - range) * 150).collect();
    for (name, buckets, missing) in [("complete", 64, 0.0), ("5 % missing", 64, 0.05), ("400 panels of 5", 5, 0.0)] {
        let panels = panels(series, buckets, missing);
        let views: Vec<Panel<'_>> = panels.iter().map(Owned::view).collect();
        group.bench_function(format!("read pass, {name}"), |bench| bench.iter(|| read_all(black_box(&panels))));
        for (ranges, of) in [("one range", from_ref(&whole)), ("five overlapping ranges", &five)] {
            group.bench_function(format!("{ranges}, {name}"), |bench| {
                bench.iter(|| one_vs_panels(black_box(&views), 7, series, of, 10));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, kernels, panel_kernels);
criterion_main!(benches);
