//! The parts of a file that are written as one request each.

use std::{fmt, sync::Arc};

use super::{Counted, Extent, LoadError, PartKey, Progress, Rows, Tally, cutting::TextParts, parquet::ParquetParts};
use crate::protocol::{Precision, tsbs::Head};

/// Rows of a part, about: the size at which one COPY is near its best, and small enough to be sent again.
pub const PART_ROWS: usize = 50_000;

/// Bytes of a part. Whichever of the two limits is reached first ends it, and the first record always fits.
pub const PART_BYTES: usize = 8 * 1024 * 1024;

/// A part as it is in the file: whole records, without the header.
#[derive(Clone, PartialEq)]
pub struct RawPart {
    /// Where it is, and what is known of it.
    pub place: PartPlace,
    /// The records.
    pub records: RawRecords,
}

/// The records of a part.
#[derive(Debug, Clone, PartialEq)]
pub enum RawRecords {
    /// Lines of CSV, line protocol or TSBS.
    Text(Vec<u8>),
    /// What was read from Parquet, whose bytes are no rows.
    Read {
        /// The rows.
        rows: Rows,
        /// What became of them.
        tally: Tally,
    },
}

/// Where a part is in its file, and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartPlace {
    /// Its place among the file's parts, from 0.
    pub ordinal: u64,
    /// What it is known by.
    pub key: PartKey,
    /// What it holds.
    pub extent: Extent,
    /// Whether it was written, is to be, or may have been in another shape.
    pub history: History,
    /// Whether it ended for want of more. The next part must not be written before this one is committed: started again,
    /// the load would find more here, and so make another part.
    pub is_short: bool,
    /// The line of the file that its first byte is on, from 1; of Parquet its first row.
    pub first_line: u64,
    /// What that is counted in.
    pub counted: Counted,
    /// Bytes of the file, as it lies on the disk, that had been read when the part was complete.
    pub consumed_bytes: u64,
}

/// What the ledger knows of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum History {
    /// Nothing.
    New,
    /// It has been written.
    Written,
    /// Nothing, but it has a part of other content in the same place: the file was changed there, or is another file that
    /// begins alike. The parts behind it are `New`.
    Differs,
}

impl fmt::Debug for RawPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawPart").field("place", &self.place).finish_non_exhaustive()
    }
}

/// A part that has been read.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Where it is, and what is known of it.
    pub place: PartPlace,
    /// Its records as they are in the file: of line protocol and TSBS all that there is, of CSV what a refused row was, of Parquet
    /// nothing.
    pub bytes: Vec<u8>,
    /// What its records are.
    pub content: Content,
    /// What became of its records. Nothing is counted here for line protocol and TSBS, whose lines are read when they are
    /// taken.
    pub tally: Tally,
}

/// What the records of a part are.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// Rows of a CSV or Parquet file.
    Rows(Rows),
    /// Lines of line protocol, read by its own parser when they are taken.
    LineProtocol {
        /// What their times count.
        precision: Precision,
    },
    /// Rows of TSBS's, read by their own reader when they are taken.
    Tsbs(Arc<Head>),
}

impl Part {
    /// The file's line for a line of this part, from 1, as its lines and their errors count them.
    #[must_use]
    pub fn file_line(&self, line: u32) -> u64 {
        self.place.first_line + u64::from(line).saturating_sub(1)
    }
}

/// The parts of a file, from its beginning.
///
/// Holds at most a part, a record and what was read ahead. Blocks on the file; after an error it ends. As an iterator it
/// gives the parts as if nothing had been written before.
#[derive(Debug)]
pub struct RawParts(Cutter);

#[derive(Debug)]
enum Cutter {
    Text(Box<TextParts>),
    Parquet(Box<ParquetParts>),
}

impl From<TextParts> for RawParts {
    fn from(parts: TextParts) -> Self {
        Self(Cutter::Text(Box::new(parts)))
    }
}

impl From<ParquetParts> for RawParts {
    fn from(parts: ParquetParts) -> Self {
        Self(Cutter::Parquet(Box::new(parts)))
    }
}

/// Asks the ledger what was written under a key.
pub type Recorded<'a> = dyn FnMut(PartKey) -> Result<Option<Extent>, LoadError> + 'a;

impl RawParts {
    /// The next part, cut where `recorded` says that it was cut before; full ones are cut where the file's content alone
    /// decides.
    ///
    /// # Errors
    /// [`LoadError`] where the file cannot be read on, and what `recorded` fails with.
    pub fn next_part(&mut self, recorded: &mut Recorded<'_>) -> Result<Option<RawPart>, LoadError> {
        match &mut self.0 {
            Cutter::Text(parts) => parts.next_part(recorded),
            Cutter::Parquet(parts) => parts.next_part(recorded),
        }
    }

    /// How far the reading has come; stays up to date.
    #[must_use]
    pub fn progress(&self) -> Progress {
        match &self.0 {
            Cutter::Text(parts) => parts.progress(),
            Cutter::Parquet(parts) => parts.progress(),
        }
    }

    /// Why there are no more parts; `None` as long as there may be.
    #[must_use]
    pub fn ending(&self) -> Option<Ending> {
        match &self.0 {
            Cutter::Text(parts) => parts.ending(),
            Cutter::Parquet(parts) => parts.ending(),
        }
    }
}

/// Why there are no more parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The file is at its end.
    End,
    /// The file was followed, and its name is another file's now; it was read to its end.
    Replaced,
    /// The file was followed, and was cut short; a last line that was not complete is lost.
    Truncated,
    /// The file was followed, and enough was read; a last line that is not complete is left for the next time.
    Stopped,
}

impl Iterator for RawParts {
    type Item = Result<RawPart, LoadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_part(&mut |_| Ok(None)).transpose()
    }
}
