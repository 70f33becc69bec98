//! Finds the panels of a question, and makes those that are missing.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use tokio::task::JoinError;

use super::{
    derive::{Earlier, Recipe},
    layout::{Layout, Place},
    panel::{Base, Compute},
    panels::{Cost, Panels},
    read::Reader,
    roster::Roster,
    store::{Shelf, Subject},
    view::{Found, View},
};
use crate::{
    db::Database,
    frame::{Calendar, Neighbour, Shape, Shaper},
    hypertable::{Chunk, Measurement},
    question::{Aggregate, Fill, Grid, Width},
    window::{ReadError, Snapshot, Source, Span, previous_observed},
};

/// A carried value may be so many buckets old: all of them stand before every panel's own.
const MAX_CARRIED_BUCKETS: i64 = 64;

/// Why there are no panels.
#[derive(Debug, thiserror::Error)]
pub enum BlockError {
    /// The rows cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A chunk was dropped while it was to be read.
    #[error("a chunk was dropped while it was to be read")]
    Gone,
}

impl From<sqlx::Error> for BlockError {
    fn from(error: sqlx::Error) -> Self {
        Self::Read(error.into())
    }
}

impl From<JoinError> for BlockError {
    fn from(error: JoinError) -> Self {
        Self::Read(error.into())
    }
}

/// What is done about panels that are not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Making {
    /// They are made: all series of their time are read.
    All,
    /// There is no answer from panels then: nothing is read, and nothing is made for float32, as what is wanted are the values.
    Nothing,
}

/// What panels are asked for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'q> {
    /// What is done about those that are not there.
    pub making: Making,
    /// Where they are read, besides the snapshot's own connection.
    pub database: &'q Database,
    /// The measurement.
    pub measurement: &'q Measurement,
    /// How it is read.
    pub source: &'q Source,
    /// The width of a bucket.
    pub bucket: Width,
    /// Which buckets there are.
    pub calendar: &'q Calendar,
    /// What is made of a bucket's values.
    pub aggregate: Aggregate,
    /// What is made of buckets.
    pub shape: Shape,
    /// The question's time, in whole buckets; ascending and apart.
    pub spans: &'q [Span],
    /// The measurement's chunks.
    pub chunks: &'q [Chunk],
    /// Whether every series is asked for.
    pub all_series: bool,
    /// For how much memory of blocks the question may ask.
    pub limit_bytes: u64,
    /// How much memory reading may take besides.
    pub reading_bytes: u64,
    /// Connections that help to read.
    pub helpers: usize,
}

/// A question's panels as they are found.
struct Maker<'v, 'q> {
    view: &'v View,
    wanted: Wanted<'q>,
    layout: Layout,
    shelf: Arc<Shelf>,
    /// By where they begin.
    bases: BTreeMap<i64, Arc<Base>>,
    /// The chunks of all of them.
    chunks: BTreeSet<i64>,
    reader: Reader<'v, 'q>,
}

impl View {
    /// The panels that a question asks for, made as far as they are not there and [`Wanted::making`] says so. `None` where
    /// there are none for such a question, or not within its memory.
    ///
    /// # Errors
    /// The database's; the snapshot's connection may then be in the middle of a COPY.
    pub async fn panels(
        &self,
        snapshot: &mut Snapshot,
        wanted: Wanted<'_>,
        roster: &Arc<Roster>,
    ) -> Result<Option<Panels>, BlockError> {
        let Some(layout) = Layout::new(wanted.chunks, wanted.bucket, wanted.calendar, roster.ids().len()) else {
            return Ok(None);
        };
        if !is_served(&wanted, &layout, roster.ids().len()) {
            return Ok(None);
        }
        let subject = Subject { column: self.column.clone(), bucket: wanted.bucket, aggregate: wanted.aggregate };
        let shelf = self.shelf(&subject);
        let reader = Reader::new(self, wanted, Arc::clone(roster), Arc::clone(&shelf));
        let mut maker =
            Maker { view: self, wanted, layout, shelf, bases: BTreeMap::new(), chunks: BTreeSet::new(), reader };
        maker.run(snapshot).await
    }
}

