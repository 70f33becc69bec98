//! Base panels from the database: the rows of whole panels, or only of buckets that have changed.

use std::sync::Arc;

use ndarray::{Array2, s};

use super::{
    layout::{Layout, Place},
    make::{BlockError, Wanted},
    panel::Base,
    panels::Cost,
    roster::Roster,
    store::Shelf,
    view::{Found, View},
};
use crate::{
    frame::{Accumulator, History, Neighbour},
    hypertable::{changes::Stretch, list_chunks},
    window::{self, Plan, Rows, Snapshot, Span},
};

/// Of a question's memory, reading takes a share of this at once.
const SHARE_OF_MEMORY: u64 = 4;
/// More slices than connections, so that none waits long for the last of the others.
const SLICES_A_CONNECTION: usize = 3;

/// With fewer cells than this one connection reads.
const PARALLEL_CELLS: usize = 1 << 18;

/// Reads for one question.
pub(super) struct Reader<'v, 'q> {
    view: &'v View,
    wanted: Wanted<'q>,
    roster: Arc<Roster>,
    shelf: Arc<Shelf>,
    rows: Option<Arc<Rows>>,
    rows_read: u64,
    bytes_read: u64,
    chunks_read: Vec<i64>,
}

/// A panel to be read, wholly or the buckets of `spans` over what there is of it.
struct Job {
    place: Place,
    old: Option<Arc<Base>>,
    spans: Vec<Span>,
}

impl<'v, 'q> Reader<'v, 'q> {
    pub(super) fn new(view: &'v View, wanted: Wanted<'q>, roster: Arc<Roster>, shelf: Arc<Shelf>) -> Self {
        Self { view, wanted, roster, shelf, rows: None, rows_read: 0, bytes_read: 0, chunks_read: Vec::new() }
    }

    /// How many series there are.
    pub(super) fn series(&self) -> usize {
        self.roster.ids().len()
    }

    /// Whether anything was read.
    pub(super) fn has_read(&self) -> bool {
        !self.chunks_read.is_empty()
    }

    /// What was read.
    pub(super) fn cost(&mut self) -> Cost {
        self.chunks_read.sort_unstable();
        self.chunks_read.dedup();
        let chunks_read = self.chunks_read.len() as u64;
        Cost { rows_read: self.rows_read, bytes_read: self.bytes_read, chunks: 0, chunks_read }
    }

    /// The panels at these places, ascending, by where they begin: read some at a time, unless somebody else has made them
    /// meanwhile.
    pub(super) async fn read(
        &mut self,
        snapshot: &mut Snapshot,
        layout: &Layout,
        places: &[Place],
    ) -> Result<Vec<(i64, Arc<Base>)>, BlockError> {
        let series = self.roster.ids().len();
        let bucket_bytes = Accumulator::bytes_needed(series.max(1), 1, self.wanted.aggregate).unwrap_or(usize::MAX);
        let bucket_bytes = bucket_bytes as u64 + (series * size_of::<f64>()) as u64;
        let at_once = self.wanted.reading_bytes / SHARE_OF_MEMORY / bucket_bytes;
        let at_once = usize::try_from(at_once).unwrap_or(usize::MAX).max(1);
        let mut made = Vec::with_capacity(places.len());
        let mut rest = places;
        while !rest.is_empty() {
            let shelf = Arc::clone(&self.shelf);
            let _making = shelf.making.lock().await;
            let (mut jobs, mut buckets, mut taken) = (Vec::new(), 0, 0);
            for place in rest {
                let job = match self.view.find(&shelf, place) {
                    Found::Usable(base) => {
                        made.push((place.span.from_us, base));
                        taken += 1;
                        continue;
                    }
                    Found::Dirty(old, times) => {
                        let spans = self.whole_buckets(place.span, &times);
                        Job { place: place.clone(), old: Some(old), spans }
                    }
                    Found::Missing => Job { place: place.clone(), old: None, spans: vec![place.span] },
                };
                let more: usize = job.spans.iter().map(|span| layout.buckets(*span)).sum();
                if !jobs.is_empty() && buckets + more > at_once {
                    break;
                }
                buckets += more;
                taken += 1;
                jobs.push(job);
            }
            rest = &rest[taken..];
            if !jobs.is_empty() {
                made.extend(self.run(snapshot, layout, jobs).await?);
            }
        }
        Ok(made)
    }

