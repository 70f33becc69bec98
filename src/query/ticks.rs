//! Correlations of raw rows.

use std::sync::Arc;

use ndarray::{Array2, Axis};
use sqlx::PgConnection;
use tokio::time::Instant;

use super::{
    CorrelateAnswer, QueryError, Questions, Receipt, ReceiptChunks, ReceiptMs, TaggedSeries,
    error::{Attempt, Attempts},
    finding::{Chosen, choose, find_measurement},
    questions::blocking,
    reading::{Selection, check_memory, check_series, ms},
};
use crate::{
    asof::SideRows,
    correlation::{Ticks, by_ticks, rank},
    hypertable::{Chunk, Measurement, list_chunks},
    question::{Invalid, MAX_TICKS, RankBy, TicksQuestion, TimeRange, Transform},
    window::{Cost, RawReading, RawSide, Snapshot, Span, estimated_rows, raw_slices},
};

/// About so many rows are read at once.
const SLICE_ROWS: u64 = 500_000;

/// What was read.
struct Read {
    measurement: Measurement,
    /// The series of the answer.
    rows: super::AnswerRows,
    target: TaggedSeries,
    /// The target's place among the ticks.
    at: usize,
    /// Of the answer's series, and of the target if it is none of them.
    ticks: Vec<Vec<(i64, f64)>>,
    as_of_us: i64,
    receipt: Receipt,
}

impl Questions {
    /// One series against some, by their raw rows.
    ///
    /// Dropped before it is finished, it stops what the server does for it.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn ticks(&self, question: &TicksQuestion) -> Result<CorrelateAnswer, QueryError> {
        question.validate()?;
        let answer = async {
            let began = Instant::now();
            let _turn = self.turn().await?;
            let queued = began.elapsed();
            let mut attempts = Attempts::default();
            loop {
                match self.ticks_attempt(question).await {
                    Ok(mut read) => {
                        read.receipt.ms.queue = ms(queued);
                        let question = question.clone();
                        return blocking(move || correlated(read, &question)).await;
                    }
                    Err(ended) => attempts.again(ended)?,
                }
            }
        };
        self.in_time(answer, &self.kinds.ticks, |answer| &answer.receipt).await
    }

    async fn ticks_attempt(&self, question: &TicksQuestion) -> Result<Read, Attempt> {
        let mut snapshot = Snapshot::take(&self.database, self.limits.time).await?;
        let read = self.ticks_within(&mut snapshot, question).await;
        if matches!(read, Ok(_) | Err(Attempt::Failed(_))) {
            snapshot.close().await?;
        }
        let (read, touched) = read?;
        let touched: Vec<i64> = touched.iter().map(|chunk| chunk.id).collect();
        if self.has_gone(&read.measurement, &touched).await? {
            return Err(Attempt::gone());
        }
        Ok(read)
    }

    /// Everything that is read in the snapshot's state.
    async fn ticks_within(
        &self,
        snapshot: &mut Snapshot,
        question: &TicksQuestion,
    ) -> Result<(Read, Vec<Chunk>), Attempt> {
        let began = Instant::now();
        let span = Span { from_us: question.from.us(), to_us: question.to.us() };
        let limit_bytes = question.limit_bytes.unwrap_or(u64::MAX).min(self.limits.bytes);
        let connection = snapshot.connection();
        let measurement = find_measurement(&mut *connection, &question.namespace, &question.measurement).await?;
        let field = measurement.field(&question.field).ok_or_else(|| QueryError::UnknownField {
            measurement: measurement.name.clone(),
            name: question.field.clone(),
            known: measurement.fields.iter().map(|field| field.name.clone()).collect(),
        })?;
        let selection = Selection::OneAgainst { target: &question.target, against: &question.against };
        let Chosen { rows, target, .. } = choose(&mut *connection, &measurement, selection).await?;
        check_series(selection, rows.series.len(), MAX_TICKS)?;
        let (target, at) = target.ok_or_else(|| QueryError::Internal("a correlation has no target".into()))?;
        let chunks = list_chunks(&mut *connection, &measurement).await?;
        let expected =
            expected_rows(&mut *connection, &measurement, &chunks, span, rows.series.len() as u64 + 1).await?;
        check_memory(bytes_of(expected), limit_bytes)?;

        let mut places: Vec<(i64, u32)> = rows.series.iter().map(|series| series.series_id).zip(0..).collect();
        if at == places.len() {
            // Series are far fewer than 4 billion.
            places.push((target.series_id, u32::try_from(at).unwrap_or(u32::MAX)));
            places.sort_unstable();
        }
        let mut ticks = vec![Vec::new(); places.len()];
        let side = RawSide::new(&measurement, &[field], places)
            .map_err(|(_, error)| Invalid::new("field", error.to_string()))?;
        let nothing = RawSide::new(&measurement, &[], Vec::new())
            .map_err(|(_, error)| Invalid::new("field", error.to_string()))?;
        let touched: Vec<Chunk> =
            chunks.iter().filter(|chunk| chunk.from_us < span.to_us && span.from_us < chunk.to_us).copied().collect();
        let wanted = usize::try_from(expected / SLICE_ROWS).unwrap_or(usize::MAX) + 1;
        let slices = raw_slices(span, &touched, wanted);
        let planned = began.elapsed();

        let mut cost = Cost::default();
        let mut kept: u64 = 0;
        let sides = [Arc::new(side), Arc::new(nothing)];
        let mut reading = RawReading::begin(snapshot, sides, slices, span.from_us, false).await?;
        while let Some(([rows, _], of_slice)) = reading.next().await? {
            cost += of_slice;
            kept += rows.len() as u64;
            check_memory(bytes_of(kept), limit_bytes)?;
            keep(&rows, &mut ticks);
        }
        drop(reading);
        let (total, read) = (chunks.len() as u64, touched.len() as u64);
        let receipt = Receipt {
            chunks: ReceiptChunks { total, pruned: total - read, cached: 0, read },
            rows_read: cost.rows,
            bytes_read: cost.bytes,
            ms: ReceiptMs { plan: ms(planned), read: ms(began.elapsed() - planned), ..ReceiptMs::default() },
        };
        let as_of_us = snapshot.as_of_us();
        Ok((Read { measurement, rows, target, at, ticks, as_of_us, receipt }, touched))
    }
}