/// Whether panels are for such a question.
fn is_served(wanted: &Wanted<'_>, layout: &Layout, series: usize) -> bool {
    let carries = match wanted.shape.fill {
        Fill::None => false,
        Fill::Locf { max_age } => {
            if max_age.at_least_us() / layout.width_us() > MAX_CARRIED_BUCKETS {
                return false;
            }
            true
        }
    };
    let is_regular = match wanted.shape.grid {
        Grid::Observed => true,
        // Values are carried into buckets for which there is no chunk, and so no panel; and who asks for values wants a column
        // for each bucket.
        Grid::Regular if carries => {
            // Also in the bucket before, which the first one's neighbour is.
            let width_us = layout.width_us();
            let spans = wanted.spans.iter().map(|span| Span { from_us: span.from_us - width_us, to_us: span.to_us });
            layout.has_no_holes(&spans.collect::<Vec<_>>())
        }
        Grid::Regular => wanted.making == Making::All || layout.has_no_holes(wanted.spans),
        // The columns are those of the series asked for.
        Grid::Own => wanted.all_series,
    };
    let cell_bytes = (size_of::<f64>() + size_of::<f32>()) as u64;
    let cells = (layout.buckets_within(wanted.spans) as u64).saturating_mul(series as u64);
    is_regular && cells.saturating_mul(cell_bytes) <= wanted.limit_bytes
}

impl Maker<'_, '_> {
    async fn run(&mut self, snapshot: &mut Snapshot) -> Result<Option<Panels>, BlockError> {
        let places = self.layout.panels(self.wanted.spans);
        if !self.have(snapshot, &places).await? {
            return Ok(None);
        }
        let mut recipes = Vec::with_capacity(places.len());
        for place in &places {
            let Some(history) = self.history(snapshot, place.span.from_us).await? else { return Ok(None) };
            if let Some(base) = self.bases.get(&place.span.from_us) {
                recipes.push((place.span, Arc::new(self.recipe(place, Arc::clone(base), history))));
            }
        }
        let buckets: usize = recipes.iter().map(|(_, recipe)| recipe.base.buckets).sum();
        let is_exact = (buckets * self.reader.series()) as u64 <= self.view.blocks.exact_cells();
        let computes = if is_exact || self.wanted.making == Making::Nothing {
            None
        } else {
            Some(self.derived(&places, &recipes).await?)
        };
        let cost = Cost { chunks: self.chunks.len() as u64, ..self.reader.cost() };
        if cost.rows_read > 0 || self.reader.has_read() {
            self.view.settle();
        }
        Ok(Some(Panels { recipes, computes, width_us: self.layout.width_us(), cost }))
    }

    /// Has the base panels at these places, read as far as they are not there; `false` if nothing is to be read.
    async fn have(&mut self, snapshot: &mut Snapshot, places: &[Place]) -> Result<bool, BlockError> {
        let mut missing = Vec::new();
        for place in places {
            self.chunks.extend(&place.chunks);
            if self.bases.contains_key(&place.span.from_us) {
                continue;
            }
            match self.view.find(&self.shelf, place) {
                Found::Usable(base) => drop(self.bases.insert(place.span.from_us, base)),
                Found::Dirty(..) | Found::Missing => missing.push(place.clone()),
            }
        }
        if self.wanted.making == Making::Nothing && !missing.is_empty() {
            return Ok(false);
        }
        for (from_us, base) in self.reader.read(snapshot, &self.layout, &missing).await? {
            self.bases.insert(from_us, base);
        }
        Ok(true)
    }

    /// The buckets before a panel that its first ones depend on, ascending; `None` if they are not there and not to be made.
    async fn history(&mut self, snapshot: &mut Snapshot, first_us: i64) -> Result<Option<Vec<Earlier>>, BlockError> {
        let history = self.wanted.shape.history();
        let calendar = self.wanted.calendar;
        let (from_us, to_us) = match history.neighbour {
            Neighbour::None if history.max_age_us == 0 => return Ok(Some(Vec::new())),
            Neighbour::PreviousObserved => {
                let Some(previous_us) = self.previous_observed(snapshot, first_us).await? else {
                    return Ok(Some(Vec::new()));
                };
                (history.read_from_us(calendar, first_us, Some(previous_us)), calendar.next(previous_us))
            }
            _ => (history.read_from_us(calendar, first_us, None), first_us),
        };
        let places = self.layout.panels(&[Span { from_us, to_us }]);
        if !self.have(snapshot, &places).await? {
            return Ok(None);
        }
        let mut earlier = Vec::new();
        for place in &places {
            let Some(panel) = self.bases.get(&place.span.from_us) else { continue };
            let starts = (0..panel.buckets).zip((place.span.from_us..).step_by(self.step()));
            let within = starts.filter(|(_, start_us)| (from_us..to_us).contains(start_us));
            earlier.extend(within.map(|(bucket, start_us)| Earlier { panel: Arc::clone(panel), bucket, start_us }));
        }
        Ok(Some(earlier))
    }

