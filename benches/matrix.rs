//! All pairs over 2,000 buckets, with a full product of matrices of the same shape as the control; a window that moves.
//!
//! The control is a float32 product by the same library on all cores, of all pairs: what a matrix without gaps could cost if
//! symmetry were not used and no float64 written.
//! `CHUNKWISE_BENCH_PAIRS=20000 cargo bench --bench matrix -- strongest` takes the strongest pairs of so many series over 1,000
//! buckets (default 4,000).

use std::hint::black_box;

use chunkwise::{
    correlation::{matrix, rolling, top_pairs},
    question::{Method, Order},
};
use criterion::{Criterion, criterion_group, criterion_main};
use ndarray::{Array2, Axis, linalg::general_mat_mul};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// Values, of which this share is missing.
fn values(series: usize, buckets: usize, missing: f64) -> Array2<f64> {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    Array2::from_shape_simple_fn((series, buckets), || {
        if random.random_bool(missing) { f64::NAN } else { random.random_range(-1.0..1.0) }
    })
}

/// All rows with all rows.
fn full_product(values: &Array2<f32>) -> Array2<f32> {
    let mut product = Array2::zeros((values.nrows(), values.nrows()));
    let rows = values.nrows().div_ceil(rayon::current_num_threads()).max(1);
    let parts = product.axis_chunks_iter_mut(Axis(0), rows).into_par_iter();
    parts.zip(values.axis_chunks_iter(Axis(0), rows)).for_each(|(mut part, rows)| {
        general_mat_mul(1.0, &rows, &values.t(), 0.0, &mut part);
    });
    product
}

fn pairs(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("matrix");
    group.sample_size(10);
    #[expect(clippy::cast_possible_truncation, reason = "the control is of float32")]
    let narrow = |values: &Array2<f64>| values.mapv(|value| value as f32);
    let complete = values(5_000, 2_000, 0.0);
    let control = narrow(&complete);
    group.bench_function("complete, 5,000 x 2,000", |bench| {
        bench.iter(|| matrix(black_box(complete.view()), Method::Pearson, 10));
    });
    group.bench_function("full product, 5,000 x 2,000", |bench| bench.iter(|| full_product(black_box(&control))));
    let gaps = values(1_000, 2_000, 0.05);
    let control = narrow(&values(1_000, 2_000, 0.0));
    group.bench_function("5 % missing, 1,000 x 2,000", |bench| {
        bench.iter(|| matrix(black_box(gaps.view()), Method::Pearson, 10));
    });
    group.bench_function("full product, 1,000 x 2,000", |bench| bench.iter(|| full_product(black_box(&control))));
    group.finish();
}

fn strongest(criterion: &mut Criterion) {
    let series = std::env::var("CHUNKWISE_BENCH_PAIRS").ok().and_then(|series| series.parse().ok()).unwrap_or(4_000);
    let values = values(series, 1_000, 0.0);
    let mut group = criterion.benchmark_group("strongest");
    group.sample_size(10);
    group.bench_function(format!("100 pairs, {series} x 1,000"), |bench| {
        bench.iter(|| top_pairs(black_box(values.view()), Method::Pearson, 10, 100, Order::Abs));
    });
    group.finish();
}

fn windows(criterion: &mut Criterion) {
    let values = values(1_000, 2_000, 0.05);
    let mut group = criterion.benchmark_group("rolling");
    group.sample_size(10);
    for window in [20, 250] {
        group.bench_function(format!("window of {window}, 1,000 x 2,000"), |bench| {
            bench.iter(|| rolling(values.row(0), black_box(values.view()), window, 1, 10));
        });
    }
    group.finish();
}

criterion_group!(benches, pairs, strongest, windows);
criterion_main!(benches);
