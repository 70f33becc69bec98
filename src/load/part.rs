//! The parts of a file that are written as one request each, and their keys.

use std::fmt;

use super::{
    LoadError, Progress, Rows, Tally,
    record::{RecordRule, newlines},
    source::Source,
};
use crate::protocol::Precision;

/// Rows of a part, about: the size at which one COPY is near its best, and small enough to be sent again.
pub const PART_ROWS: usize = 50_000;

/// Bytes of a part. Whichever of the two limits is reached first ends it, and the first record always fits.
pub const PART_BYTES: usize = 8 * 1024 * 1024;

/// The longest record: more than the header of a wide file with a million columns.
const RECORD_LIMIT_BYTES: usize = 16 * 1024 * 1024;

const READ_BYTES: usize = 256 * 1024;

/// What a part is recognised by when a load that was cut off is started again: the first 128 bits of BLAKE3 over how the
/// file is read (measurement, columns, formats), the part's ordinal and its raw bytes.
///
/// The same file read the same way has the same keys, wherever it lies. A file that has grown since has them too, but for
/// what was its last part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartKey(pub [u8; 16]);

impl fmt::Display for PartKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The raw bytes of a part: whole records, without the header.
#[derive(Clone, PartialEq, Eq)]
pub struct RawPart {
    /// Its place among the file's parts, from 0.
    pub ordinal: u64,
    /// What it is recognised by.
    pub key: PartKey,
    /// The line of the file that its first byte is on, from 1.
    pub first_line: u64,
    /// The records.
    pub bytes: Vec<u8>,
    /// Bytes of the file, as it lies on the disk, that had been read when the part was complete.
    pub consumed_bytes: u64,
}

impl fmt::Debug for RawPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawPart")
            .field("ordinal", &self.ordinal)
            .field("key", &self.key)
            .field("first_line", &self.first_line)
            .field("bytes", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

/// A part that has been read.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Its place among the file's parts, from 0.
    pub ordinal: u64,
    /// What it is recognised by.
    pub key: PartKey,
    /// The line of the file that its first byte is on, from 1.
    pub first_line: u64,
    /// Bytes of the file, as it lies on the disk, that had been read when the part was complete.
    pub consumed_bytes: u64,
    /// Its records as they are in the file: of line protocol all that there is, of CSV what a refused row was.
    pub bytes: Vec<u8>,
    /// What its records are.
    pub content: Content,
    /// What became of its records. Nothing is counted here for line protocol, whose lines are read when they are taken.
    pub tally: Tally,
}

/// What the records of a part are.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// Rows of a CSV file.
    Rows(Rows),
    /// Lines of line protocol, read by its own parser when they are taken.
    LineProtocol {
        /// What their times count.
        precision: Precision,
    },
}

impl Part {
    /// The file's line for a line of this part, from 1, as its lines and their errors count them.
    #[must_use]
    pub fn file_line(&self, line: u32) -> u64 {
        self.first_line + u64::from(line).saturating_sub(1)
    }
}

/// When a part is full.
#[derive(Debug, Clone, Copy)]
pub(super) struct PartLimits {
    pub(super) records: usize,
    pub(super) bytes: usize,
}

/// Cuts a file into parts. Where they are cut depends on the bytes alone, not on how they arrive.
///
/// Holds at most a part, a record and what was read ahead. Blocks on the file; after an error it ends.
pub struct RawParts {
    source: Source,
    rule: RecordRule,
    limits: PartLimits,
    /// Has taken in how the file is read.
    hasher: blake3::Hasher,
    buffer: Vec<u8>,
    line: u64,
    ordinal: u64,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Reading,
    AtEnd,
    Failed,
}

impl fmt::Debug for RawParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawParts").field("ordinal", &self.ordinal).field("line", &self.line).finish_non_exhaustive()
    }
}

impl RawParts {
    pub(super) fn new(
        source: Source,
        prefix: Vec<u8>,
        rule: RecordRule,
        limits: PartLimits,
        hasher: blake3::Hasher,
    ) -> Self {
        Self { source, rule, limits, hasher, buffer: prefix, line: 1, ordinal: 0, state: State::Reading }
    }

    /// How far the reading has come; stays up to date.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.source.progress().clone()
    }

    /// Takes the header away: the first record that is not blank. Empty where there is none.
    pub(super) fn take_header(&mut self) -> Result<Vec<u8>, LoadError> {
        let one = PartLimits { records: 1, bytes: 1 };
        loop {
            let header = self.take_records(one)?;
            if header.is_empty() || !header.trim_ascii().is_empty() {
                return Ok(header);
            }
        }
    }

    /// The next records, up to the limits; empty at the file's end.
    pub(super) fn take_records(&mut self, limits: PartLimits) -> Result<Vec<u8>, LoadError> {
        let (mut records, mut end) = (0, 0);
        while records < limits.records && end < limits.bytes {
            if let Some(len) = self.rule.first_len(&self.buffer[end..]) {
                end += len;
                records += 1;
                continue;
            }
            let begun = self.buffer.len() - end;
            if begun > RECORD_LIMIT_BYTES {
                let line = self.line + newlines(&self.buffer[..end]);
                return Err(LoadError::RecordTooLong { line, limit_bytes: RECORD_LIMIT_BYTES });
            }
            // A record that is not complete is looked at from its beginning again, so the reads grow with it.
            let wanted = READ_BYTES.max(begun);
            if self.state == State::AtEnd || self.source.read_more(&mut self.buffer, wanted as u64)? == 0 {
                self.state = State::AtEnd;
                end = self.buffer.len();
                break;
            }
        }
        let rest = self.buffer.split_off(end);
        let taken = std::mem::replace(&mut self.buffer, rest);
        self.line += newlines(&taken);
        Ok(taken)
    }

    /// Plain bytes that were read and not yet taken.
    pub(super) fn ahead_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Whether the file has been read to its end.
    pub(super) fn is_done(&self) -> bool {
        self.state == State::AtEnd && self.buffer.is_empty()
    }

    fn next_part(&mut self) -> Result<Option<RawPart>, LoadError> {
        let first_line = self.line;
        let bytes = self.take_records(self.limits)?;
        if bytes.is_empty() {
            return Ok(None);
        }
        let ordinal = self.ordinal;
        self.ordinal += 1;
        let mut hasher = self.hasher.clone();
        hasher.update(&ordinal.to_le_bytes()).update(&bytes);
        let mut key = PartKey([0; 16]);
        hasher.finalize_xof().fill(&mut key.0);
        Ok(Some(RawPart { ordinal, key, first_line, bytes, consumed_bytes: self.source.progress().consumed_bytes() }))
    }
}

impl Iterator for RawParts {
    type Item = Result<RawPart, LoadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.state == State::Failed {
            return None;
        }
        let next = self.next_part().transpose();
        if matches!(next, Some(Err(_))) {
            self.state = State::Failed;
        }
        next
    }
}
