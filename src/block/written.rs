//! Which panels of a measurement are to be written, and which are.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    layout::Place,
    panel::{Base, Compute},
    store::{Kept, Subject, locked},
};
use crate::{frame::Shape, hypertable::changes::Seen};

/// A panel of which something is in memory alone.
pub(super) struct New {
    pub(super) subject: Subject,
    pub(super) place: Place,
    pub(super) base: Arc<Base>,
    pub(super) base_is_new: bool,
    pub(super) computes: Vec<(Shape, Arc<Compute>)>,
}

/// What is on disk of a measurement.
pub(super) struct Written {
    /// The newest state that is known.
    pub(super) seen: Seen,
    pub(super) series: Vec<i64>,
    pub(super) panels: Vec<WrittenPanel>,
}

/// A panel that is on disk.
pub(super) struct WrittenPanel {
    pub(super) subject: Subject,
    pub(super) place: Place,
    pub(super) version: u64,
    /// What it was made into.
    pub(super) shapes: Vec<Shape>,
    /// Whether it is right in the newest state. One that is not, as far as anybody knows now, may turn out to be.
    pub(super) is_right: bool,
}

impl Kept {
    /// The panels that were not made anew for this long and are not on disk.
    pub(super) fn quiet_panels(&self, quiet: Duration) -> Vec<New> {
        let mut news = Vec::new();
        for (subject, shelf) in &*locked(&self.shelves) {
            for stored in locked(&shelf.panels).values().filter(|stored| stored.made.elapsed() >= quiet) {
                let computes: Vec<_> =
                    stored.computes.iter().filter(|(_, compute)| !compute.values.is_mapped()).cloned().collect();
                let base_is_new = !stored.base.values.is_mapped();
                if base_is_new || !computes.is_empty() {
                    let (subject, place, base) = (subject.clone(), stored.place.clone(), Arc::clone(&stored.base));
                    news.push(New { subject, place, base, base_is_new, computes });
                }
            }
        }
        news
    }

    /// Puts what was written in the place of what was in memory, unless that was made anew meanwhile.
    pub(super) fn put_written(
        &self,
        subject: &Subject,
        place: &Place,
        version: u64,
        base: Option<Arc<Base>>,
        computes: Vec<(Shape, Arc<Compute>)>,
    ) {
        let shelves = locked(&self.shelves);
        let Some(shelf) = shelves.get(subject) else { return };
        let mut panels = locked(&shelf.panels);
        let Some(stored) = panels.get_mut(&place.span.from_us).filter(|stored| stored.base.version == version) else {
            return;
        };
        if let Some(base) = base {
            stored.base = base;
        }
        for (shape, compute) in computes {
            if let Some((_, old)) = stored.computes.iter_mut().find(|(of, _)| *of == shape)
                && old.history == compute.history
            {
                *old = compute;
            }
        }
    }

    /// What is on disk, and whether it is right in the newest state that is known.
    pub(super) fn written(&self) -> Written {
        let mut panels = Vec::new();
        let seen = {
            let journal = locked(&self.journal);
            for (subject, shelf) in &*locked(&self.shelves) {
                for stored in locked(&shelf.panels).values().filter(|stored| stored.base.values.is_mapped()) {
                    let mapped = stored.computes.iter().filter(|(_, compute)| compute.values.is_mapped());
                    panels.push(WrittenPanel {
                        subject: subject.clone(),
                        place: stored.place.clone(),
                        version: stored.base.version,
                        shapes: mapped.map(|(shape, _)| *shape).collect(),
                        is_right: stored.is_still_so(&journal, &journal.last().snapshot),
                    });
                }
            }
            journal.last().clone()
        };
        // After the panels: it knows the places of all that they hold.
        let series = self.roster.blocking_lock().ids();
        Written { seen, series, panels }
    }

    /// How long ago the index was written.
    pub(super) fn index_age(&self) -> Duration {
        locked(&self.index_written).map_or(Duration::MAX, |written| written.elapsed())
    }

    pub(super) fn index_written(&self, at: Instant) {
        *locked(&self.index_written) = Some(at);
    }
}
