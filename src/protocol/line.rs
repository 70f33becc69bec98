//! One line, as it was written.

use std::{borrow::Cow, ops::Range};

use smallvec::SmallVec;

/// A line's tags: names and values, in the order of the line.
pub type Tags<'a> = SmallVec<[(Cow<'a, str>, Cow<'a, str>); 8]>;

/// A line's fields: names and values, in the order of the line; never empty.
pub type Fields<'a> = SmallVec<[(Cow<'a, str>, FieldValue<'a>); 4]>;

/// One line. Text is borrowed from the body wherever it has no escapes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Line<'a> {
    /// Which line of the body it is (where it begins, if text in it has line breaks); the first is 1.
    pub number: u32,
    /// The measurement's name; not empty.
    pub measurement: Cow<'a, str>,
    /// The tags. No name comes twice or is a field's too, neither names nor values are empty.
    pub tags: Tags<'a>,
    /// The fields. No name comes twice.
    pub fields: Fields<'a>,
    /// The line's time in microseconds since 1970 UTC; none if the line has none.
    pub time_us: Option<i64>,
    /// Digits below a microsecond, of the time or of a field that is a moment, were rounded down.
    pub rounded: bool,
    /// Where the line stands in the body, without its line break.
    pub bytes: Range<usize>,
}

/// A field's value.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldValue<'a> {
    /// A number without a suffix; always finite.
    Float(f64),
    /// A number with the suffix `i`.
    Integer(i64),
    /// A number with the suffix `u`; may be beyond an `i64`, and so beyond what the database can hold.
    Unsigned(u64),
    /// A truth value.
    Boolean(bool),
    /// Text in quotes, without its escapes.
    Text(Cow<'a, str>),
    /// A number with the suffix `t` or `n`: microseconds since 1970 UTC, within the years 1 to 9999.
    Timestamp(i64),
}

impl Line<'_> {
    /// A line of which nothing is read yet.
    pub(super) fn empty(number: u32) -> Self {
        Self { number, ..Self::default() }
    }

    /// Makes this a line of which nothing is read yet. Its lists keep their memory.
    pub(super) fn begin(&mut self, number: u32) {
        self.number = number;
        self.measurement = Cow::Borrowed("");
        self.tags.clear();
        self.fields.clear();
        self.time_us = None;
        self.rounded = false;
        self.bytes = 0..0;
    }

    /// Puts the tags in the order of their names' bytes: two lines with the same tags then have equal lists.
    pub fn sort_tags(&mut self) {
        if !self.tags.is_sorted_by(|(a, _), (b, _)| a <= b) {
            self.tags.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        }
    }
}
