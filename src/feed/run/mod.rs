//! Sending a feed: as fast as it is taken, or on a schedule that waits for nobody.
//!
//! ```text
//! source 0 --+-- lane --(one request at a time)--> connection
//!            +-- lane --> connection               a lane: next positions -> body -> journal S -> send until settled
//! source 1 --+-- ...
//! ```
//!
//! As fast as it is taken, a source has one lane. On a schedule it has as many as may wait for answers at once, so that one
//! slow answer delays no other request; a request that finds no free lane is sent late, and how late is reported. Latencies
//! count from when a request was due, so that a server that stalls cannot hide it by slowing the feed down.

mod lane;
mod meter;

#[cfg(test)]
mod tests;

use std::{
    num::{NonZeroU32, NonZeroU64},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;

pub use meter::{Spread, Summary};

use self::{lane::Lane, meter::Meter};
use super::{
    FeedError, Rows,
    journal::{Header, Journal, JournalError},
    send::{Connection, Target},
};

/// When requests are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schedule {
    /// Each source sends its next request when the last is answered.
    AsTaken,
    /// So many lines a second over all sources, whatever the answers do.
    Rate {
        /// How many.
        lines_per_second: NonZeroU64,
        /// Requests that may wait for answers at once, over all sources; at least one a source.
        in_flight: NonZeroU32,
    },
}

/// When a feed ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// After so many lines over all sources (positions, for sensors: one in 64 of them sends none).
    Lines(u64),
    /// After so long.
    After(Duration),
}

/// How a feed is sent.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What is sent.
    pub header: Header,
    /// Where to.
    pub target: Target,
    /// When.
    pub schedule: Schedule,
    /// How long.
    pub end: End,
    /// How long a request waits for its answer before it is sent again.
    pub patience: Duration,
    /// How long, after the end, requests in doubt are sent again.
    pub settle: Duration,
}

/// Why a feed was not sent to its end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Its recipe cannot be followed.
    #[error(transparent)]
    Recipe(#[from] FeedError),
    /// What is not written down must not be sent.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A defect: a task ended without a result.
    #[error("a part of the feed ended unexpectedly")]
    Lost(#[from] tokio::task::JoinError),
}

/// What all lanes share.
#[derive(Debug)]
struct Feeding {
    rows: Rows,
    plan: Plan,
    journal: Option<Journal>,
    meter: Meter,
    /// The next request of each source.
    next: Vec<AtomicU64>,
    begun: Instant,
    /// When no new request is begun.
    deadline: Option<Instant>,
    stop: CancellationToken,
}

impl Feeding {
    /// The next request of a source: its positions, and when it is due. `None` at the end.
    fn next(&self, source: u32) -> Option<(std::ops::Range<u64>, Option<Instant>)> {
        let recipe = self.rows.recipe();
        let (sources, size) = (u64::from(recipe.sources), u64::from(recipe.lines_per_request));
        let index = self.next[source as usize].fetch_add(1, Ordering::Relaxed);
        let limit = match self.plan.end {
            // The first sources take what does not divide.
            End::Lines(lines) => lines / sources + u64::from(u64::from(source) < lines % sources),
            End::After(_) => u64::MAX,
        };
        let from = index.saturating_mul(size);
        let positions = from..from.saturating_add(size).min(limit);
        let due = match self.plan.schedule {
            Schedule::AsTaken => None,
            Schedule::Rate { lines_per_second, .. } => {
                // Sources take turns.
                let before = u128::from(index * sources + u64::from(source)) * u128::from(size);
                let offset_us = before * 1_000_000 / u128::from(lines_per_second.get());
                Some(self.begun + Duration::from_micros(u64::try_from(offset_us).unwrap_or(u64::MAX / 2)))
            }
        };
        let is_over =
            positions.is_empty() || self.deadline.is_some_and(|deadline| due.unwrap_or_else(Instant::now) >= deadline);
        (!is_over).then_some((positions, due))
    }
}

/// Sends a feed to its end, or until `stop`; the requests that are then under way are settled first. Where there is a
/// journal, each request is on the disk before it leaves.
///
/// # Errors
/// [`RunError`]. A target that cannot be reached is none: requests wait for it, in doubt, until the feed's end.
pub async fn run(plan: Plan, journal: Option<Journal>, stop: CancellationToken) -> Result<Summary, RunError> {
    let rows = Rows::new(plan.header.recipe.clone())?;
    let sources = rows.recipe().sources;
    let lanes = match plan.schedule {
        Schedule::AsTaken => 1,
        // Without answers there is nothing to wait for, and a source's lines stay in order.
        Schedule::Rate { .. } if !plan.header.protocol.acknowledges() => 1,
        Schedule::Rate { in_flight, .. } => in_flight.get().div_ceil(sources),
    };
    let begun = Instant::now();
    let deadline = match plan.end {
        End::Lines(_) => None,
        End::After(time) => Some(begun + time),
    };
    let next = (0..sources).map(|_| AtomicU64::new(0)).collect();
    let feeding = Arc::new(Feeding { rows, plan, journal, meter: Meter::default(), next, begun, deadline, stop });
    let mut tasks = JoinSet::new();
    for source in (0..lanes).flat_map(|_| 0..sources) {
        let connection = Connection::new(&feeding.plan.target, feeding.plan.patience);
        tasks.spawn(Lane { feeding: Arc::clone(&feeding), source, connection, body: Vec::new() }.run());
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    if let Some(journal) = &feeding.journal {
        journal.flush().await?;
    }
    Ok(feeding.meter.summary())
}