/// How many rows so many series have within a stretch of time, as if every series had as many as any other.
async fn expected_rows(
    connection: &mut PgConnection,
    measurement: &Measurement,
    chunks: &[Chunk],
    span: Span,
    series: u64,
) -> Result<u64, Attempt> {
    let rows = estimated_rows(&mut *connection, chunks, span).await?;
    let all: i64 = sqlx::query_scalar(&format!("SELECT count(*) FROM {}", measurement.series_table()))
        .fetch_one(connection)
        .await?;
    let all = all.unsigned_abs().max(1);
    Ok(u64::try_from(u128::from(rows) * u128::from(series.min(all)) / u128::from(all)).unwrap_or(u64::MAX))
}

/// Rows in the order of their arrival, and once more while they are brought into that of time.
fn bytes_of(rows: u64) -> u64 {
    rows.saturating_mul(2 * size_of::<(i64, f64)>() as u64)
}

fn keep(rows: &SideRows, ticks: &mut [Vec<(i64, f64)>]) {
    for (place, time_us, values) in rows.iter() {
        if let (Some(ticks), [value]) = (ticks.get_mut(place as usize), values) {
            ticks.push((time_us, *value));
        }
    }
}

fn correlated(read: Read, question: &TicksQuestion) -> CorrelateAnswer {
    let Read { measurement, rows, target, at, ticks, as_of_us, mut receipt } = read;
    let began = Instant::now();
    let mut ticks: Vec<Ticks> = ticks
        .into_iter()
        .map(|rows| {
            let ticks = Ticks::new(rows);
            if question.transform == Transform::LogReturn { ticks.ln() } else { ticks }
        })
        .collect();
    let one = ticks.get(at).cloned().unwrap_or_default();
    ticks.truncate(rows.series.len());
    let found = by_ticks(&one, &ticks, question.method, question.min_overlap);
    let mut r = Array2::from_shape_fn((1, found.len()), |(_, series)| found[series].r);
    let mut n =
        Array2::from_shape_fn((1, found.len()), |(_, series)| i64::try_from(found[series].n).unwrap_or(i64::MAX));
    let unmatched = rows.unmatched(&question.against);
    let own = (at < rows.series.len()).then_some(at);
    let compared = rows.series.len() - usize::from(own.is_some());
    let mut listed = rows;
    if let Some(top) = question.top {
        let ranked = rank(r.view(), question.order, RankBy::Max, top, own);
        r = r.select(Axis(1), &ranked);
        n = n.select(Axis(1), &ranked);
        listed = Arc::new(listed.in_order(&measurement, &ranked));
    }
    receipt.ms.compute = ms(began.elapsed());
    CorrelateAnswer {
        target,
        rows: listed,
        compared,
        unmatched,
        ranges: vec![TimeRange { from: question.from, to: question.to }],
        r,
        n,
        stats: Vec::new(),
        as_of_us,
        receipt,
    }
}
