//! Rows of record batches -> rows by column. Pure; what a bad one costs is as in a CSV file.

use arrow_array::{ArrayRef, RecordBatch};

use super::{
    super::{
        BadRows, Layout, LoadError, Mapping, Rows, Tally,
        cell::{CELL_LIMIT_BYTES, read_text},
        mapping::Role,
        refusal::{CellPlace, Counted, Reason, RowError},
        rows::{FieldColumn, RecordPlace, TagColumn, Texts, Values},
        time_rule::CellTime,
    },
    cells::{boolean_at, integer_at, number_at, text_at, time_at},
};
use crate::protocol::Limits;

/// Reads rows of one part.
pub(super) struct RowReader<'a> {
    mapping: &'a Mapping,
    /// For each column of the mapping its place in the batches; those that are left out have none.
    places: &'a [Option<usize>],
    bad_rows: BadRows,
    /// The row of the file that the part begins with, from 1.
    first_row: u64,
    records: u32,
    text_bytes: usize,
    rows: Rows,
    tally: Tally,
}

/// A cell that cannot be read.
struct BadCell {
    column: usize,
    reason: Reason,
}

impl<'a> RowReader<'a> {
    pub(super) fn new(mapping: &'a Mapping, places: &'a [Option<usize>], bad_rows: BadRows, first_row: u64) -> Self {
        let mut rows = Rows::new(&mapping.measurement);
        let tag = |name: &str| TagColumn { name: name.into(), values: Texts::default() };
        rows.tags.extend(mapping.with_role(Role::Tag).map(|(_, name)| tag(name)));
        match &mapping.layout {
            Layout::Long => rows.fields.extend(
                mapping.fields().map(|(_, name, kind)| FieldColumn { name: name.into(), values: Values::new(kind) }),
            ),
            Layout::Wide { tag: series, field } => {
                rows.tags.push(tag(series));
                rows.fields.push(FieldColumn { name: field.clone(), values: Values::Numbers(Vec::new()) });
            }
        }
        let (records, text_bytes, tally) = (0, 0, Tally::default());
        Self { mapping, places, bad_rows, first_row, records, text_bytes, rows, tally }
    }

    /// Rows of the file that were read.
    pub(super) fn records(&self) -> usize {
        self.records as usize
    }

    /// Bytes of the texts among them.
    pub(super) fn text_bytes(&self) -> usize {
        self.text_bytes
    }

    pub(super) fn finish(mut self) -> (Rows, Tally) {
        self.tally.count(&self.rows);
        (self.rows, self.tally)
    }

    /// Reads a row of a batch.
    pub(super) fn read(&mut self, batch: &RecordBatch, row: usize) -> Result<(), LoadError> {
        self.records += 1;
        let place = RecordPlace { line: self.records, span: (0, 0) };
        let time = match self.row_time(batch, row) {
            Ok(time) => time,
            Err(bad) => return self.refuse(bad),
        };
        match self.mapping.layout {
            Layout::Long => self.long(batch, row, time, place),
            Layout::Wide { .. } => self.wide(batch, row, time, place),
        }
    }

    fn long(&mut self, batch: &RecordBatch, row: usize, time: CellTime, place: RecordPlace) -> Result<(), LoadError> {
        let pushed = self.push_tags(batch, row).and_then(|()| self.push_fields(batch, row));
        match pushed {
            Ok((true, rounded)) => {
                self.rows.finish_row(CellTime { rounded: rounded || time.rounded, ..time }, place);
                Ok(())
            }
            Ok((false, _)) => {
                self.rows.drop_unfinished();
                self.tally.empty += 1;
                Ok(())
            }
            Err(bad) => {
                self.rows.drop_unfinished();
                self.refuse(bad)
            }
        }
    }

