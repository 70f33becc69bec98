//! From a question to what was read for it, in one state of the database.

use std::{sync::Arc, time::Duration};

use sqlx::PgConnection;
use tokio::{sync::OwnedSemaphorePermit, time::Instant};

use super::{
    AnswerRows, AnswerSeries, QueryError, Questions, Receipt, ReceiptChunks, ReceiptMs, error::Attempt,
    questions::blocking,
};
use crate::{
    frame::{Accumulator, Calendar, Frame, Neighbour, Shape, assemble},
    hypertable::{Field, Measurement, list_chunks, load_measurement, load_measurements},
    question::{Grid, Invalid, Selector, Shared, TimeRange},
    series,
    window::{self, Plan, Reading, Rows, Snapshot, Source},
};

/// A question whose chunks are dropped under it begins again so often.
pub(super) const ATTEMPTS: usize = 3;
/// More slices than connections, so that none waits long for the last of the others.
const SLICES_A_CONNECTION: usize = 3;

/// What all questions have in common.
pub(super) struct Asked<'q> {
    pub(super) shared: Shared,
    pub(super) ranges: Vec<TimeRange>,
    pub(super) selection: Selection<'q>,
}

/// Whose values are asked for.
#[derive(Clone, Copy)]
pub(super) enum Selection<'q> {
    /// The series that match.
    Some(&'q Selector),
    /// The one series that matches, and others.
    OneAgainst { target: &'q Selector, against: &'q Selector },
}

/// What a question found besides values.
pub(super) struct Found {
    pub(super) measurement: Measurement,
    /// The series of the answer.
    pub(super) rows: AnswerRows,
    /// The target and its row in the frame: that of the answer's series where it is one of them, else one more at the
    /// end.
    pub(super) target: Option<(AnswerSeries, usize)>,
    pub(super) as_of_us: i64,
    pub(super) receipt: Receipt,
}

/// What a question found, and the values not yet aligned.
pub(super) struct Gathered {
    found: Found,
    reading: Reading,
    /// For each column whether it is known to be observed, besides what was read.
    observed: Vec<bool>,
    plan: Arc<Plan>,
    calendar: Calendar,
    shape: Shape,
}

impl Gathered {
    /// Makes the frame. Takes long for many cells.
    pub(super) fn align(self) -> (Found, Frame) {
        let began = Instant::now();
        let Self { mut found, reading, mut observed, plan, calendar, shape } = self;
        let Reading { accumulator, seen_of_others, .. } = reading;
        if shape.grid == Grid::Observed {
            let seen = accumulator.observed();
            for ((observed, seen), of_others) in observed.iter_mut().zip(seen).zip(seen_of_others) {
                *observed |= seen | of_others;
            }
        }
        let raw = Frame { times_us: plan.times_us(), values: accumulator.finish() };
        let keep_from_us = plan.spans.first().map_or(i64::MAX, |span| span.from_us);
        let frame = assemble(raw, &observed, &shape, &calendar, keep_from_us);
        found.receipt.ms.align = ms(began.elapsed());
        (found, frame)
    }
}

impl Questions {
    /// Reads what a question needs, and begins again if what it planned for goes away.
    pub(super) async fn gather(&self, asked: &Asked<'_>) -> Result<Gathered, QueryError> {
        let began = Instant::now();
        let _turn = self.turn().await?;
        let queued = began.elapsed();
        let mut attempt = 1;
        loop {
            match self.attempt(asked).await {
                Ok(mut gathered) => {
                    gathered.found.receipt.ms.queue = ms(queued);
                    return Ok(gathered);
                }
                Err(Attempt::Failed(error) | Attempt::Broken(error)) => return Err(error),
                Err(Attempt::Stale(error)) if attempt >= ATTEMPTS => return Err(QueryError::Unavailable(error)),
                Err(Attempt::Stale(error)) => {
                    tracing::debug!(attempt, error = %error, "a question is planned again");
                    attempt += 1;
                }
            }
        }
    }

    async fn attempt(&self, asked: &Asked<'_>) -> Result<Gathered, Attempt> {
        let mut snapshot = Snapshot::take(&self.database, self.limits.time).await?;
        let gathered = self.within(&mut snapshot, asked).await;
        if matches!(gathered, Ok(_) | Err(Attempt::Failed(_))) {
            snapshot.close().await?;
        }
        let gathered = gathered?;
        if self.has_gone(&gathered).await? {
            return Err(Attempt::Stale("a chunk was dropped while it was to be read".into()));
        }
        Ok(gathered)
    }

