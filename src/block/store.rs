//! What is kept in memory, and when it may be used.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use super::{
    identity::{Column, Identity},
    journal::{Changed, Journal, Taken},
    keep::{Folder, FolderError, FoundKept, FoundPanel},
    layout::Place,
    panel::{Base, Compute},
    roster::KnownSeries,
    view::View,
};
use crate::{
    frame::Shape,
    hypertable::{
        Measurement,
        changes::{self, PgSnapshot},
    },
    question::{Aggregate, Width},
    window::Snapshot,
};

/// How much blocks may take, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockOptions {
    /// Memory, besides what questions under way hold and what is mapped from files.
    pub memory_bytes: u64,
    /// Files.
    pub disk_bytes: u64,
    /// With no more cells than this in its panels a question is computed in float64 throughout: it takes milliseconds either
    /// way, and gives what rows give.
    pub exact_cells: u64,
}

/// Blocks of all measurements; see the module.
#[derive(Debug)]
pub struct Blocks {
    options: BlockOptions,
    folder: Option<Folder>,
    /// Held by whoever looks for a measurement's files.
    loading: tokio::sync::Mutex<()>,
    measurements: Mutex<HashMap<i32, Arc<Kept>>>,
    /// Grows with every use.
    clock: AtomicU64,
    bytes: AtomicU64,
}

/// What is kept of a measurement.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) identity: Identity,
    pub(super) journal: Mutex<Journal>,
    pub(super) roster: tokio::sync::Mutex<KnownSeries>,
    pub(super) shelves: Mutex<HashMap<Subject, Arc<Shelf>>>,
    pub(super) index_written: Mutex<Option<Instant>>,
}

/// What panels are of.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Subject {
    pub(super) column: Column,
    pub(super) bucket: Width,
    pub(super) aggregate: Aggregate,
}

/// Panels of one subject by the time where they begin.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    /// Held by whoever makes some, so that no panel is made twice.
    pub(super) making: tokio::sync::Mutex<()>,
    pub(super) panels: Mutex<BTreeMap<i64, Stored>>,
}

/// A panel, and what is known of it.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) place: Place,
    pub(super) base: Arc<Base>,
    /// The state of the database that it is of, as far as anybody knows.
    pub(super) state: Arc<PgSnapshot>,
    pub(super) computes: Vec<(Shape, Arc<Compute>)>,
    pub(super) last_used: u64,
    /// When it was made, or found on disk.
    pub(super) made: Instant,
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Stored {
    /// Whether a state of the database has it just so.
    pub(super) fn is_still_so(&self, journal: &Journal, state: &PgSnapshot) -> bool {
        journal.covers(&self.state) && journal.changed(self.place.span, &self.state, state) == Changed::Nothing
    }

    /// The bytes of its files.
    pub(super) fn file_bytes(&self) -> u64 {
        let computes = self.computes.iter().map(|(_, compute)| compute.values.mapped_bytes()).sum::<u64>();
        self.base.values.mapped_bytes() + computes
    }

    /// The memory that it takes.
    pub(super) fn bytes(&self) -> u64 {
        self.base.bytes() + self.computes.iter().map(|(_, compute)| compute.bytes()).sum::<u64>()
    }
}

impl Blocks {
    /// Blocks in memory alone.
    #[must_use]
    pub fn new(options: BlockOptions) -> Self {
        Self {
            options,
            folder: None,
            loading: tokio::sync::Mutex::default(),
            measurements: Mutex::default(),
            clock: AtomicU64::default(),
            bytes: AtomicU64::default(),
        }
    }

    /// Blocks that are also written to a folder, which is this process's alone.
    ///
    /// # Errors
    /// See [`FolderError`].
    pub fn in_folder(options: BlockOptions, folder: &Path) -> Result<Self, FolderError> {
        let folder = Folder::open(folder, options.disk_bytes)?;
        Ok(Self { folder: Some(folder), ..Self::new(options) })
    }

