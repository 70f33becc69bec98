//! The life of a chunk: hot, sealed, dropped.
//!
//! ```text
//! hot      its time is now, or it is being written to; rows are appended, BRIN on time is all there is
//!   |      its time is over by `seal_after`, on the database's clock, and nothing was written for the quiet period;
//!   |      or a load said that it has passed it
//! sealed   Apache: a B-tree on (series_id, time), VACUUM (FREEZE, ANALYZE); Community: the columnstore
//!   |      older than the measurement's retention
//! dropped
//! ```
//!
//! Late rows into a sealed chunk are legal; [`verdict()`] says when that is worth a second sealing. Every step can be
//! repeated, and what is to be done is read from the database each time, never remembered: a process may be killed in the
//! middle of any of it. Whoever works at a chunk, job or command, holds the chunk's own advisory lock.
//!
//! **How much it may cost.** One chunk at a time, one core of the server, bounded memory; when nothing comes in any more, two
//! at once, as nobody needs the other core. While rows stream in, each chunk is followed by a pause that is as long as it must
//! be for ingestion to lose a tenth at most: see [`Throttle`]. Where ingestion has all of the machine for long, chunks are left
//! behind, which shows as `chunkwise_chunk_seal_lag_seconds`, and is made good as soon as the load ends.

mod error;
mod explain;
mod index;
mod interval;
mod job;
mod look;
mod metric;
mod pace;
mod pages;
mod passed;
mod retention;
mod seal;
mod seal_apache;
mod seal_community;
mod statistics;
mod verdict;

pub use error::LifeError;
pub use interval::{Observed, follow};
pub use job::{DropJob, IntervalJob, SealJob};
pub use look::{ChunkLook, look};
pub use pace::{Pace, Throttle};
pub use passed::{Behind, Passage, seal_passed};
pub use retention::{drop_chunk, drop_expired};
pub use seal::{SealOutcome, Sealer};
pub use verdict::{Facts, Verdict, Why, verdict};

use std::time::Duration;

/// When chunks are finished, where a measurement has no setting of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LifeOptions {
    /// How long after its end a chunk is sealed.
    pub seal_after: Duration,
    /// Nothing may have been written to it for so long.
    pub quiet: Duration,
}

impl Default for LifeOptions {
    fn default() -> Self {
        Self { seal_after: Duration::from_secs(3_600), quiet: Duration::from_secs(600) }
    }
}

impl LifeOptions {
    /// How often is looked for something to do.
    fn look_every(self) -> Duration {
        (self.quiet / 2).clamp(Duration::from_millis(200), Duration::from_secs(30))
    }
}
