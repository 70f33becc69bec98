//! The raw records of a part -> rows. Pure.
//!
//! In a long file a record is a row, written whole or refused whole: a row with one bad cell is left out, so that it can be
//! put right and loaded later without being there twice. In a wide file each cell is a row, and a bad one costs only itself.

use csv::ByteRecord;

use super::{
    BadRows, Layout, LoadError, Mapping, Rows, Tally,
    cell::{is_missing, read_number, read_text},
    mapping::{Role, records},
    refusal::{CellPlace, Counted, Reason, RowError},
    rows::{FieldColumn, Pushed, RecordPlace, TagColumn, Texts, Values},
    time_rule::{CellTime, TimeRule},
};
use crate::protocol::Limits;

/// How the records of a CSV file are read.
#[derive(Debug, Clone, Copy)]
pub(super) struct CsvRule<'a> {
    pub(super) mapping: &'a Mapping,
    pub(super) delimiter: u8,
    pub(super) bad_rows: BadRows,
}

/// Reads records, of which the first begins on this line of the file.
pub(super) fn read_records(bytes: &[u8], first_line: u64, rule: CsvRule<'_>) -> Result<(Rows, Tally), LoadError> {
    let CsvRule { mapping, delimiter, bad_rows } = rule;
    let mut reader = PartRead { mapping, delimiter, first_line, bad_rows, tally: Tally::default() };
    let rows = match &mapping.layout {
        Layout::Long => reader.long(bytes)?,
        Layout::Wide { tag, field } => reader.wide(bytes, tag, field)?,
    };
    reader.tally.count(&rows);
    Ok((rows, reader.tally))
}

struct PartRead<'a> {
    mapping: &'a Mapping,
    delimiter: u8,
    first_line: u64,
    bad_rows: BadRows,
    tally: Tally,
}

/// A cell that cannot be read.
struct BadCell {
    index: Option<usize>,
    reason: Reason,
}

impl PartRead<'_> {
    fn long(&mut self, bytes: &[u8]) -> Result<Rows, LoadError> {
        let mapping = self.mapping;
        let mut rows = Rows::new(&mapping.measurement);
        let tags = tag_columns(mapping, &mut rows);
        let mut fields = Vec::new();
        for (index, name, kind) in mapping.fields() {
            fields.push(index);
            rows.fields.push(FieldColumn { name: name.into(), values: Values::new(kind) });
        }
        self.each_record(bytes, |read, record, time, place| {
            match push_record(&mut rows, &tags, &fields, record, &mapping.time) {
                Ok(RecordValues { any: true, rounded }) => {
                    rows.finish_row(CellTime { rounded: rounded || time.rounded, ..time }, place);
                }
                Ok(RecordValues { any: false, .. }) => {
                    rows.drop_unfinished();
                    read.tally.empty += 1;
                }
                Err(bad) => {
                    rows.drop_unfinished();
                    read.refuse(place.line, bad)?;
                }
            }
            Ok(())
        })?;
        Ok(rows)
    }

    fn wide(&mut self, bytes: &[u8], tag: &str, field: &str) -> Result<Rows, LoadError> {
        let mapping = self.mapping;
        let mut rows = Rows::new(&mapping.measurement);
        let tags = tag_columns(mapping, &mut rows);
        let series: Vec<_> = mapping.with_role(Role::Series).collect();
        rows.tags.push(TagColumn { name: tag.into(), values: Texts::default() });
        let mut values = Vec::new();
        self.each_record(bytes, |read, record, time, place| {
            for &(index, name) in &series {
                let cell = cell(record, index);
                if is_missing(cell) {
                    read.tally.empty += 1;
                    continue;
                }
                let pushed =
                    read_number(cell).map_err(|reason| BadCell { index: Some(index), reason }).and_then(|number| {
                        push_tags(&mut rows, &tags, record)?;
                        Ok(number)
                    });
                match pushed {
                    Ok(number) => {
                        if let Some(column) = rows.tags.last_mut() {
                            column.values.push(name);
                        }
                        values.push(number);
                        rows.finish_row(time, place);
                    }
                    Err(bad) => {
                        rows.drop_unfinished();
                        read.refuse(place.line, bad)?;
                    }
                }
            }
            Ok(())
        })?;
        rows.fields.push(FieldColumn { name: field.into(), values: Values::Numbers(values) });
        Ok(rows)
    }

    /// Calls `row` for each record that has the header's cells and a time, and refuses the others.
    fn each_record(
        &mut self,
        bytes: &[u8],
        mut row: impl FnMut(&mut Self, &ByteRecord, CellTime, RecordPlace) -> Result<(), LoadError>,
    ) -> Result<(), LoadError> {
        let mut reader = records(bytes, self.delimiter);
        let mut record = ByteRecord::new();
        while reader.read_byte_record(&mut record)? {
            let place = place(&record, bytes, reader.position().byte());
            // A line of white space alone is a blank line, as one of nothing is.
            if record.len() == 1 && cell(&record, 0).is_empty() && self.mapping.columns.len() > 1 {
                continue;
            }
            match self.record_time(&record) {
                Ok(time) => row(self, &record, time, place)?,
                Err(bad) => self.refuse(place.line, bad)?,
            }
        }
        Ok(())
    }

    fn record_time(&self, record: &ByteRecord) -> Result<CellTime, BadCell> {
        let columns = self.mapping.columns.len();
        // Delimiters at the end of a record, with nothing after them, are left by spreadsheets.
        if record.len() < columns || record.iter().skip(columns).any(|cell| !cell.is_empty()) {
            return Err(BadCell { index: None, reason: Reason::Ragged { cells: record.len(), columns } });
        }
        let index = self.mapping.with_role(Role::Time).next().map(|(index, _)| index);
        let cell = index.map_or(&b""[..], |index| cell(record, index));
        let time = if is_missing(cell) { Err(Reason::MissingTime) } else { self.mapping.time.read(cell) };
        time.map_err(|reason| BadCell { index, reason })
    }

    fn refuse(&mut self, line: u32, BadCell { index, reason }: BadCell) -> Result<(), LoadError> {
        let error = RowError {
            line: self.first_line + u64::from(line) - 1,
            counted: Counted::Lines,
            cell: index.and_then(|index| {
                let name = self.mapping.columns.get(index)?.name.clone();
                Some(CellPlace { column: index + 1, name })
            }),
            reason,
        };
        match self.bad_rows {
            BadRows::LeaveOut => self.tally.refuse(error),
            BadRows::Stop => return Err(LoadError::BadRow(error)),
        }
        Ok(())
    }
}

