//! A part as the lines that the ingest path takes, whatever its file's format.

use super::{
    Content, Part, Rows, Values,
    refusal::{Counted, Reason, RowError},
};
use crate::protocol::{self, FieldValue, Fields, Line, LineError, Lines, Tags, tsbs::Records};

/// The lines of a part, in the file's order.
#[derive(Debug, Clone)]
pub enum PartLines<'a> {
    /// Rows of a CSV or Parquet file; there are no errors among them, since bad rows were left out when the part was read.
    Rows {
        /// The rows.
        rows: &'a Rows,
        /// The next one.
        next: usize,
    },
    /// Line protocol, read as it is taken.
    LineProtocol(Lines<'a>),
    /// Rows of TSBS's, read as they are taken.
    Tsbs(Records<'a>),
}

impl Part {
    /// The part's lines. Their numbers count from 1 at the part's first line ([`file_line`](Self::file_line) has the
    /// file's), their `bytes` are places in the part's [`bytes`](Self::bytes); a record of a wide file is several lines.
    #[must_use]
    pub fn lines(&self) -> PartLines<'_> {
        match &self.content {
            Content::Rows(rows) => PartLines::Rows { rows, next: 0 },
            Content::LineProtocol { precision } => PartLines::LineProtocol(protocol::parse(&self.bytes, *precision)),
            Content::Tsbs(head) => PartLines::Tsbs(Records::new(&self.bytes, head)),
        }
    }

    /// What is wrong with a line, with its place in the file.
    #[must_use]
    pub fn row_error(&self, error: &LineError) -> RowError {
        let reason = Reason::Line { column: error.column, reason: error.reason.clone() };
        RowError { line: self.file_line(error.line), counted: Counted::Lines, cell: None, reason }
    }
}

impl<'a> Iterator for PartLines<'a> {
    type Item = Result<Line<'a>, LineError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Rows { rows, next } => {
                let line = rows.line(*next)?;
                *next += 1;
                Some(Ok(line))
            }
            Self::LineProtocol(lines) => lines.next(),
            Self::Tsbs(records) => records.next(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Self::Rows { rows, next } => (rows.len() - next, Some(rows.len() - next)),
            Self::LineProtocol(lines) => lines.size_hint(),
            Self::Tsbs(records) => records.size_hint(),
        }
    }
}

impl Rows {
    /// All rows as lines.
    #[must_use]
    pub fn to_lines(&self) -> Vec<Line<'_>> {
        (0..self.len()).filter_map(|row| self.line(row)).collect()
    }

    /// A row as a line, whose text is borrowed from here; `None` if there is no such row. Missing values are left out.
    #[must_use]
    pub fn line(&self, row: usize) -> Option<Line<'_>> {
        let time_us = *self.times_us.get(row)?;
        let (start, end) = *self.spans.get(row)?;
        let tags: Tags<'_> = self
            .tags
            .iter()
            .filter_map(|column| Some((column.name.as_str().into(), column.values.get(row)?.into())))
            .collect();
        let fields: Fields<'_> = self
            .fields
            .iter()
            .filter_map(|column| Some((column.name.as_str().into(), column.values.get(row)?)))
            .collect();
        Some(Line {
            number: *self.lines.get(row)?,
            measurement: (&*self.measurement).into(),
            tags,
            fields,
            time_us: Some(time_us),
            rounded: *self.rounded.get(row)?,
            bytes: start as usize..end as usize,
        })
    }
}

impl Values {
    /// A row's value; `None` where it is missing or there is no such row.
    #[must_use]
    pub fn get(&self, row: usize) -> Option<FieldValue<'_>> {
        match self {
            Self::Numbers(numbers) => {
                numbers.get(row).copied().filter(|number| !number.is_nan()).map(FieldValue::Float)
            }
            Self::Integers(integers) => integers.get(row).copied().flatten().map(FieldValue::Integer),
            Self::Booleans(booleans) => booleans.get(row).copied().flatten().map(FieldValue::Boolean),
            Self::Texts(texts) => texts.get(row).map(|text| FieldValue::Text(text.into())),
            Self::Times(times) => times.get(row).copied().flatten().map(FieldValue::Timestamp),
        }
    }
}
