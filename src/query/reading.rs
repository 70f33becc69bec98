//! From a question to what was read for it, in one state of the database.

use std::{sync::Arc, time::Duration};

use sqlx::PgConnection;
use tokio::{sync::OwnedSemaphorePermit, time::Instant};

use super::{
    AnswerRows, QueryError, Questions, Receipt, ReceiptChunks, ReceiptMs, TaggedSeries,
    error::{Attempt, Attempts},
    finding::{Chosen, choose, locate},
    questions::blocking,
    values::{Unaligned, Values},
};
use crate::{
    block::{Blocks, Making},
    frame::{Accumulator, Calendar, Neighbour, Shape},
    hypertable::{Chunk, Measurement, chunks_of_others, list_chunks},
    question::{Aggregate, Grid, Invalid, Selector, Shared, TimeRange, Timestamp},
    window::{self, Plan, Rows, Snapshot, Source, Span},
};

/// More slices than connections, so that none waits long for the last of the others.
const SLICES_A_CONNECTION: usize = 3;

/// What all questions have in common.
pub(super) struct Asked<'q> {
    pub(super) shared: Shared,
    pub(super) ranges: Vec<TimeRange>,
    /// Aggregates besides that of `shared`.
    pub(super) also: Vec<Aggregate>,
    /// What may answer instead of rows.
    pub(super) blocks: Option<&'q Arc<Blocks>>,
    /// What is done about blocks that are not there.
    pub(super) making: Making,
    pub(super) selection: Selection<'q>,
    /// The most series that the selection may match.
    pub(super) most_series: usize,
    /// What is done where blocks do not answer.
    pub(super) otherwise: Otherwise,
    /// The memory that computing takes, of so many series over so many buckets, besides the frame.
    pub(super) besides: Option<Besides>,
}

/// See [`Asked::besides`].
pub(super) type Besides = Box<dyn Fn(u64, u64) -> u64 + Send + Sync>;

/// See [`Asked::otherwise`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Otherwise {
    /// Rows are read.
    Rows,
    /// The question is not answered: it was to make blocks, and nobody waits for it.
    Nothing,
}

impl<'q> Asked<'q> {
    /// About one range, from rows, or from what `blocks` have of it already.
    pub(super) fn of_rows(
        shared: Shared,
        [from, to]: [Timestamp; 2],
        selection: Selection<'q>,
        blocks: Option<&'q Arc<Blocks>>,
    ) -> Self {
        Self {
            shared,
            ranges: vec![TimeRange { from, to }],
            also: Vec::new(),
            blocks,
            making: Making::Nothing,
            selection,
            most_series: usize::MAX,
            otherwise: Otherwise::Rows,
            besides: None,
        }
    }
}

/// Whose values are asked for.
#[derive(Clone, Copy)]
pub(super) enum Selection<'q> {
    /// The series that match.
    Some(&'q Selector),
    /// The one series that matches, and others.
    OneAgainst { target: &'q Selector, against: &'q Selector },
}

impl Selection<'_> {
    /// Whether it asks for every series.
    fn is_about_all(self) -> bool {
        match self {
            Self::Some(selector) | Self::OneAgainst { against: selector, .. } => selector.is_all(),
        }
    }
}

/// What a question found besides values.
pub(super) struct Found {
    pub(super) measurement: Measurement,
    /// The series of the answer.
    pub(super) rows: AnswerRows,
    /// The target and its row in the frame: that of the answer's series where it is one of them, else one more at the
    /// end.
    pub(super) target: Option<(TaggedSeries, usize)>,
    pub(super) as_of_us: i64,
    pub(super) receipt: Receipt,
}

/// What a question found, and its values.
pub(super) struct Gathered {
    pub(super) found: Found,
    pub(super) values: Values,
    /// Held until the answer is computed, so that no more questions hold memory and compute than may read.
    pub(super) turn: OwnedSemaphorePermit,
}