    /// The buckets that hold these times, as spans that ascend and are apart.
    fn whole_buckets(&self, within: Span, times: &[Stretch]) -> Vec<Span> {
        let calendar = self.wanted.calendar;
        let spans = times.iter().map(|time| Span {
            from_us: calendar.floor(time.from_us).max(within.from_us),
            to_us: calendar.next(time.to_us - 1).min(within.to_us),
        });
        window::merged(spans.collect())
    }

    async fn run(
        &mut self,
        snapshot: &mut Snapshot,
        layout: &Layout,
        jobs: Vec<Job>,
    ) -> Result<Vec<(i64, Arc<Base>)>, BlockError> {
        let Wanted { calendar, chunks, aggregate, helpers, .. } = self.wanted;
        let spans = window::merged(jobs.iter().flat_map(|job| job.spans.iter().copied()).collect());
        let no_history = History { neighbour: Neighbour::None, max_age_us: 0 };
        let Ok(plan) = Plan::new(calendar, no_history, spans, &[], chunks, usize::MAX) else { return Ok(Vec::new()) };
        let helpers = if plan.columns() * self.roster.ids().len() < PARALLEL_CELLS { 0 } else { helpers };
        let slices = (helpers + 1) * SLICES_A_CONNECTION;
        let plan = Arc::new(if helpers > 0 && plan.slices.len() < slices { plan.split(slices) } else { plan });
        let roster = &self.roster;
        let rows = Arc::clone(self.rows.get_or_insert_with(|| Arc::new(Rows::new(roster.ids().to_vec(), true))));
        let source = self.wanted.source.clone();
        let mut reading = window::read(snapshot, Arc::clone(&plan), source, rows, [aggregate].into(), helpers).await?;
        self.rows_read += reading.rows_read;
        self.bytes_read += reading.bytes_read;
        self.chunks_read.extend(jobs.iter().flat_map(|job| &job.place.chunks));

        let width_us = layout.width_us();
        let touched = plan.touched.clone();
        let made = tokio::task::spawn_blocking(move || {
            let mut observed = reading.observed();
            observed.iter_mut().zip(&reading.seen_of_others).for_each(|(observed, other)| *observed |= other);
            let values = reading.accumulators.pop().map(Accumulator::finish).unwrap_or_default();
            let made = |job: Job| {
                let base = made(&job, &plan, &values, &observed, width_us);
                (job.place, Arc::new(base))
            };
            jobs.into_iter().map(made).collect::<Vec<_>>()
        })
        .await?;
        self.check_chunks(&touched).await?;
        for (place, base) in &made {
            self.view.put(&self.shelf, place, Arc::clone(base));
        }
        Ok(made.into_iter().map(|(place, base)| (place.span.from_us, base)).collect())
    }
}

impl Reader<'_, '_> {
    /// Whether the chunks that were read are all there still. Whoever drops a chunk waits for those who read it, but a chunk
    /// that nobody reads yet goes at once, whatever snapshots there are, and looks like one without rows.
    async fn check_chunks(&self, read: &[i64]) -> Result<(), BlockError> {
        let mut connection = self.wanted.database.reader().acquire().await?;
        let there = list_chunks(&mut connection, self.wanted.measurement).await?;
        let is_there = |id: &i64| there.iter().any(|chunk| chunk.id == *id);
        if read.iter().all(is_there) { Ok(()) } else { Err(BlockError::Gone) }
    }
}

/// A panel of the columns that were read for it.
fn made(job: &Job, plan: &Plan, values: &Array2<f64>, observed: &[bool], width_us: i64) -> Base {
    let mut whole: Option<Base> = None;
    for span in &job.spans {
        let first = plan.column_at(span.from_us).unwrap_or(0);
        let end = first + usize::try_from((span.to_us - span.from_us) / width_us).unwrap_or(0);
        let part = Base::new(values.slice(s![.., first..end]), observed[first..end].to_vec());
        let before = usize::try_from((span.from_us - job.place.span.from_us) / width_us).unwrap_or(0);
        whole = Some(match (&whole, &job.old) {
            (Some(panel), _) => panel.with(before, &part),
            (None, Some(old)) => old.with(before, &part),
            (None, None) => part,
        });
    }
    whole.unwrap_or_else(|| Base::new(values.slice(s![.., ..0]), Vec::new()))
}
