//! Reading a journal back.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    ops::Range,
    path::Path,
};

use hashbrown::{HashMap, hash_map::Entry};
use uuid::Uuid;

use super::{Header, JournalError, Note, Strength, VERSION};

/// What a journal says of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was acknowledged: every row must be there.
    Acknowledged(Strength),
    /// So many of its rows were written.
    Refused {
        /// How many.
        written: u64,
    },
    /// The last word was that nobody knows, or there is none.
    InDoubt,
}

/// A request that may have been sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentBatch {
    /// Its id.
    pub id: Uuid,
    /// Its source's positions that it sends.
    pub positions: Range<u64>,
    /// What became of it.
    pub outcome: Outcome,
}

/// A journal that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The first line.
    pub header: Header,
    /// The requests of each source, in the order of their positions.
    pub sources: Vec<Vec<SentBatch>>,
    /// Whether the last line was cut.
    pub torn: bool,
}

impl Recorded {
    /// Reads a journal.
    ///
    /// # Errors
    /// [`JournalError`] where it is not one, or is damaged before its end.
    pub fn read(path: &Path) -> Result<Self, JournalError> {
        let failed = |source| JournalError::File { path: path.to_owned(), source };
        Self::parse(BufReader::new(File::open(path).map_err(failed)?)).map_err(|error| match error {
            JournalError::File { source, .. } => failed(source),
            error => error,
        })
    }

    pub(super) fn parse(mut text: impl BufRead) -> Result<Self, JournalError> {
        let mut lines = Lines { number: 0, bytes: Vec::new() };
        let wrong = |line, reason: &str| JournalError::Line { line, reason: reason.to_owned() };
        let header = match lines.next(&mut text)? {
            Some(Line::Whole(header)) => header,
            _ => return Err(wrong(1, "a feed's journal begins with a line of JSON")),
        };
        let header: Header = serde_json::from_str(&header).map_err(|error| wrong(1, &error.to_string()))?;
        if header.version != VERSION {
            return Err(wrong(1, "it is of another version"));
        }
        header.recipe.check()?;
        let mut recorded = Self { sources: vec![Vec::new(); header.recipe.sources as usize], header, torn: false };
        let mut places: HashMap<Uuid, (usize, usize)> = HashMap::new();
        loop {
            match lines.next(&mut text)? {
                None => break,
                Some(Line::Torn) => {
                    recorded.torn = true;
                    break;
                }
                Some(Line::Whole(line)) => recorded
                    .enter(&line, &mut places)
                    .ok_or_else(|| wrong(lines.number, "it is none of S, A, R, U with what belongs to it"))?,
            }
        }
        recorded.sources.iter_mut().for_each(|batches| batches.sort_unstable_by_key(|batch| batch.positions.start));
        let overlap =
            |batches: &Vec<SentBatch>| batches.windows(2).any(|pair| pair[0].positions.end > pair[1].positions.start);
        if recorded.sources.iter().any(overlap) {
            return Err(wrong(lines.number, "two requests send the same positions"));
        }
        Ok(recorded)
    }

    /// Enters a line; `None` if it is not one.
    fn enter(&mut self, line: &str, places: &mut HashMap<Uuid, (usize, usize)>) -> Option<()> {
        let mut words = line.split(' ');
        let kind = words.next()?;
        let id: Uuid = words.next()?.parse().ok()?;
        if kind == "S" {
            let source: usize = words.next()?.parse().ok()?;
            let positions = words.next()?.parse().ok()?..words.next()?.parse().ok()?;
            let batches = self.sources.get_mut(source).filter(|_| positions.start < positions.end)?;
            let Entry::Vacant(place) = places.entry(id) else { return None };
            place.insert((source, batches.len()));
            batches.push(SentBatch { id, positions, outcome: Outcome::InDoubt });
        } else {
            let note = match kind {
                "A" => Note::Acknowledged(Strength::from_label(words.next()?)?),
                "R" => Note::Refused { written: words.next()?.parse().ok()? },
                "U" => Note::InDoubt,
                _ => return None,
            };
            let (source, index) = *places.get(&id)?;
            self.sources[source][index].outcome = match note {
                Note::Acknowledged(strength) => Outcome::Acknowledged(strength),
                Note::Refused { written } => Outcome::Refused { written },
                Note::InDoubt => Outcome::InDoubt,
            };
        }
        words.next().is_none().then_some(())
    }
}

enum Line {
    Whole(String),
    Torn,
}

struct Lines {
    number: u64,
    bytes: Vec<u8>,
}

impl Lines {
    fn next(&mut self, text: &mut impl BufRead) -> Result<Option<Line>, JournalError> {
        self.bytes.clear();
        self.number += 1;
        let read = text
            .read_until(b'\n', &mut self.bytes)
            .map_err(|source| JournalError::File { path: std::path::PathBuf::new(), source })?;
        if read == 0 {
            return Ok(None);
        }
        if self.bytes.pop() != Some(b'\n') {
            return Ok(Some(Line::Torn));
        }
        match String::from_utf8(std::mem::take(&mut self.bytes)) {
            Ok(line) => Ok(Some(Line::Whole(line))),
            Err(_) => Err(JournalError::Line { line: self.number, reason: "it is not text".to_owned() }),
        }
    }
}
