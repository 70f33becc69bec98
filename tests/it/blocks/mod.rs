//! Correlations from blocks are those of rows, whatever happens to the rows.

mod changes;
mod equality;
mod files;
mod frames;
mod moments;
mod service;

use std::sync::Arc;

use chunkwise::{
    db::Database,
    query::{CorrelateAnswer, Questions},
    question::CorrelateQuestion,
};
use rand::{Rng, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Value, json};

use crate::read::fixture::{START_US, ask, block_options, several_connections, text};

/// Questions about the same database that keep nothing.
pub(crate) fn without_blocks(database: &Database) -> Questions {
    Questions::new(database.clone(), several_connections())
}

/// Both ways agree: r within 1e-6, everything else exactly.
#[track_caller]
pub(crate) fn assert_same(blocks: &CorrelateAnswer, rows: &CorrelateAnswer, about: &str) {
    assert_eq!(blocks.rows, rows.rows, "{about}");
    assert_eq!(blocks.target, rows.target, "{about}");
    assert_eq!(blocks.n, rows.n, "{about}");
    for ((at, got), expected) in blocks.r.indexed_iter().zip(&rows.r) {
        let agrees = (got - expected).abs() <= 1e-6 || (got.is_nan() && expected.is_nan());
        assert!(agrees, "{about}: {at:?} is {got}, not {expected}");
    }
}

/// Asks both ways, and gives the answer from blocks.
pub(crate) async fn ask_both(
    questions: &Questions,
    plain: &Questions,
    question: &CorrelateQuestion,
) -> CorrelateAnswer {
    let blocks = questions.correlate(question).await.unwrap();
    let rows = plain.correlate(question).await.unwrap();
    assert_same(&blocks, &rows, &serde_json::to_string(question).unwrap());
    blocks
}

/// A question about `S<target>` against all, over ranges within `span_us` from the start.
pub(crate) fn random_question(random: &mut StdRng, span_us: i64, series: usize) -> CorrelateQuestion {
    let pick = |random: &mut StdRng, values: &[&str]| (*values.choose(random).unwrap()).to_owned();
    let ranges: Vec<Value> = (0..random.random_range(1..4))
        .map(|_| {
            let mut at = || START_US + random.random_range(-span_us / 8..span_us * 9 / 8);
            let (a, b) = (at(), at());
            json!({"from": text(a.min(b)), "to": text(a.max(b) + 1)})
        })
        .collect();
    let mut fields = json!({
        "bucket": pick(random, &["1m", "5m", "15m", "1h", "1h"]),
        "aggregate": pick(random, &["last", "mean", "max", "sum", "count", "first", "min"]),
        "grid": pick(random, &["observed", "observed", "regular", "own"]),
        "transform": pick(random, &["level", "diff", "pct", "log_return"]),
        "field": pick(random, &["price", "price", "size"]),
        "target": {"symbol": format!("S{}", random.random_range(0..series))},
        "ranges": ranges,
        "min_overlap": random.random_range(2..5),
    });
    if random.random_ratio(1, 3) {
        fields["fill"] = json!({"locf": {"max_age": pick(random, &["2m", "30m", "3h"])}});
    }
    ask(fields)
}

/// Says which panels there are to a test that wants to know: how much memory they take.
pub(crate) fn blocks_of(questions: Questions) -> (Questions, Arc<chunkwise::block::Blocks>) {
    let blocks = Arc::new(chunkwise::block::Blocks::new(block_options(1 << 30)));
    (questions.with_blocks(Arc::clone(&blocks)), blocks)
}
