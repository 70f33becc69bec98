//! All pairs, windows that move, and lags: from a frame to the answer.

use std::sync::Arc;

use ndarray::{Array2, Axis, s};
use tokio::{sync::OwnedSemaphorePermit, time::Instant};

use super::{
    AnswerRows, QueryError, Questions, Receipt, TaggedSeries, Tally,
    questions::{blocking, no_frame},
    reading::{Asked, Found, Gathered, Selection, ms},
};
use crate::{
    correlation::{
        Matrix, OneVsAll, Stop, lagged, matrix, rank, rolling, similar_together, top_pairs, top_pairs_bytes,
        window_ends,
    },
    frame::Frame,
    question::{LagQuestion, MAX_ROLLING, MatrixQuestion, Order, RankBy, RollingQuestion},
};

pub use crate::correlation::{Overlaps, Pair};

/// How many questions of each kind there were and how long they took.
#[derive(Debug)]
pub struct KindTallies {
    /// All pairs.
    pub matrix: Tally,
    /// Windows that move.
    pub rolling: Tally,
    /// Lags.
    pub lag: Tally,
    /// Raw rows.
    pub ticks: Tally,
}

impl KindTallies {
    pub(super) fn new() -> Self {
        Self {
            matrix: Tally::of("matrix"),
            rolling: Tally::of("rolling"),
            lag: Tally::of("lag"),
            ticks: Tally::of("ticks"),
        }
    }
}

/// The correlations of all pairs.
#[derive(Debug, Clone)]
pub struct MatrixAnswer {
    /// The series, ascending by id.
    pub rows: AnswerRows,
    /// Their correlations.
    pub pairs: AllPairs,
    /// See [`WindowAnswer::as_of_us`](super::WindowAnswer::as_of_us).
    pub as_of_us: i64,
    /// What it cost.
    pub receipt: Receipt,
}

/// All pairs, or some.
#[derive(Debug, Clone)]
pub enum AllPairs {
    /// All of them.
    Matrix {
        /// (series, series); NaN where undefined.
        r: Array2<f32>,
        /// Common buckets.
        n: Overlaps,
        /// An order of the rows: similar ones together if that was asked for, else ascending.
        order: Vec<usize>,
    },
    /// The strongest, best first; their rows are those of the answer.
    Strongest(Vec<Pair>),
}

/// The correlations of one series with some over windows.
#[derive(Debug, Clone)]
pub struct RollingAnswer {
    /// The target.
    pub target: TaggedSeries,
    /// The series, ascending by id.
    pub rows: AnswerRows,
    /// Each window's last bucket: its start, microseconds since 1970 UTC.
    pub times_us: Vec<i64>,
    /// (series, windows); NaN where undefined.
    pub r: Array2<f64>,
    /// See [`WindowAnswer::as_of_us`](super::WindowAnswer::as_of_us).
    pub as_of_us: i64,
    /// What it cost.
    pub receipt: Receipt,
}

/// The correlations of one series with others that are moved.
#[derive(Debug, Clone)]
pub struct LagAnswer {
    /// The target.
    pub target: TaggedSeries,
    /// The series: ascending id, or rank order where the question has `top`.
    pub rows: AnswerRows,
    /// From -`max_lag` to `max_lag`, in buckets; with the lag k, target(t) is paired with other(t + k).
    pub lags: Vec<i64>,
    /// (series, lags); NaN where undefined.
    pub r: Array2<f64>,
    /// Common buckets; the same shape.
    pub n: Array2<i64>,
    /// For each series the column of its greatest |r|, the smallest lag of equal ones; `None` where no lag has an r.
    pub best: Vec<Option<usize>>,
    /// See [`WindowAnswer::as_of_us`](super::WindowAnswer::as_of_us).
    pub as_of_us: i64,
    /// What it cost.
    pub receipt: Receipt,
}

