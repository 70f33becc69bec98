//! Random questions, asked both ways.

use std::sync::Arc;

use chunkwise::{
    block::{BlockOptions, Blocks},
    question::{CorrelateQuestion, Grid},
};
use rand::{SeedableRng, rngs::StdRng};
use serde_json::json;

use super::{ask_both, blocks_of, random_question, without_blocks};
use crate::read::fixture::{DAY_US, Fixture, HOUR_US, START_US, ask, block_options, text};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_questions_are_answered_as_from_rows() {
    let fixture = Fixture::random(5, 2 * HOUR_US, 20, DAY_US, 6_000).await;
    let plain = without_blocks(&fixture.test.database);
    let mut random = StdRng::seed_from_u64(1);
    for _ in 0..60 {
        ask_both(&fixture.questions, &plain, &random_question(&mut random, DAY_US, 20)).await;
    }
}

fn whole_day(fields: serde_json::Value) -> CorrelateQuestion {
    let mut all = json!({
        "bucket": "5m", "transform": "diff", "target": {"symbol": "S0"}, "min_overlap": 2,
        "ranges": [{"from": text(START_US), "to": text(START_US + DAY_US)}],
    });
    all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    ask(all)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn little_is_answered_as_from_rows_to_the_last_bit() {
    let fixture = Fixture::random(9, 2 * HOUR_US, 20, DAY_US, 6_000).await;
    let plain = without_blocks(&fixture.test.database);
    let blocks = Blocks::new(BlockOptions { exact_cells: u64::MAX, ..block_options(1 << 30) });
    let questions = without_blocks(&fixture.test.database).with_blocks(Arc::new(blocks));
    let mut random = StdRng::seed_from_u64(2);
    for _ in 0..30 {
        let question = random_question(&mut random, DAY_US, 20);
        let (got, expected) =
            (questions.correlate(&question).await.unwrap(), plain.correlate(&question).await.unwrap());
        assert_eq!(got.n, expected.n);
        // Where there is no chunk, rows have empty columns on a regular grid, which sums in another order.
        let close = if question.grid == Grid::Regular { 1e-13 } else { 0.0 };
        let is_same = |(a, b): (&f64, &f64)| (a - b).abs() <= close || (a.is_nan() && b.is_nan());
        assert!(got.r.iter().zip(&expected.r).all(is_same), "{question:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_question_reads_nothing() {
    let fixture = Fixture::random(6, 6 * HOUR_US, 40, DAY_US, 4_000).await;
    let plain = without_blocks(&fixture.test.database);
    let first = ask_both(&fixture.questions, &plain, &whole_day(json!({}))).await;
    assert_eq!((first.receipt.chunks.read, first.receipt.chunks.cached), (4, 0));
    assert!(first.receipt.rows_read >= 4_000);

    let second = ask_both(&fixture.questions, &plain, &whole_day(json!({"top": 5, "target": {"symbol": "S7"}}))).await;
    assert_eq!((second.receipt.chunks.read, second.receipt.chunks.cached), (0, 4));
    assert_eq!((second.receipt.rows_read, second.receipt.bytes_read), (0, 0));

    // Another shape is made of the same base; a question about part of the day has no more to read either.
    let range = json!([{"from": text(START_US + 3 * HOUR_US), "to": text(START_US + 9 * HOUR_US)}]);
    for fields in [json!({"transform": "pct"}), json!({"grid": "regular"}), json!({ "ranges": range })] {
        let other = ask_both(&fixture.questions, &plain, &whole_day(fields)).await;
        assert_eq!(other.receipt.rows_read, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_blocks_are_not_for_comes_from_rows() {
    let fixture = Fixture::random(7, 6 * HOUR_US, 10, DAY_US, 1_000).await;
    let plain = without_blocks(&fixture.test.database);
    for fields in [
        json!({"method": "spearman"}),
        json!({"bucket": "7m"}),
        json!({"bucket": "8h"}),
        json!({"bucket": "1mo"}),
        json!({"bucket": "1d", "timezone": "Europe/Berlin"}),
        json!({"against": {"symbol": ["S1", "S2"]}}),
        json!({"fill": {"locf": {"max_age": "12h"}}}),
    ] {
        for _ in 0..2 {
            let answer = ask_both(&fixture.questions, &plain, &whole_day(fields.clone())).await;
            assert_eq!(answer.receipt.chunks.cached, 0, "{fields}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_that_is_used_up_is_freed_and_answers_stay_right() {
    let fixture = Fixture::random(8, 2 * HOUR_US, 30, DAY_US, 4_000).await;
    let plain = without_blocks(&fixture.test.database);
    let small = Arc::new(Blocks::new(block_options(200_000)));
    let questions = without_blocks(&fixture.test.database).with_blocks(Arc::clone(&small));
    for transform in ["diff", "level", "diff"] {
        ask_both(&questions, &plain, &whole_day(json!({"bucket": "1m", "transform": transform}))).await;
        assert!(small.bytes() <= 200_000, "{}", small.bytes());
    }
    let (questions, blocks) = blocks_of(without_blocks(&fixture.test.database));
    ask_both(&questions, &plain, &whole_day(json!({"bucket": "1m"}))).await;
    assert!(blocks.bytes() > 200_000);
}
