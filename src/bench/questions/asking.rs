//! Questions at random, always the same ones for the same table.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::table::{BUCKET, CHUNK_BUCKETS, FIELD, Stage};

/// The most ranges of a question.
const MOST_RANGES: usize = 5;

/// Makes questions.
#[derive(Debug)]
pub(super) struct Asking<'s> {
    stage: &'s Stage<'s>,
    random: ChaCha8Rng,
}

impl<'s> Asking<'s> {
    pub(super) fn new(stage: &'s Stage<'s>) -> Self {
        Self { stage, random: ChaCha8Rng::seed_from_u64(11) }
    }

    /// A range of so many buckets anywhere in the table, but not in its first bucket, which has no return.
    fn range(&mut self, buckets: u32) -> Value {
        let all = self.stage.options.buckets;
        let buckets = buckets.clamp(1, all);
        let from = self.random.random_range(0..=all - buckets);
        json!({"from": self.stage.bucket_ms(from), "to": self.stage.bucket_ms(from + buckets)})
    }

    fn about(&self, target: i64, ranges: Vec<Value>) -> Value {
        json!({
            "measurement": Stage::measurement(), "field": FIELD, "bucket": BUCKET, "transform": "log_return",
            "target": {"series_id": [target]}, "ranges": ranges,
        })
    }

    fn target(&mut self) -> i64 {
        let ids = &self.stage.ids;
        ids.get(self.random.random_range(0..ids.len().max(1))).copied().unwrap_or_default()
    }

    /// One to five ranges of any length, overlapping or not.
    pub(super) fn any_ranges(&mut self) -> Value {
        let count = self.random.random_range(1..=MOST_RANGES);
        let ranges = (0..count)
            .map(|_| {
                let buckets = self.random.random_range(1..=self.stage.options.buckets);
                self.range(buckets)
            })
            .collect();
        let target = self.target();
        self.about(target, ranges)
    }

    /// Three ranges that together are as long as the table.
    pub(super) fn three_ranges(&mut self) -> Value {
        let ranges = (0..3).map(|_| self.range(self.stage.options.buckets / 3)).collect();
        let target = self.target();
        self.about(target, ranges)
    }

    /// One range of 250 buckets.
    pub(super) fn short_range(&mut self) -> Value {
        let ranges = vec![self.range(CHUNK_BUCKETS)];
        let target = self.target();
        self.about(target, ranges)
    }

    /// All buckets as one range.
    pub(super) fn whole(&mut self) -> Value {
        let ranges = vec![self.range(self.stage.options.buckets)];
        let target = self.target();
        self.about(target, ranges)
    }

    /// All buckets, a range a question.
    pub(super) fn chunk_by_chunk(&mut self) -> Vec<Value> {
        let target = self.target();
        let all = self.stage.options.buckets;
        let at = |bucket| self.stage.bucket_ms(bucket);
        let starts = (0..all).step_by(CHUNK_BUCKETS as usize);
        let range = |from: u32| json!({"from": at(from), "to": at(all.min(from + CHUNK_BUCKETS))});
        starts.map(|from| self.about(target, vec![range(from)])).collect()
    }

    /// The best fifty.
    pub(super) fn top(mut question: Value) -> Value {
        question["top"] = json!(50);
        question
    }
}
