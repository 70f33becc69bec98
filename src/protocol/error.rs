//! What is wrong with a line.

use std::{borrow::Cow, ops::Range};

use super::Limits;

/// A line that was refused, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {reason}")]
pub struct LineError {
    /// Which line of the body it is (where it begins, if text in it has line breaks); the first is 1.
    pub line: u32,
    /// The offending byte, counted from the line's first byte, which is 1 (spaces before the measurement count, a byte
    /// order mark does not); the byte behind the last one where something is missing at the end.
    pub column: u32,
    /// What is wrong.
    pub reason: Reason,
    /// Where the line stands in the body, without its line break.
    pub bytes: Range<usize>,
}

impl LineError {
    /// The line as it was sent, cut to `max_bytes` at the end of a character, with U+FFFD for what is not UTF-8.
    ///
    /// `body` is the one that the error came from; of another one the text is meaningless, though never a panic.
    #[must_use]
    pub fn original<'a>(&self, body: &'a [u8], max_bytes: usize) -> Cow<'a, str> {
        let line = body.get(self.bytes.clone()).unwrap_or_default();
        let Some(cut) = line.get(..max_bytes).filter(|cut| cut.len() < line.len()) else {
            return String::from_utf8_lossy(line);
        };
        // A character that the cut has split is at most three bytes of an unfinished sequence at the end.
        let whole = match std::str::from_utf8(cut) {
            Err(error) if error.error_len().is_none() => &cut[..error.valid_up_to()],
            _ => cut,
        };
        String::from_utf8_lossy(whole)
    }
}

/// Why a line was refused; its text says what is wrong and what to write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// Longer than [`Limits::line_bytes`].
    #[error(
        "the line is longer than {limit_bytes} bytes: write its fields as several lines with the same tags and time"
    )]
    LineTooLong {
        /// The limit.
        limit_bytes: usize,
    },
    /// More than [`Limits::tags`].
    #[error("the line has more than {limit} tags: write what does not name the series as fields")]
    TooManyTags {
        /// The limit.
        limit: usize,
    },
    /// More than [`Limits::fields`].
    #[error("the line has more than {limit} fields: write them as several lines with the same tags and time")]
    TooManyFields {
        /// The limit.
        limit: usize,
    },
    /// Longer than [`Limits::name_bytes`].
    #[error("the name is longer than {limit_bytes} bytes: shorten it")]
    NameTooLong {
        /// The limit.
        limit_bytes: usize,
    },
    /// Longer than [`Limits::tag_value_bytes`].
    #[error("the tag's value is longer than {limit_bytes} bytes: shorten it, or write it as a field in quotes")]
    TagValueTooLong {
        /// The limit.
        limit_bytes: usize,
    },
    /// A byte that is not part of any UTF-8 character.
    #[error("the line is not UTF-8 from here on: send text as UTF-8")]
    InvalidUtf8,
    /// A NUL byte, which PostgreSQL's text cannot hold.
    #[error("the line has a NUL byte: leave it out")]
    NulByte,
    /// A tab outside quotes, behind the line's first character.
    #[error("a tab cannot stand here: separate the parts of a line with a space")]
    Tab,
    /// The line begins with a comma.
    #[error("the line has no measurement: begin it with the measurement's name")]
    MissingMeasurement,
    /// Nothing before the `=` of a tag, or no tag behind a comma.
    #[error("a tag has no name here: write `,name=value`, or leave the comma out")]
    MissingTagKey,
    /// No `=` behind a tag's name, or nothing behind the `=`.
    #[error("a tag has no value here: write `name=value`, or leave the tag out")]
    MissingTagValue,
    /// The line ends before its fields.
    #[error("the line has no fields: write a space and at least one `name=value` behind the measurement and its tags")]
    MissingFields,
    /// Nothing before the `=` of a field, or no field behind a comma.
    #[error("a field has no name here: write `name=value`, or leave the comma out")]
    MissingFieldKey,
    /// No `=` behind a field's name, or nothing behind the `=`.
    #[error("a field has no value here: write `name=value`, or leave the field out")]
    MissingFieldValue,
    /// A backslash at the end of a name or of a tag's value.
    #[error("a name or a tag's value cannot end in a backslash: leave it out, or write the value as a field in quotes")]
    TrailingBackslash,
    /// Text without its closing quote.
    #[error("the text that begins here has no closing quote: write \" at its end, and \\\" for a quote within it")]
    UnclosedText,
    /// Something other than a comma, a space or the end of the line behind a closing quote.
    #[error(
        "the text ended before here: write \\\" for a quote within it, and a comma or a space behind its last quote"
    )]
    TextGoesOn,
    /// No number, truth value or text.
    #[error("this is no value: write a number (1.5, 3i, 3u), true or false, or text in double quotes")]
    InvalidValue,
    /// Not a number, an infinity, or a number too large for a 64-bit float.
    #[error("the number is not finite: leave the field out where there is no value")]
    NotFinite,
    /// An `i` number beyond 64 bits.
    #[error("the integer is outside -9223372036854775808 to 9223372036854775807: write it without the i, as a float")]
    IntegerOutOfRange,
    /// A `u` number that is negative or beyond 64 bits.
    #[error("the unsigned integer is outside 0 to 18446744073709551615: write it with i, or as a float")]
    UnsignedOutOfRange,
    /// The time is not an integer.
    #[error("the time is not an integer: write it in digits, or leave it out")]
    InvalidTime,
    /// A time, or a field that is one, outside the years 1 to 9999.
    #[error("the time is outside the years 1 to 9999: is its unit the request's precision?")]
    TimeOutOfRange,
    /// Something behind the time.
    #[error("nothing can follow the time: write a line break here")]
    TrailingContent,
    /// A tag comes twice.
    #[error("the tag {0:?} comes twice: leave one out")]
    DuplicateTag(String),
    /// A field comes twice.
    #[error("the field {0:?} comes twice: leave one out")]
    DuplicateField(String),
    /// A name is a tag and a field of the same line.
    #[error("{0:?} is a tag and a field: rename one of them")]
    TagAndField(String),
    /// `time` and `series_id` are columns of every measurement.
    #[error("{0:?} cannot name a tag or a field, every measurement has a column of that name: rename it")]
    ReservedName(String),
    /// In a file of TSBS's: a line of values that does not follow one of tags.
    #[error("the values have no tags before them: a row is a line `tags,...` and one of values")]
    MissingTagsLine,
    /// In a file of TSBS's: a line of tags that none of values follows.
    #[error("the tags have no values behind them: a row is a line `tags,...` and one of values")]
    MissingValuesLine,
    /// In a file of TSBS's: a measurement without fields.
    #[error("{0:?} is not in the file's head: its fields have no names")]
    NotInHead(String),
    /// In a file of TSBS's: more or fewer values than names.
    #[error("there are {values} values, and the file's head names {names}: an empty one between commas is missing")]
    WrongCount {
        /// Values of the row.
        values: usize,
        /// Fields of the measurement.
        names: usize,
    },
    /// In a file of TSBS's: a value that is none.
    #[error("{0:?} is not a number")]
    NotANumber(String),
}