impl Questions {
    /// All pairs of some series over one range, or the strongest of them.
    ///
    /// Dropped before it is finished, it stops what the server does for it.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn matrix(&self, question: &MatrixQuestion) -> Result<MatrixAnswer, QueryError> {
        question.validate()?;
        let selection = Selection::Some(&question.series);
        let mut asked = self.of_rows(question.shared(), [question.from, question.to], selection);
        let (all, cluster) = (question.top.is_none(), question.cluster);
        asked.besides = Some(Box::new(move |series, buckets| pairs_bytes(series, buckets, all, cluster)));
        let answer = async {
            let gathered = self.gather(&asked).await?;
            let question = question.clone();
            blocking(move || all_pairs(gathered, &question)).await?
        };
        self.in_time(answer, &self.kinds.matrix, |answer| &answer.receipt).await
    }

    /// One series against some over a window that moves through one range.
    ///
    /// Dropped before it is finished, it stops what the server does for it.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn rolling(&self, question: &RollingQuestion) -> Result<RollingAnswer, QueryError> {
        question.validate()?;
        let selection = Selection::OneAgainst { target: &question.target, against: &question.against };
        let asked = Asked {
            most_series: MAX_ROLLING,
            ..self.of_rows(question.shared(), [question.from, question.to], selection)
        };
        let answer = async {
            let gathered = self.gather(&asked).await?;
            let question = question.clone();
            blocking(move || {
                let (mut found, frame, target, row, _turn) = aligned(gathered)?;
                let RollingQuestion { window, step, min_overlap, .. } = question;
                let began = Instant::now();
                let others = frame.values.slice(s![..found.rows.series.len(), ..]);
                let r = rolling(frame.values.row(row), others, window, step, min_overlap);
                let ends = window_ends(frame.times_us.len(), window, step);
                found.receipt.ms.compute = ms(began.elapsed());
                Ok(RollingAnswer {
                    target,
                    times_us: ends.map(|end| frame.times_us[end]).collect(),
                    rows: found.rows,
                    r,
                    as_of_us: found.as_of_us,
                    receipt: found.receipt,
                })
            })
            .await?
        };
        self.in_time(answer, &self.kinds.rolling, |answer| &answer.receipt).await
    }

    /// One series against others that are moved by some buckets.
    ///
    /// Dropped before it is finished, it stops what the server does for it.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn lag(&self, question: &LagQuestion) -> Result<LagAnswer, QueryError> {
        question.validate()?;
        let selection = Selection::OneAgainst { target: &question.target, against: &question.against };
        let mut asked = self.of_rows(question.shared(), [question.from, question.to], selection);
        let max_lag = question.max_lag as u64;
        asked.besides = Some(Box::new(move |series, _| {
            // Once by lag, and once more by series.
            series.saturating_mul(max_lag.saturating_mul(2).saturating_add(1)).saturating_mul(48)
        }));
        let answer = async {
            let gathered = self.gather(&asked).await?;
            let question = question.clone();
            blocking(move || lags(gathered, &question)).await?
        };
        self.in_time(answer, &self.kinds.lag, |answer| &answer.receipt).await
    }
}

/// The frame of one series and others, with the target and its row, and the turn that is held while they are computed with.
fn aligned(gathered: Gathered) -> Result<(Found, Frame, TaggedSeries, usize, OwnedSemaphorePermit), QueryError> {
    let (mut found, frame, turn) = framed(gathered)?;
    let (target, row) =
        found.target.take().ok_or_else(|| QueryError::Internal("a correlation has no target".into()))?;
    Ok((found, frame, target, row, turn))
}

fn framed(gathered: Gathered) -> Result<(Found, Frame, OwnedSemaphorePermit), QueryError> {
    let Gathered { mut found, values, turn } = gathered;
    let frame = values.align(&mut found.receipt).ok_or_else(no_frame)?;
    Ok((found, frame, turn))
}

