//! Frames from what blocks have already.
//!
//! Correlations make blocks of all series. Whoever then looks at some of these series, at the same buckets, is given what lies
//! there in float64: without a B-tree a chunk that is still written to would be read as a whole for them.

use std::sync::Arc;

use ndarray::{Array2, Axis};
use rayon::prelude::*;
use tokio::time::Instant;

use super::{
    Questions, Receipt,
    blocks::receipt_of,
    error::Attempt,
    finding::Chosen,
    reading::{Asked, Found, Planned, ms},
    values::Values,
};
use crate::{
    block::{Making, Panels, Wanted},
    frame::{Accumulator, Frame},
    window::Snapshot,
};

/// Values of some series in panels.
pub(super) struct KeptRows {
    panels: Panels,
    /// For each row of the frame its series' place.
    places: Vec<usize>,
    /// The panels' buckets that the frame has, counted through all of them.
    buckets: Vec<usize>,
    starts_us: Vec<i64>,
}

impl Questions {
    /// What a frame is made of, from panels that are there; `None` if they are not, or are not for such a question.
    pub(super) async fn by_kept(
        &self,
        snapshot: &mut Snapshot,
        asked: &Asked<'_>,
        planned: &Planned<'_>,
        chosen: &Chosen,
    ) -> Result<Option<(Found, Values)>, Attempt> {
        let Planned { measurement, source, column, chunks, calendar, shape, spans, limit_bytes } = *planned;
        let (bucket, aggregate) = (asked.shared.bucket, asked.shared.aggregate);
        // Blocks are of one aggregate.
        let Some(blocks) =
            asked.blocks.filter(|blocks| asked.also.is_empty() && blocks.may_have(measurement, bucket, aggregate))
        else {
            return Ok(None);
        };
        let began = Instant::now();
        let Some(view) = blocks.look(snapshot, measurement, column).await? else { return Ok(None) };
        let Some(roster) = view.known_roster() else { return Ok(None) };
        let places: Option<Vec<usize>> = chosen.wanted.ids().iter().map(|id| roster.place(*id)).collect();
        let Some(places) = places else { return Ok(None) };
        let planning = began.elapsed();
        let wanted = Wanted {
            making: Making::Nothing,
            database: &self.database,
            measurement,
            source,
            bucket,
            calendar,
            aggregate,
            shape,
            spans,
            chunks,
            all_series: false,
            // They take no memory that blocks do not have already.
            limit_bytes: u64::MAX,
            reading_bytes: limit_bytes,
            helpers: 0,
        };
        let Some(panels) = view.panels(snapshot, wanted, &roster).await? else { return Ok(None) };
        let starts_us = panels.starts_us();
        let is_asked = |bucket: &usize| {
            let within = |us: i64| asked.ranges.iter().any(|range| (range.from.us()..range.to.us()).contains(&us));
            starts_us.get(*bucket).copied().is_some_and(within)
        };
        let buckets: Vec<usize> = panels.on_grid().into_iter().filter(is_asked).collect();
        let (rows, columns) = (places.len() as u64, buckets.len() as u64);
        // As where rows are read, which takes more: whether a question is too large must not depend on who asked before.
        let frame_bytes =
            Accumulator::bytes_needed(places.len(), buckets.len(), aggregate).unwrap_or(usize::MAX) as u64;
        let besides = asked.besides.as_ref().map_or(0, |besides| besides(rows, columns));
        if frame_bytes.saturating_add(besides) > limit_bytes {
            // It is refused as any other.
            return Ok(None);
        }
        let receipt = receipt_of(panels.cost, chunks.len(), planning, began.elapsed() - planning);
        let found = Found {
            measurement: measurement.clone(),
            rows: Arc::clone(&chosen.rows),
            target: chosen.target.clone(),
            as_of_us: snapshot.as_of_us(),
            receipt,
        };
        Ok(Some((found, Values::Kept(KeptRows { panels, places, buckets, starts_us }))))
    }
}

impl KeptRows {
    /// Makes the frame. Takes long for many cells.
    pub(super) fn align(self, receipt: &mut Receipt) -> Frame {
        let began = Instant::now();
        let Self { panels, places, buckets, starts_us } = self;
        let mut values = Array2::from_elem((places.len(), buckets.len()), f64::NAN);
        values.axis_iter_mut(Axis(0)).into_par_iter().zip(&places).for_each(|(mut cells, place)| {
            let all = panels.row(*place, 0..starts_us.len());
            cells.iter_mut().zip(&buckets).for_each(|(cell, bucket)| *cell = all[*bucket]);
        });
        receipt.ms.align = ms(began.elapsed());
        Frame { times_us: buckets.iter().map(|bucket| starts_us[*bucket]).collect(), values }
    }
}