impl Reason {
    /// A short name that does not change, as a label of metrics.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::LineTooLong { .. } => "line_too_long",
            Self::TooManyTags { .. } => "too_many_tags",
            Self::TooManyFields { .. } => "too_many_fields",
            Self::NameTooLong { .. } => "name_too_long",
            Self::TagValueTooLong { .. } => "tag_value_too_long",
            Self::InvalidUtf8 => "invalid_utf8",
            Self::NulByte => "nul_byte",
            Self::Tab => "tab",
            Self::MissingMeasurement => "missing_measurement",
            Self::MissingTagKey => "missing_tag_key",
            Self::MissingTagValue => "missing_tag_value",
            Self::MissingFields => "missing_fields",
            Self::MissingFieldKey => "missing_field_key",
            Self::MissingFieldValue => "missing_field_value",
            Self::TrailingBackslash => "trailing_backslash",
            Self::UnclosedText => "unclosed_text",
            Self::TextGoesOn => "text_goes_on",
            Self::InvalidValue => "invalid_value",
            Self::NotFinite => "not_finite",
            Self::IntegerOutOfRange => "integer_out_of_range",
            Self::UnsignedOutOfRange => "unsigned_out_of_range",
            Self::InvalidTime => "invalid_time",
            Self::TimeOutOfRange => "time_out_of_range",
            Self::TrailingContent => "trailing_content",
            Self::DuplicateTag(_) => "duplicate_tag",
            Self::DuplicateField(_) => "duplicate_field",
            Self::TagAndField(_) => "tag_and_field",
            Self::ReservedName(_) => "reserved_name",
            Self::MissingTagsLine => "missing_tags_line",
            Self::MissingValuesLine => "missing_values_line",
            Self::NotInHead(_) => "not_in_head",
            Self::WrongCount { .. } => "wrong_count",
            Self::NotANumber(_) => "not_a_number",
        }
    }
}

/// A reason and the byte of the line that it is about, counted from 0.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) reason: Reason,
}

impl Fault {
    /// Errors are rare, and building them stays out of the way of what is not one.
    #[cold]
    pub(super) fn new(at: usize, reason: Reason) -> Self {
        Self { at, reason }
    }

    #[cold]
    pub(super) fn line_too_long(limits: &Limits) -> Self {
        Self { at: limits.line_bytes, reason: Reason::LineTooLong { limit_bytes: limits.line_bytes } }
    }
}
