//! What is kept, in the eyes of one question.

use std::{sync::Arc, time::Instant};

use sqlx::PgConnection;

use super::{
    identity::Column,
    journal::Changed,
    layout::Place,
    panel::{Base, Compute},
    roster::{KnownSeries, Roster},
    store::{Blocks, Kept, Shelf, Stored, Subject, locked},
};
use crate::{
    frame::Shape,
    hypertable::{
        Measurement,
        changes::{PgSnapshot, Stretch},
    },
    series::SelectError,
};

/// How a stored panel stands to a question.
#[derive(Debug)]
pub(super) enum Found {
    /// As the question's state has it.
    Usable(Arc<Base>),
    /// Right but for these times, which have to be read again.
    Dirty(Arc<Base>, Vec<Stretch>),
    /// Not there, or not known well enough.
    Missing,
}

/// Blocks in the eyes of one question: as its state of the database has them, neither newer nor older.
#[derive(Debug)]
pub struct View {
    pub(super) blocks: Arc<Blocks>,
    pub(super) kept: Arc<Kept>,
    pub(super) state: Arc<PgSnapshot>,
    /// The field's column.
    pub(super) column: Column,
}

impl View {
    /// All series of the measurement.
    ///
    /// # Errors
    /// The database's.
    pub async fn roster(
        &self,
        connection: &mut PgConnection,
        measurement: &Measurement,
    ) -> Result<Arc<Roster>, SelectError> {
        // One reads and the others wait: each series gets one place.
        let mut known = self.kept.roster.lock().await;
        let is_quiet = match &*known {
            KnownSeries::Roster(_, state) => locked(&self.kept.journal).is_quiet(state, &self.state),
            KnownSeries::Places(_) => false,
        };
        let roster = Roster::read(connection, measurement, &known, is_quiet).await?;
        *known = KnownSeries::Roster(Arc::clone(&roster), Arc::clone(&self.state));
        Ok(roster)
    }

    /// The series as they were when somebody looked last, without a look of one's own: each keeps its place for good. `None`
    /// where that is not known, or is being read.
    #[must_use]
    pub fn known_roster(&self) -> Option<Arc<Roster>> {
        match &*self.kept.roster.try_lock().ok()? {
            KnownSeries::Roster(roster, _) => Some(Arc::clone(roster)),
            KnownSeries::Places(_) => None,
        }
    }

    pub(super) fn shelf(&self, subject: &Subject) -> Arc<Shelf> {
        Arc::clone(locked(&self.kept.shelves).entry(subject.clone()).or_default())
    }

    /// How the panel at a place stands to the question.
    pub(super) fn find(&self, shelf: &Shelf, place: &Place) -> Found {
        let journal = locked(&self.kept.journal);
        let mut panels = locked(&shelf.panels);
        let Some(stored) = panels.get_mut(&place.span.from_us).filter(|stored| stored.place == *place) else {
            return Found::Missing;
        };
        if !journal.covers(&self.state) || !journal.covers(&stored.state) {
            return Found::Missing;
        }
        stored.last_used = self.blocks.tick();
        let base = Arc::clone(&stored.base);
        match journal.changed(place.span, &stored.state, &self.state) {
            Changed::Nothing => Found::Usable(base),
            Changed::Within(times) if self.state.sees_all_of(&stored.state) => Found::Dirty(base, times),
            Changed::Within(_) | Changed::Anything => Found::Missing,
        }
    }

    /// What a panel of this version was made into.
    pub(super) fn find_compute(
        &self,
        shelf: &Shelf,
        place: &Place,
        shape: &Shape,
        base: u64,
        history: &[u64],
    ) -> Option<Arc<Compute>> {
        let panels = locked(&shelf.panels);
        let stored = panels.get(&place.span.from_us)?;
        let (_, compute) = stored.computes.iter().find(|(of, _)| of == shape)?;
        (compute.base == base && compute.history == history).then(|| Arc::clone(compute))
    }

    /// Keeps a panel as the question's state has it, unless a newer one is there.
    pub(super) fn put(&self, shelf: &Shelf, place: &Place, base: Arc<Base>) {
        let mut panels = locked(&shelf.panels);
        let is_newer = |stored: &Stored| stored.place == *place && !self.state.sees_all_of(&stored.state);
        if panels.get(&place.span.from_us).is_some_and(is_newer) {
            return;
        }
        // A panel that overlaps the new one is of chunks that are gone.
        let Place { span, .. } = place;
        panels.retain(|_, other| other.place.span.to_us <= span.from_us || span.to_us <= other.place.span.from_us);
        let stored = Stored {
            place: place.clone(),
            base,
            state: Arc::clone(&self.state),
            computes: Vec::new(),
            last_used: self.blocks.tick(),
            made: Instant::now(),
        };
        panels.insert(span.from_us, stored);
    }

    /// Keeps what was derived of a panel that is still there.
    pub(super) fn put_compute(&self, shelf: &Shelf, place: &Place, shape: &Shape, compute: &Arc<Compute>) {
        let mut panels = locked(&shelf.panels);
        if let Some(stored) = panels.get_mut(&place.span.from_us)
            && stored.base.version == compute.base
        {
            stored.computes.retain(|(of, _)| of != shape);
            stored.computes.push((*shape, Arc::clone(compute)));
            stored.made = Instant::now();
        }
    }

    /// Holds the memory's limit, after panels were made.
    pub(super) fn settle(&self) {
        self.blocks.settle();
    }
}
