//! What a file says before its first row.

use std::collections::BTreeMap;

use super::super::Limits;

/// The first word of the head, and of the first line of each row.
pub(super) const TAGS: &str = "tags";

/// A head is not longer. TSBS's longest, of the use case `devops`, has 2 KiB.
const HEAD_LIMIT_BYTES: usize = 64 * 1024;

/// The head of a file: which measurements its rows are of, and which values they have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    tags: Vec<String>,
    measurements: BTreeMap<String, Vec<String>>,
}

/// Why a file is not one of TSBS's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// There is no blank line, or nothing before it.
    #[error(
        "there is no head of TSBS's: a line `tags,...`, a line of each measurement with its fields, and a blank line, within \
         the first {limit_bytes} bytes"
    )]
    Missing {
        /// Where it has to end.
        limit_bytes: usize,
    },
    /// Bytes that are no text.
    #[error("the head is not UTF-8, or has a NUL byte")]
    NotText,
    /// A name is empty or too long.
    #[error("line {line} of the head has a name that is empty or longer than {limit_bytes} bytes")]
    Name {
        /// From 1.
        line: usize,
        /// The limit.
        limit_bytes: usize,
    },
    /// A name comes twice, or is a tag's and a field's.
    #[error("line {line} of the head has the name {name:?} a second time: rename one of them")]
    Twice {
        /// From 1.
        line: usize,
        /// The name.
        name: String,
    },
    /// `time` and `series_id` are columns of every measurement.
    #[error("{0:?} cannot name a tag or a field, every measurement has a column of that name: rename it in the head")]
    Reserved(String),
    /// More than a row can have.
    #[error("line {line} of the head has {count} names, and a row at most {limit}")]
    TooMany {
        /// From 1.
        line: usize,
        /// How many.
        count: usize,
        /// The limit.
        limit: usize,
    },
}

/// Where the head of a file ends, the blank line behind it included; `None` as long as it is open.
#[must_use]
pub fn head_bytes(bytes: &[u8]) -> Option<usize> {
    let mut end = 0;
    while end <= HEAD_LIMIT_BYTES {
        let newline = memchr::memchr(b'\n', &bytes[end..])?;
        let line = &bytes[end..end + newline];
        end += newline + 1;
        if line.trim_ascii().is_empty() {
            return Some(end);
        }
    }
    // Not a head at all.
    Some(end)
}

impl Head {
    /// Reads a head, of which [`head_bytes`] tells the end.
    ///
    /// # Errors
    /// It is none, or has names that a row cannot have.
    pub fn parse(bytes: &[u8]) -> Result<Self, HeadError> {
        let text = std::str::from_utf8(bytes).map_err(|_| HeadError::NotText)?;
        if text.contains('\0') {
            return Err(HeadError::NotText);
        }
        let missing = || HeadError::Missing { limit_bytes: HEAD_LIMIT_BYTES };
        let mut lines = text.lines().map(str::trim_end).zip(1..);
        let (first, _) = lines.next().ok_or_else(missing)?;
        let mut words = first.split(',');
        let is_ended = text.lines().last().is_some_and(|last| last.trim().is_empty());
        if words.next() != Some(TAGS) || !is_ended {
            return Err(missing());
        }
        // `hostname string`; older versions leave the type away.
        let name = |word: &str| word.trim_start().split(' ').next().unwrap_or_default().to_owned();
        let limits = Limits::default();
        let tags = checked(words.map(name), 1, limits.tags, &[])?;
        let mut measurements = BTreeMap::new();
        for (line, number) in lines.take_while(|(line, _)| !line.trim().is_empty()) {
            let mut words = line.split(',');
            let measurement = words.next().unwrap_or_default().to_owned();
            let fields = checked(words.map(str::to_owned), number, limits.fields, &tags)?;
            if measurement.is_empty() || measurement.len() > limits.name_bytes || fields.is_empty() {
                return Err(HeadError::Name { line: number, limit_bytes: limits.name_bytes });
            }
            if measurement == TAGS || measurements.contains_key(&measurement) {
                return Err(HeadError::Twice { line: number, name: measurement });
            }
            measurements.insert(measurement, fields);
        }
        if measurements.is_empty() { Err(missing()) } else { Ok(Self { tags, measurements }) }
    }

    /// The tags that all rows have; a row may have more.
    #[must_use]
    pub fn tags(&self) -> &[String] {
        &self.tags
    }

    /// The measurements, each with its fields.
    pub fn measurements(&self) -> impl ExactSizeIterator<Item = (&str, &[String])> {
        self.measurements.iter().map(|(name, fields)| (name.as_str(), fields.as_slice()))
    }

    pub(super) fn fields(&self, measurement: &str) -> Option<&[String]> {
        self.measurements.get(measurement).map(Vec::as_slice)
    }
}

/// Names that one row can have.
fn checked(
    names: impl Iterator<Item = String>,
    line: usize,
    limit: usize,
    others: &[String],
) -> Result<Vec<String>, HeadError> {
    let limit_bytes = Limits::default().name_bytes;
    let names: Vec<String> = names.collect();
    if names.len() > limit {
        return Err(HeadError::TooMany { line, count: names.len(), limit });
    }
    let mut seen: std::collections::BTreeSet<&str> = others.iter().map(String::as_str).collect();
    for name in &names {
        if name.is_empty() || name.len() > limit_bytes {
            return Err(HeadError::Name { line, limit_bytes });
        }
        if matches!(name.as_str(), "time" | "series_id") {
            return Err(HeadError::Reserved(name.clone()));
        }
        if !seen.insert(name) {
            return Err(HeadError::Twice { line, name: name.clone() });
        }
    }
    Ok(names)
}
