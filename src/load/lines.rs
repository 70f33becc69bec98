//! Rows of a file as the lines that the ingest path takes.

use std::borrow::Cow;

use super::rows::{Rows, Values};
use crate::protocol::{FieldValue, Line};

impl Rows {
    /// The rows as lines: the same as if they had come as line protocol, numbered as in the part.
    #[must_use]
    pub fn to_lines(&self) -> Vec<Line<'_>> {
        (0..self.len()).map(|row| self.line(row)).collect()
    }

    fn line(&self, row: usize) -> Line<'_> {
        let tags = self.tags.iter().filter_map(|tag| {
            let value = tag.values.get(row)?;
            Some((Cow::Borrowed(tag.name.as_str()), Cow::Borrowed(value)))
        });
        let fields = self.fields.iter().filter_map(|field| {
            let value = match &field.values {
                Values::Numbers(numbers) => numbers.get(row).filter(|number| number.is_finite()).map(|number| FieldValue::Float(*number)),
                Values::Booleans(booleans) => booleans.get(row).copied().flatten().map(FieldValue::Boolean),
                Values::Texts(texts) => texts.get(row).map(|text| FieldValue::Text(Cow::Borrowed(text))),
                Values::Times(times) => times.get(row).copied().flatten().map(FieldValue::Timestamp),
            }?;
            Some((Cow::Borrowed(field.name.as_str()), value))
        });
        let (start, end) = self.spans[row];
        Line {
            number: self.lines[row],
            measurement: Cow::Borrowed(&self.measurement),
            tags: tags.collect(),
            fields: fields.collect(),
            time_us: Some(self.times_us[row]),
            rounded: false,
            bytes: start as usize..end as usize,
        }
    }
}
