//! One against 2,000 series over 2,000 buckets, complete and with gaps, with a naive loop as the control.

use std::hint::black_box;

use chunkwise::{correlation::one_vs_all, question::Method};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ndarray::{Array2, ArrayView1};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

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

criterion_group!(benches, kernels);
criterion_main!(benches);
