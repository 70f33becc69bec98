//! The strongest pairs, without a matrix.

use std::{cmp::Reverse, collections::BinaryHeap};

use ndarray::ArrayView2;
use rayon::prelude::*;

use super::strip::{Rows, Strip, strip_rows};
use crate::question::{Method, Order};

/// A pair of rows and its correlation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// The earlier row.
    pub a: usize,
    /// The later row.
    pub b: usize,
    /// In [-1, 1].
    pub r: f64,
    /// How many buckets both have.
    pub n: usize,
}

/// So many more are kept than asked for, as the float32 products may take two close ones for each other.
const SPARE: usize = 64;

/// A pair by its score; of equal ones the earlier pair is the greater.
#[derive(Debug, PartialEq)]
struct Scored {
    score: f64,
    pair: Pair,
}

impl Eq for Scored {}

impl PartialOrd for Scored {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Scored {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let place = |pair: &Pair| Reverse((pair.a, pair.b));
        self.score.total_cmp(&other.score).then_with(|| place(&self.pair).cmp(&place(&other.pair)))
    }
}

/// The best so many, the worst of them on top.
#[derive(Debug)]
struct Best {
    heap: BinaryHeap<Reverse<Scored>>,
    most: usize,
}

impl Best {
    fn new(most: usize) -> Self {
        Self { heap: BinaryHeap::new(), most }
    }

    fn offer(&mut self, scored: Scored) {
        if self.heap.len() < self.most {
            self.heap.push(Reverse(scored));
        } else if let Some(mut worst) = self.heap.peek_mut()
            && worst.0 < scored
        {
            *worst = Reverse(scored);
        }
    }

    fn merge(mut self, other: Self) -> Self {
        for Reverse(scored) in other.heap {
            self.offer(scored);
        }
        self
    }
}

fn score(order: Order, r: f64) -> f64 {
    match order {
        Order::Abs => r.abs(),
        Order::Desc => r,
        Order::Asc => -r,
    }
}

/// The `top` pairs of different rows of `values` (series x buckets, missing = NaN) that rank highest by `order`, best first;
/// of equal ones the pair of the earlier rows. Pairs without r are left out.
///
/// r is of float64; which pairs are the best is decided by float32 products with some to spare. Memory does not grow with the
/// number of pairs. See [`matrix`](super::matrix) for `method` and `min_overlap`.
#[must_use]
pub fn top_pairs(
    values: ArrayView2<'_, f64>,
    method: Method,
    min_overlap: usize,
    top: usize,
    order: Order,
) -> Vec<Pair> {
    let rows = Rows::new(values, method);
    let most = top.saturating_add(SPARE);
    let strips: Vec<usize> = (0..values.nrows()).step_by(strip_rows(values.nrows())).collect();
    let best = strips
        .into_par_iter()
        .fold(
            || (Strip::default(), Best::new(most)),
            |(mut strip, mut best), first| {
                strip.compute(&rows, first, min_overlap, |a, b, found| {
                    if a != b && !found.r.is_nan() {
                        let pair = Pair { a, b, r: found.r, n: found.n };
                        best.offer(Scored { score: score(order, found.r), pair });
                    }
                });
                (strip, best)
            },
        )
        .map(|(_, best)| best)
        .reduce(|| Best::new(most), Best::merge);
    let mut pairs: Vec<Scored> = best
        .heap
        .into_par_iter()
        .filter_map(|Reverse(Scored { pair, .. })| {
            let r = rows.exactly(pair.a, pair.b, min_overlap).r;
            (!r.is_nan()).then(|| Scored { score: score(order, r), pair: Pair { r, ..pair } })
        })
        .collect();
    pairs.sort_by(|a, b| b.cmp(a));
    pairs.truncate(top);
    pairs.into_iter().map(|scored| scored.pair).collect()
}