    pub(super) fn folder(&self) -> Option<&Folder> {
        self.folder.as_ref()
    }

    /// The folder, where this process has one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.folder.as_ref().map(Folder::path)
    }

    pub(super) fn all_kept(&self) -> Vec<Arc<Kept>> {
        locked(&self.measurements).values().map(Arc::clone).collect()
    }

    /// See [`BlockOptions::exact_cells`].
    pub(super) fn exact_cells(&self) -> u64 {
        self.options.exact_cells
    }

    /// The memory that panels may take.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        self.options.memory_bytes
    }

    /// The memory that panels take.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Whether panels of a measurement's field may be there, without a look at anything but memory.
    #[must_use]
    pub fn may_have(&self, measurement: &Measurement, bucket: Width, aggregate: Aggregate) -> bool {
        let Some(kept) = locked(&self.measurements).get(&measurement.id).map(Arc::clone) else { return false };
        let shelves = locked(&kept.shelves);
        let mut alike = shelves.iter().filter(|(of, _)| of.bucket == bucket && of.aggregate == aggregate);
        alike.any(|(_, shelf)| !locked(&shelf.panels).is_empty())
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
        column: &str,
    ) -> Result<Option<View>, sqlx::Error> {
        let kept = self.known(snapshot, measurement).await?;
        let (since, awaited) = {
            let journal = locked(&kept.journal);
            (journal.last().clone(), journal.awaited())
        };
        let news = changes::news(snapshot.connection(), measurement.id, Some(&since), &awaited).await?;
        let column = Column::find(snapshot.connection(), measurement, column).await?;
        let (identity, state) = (Identity::of(measurement, &news.seen), Arc::new(news.seen.snapshot.clone()));
        if kept.identity == identity && !news.anew {
            let mut journal = locked(&kept.journal);
            if journal.take_in(&news) == Taken::Behind {
                return Ok(None);
            }
            if journal.is_long() {
                kept.forget_old_states(&mut journal);
            }
            drop(journal);
            return Ok(Some(View { blocks: Arc::clone(self), kept, state, column }));
        }
        // Another database, another life of it, or too long ago for the log.
        let kept = Arc::new(Kept::new(identity, Journal::new(news.seen), Vec::new()));
        locked(&self.measurements).insert(measurement.id, Arc::clone(&kept));
        Ok(Some(View { blocks: Arc::clone(self), kept, state, column }))
    }

    /// What is kept of a measurement; the first to ask finds what is on disk, or begins, and others wait.
    async fn known(
        self: &Arc<Self>,
        snapshot: &mut Snapshot,
        measurement: &Measurement,
    ) -> Result<Arc<Kept>, sqlx::Error> {
        let known = || locked(&self.measurements).get(&measurement.id).map(Arc::clone);
        if let Some(known) = known() {
            return Ok(known);
        }
        let _loading = self.loading.lock().await;
        if let Some(known) = known() {
            return Ok(known);
        }
        let seen = changes::here(snapshot.connection()).await?;
        let identity = Identity::of(measurement, &seen);
        let (blocks, of) = (Arc::clone(self), identity.clone());
        // Where loading fails, or finds nothing, all is made anew.
        let loaded = tokio::task::spawn_blocking(move || blocks.folder()?.load(&of)).await.ok().flatten();
        // A database that has gone back behind what was read counts as one of which nothing is known.
        let loaded = loaded.filter(|found| seen.snapshot.sees_all_of(&found.journal.last().snapshot));
        let kept = match loaded {
            Some(found) => Kept::found(identity, found, || self.tick()),
            None => Kept::new(identity, Journal::new(seen), Vec::new()),
        };
        let kept = Arc::new(kept);
        locked(&self.measurements).insert(measurement.id, Arc::clone(&kept));
        Ok(kept)
    }

    pub(super) fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::Relaxed)
    }

    /// Lets go of the files of panels that were not used for longest, about so many bytes of them; gives how many.
    pub(super) fn forget_files(&self, wanted: u64) -> u64 {
        let mut panels = Vec::new();
        for kept in self.all_kept() {
            for shelf in locked(&kept.shelves).values() {
                for (from_us, stored) in &*locked(&shelf.panels) {
                    let (shelf, kept) = (Arc::clone(shelf), Arc::clone(&kept));
                    panels.push((stored.last_used, *from_us, stored.file_bytes(), shelf, kept));
                }
            }
        }
        panels.sort_unstable_by_key(|(last_used, from_us, ..)| (*last_used, *from_us));
        let mut freed = 0;
        for (_, from_us, bytes, shelf, kept) in panels {
            if freed >= wanted {
                break;
            }
            if bytes > 0 {
                locked(&shelf.panels).remove(&from_us);
                *locked(&kept.index_written) = None;
                freed += bytes;
            }
        }
        freed
    }

    /// Lets go of what was not used for longest until the memory's limit holds.
    pub(super) fn settle(&self) {
        let kept = self.all_kept();
        let shelves: Vec<Arc<Shelf>> =
            kept.iter().flat_map(|kept| locked(&kept.shelves).values().map(Arc::clone).collect::<Vec<_>>()).collect();
        let mut panels = Vec::new();
        for (shelf, of) in shelves.iter().enumerate() {
            let stored = locked(&of.panels);
            // What lies in files takes next to nothing, and goes last.
            let order = |stored: &Stored| (stored.base.values.is_mapped(), stored.last_used);
            panels.extend(stored.iter().map(|(from_us, stored)| (order(stored), shelf, *from_us, stored.bytes())));
        }
        let mut bytes: u64 = panels.iter().map(|(.., bytes)| bytes).sum();
        panels.sort_unstable();
        for (_, shelf, from_us, freed) in panels {
            if bytes <= self.options.memory_bytes {
                break;
            }
            locked(&shelves[shelf].panels).remove(&from_us);
            bytes -= freed;
        }
        self.bytes.store(bytes, Ordering::Relaxed);
    }
}

