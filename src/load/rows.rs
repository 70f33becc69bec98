//! The rows of a part, by column.

use std::sync::Arc;

use hashbrown::HashMap;

use super::{
    cell::{CELL_LIMIT_BYTES, is_missing, read_boolean, read_integer, read_number, read_text},
    mapping::FieldKind,
    refusal::Reason,
    time_rule::{CellTime, TimeRule},
};

/// Rows by column: all columns are as long as [`times_us`](Self::times_us).
#[derive(Debug, Clone, PartialEq)]
pub struct Rows {
    /// The measurement.
    pub measurement: Arc<str>,
    /// The times, microseconds since 1970 UTC, in the file's order.
    pub times_us: Vec<i64>,
    /// Whether the time, or another time of the row, had digits beyond the microseconds, which were rounded down.
    pub rounded: Vec<bool>,
    /// The line of the part that each row's record begins on, from 1.
    pub lines: Vec<u32>,
    /// Where each row's record begins in the part's bytes, and where it ends without its line break.
    pub spans: Vec<(u32, u32)>,
    /// The tags' columns.
    pub tags: Vec<TagColumn>,
    /// The fields' columns; in each row at least one has a value.
    pub fields: Vec<FieldColumn>,
}

/// A tag of all rows.
#[derive(Debug, Clone, PartialEq)]
pub struct TagColumn {
    /// The tag's name.
    pub name: String,
    /// Its values.
    pub values: Texts,
}

/// A field of all rows.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldColumn {
    /// The field's name.
    pub name: String,
    /// Its values.
    pub values: Values,
}

/// The values of a field.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Numbers; NaN is missing.
    Numbers(Vec<f64>),
    /// Integers, of Parquet.
    Integers(Vec<Option<i64>>),
    /// Booleans.
    Booleans(Vec<Option<bool>>),
    /// Texts.
    Texts(Texts),
    /// Times besides the row's own, microseconds since 1970 UTC.
    Times(Vec<Option<i64>>),
}

/// Texts, each distinct one stored once; the empty text is missing.
#[derive(Debug, Clone, Default)]
pub struct Texts {
    codes: Vec<u32>,
    distinct: Vec<Arc<str>>,
    by_text: HashMap<Arc<str>, u32>,
}

impl PartialEq for Texts {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && (0..self.len()).all(|row| self.get(row) == other.get(row))
    }
}

impl Texts {
    /// Marks a row without text.
    const MISSING: u32 = u32::MAX;

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.codes.len()
    }

    /// Whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }

    /// The text of a row; `None` where it is missing or there is no such row.
    #[must_use]
    pub fn get(&self, row: usize) -> Option<&str> {
        self.distinct.get(*self.codes.get(row)? as usize).map(|text| &**text)
    }

    /// A number that equal texts of this column share.
    pub(super) fn code(&self, row: usize) -> u32 {
        self.codes.get(row).copied().unwrap_or(Self::MISSING)
    }

    fn hash_into(&self, hasher: &mut blake3::Hasher) {
        for row in 0..self.len() {
            let text = self.get(row).unwrap_or_default();
            hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
        }
    }

    pub(super) fn push(&mut self, text: &str) {
        let code = if text.is_empty() { Self::MISSING } else { self.code_of(text) };
        self.codes.push(code);
    }

    fn code_of(&mut self, text: &str) -> u32 {
        // Files are often sorted by series, and then the last row's text is this one's.
        let last = self.codes.last().copied();
        if let Some(last) = last.filter(|&code| self.distinct.get(code as usize).is_some_and(|known| &**known == text))
        {
            return last;
        }
        if let Some(&code) = self.by_text.get(text) {
            return code;
        }
        // A part has fewer bytes than there are codes.
        let code = u32::try_from(self.distinct.len()).unwrap_or(Self::MISSING);
        let text: Arc<str> = text.into();
        self.distinct.push(Arc::clone(&text));
        self.by_text.insert(text, code);
        code
    }
}

impl Values {
    pub(super) fn new(kind: FieldKind) -> Self {
        match kind {
            FieldKind::Number => Self::Numbers(Vec::new()),
            FieldKind::Integer => Self::Integers(Vec::new()),
            FieldKind::Boolean => Self::Booleans(Vec::new()),
            FieldKind::Text => Self::Texts(Texts::default()),
            FieldKind::Time => Self::Times(Vec::new()),
        }
    }

    /// Appends a trimmed cell. On an error nothing is appended.
    pub(super) fn push(&mut self, cell: &[u8], rule: &TimeRule) -> Result<Pushed, Reason> {
        let missing = is_missing(cell);
        match self {
            Self::Numbers(numbers) => numbers.push(if missing { f64::NAN } else { read_number(cell)? }),
            Self::Integers(integers) => integers.push(if missing { None } else { Some(read_integer(cell)?) }),
            Self::Booleans(booleans) => booleans.push(if missing { None } else { Some(read_boolean(cell)?) }),
            Self::Times(times) if missing => times.push(None),
            Self::Times(times) => {
                let time = rule.read(cell)?;
                times.push(Some(time.us));
                return Ok(if time.rounded { Pushed::Rounded } else { Pushed::Whole });
            }
            Self::Texts(texts) => {
                texts.push(read_text(cell, CELL_LIMIT_BYTES)?);
                return Ok(if cell.is_empty() { Pushed::Missing } else { Pushed::Whole });
            }
        }
        Ok(if missing { Pushed::Missing } else { Pushed::Whole })
    }