    /// Whether a chunk that was to be read is not there any more. Whoever drops a chunk waits for those who read it, but a
    /// chunk that nobody reads yet goes at once, whatever snapshots there are.
    async fn has_gone(&self, gathered: &Gathered) -> Result<bool, Attempt> {
        if gathered.plan.touched.is_empty() {
            return Ok(false);
        }
        let mut connection = self.database.reader().acquire().await?;
        let mut there: Vec<i64> =
            list_chunks(&mut connection, &gathered.found.measurement).await?.iter().map(|chunk| chunk.id).collect();
        there.sort_unstable();
        Ok(gathered.plan.touched.iter().any(|id| there.binary_search(id).is_err()))
    }

    /// Everything that is read in the snapshot's state.
    async fn within(&self, snapshot: &mut Snapshot, asked: &Asked<'_>) -> Result<Gathered, Attempt> {
        let began = Instant::now();
        let Shared { bucket, timezone, aggregate, grid, fill, transform, .. } = asked.shared;
        let (measurement, source) = locate(snapshot.connection(), &asked.shared).await?;
        let (rows, target, wanted) = choose(snapshot.connection(), &measurement, asked.selection).await?;

        let calendar = Calendar::new(bucket, timezone);
        let shape = Shape { grid, fill, transform };
        let chunks = list_chunks(snapshot.connection(), &measurement).await?;
        let spans = window::spans(&asked.ranges, &calendar);
        let history = shape.history();
        let mut previous = Vec::with_capacity(spans.len());
        if history.neighbour == Neighbour::PreviousObserved {
            for span in &spans {
                let connection = snapshot.connection();
                let found =
                    window::previous_observed(connection, &source, &chunks, &calendar, bucket, span.from_us).await?;
                previous.push(found);
            }
        }

        let bucket_bytes = Accumulator::bytes_needed(wanted.len().max(1), 1, aggregate).unwrap_or(usize::MAX) as u64;
        let limit_bytes = asked.shared.limit_bytes.unwrap_or(u64::MAX).min(self.limits.bytes);
        let max_buckets = usize::try_from(limit_bytes / bucket_bytes).unwrap_or(usize::MAX);
        let plan = Plan::new(&calendar, history, spans, &previous, &chunks, max_buckets).map_err(|over| {
            QueryError::TooLarge { estimate_bytes: over.would_be.saturating_mul(bucket_bytes), limit_bytes }
        })?;
        let room = limit_bytes.saturating_sub(bucket_bytes.saturating_mul(plan.columns() as u64));
        let (plan, turns) = self.share_out(snapshot.connection(), plan, &wanted, room / bucket_bytes).await?;
        let plan = Arc::new(plan);
        let planned = began.elapsed();

        let wanted = Arc::new(wanted);
        let mut reading =
            window::read(snapshot, Arc::clone(&plan), source.clone(), Arc::clone(&wanted), aggregate, turns.len())
                .await?;
        drop(turns);

        let mut observed = vec![false; plan.columns()];
        if grid == Grid::Observed && !wanted.show_observed() {
            (reading, observed) = blocking(move || {
                let seen = reading.accumulator.observed();
                (reading, seen)
            })
            .await?;
            window::note_observed(snapshot.connection(), &source, &plan, &chunks, &mut observed).await?;
            note_previous(&plan, &previous, &mut observed);
        }

        let touched = plan.touched.len() as u64;
        let receipt = Receipt {
            chunks: ReceiptChunks {
                total: plan.chunks as u64,
                pruned: plan.chunks as u64 - touched,
                cached: 0,
                read: touched,
            },
            rows_read: reading.rows_read,
            bytes_read: reading.bytes_read,
            ms: ReceiptMs { plan: ms(planned), read: ms(began.elapsed() - planned), ..ReceiptMs::default() },
        };
        let as_of_us = snapshot.as_of_us();
        let found = Found { measurement, rows, target, as_of_us, receipt };
        Ok(Gathered { found, reading, observed, plan, calendar, shape })
    }
}

impl Questions {
    /// Shares a long reading out among connections, as far as some are free: cuts the plan, and gives the turns of those
    /// that help. Each connection fills a slice of its own first, for which there is room for `spare_buckets` in all.
    async fn share_out(
        &self,
        connection: &mut PgConnection,
        plan: Plan,
        wanted: &Rows,
        spare_buckets: u64,
    ) -> Result<(Plan, Vec<OwnedSemaphorePermit>), Attempt> {
        if wanted.are_few() || plan.slices.is_empty() || self.limits.connections < 2 {
            return Ok((plan, Vec::new()));
        }
        let readers = window::stored_bytes(connection, &plan).await? / self.limits.bytes_a_connection.max(1);
        let readers = usize::try_from(readers).unwrap_or(usize::MAX).min(self.limits.connections);
        if readers < 2 {
            return Ok((plan, Vec::new()));
        }
        let slices = readers * SLICES_A_CONNECTION;
        let plan = if plan.slices.len() < slices { plan.split(slices) } else { plan };
        let affordable = usize::try_from(spare_buckets).unwrap_or(usize::MAX) / plan.longest_slice().max(1);
        let readers = readers.min(affordable).min(plan.slices.len());
        let turns = self.more_turns(readers.saturating_sub(1));
        Ok((plan, turns))
    }
}

