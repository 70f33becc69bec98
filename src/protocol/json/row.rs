//! Puts a line together from checked parts.

use std::borrow::Cow;

use super::mistake::{BadRow, Mistake};
use crate::protocol::{FieldValue, Limits, Line, keys::Keys};

/// Columns that every measurement has.
const RESERVED: [&str; 2] = ["time", "series_id"];

/// What is wrong, and the path of it within the row.
pub(super) type Fault = (String, Mistake);

/// A line that is being put together.
#[derive(Debug)]
pub(super) struct RowBuilder<'a> {
    limits: Limits,
    line: Line<'a>,
    tags: Keys,
    fields: Keys,
    text_bytes: usize,
}

impl<'a> RowBuilder<'a> {
    /// A row that is the `number`th of its message.
    pub(super) fn new(number: u32, measurement: Cow<'a, str>, limits: Limits) -> Result<Self, Fault> {
        let fault = |mistake| ("measurement".to_owned(), mistake);
        check(&measurement, limits.name_bytes).map_err(fault)?;
        let mut line = Line::empty(number);
        line.measurement = measurement;
        Ok(Self { limits, line, tags: Keys::default(), fields: Keys::default(), text_bytes: 0 })
    }

    pub(super) fn time_us(&mut self, time_us: i64, rounded: bool) {
        self.line.time_us = Some(time_us);
        self.line.rounded |= rounded;
    }

    /// Adds a tag.
    pub(super) fn tag(&mut self, name: Cow<'a, str>, value: Cow<'a, str>) -> Result<(), Fault> {
        if self.line.tags.len() == self.limits.tags {
            return Err(("tags".to_owned(), Mistake::TooMany { limit: self.limits.tags }));
        }
        let checked = check_name(&name, &self.limits)
            .and_then(|()| check(&value, self.limits.tag_value_bytes))
            .and_then(|()| self.count(name.len() + value.len()));
        checked.map_err(|mistake| (within("tags", &name), mistake))?;
        if self.tags.contain(&self.line.tags, &name) {
            return Err((within("tags", &name), Mistake::Twice));
        }
        self.line.tags.push((name, value));
        Ok(())
    }

    /// Adds a field; all tags must be there already.
    pub(super) fn field(&mut self, name: Cow<'a, str>, value: FieldValue<'a>) -> Result<(), Fault> {
        if self.line.fields.len() == self.limits.fields {
            return Err(("fields".to_owned(), Mistake::TooMany { limit: self.limits.fields }));
        }
        let checked = check_name(&name, &self.limits).and_then(|()| match &value {
            FieldValue::Text(text) if text.contains('\0') => Err(Mistake::NulCharacter),
            FieldValue::Text(text) => self.count(name.len() + text.len()),
            _ => self.count(name.len()),
        });
        checked.map_err(|mistake| (within("fields", &name), mistake))?;
        if self.fields.contain(&self.line.fields, &name) || self.tags.contain(&self.line.tags, &name) {
            return Err((within("fields", &name), Mistake::Twice));
        }
        self.line.fields.push((name, value));
        Ok(())
    }

    /// The line, which must have a field.
    pub(super) fn finish(self) -> Result<Line<'a>, Fault> {
        if self.line.fields.is_empty() {
            return Err(("fields".to_owned(), Mistake::Missing("at least one field that is not null")));
        }
        Ok(self.line)
    }

    fn count(&mut self, bytes: usize) -> Result<(), Mistake> {
        self.text_bytes = self.text_bytes.saturating_add(bytes);
        let limit_bytes = self.limits.line_bytes;
        if self.text_bytes > limit_bytes { Err(Mistake::TooLong { limit_bytes }) } else { Ok(()) }
    }
}

/// Names the row of a fault.
pub(super) fn bad_row(row: u32, (path, mistake): Fault) -> BadRow {
    BadRow { row, path, mistake }
}

/// The path of a member, cut short where a hostile name is long.
pub(super) fn within(parent: &str, name: &str) -> String {
    let shown: String = name.chars().take(64).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    format!("{parent}.{shown}")
}

fn check_name(name: &str, limits: &Limits) -> Result<(), Mistake> {
    check(name, limits.name_bytes)?;
    if RESERVED.contains(&name) { Err(Mistake::Reserved) } else { Ok(()) }
}

fn check(text: &str, limit_bytes: usize) -> Result<(), Mistake> {
    if text.is_empty() {
        return Err(Mistake::Empty);
    }
    if text.len() > limit_bytes {
        return Err(Mistake::TooLong { limit_bytes });
    }
    if text.contains('\0') { Err(Mistake::NulCharacter) } else { Ok(()) }
}
