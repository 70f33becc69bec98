//! Bars: of the widest level that they can be made of, with what is newer or has just changed read from the rows.

use std::sync::Arc;

use tokio::time::Instant;

use super::{
    AnswerRows, QueryError, Questions, Receipt, error::Attempt, finding::find_measurement, questions::blocking,
    reading::ms,
};
use crate::{
    frame::Calendar,
    hypertable::changes::{Stretch, merged},
    question::{BarsQuestion, TimeRange, Width},
    rollup::{Bars, Finished, Level, Number, RollupError, Shape, Shown, State, shown, take_live, take_rows},
    series,
    window::{self, Snapshot},
};

/// More series than this are not listed in a statement: all are read, and others left out.
const MAX_LISTED_SERIES: usize = 1_000;

/// The answer to a question for bars: a row for each bar, by series and time.
#[derive(Debug, Clone)]
pub struct BarsAnswer {
    /// The series that were asked for.
    pub rows: AnswerRows,
    /// Which of the series each bar is of, and its start, microseconds since 1970.
    pub places: Vec<(usize, i64)>,
    /// As the analysts' view has them: open, high, low, close, ...
    pub columns: Vec<BarColumn>,
    /// See [`super::WindowAnswer::as_of_us`].
    pub as_of_us: i64,
    /// What it cost.
    pub receipt: Receipt,
}

/// A column of bars.
#[derive(Debug, Clone, PartialEq)]
pub struct BarColumn {
    /// Its name.
    pub name: String,
    /// Its values, one a bar.
    pub cells: BarCells,
}

/// The values of a column.
#[derive(Debug, Clone, PartialEq)]
pub enum BarCells {
    /// NaN is missing.
    Floats(Vec<f64>),
    /// How many values a bar is of.
    Counts(Vec<i64>),
}

impl Questions {
    /// The bars of some series over one range.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn bars(&self, question: &BarsQuestion) -> Result<BarsAnswer, QueryError> {
        question.validate()?;
        let answer = async {
            let began = Instant::now();
            let _turn = self.turn().await?;
            let queue = ms(began.elapsed());
            let mut snapshot = Snapshot::take(&self.database, self.limits.time).await?;
            let as_of_us = snapshot.as_of_us();
            let read = Box::pin(self.read_bars(&mut snapshot, question)).await;
            if matches!(read, Ok(_) | Err(Attempt::Failed(_))) {
                snapshot.close().await?;
            }
            let (shape, rows, bars, mut receipt) = read?;
            receipt.ms.queue = queue;
            Ok(blocking(move || arranged(&shape, rows, bars, as_of_us, receipt)).await?)
        };
        // On the heap: it holds several readings.
        let answer = Box::pin(async { answer.await.map_err(Attempt::into_error) });
        self.in_time(answer, self.bar_questions(), |answer| &answer.receipt).await
    }

    async fn read_bars(
        &self,
        snapshot: &mut Snapshot,
        question: &BarsQuestion,
    ) -> Result<(Shape, AnswerRows, Bars, Receipt), Attempt> {
        let began = Instant::now();
        let connection = snapshot.connection();
        let measurement = find_measurement(&mut *connection, &question.namespace, &question.measurement).await?;
        let rows = series::select(&mut *connection, &measurement, &question.series)
            .await
            .map_err(|error| QueryError::of_selector("series", error))?;
        let rows = Arc::new(rows);
        let state = State::read(&mut *connection, measurement).await?;
        let calendar = Calendar::new(question.bucket, question.timezone);
        let range = TimeRange { from: question.from, to: question.to };
        let whole: Vec<Stretch> = window::spans(&[range], &calendar)
            .into_iter()
            .map(|span| Stretch { from_us: span.from_us, to_us: span.to_us })
            .collect();
        let limit_bytes = question.limit_bytes.unwrap_or(u64::MAX).min(self.limits.bytes);
        let bar_bytes = 96 * state.shape.fields.len().max(1) as u64 + 64;
        let most = usize::try_from(limit_bytes / bar_bytes).unwrap_or(usize::MAX);
        let mut bars = Bars::new(state.shape.numbers(), state.shape.weighting()).at_most(most);
        let ids: Vec<i64> = rows.series.iter().map(|series| series.series_id).collect();
        let listed = (!question.series.is_all() && ids.len() <= MAX_LISTED_SERIES).then_some(ids.as_slice());

        // Whole bars of the level, so that no bar is made of both.
        let level = level_for(&state, question);
        let step_us = level.map_or(1, Level::width_us);
        let dirty: Vec<Stretch> = state.dirty.iter().map(|dirty| dirty.widened(step_us)).collect();
        let mut receipt = Receipt::default();
        receipt.ms.plan = ms(began.elapsed());
        let began = Instant::now();
        if !(ids.is_empty() || state.shape.fields.is_empty()) {
            for stretch in whole {
                for (part, is_dirty) in parts(stretch, &merged(dirty.clone())) {
                    let bucket = |us| calendar.floor(us);
                    receipt.rows_read += match level {
                        Some(level) if !is_dirty => {
                            take_live(&mut *connection, &state.shape, level, part, listed, bucket, &mut bars).await
                        }
                        _ => take_rows(&mut *connection, &state.shape, part, listed, bucket, &mut bars).await,
                    }
                    .map_err(|error| match error {
                        RollupError::TooMany => Attempt::Broken(QueryError::TooLarge {
                            estimate_bytes: limit_bytes.saturating_add(bar_bytes),
                            limit_bytes,
                        }),
                        error => error.into(),
                    })?;
                }
            }
        }
        receipt.ms.read = ms(began.elapsed());
        Ok((state.shape, rows, bars, receipt))
    }

    /// What an answer for bars depends on besides the rows.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn bars_version(&self, namespace: &str, measurement: &str) -> Result<String, QueryError> {
        self.looked_up(async |connection| {
            let measurement = find_measurement(&mut *connection, namespace, measurement).await?;
            Ok(State::read(connection, measurement).await?.version)
        })
        .await
    }
}

