//! Correlations from blocks.

use std::{ops::Range, sync::Arc, time::Duration};

use ndarray::{Array1, Array2, Axis};
use rayon::prelude::*;
use tokio::time::Instant;

use super::{
    QueryError, Questions, Receipt, ReceiptChunks, ReceiptMs,
    error::Attempt,
    finding::{Chosen, find_target},
    reading::{Asked, Found, Otherwise, Planned, Selection, ms},
    values::Values,
};
use crate::{
    block::{BlockError, Cost, Panels, Wanted},
    correlation::{OneVsAll, OneVsPanels, Stop, one_vs_all, one_vs_one, one_vs_panels},
    question::CorrelateQuestion,
    window::Snapshot,
};

/// What a correlation is computed from.
pub(super) struct FromPanels {
    panels: Panels,
    places: Places,
    /// How many series the answer has.
    series: usize,
    target: usize,
}

/// For each series of the answer its place in the panels.
enum Places {
    /// Every place in its order.
    All,
    Some(Vec<usize>),
}

impl Questions {
    /// What a correlation's answer is made of, from blocks; `None` where they are not for it. `chosen` are its series if they
    /// have been looked up already; if not, it is about all.
    pub(super) async fn by_blocks(
        &self,
        snapshot: &mut Snapshot,
        asked: &Asked<'_>,
        planned: &Planned<'_>,
        chosen: Option<&Chosen>,
    ) -> Result<Option<(Found, Values)>, Attempt> {
        let (Some(blocks), Selection::OneAgainst { target, .. }) = (asked.blocks, asked.selection) else {
            return Ok(None);
        };
        let began = Instant::now();
        let Planned { measurement, source, column, chunks, calendar, shape, spans, limit_bytes } = *planned;
        let overtaken = || Attempt::Stale("newer questions have overtaken this one".into());
        let view = blocks.look(snapshot, measurement, column).await?.ok_or_else(overtaken)?;
        let roster = view.roster(snapshot.connection(), measurement).await;
        let roster = roster.map_err(|error| QueryError::of_selector("against", error))?;
        let target = match chosen {
            Some(chosen) => chosen.target.clone().map(|(target, _)| target),
            None => Some(find_target(snapshot.connection(), measurement, target).await?),
        };
        let rows = match chosen {
            Some(chosen) => Arc::clone(&chosen.rows),
            None => Arc::clone(&roster.selected),
        };
        let at = target.as_ref().and_then(|target| roster.place(target.series_id));
        let places = match chosen {
            None if roster.is_in_order => Some(Places::All),
            None => Some(Places::Some(roster.places.clone())),
            Some(_) => rows
                .series
                .iter()
                .map(|series| roster.place(series.series_id))
                .collect::<Option<Vec<_>>>()
                .map(Places::Some),
        };
        let (Some(target), Some(places), Some(at)) = (target, places, at) else { return Ok(None) };
        let row = match &places {
            Places::All => at,
            Places::Some(places) => places.iter().position(|place| *place == at).unwrap_or(places.len()),
        };
        let planning = began.elapsed();

        let turns = match asked.otherwise {
            Otherwise::Rows => self.more_turns(self.limits.connections.saturating_sub(1)),
            // What nobody waits for leaves connections to others.
            Otherwise::Nothing => Vec::new(),
        };
        let wanted = Wanted {
            making: asked.making,
            database: &self.database,
            measurement,
            source,
            bucket: asked.shared.bucket,
            calendar,
            aggregate: asked.shared.aggregate,
            shape,
            spans,
            chunks,
            all_series: chosen.is_none(),
            // What questions share is bounded as a whole, not question by question, unless one asks for that.
            limit_bytes: asked.shared.limit_bytes.unwrap_or(u64::MAX).min(blocks.memory_bytes()),
            reading_bytes: limit_bytes,
            helpers: turns.len(),
        };
        let Some(panels) = view.panels(snapshot, wanted, &roster).await? else { return Ok(None) };
        let receipt = receipt_of(panels.cost, chunks.len(), planning, began.elapsed() - planning);
        let (measurement, as_of_us) = (measurement.clone(), snapshot.as_of_us());
        let series = rows.series.len();
        let found = Found { measurement, rows, target: Some((target, row)), as_of_us, receipt };
        Ok(Some((found, Values::Panels(FromPanels { panels, places, series, target: at }))))
    }
}