/// What a question is about before its series are known.
#[derive(Clone, Copy)]
pub(super) struct Planned<'a> {
    pub(super) measurement: &'a Measurement,
    pub(super) source: &'a Source,
    /// The field's column.
    pub(super) column: &'a str,
    pub(super) chunks: &'a [Chunk],
    pub(super) calendar: &'a Calendar,
    pub(super) shape: Shape,
    pub(super) spans: &'a [Span],
    /// The memory that it may take.
    pub(super) limit_bytes: u64,
}

impl Questions {
    /// Reads what a question needs, and begins again if what it planned for goes away.
    pub(super) async fn gather(&self, asked: &Asked<'_>) -> Result<Gathered, QueryError> {
        let began = Instant::now();
        let turn = self.turn().await?;
        let queued = began.elapsed();
        let mut attempts = Attempts::default();
        loop {
            // In a box: it is large, and so would be all that waits for it.
            match Box::pin(self.attempt(asked)).await {
                Ok((mut found, values)) => {
                    found.receipt.ms.queue = ms(queued);
                    return Ok(Gathered { found, values, turn });
                }
                Err(ended) => attempts.again(ended)?,
            }
        }
    }

    async fn attempt(&self, asked: &Asked<'_>) -> Result<(Found, Values), Attempt> {
        let mut snapshot = Snapshot::take(&self.database, self.limits.time).await?;
        let gathered = self.within(&mut snapshot, asked).await;
        if matches!(gathered, Ok(_) | Err(Attempt::Failed(_))) {
            snapshot.close().await?;
        }
        let (found, values) = gathered?;
        // Blocks look themselves, before they keep what they have read.
        if let Values::Rows(Unaligned { plan, .. }) = &values
            && self.has_gone(&found.measurement, &plan.touched).await?
        {
            return Err(Attempt::gone());
        }
        Ok((found, values))
    }

    /// Whether a chunk that was to be read is not there any more. Whoever drops a chunk waits for those who read it, but a
    /// chunk that nobody reads yet goes at once, whatever snapshots there are.
    pub(super) async fn has_gone(&self, measurement: &Measurement, touched: &[i64]) -> Result<bool, Attempt> {
        if touched.is_empty() {
            return Ok(false);
        }
        let mut connection = self.database.reader().acquire().await?;
        let mut there: Vec<i64> =
            list_chunks(&mut connection, measurement).await?.iter().map(|chunk| chunk.id).collect();
        there.sort_unstable();
        Ok(touched.iter().any(|id| there.binary_search(id).is_err()))
    }