    fn truncate(&mut self, rows: usize) {
        match self {
            Self::Numbers(numbers) => numbers.truncate(rows),
            Self::Integers(integers) => integers.truncate(rows),
            Self::Booleans(booleans) => booleans.truncate(rows),
            Self::Texts(texts) => texts.codes.truncate(rows),
            Self::Times(times) => times.truncate(rows),
        }
    }
}

impl Rows {
    pub(super) fn new(measurement: &str) -> Self {
        Self {
            measurement: measurement.into(),
            times_us: Vec::new(),
            rounded: Vec::new(),
            lines: Vec::new(),
            spans: Vec::new(),
            tags: Vec::new(),
            fields: Vec::new(),
        }
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.times_us.len()
    }

    /// Whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.times_us.is_empty()
    }

    /// What the rows hold, and where they stand in their part.
    pub(super) fn content_hash(&self) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        self.times_us.iter().for_each(|us| _ = hasher.update(&us.to_le_bytes()));
        self.lines.iter().for_each(|line| _ = hasher.update(&line.to_le_bytes()));
        self.tags.iter().for_each(|tag| tag.values.hash_into(&mut hasher));
        for field in &self.fields {
            match &field.values {
                Values::Numbers(numbers) => numbers.iter().for_each(|n| _ = hasher.update(&n.to_bits().to_le_bytes())),
                Values::Integers(integers) | Values::Times(integers) => {
                    integers.iter().for_each(|value| hash_optional(&mut hasher, value.map(i64::to_le_bytes)));
                }
                Values::Booleans(booleans) => {
                    booleans.iter().for_each(|value| hash_optional(&mut hasher, value.map(|value| [u8::from(value)])));
                }
                Values::Texts(texts) => texts.hash_into(&mut hasher),
            }
        }
        hasher.finalize()
    }

    /// Ends a row whose cells were appended to tags and fields.
    pub(super) fn finish_row(&mut self, time: CellTime, place: RecordPlace) {
        self.times_us.push(time.us);
        self.rounded.push(time.rounded);
        self.lines.push(place.line);
        self.spans.push(place.span);
    }

    /// Drops the cells of a row that was begun and cannot be finished.
    pub(super) fn drop_unfinished(&mut self) {
        self.cut_columns(self.len());
    }

    /// Drops all rows but the first ones.
    pub(super) fn keep_first(&mut self, rows: usize) {
        self.times_us.truncate(rows);
        self.rounded.truncate(rows);
        self.lines.truncate(rows);
        self.spans.truncate(rows);
        self.cut_columns(rows);
    }

    fn cut_columns(&mut self, rows: usize) {
        for tag in &mut self.tags {
            tag.values.codes.truncate(rows);
        }
        for field in &mut self.fields {
            field.values.truncate(rows);
        }
    }
}

fn hash_optional<const N: usize>(hasher: &mut blake3::Hasher, value: Option<[u8; N]>) {
    hasher.update(&[u8::from(value.is_some())]);
    value.iter().for_each(|value| _ = hasher.update(value));
}

/// What a cell was appended as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pushed {
    /// No value.
    Missing,
    /// Its value.
    Whole,
    /// A time, rounded down to microseconds.
    Rounded,
}

/// Where a record is in its part.
#[derive(Debug, Clone, Copy)]
pub(super) struct RecordPlace {
    /// The line that it begins on, from 1.
    pub(super) line: u32,
    /// Its first byte and the one behind its last.
    pub(super) span: (u32, u32),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_share_a_code_and_the_empty_one_is_missing() {
        let mut texts = Texts::default();
        for text in ["b", "a", "a", "", "b"] {
            texts.push(text);
        }
        assert_eq!(
            (0..6).map(|row| texts.get(row)).collect::<Vec<_>>(),
            [Some("b"), Some("a"), Some("a"), None, Some("b"), None]
        );
        assert_eq!(texts.code(0), texts.code(4));
        assert_eq!(texts.distinct.len(), 2);
    }

    #[test]
    fn an_unfinished_row_leaves_nothing_behind() {
        let mut rows = Rows::new("m");
        rows.tags.push(TagColumn { name: "tag".into(), values: Texts::default() });
        rows.fields.push(FieldColumn { name: "field".into(), values: Values::new(FieldKind::Number) });
        rows.tags[0].values.push("a");
        rows.drop_unfinished();
        assert!(rows.tags[0].values.is_empty());
    }
}