/// The memory of all pairs, or of the strongest, besides the frame.
fn pairs_bytes(series: u64, buckets: u64, all: bool, cluster: bool) -> u64 {
    if !all {
        return top_pairs_bytes(series, buckets);
    }
    // The tree needs half a matrix more.
    let tree = if cluster { series.saturating_mul(series).saturating_mul(4) } else { 0 };
    Matrix::bytes_needed(series, buckets).saturating_add(tree)
}

fn all_pairs(gathered: Gathered, question: &MatrixQuestion) -> Result<MatrixAnswer, QueryError> {
    let (mut found, frame, _turn) = framed(gathered)?;
    let values = frame.values.view();
    let (method, min_overlap) = (question.method, question.min_overlap);
    let began = Instant::now();
    let pairs = if let Some(top) = question.top {
        AllPairs::Strongest(top_pairs(values, method, min_overlap, top, question.order))
    } else {
        let Matrix { r, n } = matrix(values, method, min_overlap);
        let cluster = question.cluster && !Stop::current().is_given();
        let order = if cluster { similar_together(&r) } else { (0..r.nrows()).collect() };
        AllPairs::Matrix { r, n, order }
    };
    found.receipt.ms.compute = ms(began.elapsed());
    let Found { rows, as_of_us, receipt, .. } = found;
    Ok(MatrixAnswer { rows, pairs, as_of_us, receipt })
}

fn lags(gathered: Gathered, question: &LagQuestion) -> Result<LagAnswer, QueryError> {
    let (found, frame, target, row, _turn) = aligned(gathered)?;
    let series = found.rows.series.len();
    let began = Instant::now();
    let others = frame.values.slice(s![..series, ..]);
    let OneVsAll { r, n } = lagged(frame.values.row(row), others, question.max_lag, question.min_overlap);
    let (mut r, mut n) = (r.reversed_axes(), n.reversed_axes());
    let mut best: Vec<Option<usize>> = r.rows().into_iter().map(|r| strongest(&r.to_vec(), question.max_lag)).collect();
    let Found { measurement, rows, as_of_us, mut receipt, .. } = found;
    let listed;
    if let Some(top) = question.top {
        let own = (row < series).then_some(row);
        let strengths = Array2::from_shape_fn((1, series), |(_, row)| best[row].map_or(f64::NAN, |at| r[(row, at)]));
        let ranked = rank(strengths.view(), Order::Abs, RankBy::Range(0), top, own);
        r = r.select(Axis(0), &ranked);
        n = n.select(Axis(0), &ranked);
        best = ranked.iter().map(|row| best[*row]).collect();
        listed = Arc::new(rows.in_order(&measurement, &ranked));
    } else {
        listed = rows;
    }
    receipt.ms.compute = ms(began.elapsed());
    let max_lag = i64::try_from(question.max_lag).unwrap_or(i64::MAX);
    Ok(LagAnswer { target, rows: listed, lags: (-max_lag..=max_lag).collect(), r, n, best, as_of_us, receipt })
}

/// The column of the greatest |r|; of equal ones that of the smallest lag, and of those the earlier.
fn strongest(r: &[f64], max_lag: usize) -> Option<usize> {
    let known = r.iter().enumerate().filter(|(_, r)| !r.is_nan());
    let best = known.max_by(|(a, x), (b, y)| {
        let nearness = |at: &usize| std::cmp::Reverse((at.abs_diff(max_lag), *at));
        x.abs().total_cmp(&y.abs()).then_with(|| nearness(a).cmp(&nearness(b)))
    });
    best.map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_equally_strong_lags_the_smallest_counts() {
        const NAN: f64 = f64::NAN;
        assert_eq!(strongest(&[0.5, -0.9, 0.1, 0.2, 0.3], 2), Some(1));
        assert_eq!(strongest(&[0.9, NAN, 0.1, -0.9, 0.9], 2), Some(3));
        assert_eq!(strongest(&[NAN, 0.5, NAN, -0.5, NAN], 2), Some(1));
        assert_eq!(strongest(&[NAN, NAN, NAN], 1), None);
    }
}