    fn step(&self) -> usize {
        usize::try_from(self.layout.width_us()).unwrap_or(usize::MAX)
    }

    /// The start of the last observed bucket before a time, however far back.
    async fn previous_observed(&mut self, snapshot: &mut Snapshot, first_us: i64) -> Result<Option<i64>, BlockError> {
        let mut before_us = first_us;
        loop {
            let Some(end_us) = self.layout.last_before(before_us) else { return Ok(None) };
            let Some(place) = self.layout.panel_at(end_us - 1) else { return Ok(None) };
            let known = match self.bases.get(&place.span.from_us) {
                Some(base) => Some(Arc::clone(base)),
                None => match self.view.find(&self.shelf, &place) {
                    Found::Usable(base) => Some(base),
                    Found::Dirty(..) | Found::Missing => None,
                },
            };
            let Some(base) = known else {
                let Wanted { source, chunks, calendar, bucket, .. } = self.wanted;
                let connection = snapshot.connection();
                return Ok(previous_observed(connection, source, chunks, calendar, bucket, end_us).await?);
            };
            let width_us = self.layout.width_us();
            let starts = (place.span.from_us..end_us).step_by(self.step());
            let observed = base.observed.iter().zip(starts).filter(|(observed, _)| **observed);
            if let Some((_, start_us)) = observed.last() {
                debug_assert!(start_us + width_us <= end_us);
                return Ok(Some(start_us));
            }
            before_us = place.span.from_us;
        }
    }

    fn recipe(&self, place: &Place, base: Arc<Base>, history: Vec<Earlier>) -> Recipe {
        let starts = (place.span.from_us..place.span.to_us).step_by(self.step());
        let times_us = history.iter().map(|earlier| earlier.start_us).chain(starts).collect();
        let on_grid: Vec<bool> = match self.wanted.shape.grid {
            Grid::Own => {
                let earlier = history.iter().map(|earlier| earlier.panel.valued.get(earlier.bucket) == Some(&true));
                earlier.chain(base.valued.iter().copied()).collect()
            }
            Grid::Observed | Grid::Regular => {
                let earlier = history.iter().map(|earlier| earlier.panel.observed.get(earlier.bucket) == Some(&true));
                earlier.chain(base.observed.iter().copied()).collect()
            }
        };
        let shaper = Shaper::new(times_us, &on_grid, &self.wanted.shape, self.wanted.calendar);
        Recipe { base, history, shaper }
    }

    /// The compute panels, derived as far as they are not there.
    async fn derived(
        &self,
        places: &[Place],
        recipes: &[(Span, Arc<Recipe>)],
    ) -> Result<Vec<Arc<Compute>>, BlockError> {
        let shape = self.wanted.shape;
        let find = |place: &Place, recipe: &Recipe| {
            let history = recipe.history_versions();
            self.view.find_compute(&self.shelf, place, &shape, recipe.base.version, &history)
        };
        let mut computes = Vec::with_capacity(places.len());
        for (place, (_, recipe)) in places.iter().zip(recipes) {
            if let Some(compute) = find(place, recipe) {
                computes.push(compute);
                continue;
            }
            let _making = self.shelf.making.lock().await;
            if let Some(compute) = find(place, recipe) {
                computes.push(compute);
                continue;
            }
            let recipe = Arc::clone(recipe);
            let compute = Arc::new(tokio::task::spawn_blocking(move || recipe.derive()).await?);
            self.view.put_compute(&self.shelf, place, &shape, &compute);
            computes.push(compute);
        }
        Ok(computes)
    }
}
