//! A file of text, cut into parts.

use std::{
    fmt,
    time::{Duration, Instant},
};

use super::{
    Counted, Ending, Extent, History, LoadError, PART_BYTES, PartPlace, Progress, RawPart, RawRecords, Recorded,
    chain::Chain,
    record::{RecordRule, newlines},
    source::{More, Source},
};

/// The longest record: more than the header of a wide file with a million columns.
const RECORD_LIMIT_BYTES: usize = 16 * 1024 * 1024;

const READ_BYTES: usize = 256 * 1024;

/// Of a file that grows, a part is ended early at most so often: lines that come one by one share a transaction, and one
/// that comes alone is not kept waiting.
const SHORT_PART_EVERY: Duration = Duration::from_secs(1);

/// When a part is full.
#[derive(Debug, Clone, Copy)]
pub(super) struct PartLimits {
    pub(super) records: usize,
    pub(super) bytes: usize,
}

/// Cuts a file into parts. Where a full part ends depends on the bytes alone, not on how they arrive.
///
/// Holds at most a part, a record and what was read ahead. Blocks on the file; after an error it ends.
pub(super) struct TextParts {
    source: Source,
    rule: RecordRule,
    limits: PartLimits,
    /// How the file is read.
    identity: blake3::Hash,
    /// From the first record on.
    chain: Option<Chain>,
    buffer: Vec<u8>,
    line: u64,
    ordinal: u64,
    state: State,
    /// When the last part was cut.
    cut_at: Option<Instant>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Reading,
    Ended(Ending),
    Failed,
}

/// Where records end in the buffer.
struct Cut {
    end: usize,
    is_short: bool,
}

impl fmt::Debug for TextParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TextParts").field("ordinal", &self.ordinal).field("line", &self.line).finish_non_exhaustive()
    }
}

impl TextParts {
    pub(super) fn new(
        source: Source,
        prefix: Vec<u8>,
        rule: RecordRule,
        limits: PartLimits,
        identity: blake3::Hash,
    ) -> Self {
        let (state, buffer) = (State::Reading, prefix);
        Self { source, rule, limits, identity, chain: None, buffer, line: 1, ordinal: 0, state, cut_at: None }
    }

    /// How far the reading has come; stays up to date.
    pub(super) fn progress(&self) -> Progress {
        self.source.progress().clone()
    }

    /// Why there are no more parts; `None` as long as there may be.
    pub(super) fn ending(&self) -> Option<Ending> {
        match self.state {
            State::Ended(ending) if self.buffer.is_empty() => Some(ending),
            _ => None,
        }
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

    /// What follows ends by another rule.
    pub(super) fn go_on_by(mut self, rule: RecordRule) -> Self {
        self.rule = rule;
        self
    }

    /// The next records, up to the limits; of a file that grows, of those that are there. Empty at the file's end.
    pub(super) fn take_records(&mut self, limits: PartLimits) -> Result<Vec<u8>, LoadError> {
        let Cut { end, .. } = self.find_cut(limits)?;
        Ok(self.take(end))
    }

    fn take(&mut self, end: usize) -> Vec<u8> {
        let rest = self.buffer.split_off(end);
        let taken = std::mem::replace(&mut self.buffer, rest);
        self.line += newlines(&taken);
        taken
    }

    /// Waits for a record. A last record without a line break may be half of one whose writer is not done, so it is cut
    /// alone: if it turns out to have been longer, it alone is loaded again.
    fn find_cut(&mut self, limits: PartLimits) -> Result<Cut, LoadError> {
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
            let has_more = self.read_more(READ_BYTES.max(begun))?;
            if !has_more && self.state != State::Reading {
                return Ok(Cut { end: if end == 0 { self.buffer.len() } else { end }, is_short: true });
            }
            if !has_more && end > 0 && self.cut_at.is_none_or(|at| at.elapsed() >= SHORT_PART_EVERY) {
                return Ok(Cut { end, is_short: true });
            }
            if !has_more {
                self.source.wait();
            }
        }
        Ok(Cut { end, is_short: false })
    }

