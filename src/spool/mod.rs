//! The local log for when the database is away: accepted lines, on disk before they are acknowledged, until it has them.
//!
//! ```text
//! <data-dir>/spool/
//!     lock                          held by the one process that has the spool open
//!     cursor                        how far the database has come
//!     00000000000000000007.seg      frames, oldest first; numbered, for no clock can be trusted
//!     00000000000000000008.seg      the active segment: frames are appended
//!     quarantine/                   segments with damage, kept for whoever wants to look; and frames that were whole, but
//!                                   not understood, each as a segment of its own
//!
//! segment  0        8         12         20       28       32                64       72
//!          +--------+---------+----------+--------+--------+-----------------+--------+-------+--------+----
//!          | magic  | version | sequence | marker | crc32c | the same again  | marker | frame | marker | ...
//!          +--------+---------+----------+--------+--------+-----------------+--------+-------+--------+----
//!           header: two copies, either will do                                (frame: see the module `frame`)
//! ```
//!
//! What holds, whatever fails:
//!
//! - [`Spool::append`] returns after `fdatasync` (and the folder's `fsync` for a new segment), which many appends share.
//! - A failed sync closes its segment for good, for a second one on the same file would lie. Frames that were not safe are
//!   refused, and the next append begins another segment: once the disk is well, so is the spool.
//! - A limit refuses before anything is written: the spool's own size, or the space reserved on its disk.
//! - Frames are read in order, and only when they are safe. [`Spool::advance`] makes the cursor durable before it removes
//!   a segment. What is read twice, after a crash between COMMIT and advance, the ledger knows by its id.
//! - A write that was cut off is cut away. Damage costs the frames that it hit: reading goes on at the next marker, and the
//!   segment goes to the quarantine instead of being removed.
//!
//! No runtime, no clock: calls block, the caller says what time it is. Appends come from as many threads as there are,
//! reading from one, and neither waits for the other:
//!
//! ```
//! use chunkwise::{protocol::{parse, Precision}, spool::{Disk, Frame, Spool, SpoolOptions, encode_lines}};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let data = tempfile::tempdir()?;
//! let (spool, recovery) = Spool::open(Disk, &data.path().join("spool"), SpoolOptions::default())?;
//! assert_eq!(recovery.frames, 0);
//!
//! let lines: Vec<_> = parse(b"ticks,symbol=AAPL price=187.32 1700000000", Precision::Seconds).collect::<Result<_, _>>()?;
//! let mut bytes = Vec::new();
//! encode_lines(&lines, &mut bytes)?;
//! spool.append(&Frame {
//!     id: uuid::Uuid::new_v4(),
//!     body_hash: uuid::Uuid::new_v4(),
//!     keep_s: 3_600,
//!     spooled_us: 1_700_000_001_000_000,
//!     protocol: "line_protocol_http",
//!     namespace: "public",
//!     lines: &bytes,
//! })?;
//!
//! while let Some(spooled) = spool.next()? {
//!     let frame = spooled.frame();
//!     assert_eq!(frame.decode_lines()?[0].measurement, "ticks");
//!     // ... COMMIT, with `frame.id` in the ledger ...
//!     spool.advance(spooled.position())?;
//! }
//! assert_eq!(spool.stats().disk_bytes, 0);
//! # Ok(())
//! # }
//! ```

mod append;
mod aside;
mod cursor;
mod drain;
mod error;
mod frame;
mod fs;
mod lines;
mod log;
mod recover;
mod segment;
mod stats;

use std::{
    path::PathBuf,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

pub use cursor::{CursorFound, Place, Position};
pub use drain::SpooledFrame;
pub use error::{Limit, SpoolError};
pub use frame::{Frame, FrameError, MAX_PAYLOAD_BYTES, decode_frame};
pub use fs::{Disk, Fs, FsFile};
pub use lines::{Behind, DecodedLines, LineGlance, LinesError, Untimed, count_lines, decode_lines, encode_lines};
pub use recover::{Damage, Recovery};
pub use stats::SpoolStats;

const LOCK_NAME: &str = "lock";
const QUARANTINE_NAME: &str = "quarantine";

/// How much the spool may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpoolOptions {
    /// All segments' files at most; the quarantine is not counted.
    pub max_bytes: u64,
    /// What stays free on the disk, for the database may share it.
    pub reserve_bytes: u64,
    /// When a segment has so many bytes, the next one begins. A larger frame gets a segment of its own.
    pub segment_bytes: u64,
}

impl Default for SpoolOptions {
    /// 10 GiB, 1 GiB and 64 MiB.
    fn default() -> Self {
        Self { max_bytes: 10 << 30, reserve_bytes: 1 << 30, segment_bytes: 64 << 20 }
    }
}

/// An open spool; see the [module](self). Its folder is another process's to open once this is dropped.
#[derive(Debug)]
pub struct Spool<F: Fs = Disk> {
    fs: F,
    folder: PathBuf,
    options: SpoolOptions,
    log: Mutex<log::Log<F::File>>,
    /// A sync has ended, well or not.
    synced: Condvar,
    reader: Mutex<drain::Reader<F::File>>,
    _lock: F::Lock,
}

impl<F: Fs> Spool<F> {
    fn log(&self) -> MutexGuard<'_, log::Log<F::File>> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reader(&self) -> MutexGuard<'_, drain::Reader<F::File>> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