    fn wide(&mut self, batch: &RecordBatch, row: usize, time: CellTime, place: RecordPlace) -> Result<(), LoadError> {
        let mapping = self.mapping;
        for (column, name) in mapping.with_role(Role::Series) {
            let number = match self.array(batch, column).map_or(Ok(None), |array| number_at(array, row)) {
                Ok(Some(number)) => number,
                Ok(None) => {
                    self.tally.empty += 1;
                    continue;
                }
                Err(reason) => {
                    self.refuse(BadCell { column, reason })?;
                    continue;
                }
            };
            if let Err(bad) = self.push_tags(batch, row) {
                self.rows.drop_unfinished();
                self.refuse(bad)?;
                continue;
            }
            if let Some(series) = self.rows.tags.last_mut() {
                series.values.push(name);
            }
            if let Some(FieldColumn { values: Values::Numbers(numbers), .. }) = self.rows.fields.last_mut() {
                numbers.push(number);
            }
            self.rows.finish_row(time, place);
        }
        Ok(())
    }

    fn row_time(&self, batch: &RecordBatch, row: usize) -> Result<CellTime, BadCell> {
        let column = self.mapping.with_role(Role::Time).next().map_or(0, |(column, _)| column);
        let time = self.array(batch, column).map_or(Ok(None), |array| time_at(array, row, &self.mapping.time));
        time.and_then(|time| time.ok_or(Reason::MissingTime)).map_err(|reason| BadCell { column, reason })
    }

    fn push_tags(&mut self, batch: &RecordBatch, row: usize) -> Result<(), BadCell> {
        let limit_bytes = Limits::default().tag_value_bytes;
        let mapping = self.mapping;
        for (tag, (column, _)) in mapping.with_role(Role::Tag).enumerate() {
            let bad = |reason| BadCell { column, reason };
            let array = self.places[column].map(|place| batch.column(place));
            let text = array.map_or(Ok(None), |array| text_at(array, row)).map_err(bad)?.unwrap_or_default();
            let text = read_text(text.as_bytes(), limit_bytes).map_err(bad)?;
            self.text_bytes += text.len();
            self.rows.tags[tag].values.push(text);
        }
        Ok(())
    }

    /// Whether there is any value, and whether a time among them was rounded.
    fn push_fields(&mut self, batch: &RecordBatch, row: usize) -> Result<(bool, bool), BadCell> {
        let mapping = self.mapping;
        let (mut any, mut rounded) = (false, false);
        for (field, (column, ..)) in mapping.fields().enumerate() {
            let bad = |reason| BadCell { column, reason };
            let Some(array) = self.places[column].map(|place| batch.column(place)) else { continue };
            any |= match &mut self.rows.fields[field].values {
                Values::Numbers(numbers) => {
                    let number = number_at(array, row).map_err(bad)?;
                    numbers.push(number.unwrap_or(f64::NAN));
                    number.is_some()
                }
                Values::Integers(integers) => {
                    integers.push(integer_at(array, row).map_err(bad)?);
                    integers.last().is_some_and(Option::is_some)
                }
                Values::Booleans(booleans) => {
                    booleans.push(boolean_at(array, row));
                    booleans.last().is_some_and(Option::is_some)
                }
                Values::Texts(texts) => {
                    let text = text_at(array, row).map_err(bad)?.unwrap_or_default();
                    let text = read_text(text.as_bytes(), CELL_LIMIT_BYTES).map_err(bad)?;
                    self.text_bytes += text.len();
                    texts.push(text);
                    !text.is_empty()
                }
                Values::Times(times) => {
                    let time = time_at(array, row, &mapping.time).map_err(bad)?;
                    rounded |= time.is_some_and(|time| time.rounded);
                    times.push(time.map(|time| time.us));
                    time.is_some()
                }
            };
        }
        Ok((any, rounded))
    }

    fn array<'b>(&self, batch: &'b RecordBatch, column: usize) -> Option<&'b ArrayRef> {
        self.places[column].map(|place| batch.column(place))
    }

    fn refuse(&mut self, BadCell { column, reason }: BadCell) -> Result<(), LoadError> {
        let name = self.mapping.columns[column].name.clone();
        let error = RowError {
            line: self.first_row + u64::from(self.records) - 1,
            counted: Counted::Rows,
            cell: Some(CellPlace { column: column + 1, name }),
            reason,
        };
        match self.bad_rows {
            BadRows::LeaveOut => self.tally.refuse(error),
            BadRows::Stop => return Err(LoadError::BadRow(error)),
        }
        Ok(())
    }
}