    /// Reads on, without waiting for a file to grow; whether there was more.
    fn read_more(&mut self, wanted: usize) -> Result<bool, LoadError> {
        if self.state != State::Reading {
            return Ok(false);
        }
        let ending = match self.source.read_more(&mut self.buffer, wanted as u64)? {
            More::Bytes(_) => return Ok(true),
            More::NothingYet => return Ok(false),
            More::End => Ending::End,
            More::Replaced => Ending::Replaced,
            More::Truncated => Ending::Truncated,
            More::Stopped => Ending::Stopped,
        };
        self.state = State::Ended(ending);
        if matches!(ending, Ending::Truncated | Ending::Stopped) {
            self.drop_unfinished();
        }
        Ok(false)
    }

    /// Drops a last record that is not complete.
    fn drop_unfinished(&mut self) {
        let mut end = 0;
        while let Some(len) = self.rule.first_len(&self.buffer[end..]) {
            end += len;
        }
        self.buffer.truncate(end);
    }

    /// Plain bytes that were read and not yet taken.
    pub(super) fn ahead_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Whether the file has been read to its end.
    pub(super) fn is_done(&self) -> bool {
        self.ending().is_some()
    }

    /// Gives back what a pipe was read from, with all that was read of it: what was taken first.
    pub(super) fn into_unread(self, taken: Vec<u8>) -> (Source, Vec<u8>) {
        (self.source, [taken, self.buffer].concat())
    }

    /// The next part, cut where `recorded` says that it was cut before.
    ///
    /// # Errors
    /// [`LoadError`] where the file cannot be read on, and what `recorded` fails with.
    pub(super) fn next_part(&mut self, recorded: &mut Recorded<'_>) -> Result<Option<RawPart>, LoadError> {
        if self.state == State::Failed {
            return Ok(None);
        }
        let part = self.cut_part(recorded);
        if part.is_err() {
            self.state = State::Failed;
        }
        part
    }

    fn cut_part(&mut self, recorded: &mut Recorded<'_>) -> Result<Option<RawPart>, LoadError> {
        let first_line = self.line;
        let one = self.find_cut(PartLimits { records: 1, bytes: 1 })?;
        if one.end == 0 {
            return Ok(None);
        }
        let first_record = self.buffer[..one.end].trim_ascii_end();
        let mut chain = self.chain.take().unwrap_or_else(|| Chain::begin(&self.identity, first_record));
        let mut history = History::New;
        let cut = loop {
            match recorded(chain.key())? {
                None => break self.find_cut(self.limits)?,
                Some(extent) if self.holds(extent)? => {
                    history = History::Written;
                    break Cut { end: extent.length(), is_short: false };
                }
                Some(other) => {
                    history = History::Differs;
                    chain.step_beside(other);
                }
            }
        };
        let text = self.take(cut.end);
        let (key, extent) = (chain.key(), Extent::of_text(&text));
        chain.advance(extent);
        self.chain = Some(chain);
        self.cut_at = Some(Instant::now());
        let ordinal = self.ordinal;
        self.ordinal += 1;
        let consumed_bytes = self.source.progress().consumed_bytes();
        let counted = Counted::Lines;
        let place =
            PartPlace { ordinal, key, extent, history, is_short: cut.is_short, first_line, counted, consumed_bytes };
        Ok(Some(RawPart { place, records: RawRecords::Text(text) }))
    }

    /// Whether the file goes on with what was written, to the end of a record.
    fn holds(&mut self, extent: Extent) -> Result<bool, LoadError> {
        let length = extent.length();
        if length == 0 || length > PART_BYTES + RECORD_LIMIT_BYTES {
            return Ok(false);
        }
        // One more, for the line break that a last line got later.
        while self.buffer.len() <= length && self.read_more(READ_BYTES)? {}
        let Some((text, rest)) = self.buffer.split_at_checked(length) else { return Ok(false) };
        let is_whole = text.ends_with(b"\n") || matches!(rest.first(), None | Some(b'\r' | b'\n'));
        Ok(is_whole && Extent::of_text(text) == extent)
    }
}