impl Kept {
    fn new(identity: Identity, journal: Journal, series: Vec<i64>) -> Self {
        Self {
            identity,
            journal: Mutex::new(journal),
            roster: tokio::sync::Mutex::new(KnownSeries::Places(series)),
            shelves: Mutex::default(),
            index_written: Mutex::default(),
        }
    }

    /// As it was found on disk.
    fn found(identity: Identity, found: FoundKept, tick: impl Fn() -> u64) -> Self {
        let FoundKept { journal, series, panels } = found;
        let state = Arc::new(journal.last().snapshot.clone());
        let kept = Self::new(identity, journal, series);
        let mut shelves: HashMap<Subject, Arc<Shelf>> = HashMap::new();
        for FoundPanel { subject, place, base, computes } in panels {
            let computes = computes.into_iter().map(|(shape, compute)| (shape, Arc::new(compute))).collect();
            let (from_us, state, base) = (place.span.from_us, Arc::clone(&state), Arc::new(base));
            let stored = Stored { place, base, state, computes, last_used: tick(), made: Instant::now() };
            locked(&shelves.entry(subject).or_default().panels).insert(from_us, stored);
        }
        *locked(&kept.shelves) = shelves;
        kept
    }

    /// Brings every panel to the newest state, or lets it go where it has changed since, so that the journal can be short.
    fn forget_old_states(&self, journal: &mut Journal) {
        let newest = Arc::new(journal.last().snapshot.clone());
        for shelf in locked(&self.shelves).values() {
            locked(&shelf.panels).retain(|_, stored| {
                let same = stored.is_still_so(journal, &newest);
                if same {
                    stored.state = Arc::clone(&newest);
                }
                same
            });
        }
        journal.forget();
    }
}