fn cell(record: &ByteRecord, index: usize) -> &[u8] {
    record.get(index).unwrap_or_default().trim_ascii()
}

fn tag_columns(mapping: &Mapping, rows: &mut Rows) -> Vec<usize> {
    let tag = |(index, name): (usize, &str)| {
        rows.tags.push(TagColumn { name: name.into(), values: Texts::default() });
        index
    };
    mapping.with_role(Role::Tag).map(tag).collect()
}

fn push_tags(rows: &mut Rows, tags: &[usize], record: &ByteRecord) -> Result<(), BadCell> {
    let limit_bytes = Limits::default().tag_value_bytes;
    for (column, &index) in rows.tags.iter_mut().zip(tags) {
        let text = read_text(cell(record, index), limit_bytes);
        column.values.push(text.map_err(|reason| BadCell { index: Some(index), reason })?);
    }
    Ok(())
}

/// What a record's fields have.
struct RecordValues {
    /// Whether there is any value.
    any: bool,
    /// Whether a time among them was rounded.
    rounded: bool,
}

fn push_record(
    rows: &mut Rows,
    tags: &[usize],
    fields: &[usize],
    record: &ByteRecord,
    rule: &TimeRule,
) -> Result<RecordValues, BadCell> {
    push_tags(rows, tags, record)?;
    let mut values = RecordValues { any: false, rounded: false };
    for (column, &index) in rows.fields.iter_mut().zip(fields) {
        let pushed = column.values.push(cell(record, index), rule);
        let pushed = pushed.map_err(|reason| BadCell { index: Some(index), reason })?;
        values.any |= pushed != Pushed::Missing;
        values.rounded |= pushed == Pushed::Rounded;
    }
    Ok(values)
}

/// The csv crate takes a record to begin where the one before it ended: blank lines are skipped here, so that the line is
/// the one that the record's text is on.
fn place(record: &ByteRecord, bytes: &[u8], end: u64) -> RecordPlace {
    let narrow = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    let (start, line) = record.position().map_or((0, 1), |position| (position.byte(), position.line()));
    let text = bytes.get(usize::try_from(start).unwrap_or(usize::MAX)..usize::try_from(end).unwrap_or(usize::MAX));
    let text = text.unwrap_or_default();
    let blank = text.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let skipped_lines = text[..blank].iter().filter(|&&byte| byte == b'\n').count();
    let trailing = text[blank..].iter().rev().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    RecordPlace {
        line: narrow(line + skipped_lines as u64),
        span: (narrow(start + blank as u64), narrow(end - trailing as u64)),
    }
}
