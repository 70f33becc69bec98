//! Answers as arrays, before a format makes bytes of them.

use std::sync::Arc;

use ndarray::Array2;
use serde::Serialize;

use crate::{
    frame::Frame,
    question::{Aggregate, CorrelateQuestion, Stat, TimeRange},
    series::{SelectedSeries, TaggedSeries},
};

/// The series of an answer, shared with what questions keep: a hundred thousand have several hundred thousand texts.
pub type AnswerRows = Arc<SelectedSeries>;

/// What an answer cost.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Receipt {
    /// Chunks.
    pub chunks: ReceiptChunks,
    /// Rows that came from the database.
    pub rows_read: u64,
    /// Bytes of them.
    pub bytes_read: u64,
    /// Where the time went, in milliseconds.
    pub ms: ReceiptMs,
}

/// Chunks of the measurement, by what a question did with them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ReceiptChunks {
    /// All there are.
    pub total: u64,
    /// Not touched.
    pub pruned: u64,
    /// Answered from blocks.
    pub cached: u64,
    /// Read from the database.
    pub read: u64,
}

/// Milliseconds by stage.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ReceiptMs {
    /// Waiting for a turn.
    pub queue: f64,
    /// Finding series and chunks.
    pub plan: f64,
    /// Reading and decoding rows.
    pub read: f64,
    /// Grid, fill and transform.
    pub align: f64,
    /// Correlating.
    pub compute: f64,
    /// Writing the answer; known only after it was written, so 0 in array formats' headers of streamed answers.
    pub encode: f64,
}

/// The answer to a window question.
#[derive(Debug, Clone)]
pub struct WindowAnswer {
    /// The rows.
    pub rows: AnswerRows,
    /// rows = series, columns = buckets, missing = NaN.
    pub frame: Frame,
    /// What the further aggregates give, in the order asked; each in the frame's shape.
    pub also: Vec<(Aggregate, Array2<f64>)>,
    /// The database's clock, microseconds since 1970, when the snapshot was taken that the answer includes whole.
    pub as_of_us: i64,
    /// What it cost.
    pub receipt: Receipt,
}

/// The answer to a correlate question.
#[derive(Debug, Clone)]
pub struct CorrelateAnswer {
    /// The target.
    pub target: TaggedSeries,
    /// The series of the answer's columns: ascending id, or rank order where the question has `top`.
    pub rows: AnswerRows,
    /// How many series the target was compared with, itself not counted: more than the rows where the question has `top`.
    pub compared: usize,
    /// What of `against` none of them has; see [`SelectedSeries::unmatched`].
    pub unmatched: Vec<String>,
    /// As asked.
    pub ranges: Vec<TimeRange>,
    /// rows = ranges, columns = series; NaN where undefined.
    pub r: Array2<f64>,
    /// Common buckets; the same shape.
    pub n: Array2<i64>,
    /// The figures asked for, each of the same shape, in the order asked.
    pub stats: Vec<StatColumn>,
    /// See [`WindowAnswer::as_of_us`].
    pub as_of_us: i64,
    /// What it cost.
    pub receipt: Receipt,
}

/// A figure for every (range, series).
#[derive(Debug, Clone)]
pub enum StatColumn {
    /// p-values or q-values; NaN where undefined.
    One(Stat, Array2<f64>),
    /// Lower and upper bounds of the interval; NaN where undefined.
    Interval(Array2<f64>, Array2<f64>),
}

impl StatColumn {
    /// Makes every figure undefined.
    pub(super) fn undefine(&mut self) {
        match self {
            Self::One(_, values) => values.fill(f64::NAN),
            Self::Interval(low, high) => {
                low.fill(f64::NAN);
                high.fill(f64::NAN);
            }
        }
    }
}

impl CorrelateAnswer {
    /// Whether the answer is in rank order.
    #[must_use]
    pub fn is_ranked(question: &CorrelateQuestion) -> bool {
        question.top.is_some()
    }
}
