//! Why a well-formed line was refused.

use serde::{Deserialize, Serialize};

use crate::{
    batch::RowError,
    hypertable::{ColumnType, NameError},
    protocol::LineError,
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

    /// A row that the database refused; `rendered` is what it was made of, in line protocol.
    pub(super) fn by_the_database(line: u32, reason: String, rendered: &str) -> Self {
        let original = rendered.chars().take(ORIGINAL_BYTES).collect();
        Self { line, column: 1, reason, original }
    }

    /// A line whose row the measurement cannot take.
    pub(super) fn unfit(line: u32, column: u32, fault: &RowFault, original: &[u8]) -> Self {
        let cut = original.get(..ORIGINAL_BYTES).unwrap_or(original);
        let original = storable(&String::from_utf8_lossy(cut));
        Self { line, column, reason: storable(&fault.to_string()), original }
    }
}

/// The ledger keeps what was refused, and PostgreSQL's text cannot hold NUL bytes.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
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
    /// A value that the database cannot hold.
    #[error("{0}")]
    Row(RowError),
    /// The measurement itself cannot be had.
    #[error("{0}")]
    Measurement(String),
}