/// The widest level whose bars lie whole within the question's.
fn level_for(state: &State, question: &BarsQuestion) -> Option<Level> {
    let in_utc = question.timezone.name() == "UTC";
    match question.bucket {
        Width::Fixed(us) if in_utc || us < Width::DAY_US => state.level_for(us),
        Width::Months(_) if in_utc => state.level_for(Width::DAY_US),
        // Zones differ from UTC by whole minutes, since clocks were set by zones at all.
        _ => state.level_for(Level::Minute.width_us()),
    }
}

/// A stretch cut where it is dirty and where not, in order.
fn parts(stretch: Stretch, dirty: &[Stretch]) -> Vec<(Stretch, bool)> {
    let mut parts = Vec::new();
    let mut at = stretch.from_us;
    for dirty in dirty.iter().map(|dirty| dirty.intersection(stretch)).filter(|dirty| !dirty.is_empty()) {
        if at < dirty.from_us {
            parts.push((Stretch { from_us: at, to_us: dirty.from_us }, false));
        }
        parts.push((dirty, true));
        at = dirty.to_us;
    }
    if at < stretch.to_us {
        parts.push((Stretch { from_us: at, to_us: stretch.to_us }, false));
    }
    parts
}

/// Bars as columns, those of series that were not asked for left out.
fn arranged(shape: &Shape, rows: AnswerRows, bars: Bars, as_of_us: i64, receipt: Receipt) -> BarsAnswer {
    let bars: Finished = bars.finish();
    let row = |series_id: i64| rows.series.binary_search_by_key(&series_id, |series| series.series_id).ok();
    let kept: Vec<(usize, (usize, i64))> = bars
        .iter()
        .enumerate()
        .filter_map(|(at, bucket)| Some((at, (row(bucket.series_id)?, bucket.time_us))))
        .collect();
    let mut columns = Vec::new();
    for (field, number) in bars.numbers().iter().enumerate() {
        for (name, shown) in shown(shape, field) {
            let buckets = kept.iter().filter_map(|(at, _)| bars.get(*at));
            let cells = if shown == Shown::Count {
                BarCells::Counts(buckets.map(|bucket| bucket.bars[field].count).collect())
            } else {
                BarCells::Floats(buckets.map(|bucket| cell(&bucket, field, *number, shown)).collect())
            };
            columns.push(BarColumn { name, cells });
        }
    }
    BarsAnswer { rows, places: kept.into_iter().map(|(_, place)| place).collect(), columns, as_of_us, receipt }
}

fn cell(bucket: &crate::rollup::BucketBars<'_>, field: usize, number: Number, shown: Shown) -> f64 {
    let (bar, weighted) = (&bucket.bars[field], bucket.weighted);
    if bar.count == 0 && shown != Shown::Vwap {
        return f64::NAN;
    }
    match shown {
        Shown::First => number.value(bar.first),
        Shown::Max => number.value(bar.max),
        Shown::Min => number.value(bar.min),
        Shown::Last => number.value(bar.last),
        Shown::Count => bar.count as f64,
        Shown::Sum => bar.sum(),
        Shown::Mean => bar.sum() / bar.count as f64,
        Shown::Vwap if weighted.weight == 0.0 => f64::NAN,
        Shown::Vwap => weighted.product / weighted.weight,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_is_cut_where_it_is_dirty() {
        let stretch = |from_us, to_us| Stretch { from_us, to_us };
        assert_eq!(
            parts(stretch(0, 100), &[stretch(-10, 5), stretch(20, 30), stretch(90, 200)]),
            [
                (stretch(0, 5), true),
                (stretch(5, 20), false),
                (stretch(20, 30), true),
                (stretch(30, 90), false),
                (stretch(90, 100), true)
            ]
        );
        assert_eq!(parts(stretch(0, 10), &[]), [(stretch(0, 10), false)]);
    }
}
