//! What is kept in memory, and when it may be used.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use hashbrown::HashMap;
use sqlx::PgConnection;

use super::{
    journal::{Changed, Journal, Taken},
    layout::Place,
    look::{self, Identity},
    panel::{Base, Compute},
    roster::Roster,
    visibility::PgSnapshot,
};
use crate::{
    frame::Shape,
    hypertable::Measurement,
    question::{Aggregate, Width},
    series::SelectError,
    window::Snapshot,
};

/// Blocks of all measurements; see the module.
#[derive(Debug)]
pub struct Blocks {
    limit_bytes: u64,
    measurements: Mutex<HashMap<i32, Arc<Kept>>>,
    /// Grows with every use.
    clock: AtomicU64,
    bytes: AtomicU64,
}

/// What is kept of a measurement.
#[derive(Debug)]
struct Kept {
    identity: Identity,
    journal: Mutex<Journal>,
    roster: tokio::sync::Mutex<Option<Arc<Roster>>>,
    shelves: Mutex<HashMap<Subject, Arc<Shelf>>>,
}

/// What panels are of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Subject {
    pub(super) column: String,
    pub(super) bucket: Width,
    pub(super) aggregate: Aggregate,
}

/// Panels of one subject by the time where they begin.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    /// Held by whoever makes some, so that no panel is made twice.
    pub(super) making: tokio::sync::Mutex<()>,
    panels: Mutex<BTreeMap<i64, Stored>>,
}

/// A panel, and what is known of it.
#[derive(Debug)]
struct Stored {
    place: Place,
    base: Arc<Base>,
    /// The state of the database that it is of, as far as anybody knows.
    state: Arc<PgSnapshot>,
    computes: Vec<(Shape, Arc<Compute>)>,
    last_used: u64,
}

/// How a stored panel stands to a question.
#[derive(Debug)]
pub(super) enum Found {
    /// As the question's state has it.
    Usable(Arc<Base>),
    /// Right but for these times, which have to be read again.
    Dirty(Arc<Base>, Vec<(i64, i64)>),
    /// Not there, or not known well enough.
    Missing,
}

/// Blocks in the eyes of one question: as its state of the database has them, neither newer nor older.
#[derive(Debug)]
pub struct View {
    blocks: Arc<Blocks>,
    kept: Arc<Kept>,
    state: Arc<PgSnapshot>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Stored {
    fn bytes(&self) -> u64 {
        self.base.bytes() + self.computes.iter().map(|(_, compute)| compute.bytes()).sum::<u64>()
    }
}

impl Blocks {
    /// Blocks that take about so much memory at most, besides what questions under way hold.
    #[must_use]
    pub fn new(limit_bytes: u64) -> Self {
        Self {
            limit_bytes,
            measurements: Mutex::default(),
            clock: AtomicU64::default(),
            bytes: AtomicU64::default(),
        }
    }

    /// The memory that panels take.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Looks at the change log in the snapshot's state: what a question may use is decided by what it sees there.
    ///
    /// `None` for a state of which that cannot be said any more: newer questions have overtaken this one by far.
    ///
    /// # Errors
    /// The database's.
    pub async fn look(
        self: &Arc<Self>,
        snapshot: &mut Snapshot,
        measurement: &Measurement,
    ) -> Result<Option<View>, sqlx::Error> {
        let as_of_us = snapshot.as_of_us();
        let known = locked(&self.measurements).get(&measurement.id).map(Arc::clone);
        let from = known.as_ref().map(|kept| look::from(&locked(&kept.journal)));
        let (identity, look) = look::look(snapshot.connection(), measurement, as_of_us, from).await?;
        let state = Arc::new(look.snapshot.clone());
        if let Some(kept) = known.filter(|kept| kept.identity == identity) {
            let mut journal = locked(&kept.journal);
            match journal.take_in(&look) {
                Taken::In => {
                    if journal.is_long() {
                        kept.forget_old_states(&mut journal);
                    }
                    drop(journal);
                    return Ok(Some(View { blocks: Arc::clone(self), kept, state }));
                }
                Taken::Behind => return Ok(None),
                Taken::TooLate => {}
            }
        }
        let kept = Arc::new(Kept {
            identity,
            journal: Mutex::new(Journal::new(&look)),
            roster: tokio::sync::Mutex::default(),
            shelves: Mutex::default(),
        });
        locked(&self.measurements).insert(measurement.id, Arc::clone(&kept));
        Ok(Some(View { blocks: Arc::clone(self), kept, state }))
    }

    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::Relaxed)
    }

    /// Lets go of what was not used for longest until the limit holds.
    fn evict(&self) {
        let kept: Vec<Arc<Kept>> = locked(&self.measurements).values().map(Arc::clone).collect();
        let shelves: Vec<Arc<Shelf>> =
            kept.iter().flat_map(|kept| locked(&kept.shelves).values().map(Arc::clone).collect::<Vec<_>>()).collect();
        let mut panels = Vec::new();
        for (shelf, of) in shelves.iter().enumerate() {
            let stored = locked(&of.panels);
            panels.extend(stored.iter().map(|(from_us, stored)| (stored.last_used, shelf, *from_us, stored.bytes())));
        }
        let mut bytes: u64 = panels.iter().map(|(.., bytes)| bytes).sum();
        panels.sort_unstable();
        for (_, shelf, from_us, freed) in panels {
            if bytes <= self.limit_bytes {
                break;
            }
            locked(&shelves[shelf].panels).remove(&from_us);
            bytes -= freed;
        }
        self.bytes.store(bytes, Ordering::Relaxed);
    }
}

impl Kept {
    /// Brings every panel to the newest state, or lets it go where it has changed since, so that the journal can be short.
    fn forget_old_states(&self, journal: &mut Journal) {
        let newest = Arc::new(journal.last().clone());
        for shelf in locked(&self.shelves).values() {
            locked(&shelf.panels).retain(|_, stored| {
                let same = journal.covers(&stored.state)
                    && journal.changed(stored.place.span, &stored.state, &newest) == Changed::Nothing;
                if same {
                    stored.state = Arc::clone(&newest);
                }
                same
            });
        }
        journal.forget();
    }
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
        let roster = Roster::read(connection, measurement, known.clone()).await?;
        *known = Some(Arc::clone(&roster));
        Ok(roster)
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
            Changed::Within(times_us) if self.state.sees_all_of(&stored.state) => Found::Dirty(base, times_us),
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
        }
    }

    /// Holds the memory's limit, after panels were made.
    pub(super) fn settle(&self) {
        self.blocks.evict();
    }
}
