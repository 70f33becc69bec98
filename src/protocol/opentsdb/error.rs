//! What is wrong with a data point.

use std::ops::Range;

/// A data point that was refused, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {fault}")]
pub struct PointError {
    /// Which line of the body it is, or which point of the JSON; the first is 1.
    pub line: u32,
    /// The offending byte of the line, the first is 1; of JSON always 1.
    pub column: u32,
    /// What is wrong.
    pub fault: PointFault,
    /// Where the line stands in the body, without its line break; nowhere for JSON.
    pub bytes: Range<usize>,
}

/// Why a data point was refused. The texts begin as OpenTSDB's do, for whoever reads them by program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PointFault {
    /// A `put` with too few words.
    #[error("not enough arguments (need least 4, got {0}): write put <metric> <timestamp> <value> <tagk=tagv>")]
    NotEnoughArguments(usize),
    /// JSON without `metric`, or with another thing than text.
    #[error("Metric name was empty: write it as text")]
    MissingMetric,
    /// JSON without `timestamp`.
    #[error("Invalid timestamp: the point has none")]
    MissingTimestamp,
    /// No time, or nobody can tell which.
    #[error("Invalid timestamp {0:?}: write seconds (up to 10 digits) or milliseconds (up to 13) since 1970")]
    InvalidTimestamp(String),
    /// JSON without `value`.
    #[error("Empty value: write a number")]
    MissingValue,
    /// No number.
    #[error("{0:?} is no number: write one such as 42 or 1.5e3")]
    InvalidValue(String),
    /// `NaN`, an infinity, or a number too large for a 64-bit float.
    #[error("value is NaN or Infinite: {0}: leave the point out where there is no value")]
    NotFinite(String),
    /// JSON without `tags`.
    #[error("Missing tags: write at least one, such as host=a")]
    MissingTags,
    /// Not `name=value`, or, in JSON, a value that is no text.
    #[error("invalid tag: {0:?}: write name=value")]
    InvalidTag(String),
    /// A character that OpenTSDB does not allow either.
    #[error("Invalid {what} ({name:?}): illegal character: {character:?}: use letters, digits and -_./")]
    IllegalCharacter {
        /// What the name is the name of.
        what: &'static str,
        /// The name, cut short.
        name: String,
        /// The character.
        character: char,
    },
    /// A tag comes twice, with two values.
    #[error("duplicate tag: {0:?}: leave one out")]
    DuplicateTag(String),
    /// The measurement has a column of that name.
    #[error("{0:?} cannot name a tag, every measurement has a column of that name: rename it")]
    ReservedTag(String),
    /// More than [`Limits::tags`](crate::protocol::Limits::tags).
    #[error("the point has more than {0} tags: leave some out")]
    TooManyTags(usize),
    /// A name or a tag's value beyond the limits of line protocol.
    #[error("the {what} is longer than {limit_bytes} bytes: shorten it")]
    NameTooLong {
        /// What the name is the name of.
        what: &'static str,
        /// The limit.
        limit_bytes: usize,
    },
    /// More than [`Limits::line_bytes`](crate::protocol::Limits::line_bytes).
    #[error("the line is longer than {0} bytes")]
    LineTooLong(usize),
    /// A byte that is not part of any UTF-8 character.
    #[error("the line is not UTF-8 from here on: send text as UTF-8")]
    InvalidUtf8,
}

impl PointFault {
    /// What OpenTSDB's telnet answers put before the text: a bad number is told apart from everything else.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::InvalidValue(_) | Self::MissingValue => "invalid value",
            _ => "illegal argument",
        }
    }

    /// A short name that does not change, as a label of metrics.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::NotEnoughArguments(_) => "not_enough_arguments",
            Self::MissingMetric => "missing_measurement",
            Self::MissingTimestamp | Self::InvalidTimestamp(_) => "invalid_time",
            Self::MissingValue => "missing_field_value",
            Self::InvalidValue(_) => "invalid_value",
            Self::NotFinite(_) => "not_finite",
            Self::MissingTags => "missing_tags",
            Self::InvalidTag(_) => "invalid_tag",
            Self::IllegalCharacter { .. } => "illegal_character",
            Self::DuplicateTag(_) => "duplicate_tag",
            Self::ReservedTag(_) => "reserved_name",
            Self::TooManyTags(_) => "too_many_tags",
            Self::NameTooLong { .. } => "name_too_long",
            Self::LineTooLong(_) => "line_too_long",
            Self::InvalidUtf8 => "invalid_utf8",
        }
    }
}