    /// Everything that is read in the snapshot's state.
    async fn within(&self, snapshot: &mut Snapshot, asked: &Asked<'_>) -> Result<(Found, Values), Attempt> {
        let began = Instant::now();
        let Shared { bucket, timezone, aggregate, grid, fill, transform, .. } = asked.shared;
        let (measurement, source, column) = locate(snapshot.connection(), &asked.shared).await?;
        let calendar = Calendar::new(bucket, timezone);
        let shape = Shape { grid, fill, transform };
        let chunks = list_chunks(snapshot.connection(), &measurement).await?;
        let spans = window::spans(&asked.ranges, &calendar);
        let limit_bytes = asked.shared.limit_bytes.unwrap_or(u64::MAX).min(self.limits.bytes);
        // Blocks know all series of a measurement, so that these are not looked up for them.
        let about_all = asked.blocks.is_some() && asked.making == Making::All && asked.selection.is_about_all();
        let chosen = match asked.selection {
            _ if about_all => None,
            selection => Some(choose(snapshot.connection(), &measurement, selection).await?),
        };
        if let Some(chosen) = &chosen {
            check_series(asked.selection, chosen.rows.series.len(), asked.most_series)?;
        }
        {
            let (measurement, source, column) = (&measurement, &source, column.as_str());
            let (chunks, calendar, spans) = (&chunks[..], &calendar, &spans[..]);
            let planned = Planned { measurement, source, column, chunks, calendar, shape, spans, limit_bytes };
            // In a box: what reads panels is large, and most questions do without.
            let gathered = match &chosen {
                Some(chosen) if asked.making == Making::Nothing || chosen.wanted.are_few() => {
                    Box::pin(self.by_kept(snapshot, asked, &planned, chosen)).await?
                }
                chosen => Box::pin(self.by_blocks(snapshot, asked, &planned, chosen.as_ref())).await?,
            };
            if let Some(gathered) = gathered {
                return Ok(gathered);
            }
        }
        if asked.otherwise == Otherwise::Nothing {
            return Err(QueryError::Internal("blocks are not for this question, or not any more".into()).into());
        }
        let Chosen { rows, target, wanted } = match chosen {
            Some(chosen) => chosen,
            None => choose(snapshot.connection(), &measurement, asked.selection).await?,
        };
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

        let aggregates: Arc<[Aggregate]> = std::iter::once(aggregate).chain(asked.also.iter().copied()).collect();
        let bucket_bytes = aggregates
            .iter()
            .map(|aggregate| Accumulator::bytes_needed(wanted.len().max(1), 1, *aggregate).unwrap_or(usize::MAX) as u64)
            .fold(0, u64::saturating_add);
        let max_buckets = usize::try_from(limit_bytes / bucket_bytes).unwrap_or(usize::MAX);
        let plan = Plan::new(&calendar, history, spans, &previous, &chunks, max_buckets).map_err(|over| {
            QueryError::TooLarge { estimate_bytes: over.would_be.saturating_mul(bucket_bytes), limit_bytes }
        })?;
        if let Some(besides) = &asked.besides {
            let (series, buckets) = (wanted.len() as u64, plan.columns() as u64);
            let frame_bytes = series.saturating_mul(buckets).saturating_mul(size_of::<f64>() as u64);
            check_memory(frame_bytes.saturating_add(besides(series, buckets)), limit_bytes)?;
        }
        let room = limit_bytes.saturating_sub(bucket_bytes.saturating_mul(plan.columns() as u64));
        let (plan, turns) = self.share_out(snapshot.connection(), plan, &wanted, room / bucket_bytes).await?;
        let plan = Arc::new(plan);
        // With space partitions: the server passes over them when it plans, as their hashes are not those of the series.
        let mut elsewhere = match wanted.listed() {
            Some(ids) => chunks_of_others(snapshot.connection(), &measurement, &plan.touched, ids).await?.len() as u64,
            None => 0,
        };
        let planned = began.elapsed();

        let wanted = Arc::new(wanted);
        let mut reading =
            window::read(snapshot, Arc::clone(&plan), source.clone(), Arc::clone(&wanted), aggregates, turns.len())
                .await?;
        drop(turns);

        let mut observed = vec![false; plan.columns()];
        if grid == Grid::Observed && !wanted.show_observed() {
            (reading, observed) = blocking(move || {
                let seen = reading.observed();
                (reading, seen)
            })
            .await?;
            if observed.contains(&false) {
                // Which buckets the others have is looked up in all chunks.
                elsewhere = 0;
            }
            window::note_observed(snapshot.connection(), &source, &plan, &chunks, &mut observed).await?;
            note_previous(&plan, &previous, &mut observed);
        }

        let touched = plan.touched.len() as u64 - elsewhere;
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
        Ok((found, Values::Rows(Unaligned { reading, observed, plan, calendar, shape })))
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

/// Whether a question takes no more memory than it may.
pub(super) fn check_memory(estimate_bytes: u64, limit_bytes: u64) -> Result<(), QueryError> {
    if estimate_bytes <= limit_bytes {
        return Ok(());
    }
    Err(QueryError::TooLarge { estimate_bytes, limit_bytes })
}

/// Whether a selection matches no more series than a question may be about.
pub(super) fn check_series(selection: Selection<'_>, found: usize, most: usize) -> Result<(), Invalid> {
    if found <= most {
        return Ok(());
    }
    let path = match selection {
        Selection::Some(_) => "series",
        Selection::OneAgainst { .. } => "against",
    };
    Err(Invalid::new(path, format!("matches {found} series, and this question takes at most {most}: select fewer")))
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

pub(super) fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