/// A neighbour before a span is observed by definition, though perhaps not by the series asked for.
fn note_previous(plan: &Plan, previous: &[Option<i64>], observed: &mut [bool]) {
    let times_us = plan.times_us();
    for start_us in previous.iter().flatten() {
        if let Some(observed) = times_us.binary_search(start_us).ok().and_then(|column| observed.get_mut(column)) {
            *observed = true;
        }
    }
}

/// Finds the measurement.
pub(super) async fn find_measurement(
    connection: &mut PgConnection,
    namespace: &str,
    name: &str,
) -> Result<Measurement, Attempt> {
    // PostgreSQL's text cannot hold NUL, so that nothing has such a name, and binding it would be an error.
    let impossible = namespace.contains('\0') || name.contains('\0');
    if !impossible && let Some(found) = load_measurement(&mut *connection, namespace, name).await? {
        return Ok(found);
    }
    let known = load_measurements(connection, &namespace.replace('\0', "")).await?;
    let known = known.into_iter().map(|measurement| measurement.name).collect();
    Err(QueryError::UnknownMeasurement { name: name.to_owned(), known }.into())
}

/// Finds measurement and field.
async fn locate(connection: &mut PgConnection, shared: &Shared) -> Result<(Measurement, Source), Attempt> {
    let Shared { namespace, measurement: name, field, .. } = shared;
    let measurement = find_measurement(connection, namespace, name).await?;
    let source = match measurement.field(field) {
        Some(field) => numbers(&measurement, field)?,
        None => {
            let known = measurement.fields.iter().map(|field| field.name.clone()).collect();
            return Err(QueryError::UnknownField { measurement: name.clone(), name: field.clone(), known }.into());
        }
    };
    Ok((measurement, source))
}

fn numbers(measurement: &Measurement, field: &Field) -> Result<Source, Invalid> {
    Source::new(measurement, field).map_err(|error| Invalid::new("field", error.to_string()))
}

/// Finds the series: those of the answer, the target with its row, and all whose rows are read, in the frame's order.
async fn choose(
    connection: &mut PgConnection,
    measurement: &Measurement,
    selection: Selection<'_>,
) -> Result<(AnswerRows, Option<(AnswerSeries, usize)>, Rows), Attempt> {
    let (path, selector, target) = match selection {
        Selection::Some(selector) => ("series", selector, None),
        Selection::OneAgainst { target, against } => {
            ("against", against, Some(find_target(&mut *connection, measurement, target).await?))
        }
    };
    let selected = series::select(connection, measurement, selector)
        .await
        .map_err(|error| QueryError::of_selector(path, error))?;
    let rows = AnswerRows {
        tag_names: selected.tag_names,
        series: selected.series.into_iter().map(|(series_id, tags)| AnswerSeries { series_id, tags }).collect(),
        version: selected.version,
    };
    let mut ids: Vec<i64> = rows.series.iter().map(|series| series.series_id).collect();
    let target = target.map(|target| {
        let row = ids.binary_search(&target.series_id).unwrap_or_else(|_| {
            ids.push(target.series_id);
            ids.len() - 1
        });
        (target, row)
    });
    Ok((rows, target, Rows::new(ids, selector.is_all())))
}

async fn find_target(
    connection: &mut PgConnection,
    measurement: &Measurement,
    selector: &Selector,
) -> Result<AnswerSeries, Attempt> {
    let mut found = series::select(connection, measurement, selector)
        .await
        .map_err(|error| QueryError::of_selector("target", error))?;
    let total = found.series.len();
    match (found.series.pop(), total) {
        (Some((series_id, tags)), 1) => Ok(AnswerSeries { series_id, tags }),
        (None, _) => Err(QueryError::NoSeries {
            measurement: measurement.name.clone(),
            path: "target",
            selector: Box::new(selector.clone()),
        }
        .into()),
        (Some(last), _) => {
            found.series.push(last);
            let named = |(id, tags): (i64, Vec<Option<String>>)| {
                let tags = found.tag_names.iter().zip(tags);
                (id, tags.filter_map(|(name, value)| Some((name.clone(), value?))).collect())
            };
            let matches = found.series.into_iter().take(QueryError::MAX_NAMED).map(named).collect();
            Err(QueryError::AmbiguousTarget { total, matches }.into())
        }
    }
}

pub(super) fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
