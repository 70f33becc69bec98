//! Why a well-formed line was refused.

use serde::{Deserialize, Serialize};

use crate::{
    batch::RowError,
    hypertable::{ColumnType, NameError},
    protocol::{Line, LineError, json::BadRow, opentsdb::PointError},
    question::Width,
};

/// A line that was not written. Line and column count from 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Which line of the request.
    pub line: u32,
    /// The byte of the line that the reason is about.
    pub column: u32,
    /// What is wrong and what to write.
    pub reason: String,
    /// The line as it was sent, cut short where it is long.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub original: String,
}

/// So much of a refused line is shown.
const ORIGINAL_BYTES: usize = 256;

impl Refused {
    /// About how much memory it takes.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.reason.capacity() + self.original.capacity()
    }

    /// A line that the parser refused.
    #[must_use]
    pub fn unreadable(error: &LineError, body: &[u8]) -> Self {
        Self {
            line: error.line,
            column: error.column,
            reason: storable(&error.reason.to_string()),
            original: storable(&error.original(body, ORIGINAL_BYTES)),
        }
    }

    /// A data point of OpenTSDB's that could not be read.
    pub(super) fn point(error: &PointError, body: &[u8]) -> Self {
        let original = body.get(error.bytes.clone()).unwrap_or_default();
        Self::unfit(error.line, error.column, &error.fault.to_string(), original)
    }

    /// A row of JSON that was refused: its number is the line, and the reason begins with the path of what is wrong.
    #[must_use]
    pub fn bad_row(bad: &BadRow) -> Self {
        let reason = storable(&format!("{}: {}", bad.path, bad.mistake));
        Self { line: bad.row, column: 1, reason, original: String::new() }
    }

    /// A line whose row the measurement cannot take. The column is where the text stands that is at fault, if it was
    /// borrowed from the body.
    pub(super) fn unfit_line(line: &Line<'_>, body: &[u8], fault: &RowFault, about: &str) -> Self {
        let original = body.get(line.bytes.clone()).unwrap_or_default();
        let column = match (about.as_ptr() as usize).checked_sub(original.as_ptr() as usize) {
            Some(offset) if !about.is_empty() && offset < original.len() => offset + 1,
            _ if matches!(fault, RowFault::TooFarAhead { .. } | RowFault::Expired { .. }) => time_column(original),
            _ => 1,
        };
        Self::unfit(line.number, u32::try_from(column).unwrap_or(u32::MAX), &fault.to_string(), original)
    }

    /// A row that the database refused; `rendered` is what it was made of, in line protocol.
    pub(super) fn by_the_database(line: u32, reason: String, rendered: &str) -> Self {
        let original = rendered.chars().take(ORIGINAL_BYTES).collect();
        Self { line, column: 1, reason, original }
    }

    /// A line that cannot be written, for whatever reason.
    pub(super) fn unfit(line: u32, column: u32, reason: &str, original: &[u8]) -> Self {
        let cut = original.get(..ORIGINAL_BYTES).unwrap_or(original);
        let original = storable(&String::from_utf8_lossy(cut));
        Self { line, column, reason: storable(reason), original }
    }
}

/// The time is what follows the last space of a line that has one.
fn time_column(original: &[u8]) -> usize {
    let trimmed = original.trim_ascii_end();
    memchr::memrchr(b' ', trimmed).map_or(1, |space| space + 2)
}

/// The ledger keeps what was refused, and PostgreSQL's text cannot hold NUL bytes.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

impl RowFault {
    /// The label of its metrics.
    pub(super) fn class(&self) -> &'static str {
        match self {
            Self::TypeConflict { .. } | Self::UnsignedTooLarge { .. } => "type",
            Self::TagIsField(_) | Self::FieldIsTag(_) => "role",
            Self::Name(_) => "name",
            Self::TooManyFields(..)
            | Self::TooManyTags(..)
            | Self::TooManyMeasurements(_)
            | Self::TooManyNewSeries(_) => "limit",
            Self::TooFarAhead { .. } | Self::Expired { .. } => "time",
            Self::Row(_) => "value",
            Self::Series(_) => "series",
            Self::Measurement(_) => "measurement",
        }
    }
}

/// Why a row does not fit its measurement; the text says what to do.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RowFault {
    /// Another type than the field has.
    #[error("the field {field:?} is {has}, and this value is {given}: send it as {has}, or under another name")]
    TypeConflict {
        /// The field.
        field: String,
        /// Its column's type.
        has: ColumnType,
        /// What the line has, in words.
        given: &'static str,
    },
    /// An unsigned integer beyond what the database holds.
    #[error("the unsigned integer of the field {field:?} is beyond 9223372036854775807: send it as a float or as text")]
    UnsignedTooLarge {
        /// The field.
        field: String,
    },
    /// A tag here, a field in the measurement.
    #[error("{0:?} is a field of this measurement, and a tag in this line: rename one of them")]
    TagIsField(String),
    /// A field here, a tag in the measurement.
    #[error("{0:?} is a tag of this measurement, and a field in this line: rename one of them")]
    FieldIsTag(String),
    /// A name that cannot be one.
    #[error("{0}")]
    Name(#[from] NameError),
    /// The measurement is full.
    #[error("the measurement has {0} fields already, the most it may have: {1:?} cannot be added")]
    TooManyFields(usize, String),
    /// The measurement is full.
    #[error("the measurement has {0} tags already, the most it may have: {1:?} cannot be added")]
    TooManyTags(usize, String),
    /// The clock of whoever sent it is wrong, or the precision is.
    #[error(
        "the time is {ahead_s} s ahead of the server's clock: check the clock, and that the precision is the request's"
    )]
    TooFarAhead {
        /// By how many seconds.
        ahead_s: i64,
    },
    /// Its chunk has been dropped, or would be at once.
    #[error(
        "the time is {over_s} s older than the measurement's retention of {retention} allows: keep rows longer with \
         `chunkwise measurement set NAME --retention`, or see that the precision is the request's"
    )]
    Expired {
        /// By how many seconds.
        over_s: i64,
        /// How long rows are kept.
        retention: Width,
    },
    /// The request is a mess, or a collection of many.
    #[error(
        "the lines before it are of {0} measurements, the most that a request may have: send it in another request"
    )]
    TooManyMeasurements(usize),
    /// Somebody makes series without end, mostly by a tag that is really a value.
    #[error(
        "{0} series were made within a minute, the most that may be: send it again later, and see whether a tag is really \
         a value (ingest.max_new_series_per_minute)"
    )]
    TooManyNewSeries(u64),
    /// A value that the database cannot hold.
    #[error("{0}")]
    Row(RowError),
    /// The series is new, and the measurement's series table refuses it: somebody has added a constraint or the like.
    #[error("the line's series is new and cannot be made: {0}")]
    Series(String),
    /// The measurement itself cannot be had.
    #[error("{0}")]
    Measurement(String),
}