/// The receipt of what came from panels.
pub(super) fn receipt_of(cost: Cost, chunks: usize, plan: Duration, read: Duration) -> Receipt {
    let total = chunks as u64;
    Receipt {
        chunks: ReceiptChunks {
            total,
            pruned: total.saturating_sub(cost.chunks),
            cached: cost.chunks.saturating_sub(cost.chunks_read),
            read: cost.chunks_read,
        },
        rows_read: cost.rows_read,
        bytes_read: cost.bytes_read,
        ms: ReceiptMs { plan: ms(plan), read: ms(read), ..ReceiptMs::default() },
    }
}

impl FromPanels {
    /// r and n of the answer's series, in their order. Takes long for many.
    pub(super) fn correlate(&self, question: &CorrelateQuestion) -> OneVsAll {
        let Self { panels, places, series, target } = self;
        let columns: Vec<Range<usize>> = question
            .ranges
            .iter()
            .map(|range| panels.buckets_before(range.from.us())..panels.buckets_before(range.to.us()))
            .collect();
        let Some(views) = panels.views() else { return self.exact(question, &columns) };
        let series = match places {
            Places::All => *series,
            Places::Some(places) => places.iter().max().map_or(0, |last| last + 1),
        };
        let OneVsPanels { mut r, n, mut doubtful } =
            one_vs_panels(&views, *target, series, &columns, question.min_overlap);
        if !doubtful.is_empty() {
            doubtful.sort_unstable();
            let stop = Stop::current();
            let exact: Vec<((usize, usize), f64)> = doubtful
                .par_chunk_by(|a, b| a.0 == b.0)
                .flat_map(|cells| {
                    let columns = cells.first().map_or(0..0, |(range, _)| columns[*range].clone());
                    let own = panels.row(*target, columns.clone());
                    let stop = &stop;
                    cells.par_iter().filter(move |_| !stop.is_given()).map(move |cell| {
                        let other = panels.row(cell.1, columns.clone());
                        (*cell, one_vs_one(&own, &other, question.min_overlap))
                    })
                })
                .collect();
            for (cell, exact) in exact {
                r[cell] = exact;
            }
        }
        match places {
            Places::All => OneVsAll { r, n },
            Places::Some(places) => OneVsAll { r: r.select(Axis(1), places), n: n.select(Axis(1), places) },
        }
    }
}

impl FromPanels {
    /// The same in float64 throughout.
    fn exact(&self, question: &CorrelateQuestion, columns: &[Range<usize>]) -> OneVsAll {
        // As of rows, which have no column for a bucket that is not on the grid.
        let on_grid = self.panels.on_grid();
        let row = |place: usize| {
            let all = self.panels.row(place, 0..on_grid.last().map_or(0, |last| last + 1));
            on_grid.iter().map(|bucket| all[*bucket]).collect::<Vec<f64>>()
        };
        let at = |bucket: usize| on_grid.partition_point(|other| *other < bucket);
        let columns: Vec<Range<usize>> = columns.iter().map(|range| at(range.start)..at(range.end)).collect();
        let mut values = Array2::from_elem((self.series, on_grid.len()), f64::NAN);
        values.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(series, mut cells)| {
            let place = match &self.places {
                Places::All => series,
                Places::Some(places) => places[series],
            };
            cells.iter_mut().zip(row(place)).for_each(|(cell, value)| *cell = value);
        });
        let target = Array1::from_vec(row(self.target));
        one_vs_all(target.view(), values.view(), &columns, question.method, question.min_overlap)
    }
}

impl From<BlockError> for Attempt {
    fn from(error: BlockError) -> Self {
        match error {
            BlockError::Read(error) => error.into(),
            BlockError::Gone => Self::Stale(Box::new(error)),
        }
    }
}
