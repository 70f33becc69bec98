//! Rows of one measurement on their way to one COPY, by column.
//!
//! A batch is sorted by series, then time, before it is copied: a B-tree on (series_id, time) then takes rows more than
//! twice as fast as in their order of arrival, and a chunk's pages hold neighbouring rows of a series.

use std::ops::Range;

use crate::hypertable::ColumnType;

/// A column that some rows of a batch have a value in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchColumn {
    /// The column of the storage table.
    pub name: String,
    /// Its type.
    pub kind: ColumnType,
}

/// One value, of its column's type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// For [`ColumnType::Float8`].
    Float8(f64),
    /// For [`ColumnType::Int8`].
    Int8(i64),
    /// For [`ColumnType::Bool`].
    Bool(bool),
    /// For [`ColumnType::Text`]; without NUL bytes.
    Text(&'a str),
    /// For [`ColumnType::Timestamptz`]: microseconds since 1970 UTC.
    Timestamptz(i64),
}

/// Values of one column, with room for a value in every row; a row without one holds the type's zero.
#[derive(Debug, Clone)]
enum Values {
    Float8(Vec<f64>),
    Int8(Vec<i64>),
    Bool(Vec<bool>),
    Text { arena: String, spans: Vec<Range<usize>> },
    Timestamptz(Vec<i64>),
}

#[derive(Debug, Clone)]
struct Column {
    values: Values,
    /// One bit a row: whether it has a value.
    present: Vec<u64>,
}

/// Rows of one measurement, by column.
#[derive(Debug, Clone)]
pub struct Batch {
    columns: Vec<BatchColumn>,
    times_us: Vec<i64>,
    series_ids: Vec<i64>,
    data: Vec<Column>,
    /// Rows in the order in which they are copied; in order of arrival where it is empty.
    order: Vec<u32>,
}

impl Batch {
    /// A batch without rows.
    #[must_use]
    pub fn new(columns: Vec<BatchColumn>) -> Self {
        let data = columns.iter().map(|column| Column::new(column.kind)).collect();
        Self { columns, times_us: Vec::new(), series_ids: Vec::new(), data, order: Vec::new() }
    }

    /// The columns, `time` and `series_id` not among them.
    #[must_use]
    pub fn columns(&self) -> &[BatchColumn] {
        &self.columns
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.times_us.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.times_us.is_empty()
    }

    /// Adds a row: the index of a column and its value, each column at most once; the others are NULL.
    ///
    /// # Panics
    /// If a column does not exist or a value is not of its type, which is a defect of the caller.
    pub fn push_row(&mut self, time_us: i64, series_id: i64, values: &[(usize, Value<'_>)]) {
        let row = self.times_us.len();
        self.order.clear();
        self.times_us.push(time_us);
        self.series_ids.push(series_id);
        for (column, value) in values {
            self.data[*column].set(row, *value);
        }
    }

    /// The first and the last time, both included; `None` without rows.
    #[must_use]
    pub fn time_bounds(&self) -> Option<(i64, i64)> {
        Some((*self.times_us.iter().min()?, *self.times_us.iter().max()?))
    }

    /// Memory in bytes, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let data: usize = self.data.iter().map(Column::bytes).sum();
        self.len() * (8 + 8 + 4) + data
    }

    /// Puts the rows in the order of series and time; equals stay in their order of arrival.
    pub fn sort(&mut self) {
        let key = |row: usize| (self.series_ids[row], self.times_us[row]);
        if (1..self.len()).all(|row| key(row - 1) <= key(row)) {
            self.order.clear();
            return;
        }
        // A batch comes from requests of some 64 MB, far from 2^32 rows.
        let rows = u32::try_from(self.len()).unwrap_or(u32::MAX);
        let mut keyed: Vec<(i64, i64, u32)> = (0..rows)
            .map(|row| {
                let (series_id, time_us) = key(row as usize);
                (series_id, time_us, row)
            })
            .collect();
        keyed.sort_unstable();
        self.order = keyed.into_iter().map(|(_, _, row)| row).collect();
    }

    /// All rows of several batches of one measurement in one, sorted. A column that a batch lacks is NULL in its rows.
    #[must_use]
    pub fn concat(batches: &[&Self]) -> Self {
        let mut columns: Vec<BatchColumn> = Vec::new();
        for column in batches.iter().flat_map(|batch| &batch.columns) {
            if !columns.contains(column) {
                columns.push(column.clone());
            }
        }
        let mut all = Self::new(columns);
        let mut values = Vec::new();
        for batch in batches {
            let place: Vec<usize> = batch
                .columns
                .iter()
                .map(|column| all.columns.iter().position(|other| other == column).unwrap_or_default())
                .collect();
            for row in 0..batch.len() {
                values.clear();
                values.extend(batch.values_of(row).map(|(column, value)| (place[column], value)));
                all.push_row(batch.times_us[row], batch.series_ids[row], &values);
            }
        }
        all.sort();
        all
    }

    /// The row that is copied at this place.
    pub(crate) fn row_at(&self, place: usize) -> usize {
        self.order.get(place).map_or(place, |row| *row as usize)
    }

    /// A row's time.
    pub(crate) fn time_us(&self, row: usize) -> i64 {
        self.times_us[row]
    }

    /// A row's series.
    pub(crate) fn series_id(&self, row: usize) -> i64 {
        self.series_ids[row]
    }

    /// A value, or `None` for NULL.
    pub(crate) fn value(&self, row: usize, column: usize) -> Option<Value<'_>> {
        self.data[column].get(row)
    }

    fn values_of(&self, row: usize) -> impl Iterator<Item = (usize, Value<'_>)> {
        (0..self.columns.len()).filter_map(move |column| Some((column, self.value(row, column)?)))
    }
}

impl Column {
    fn new(kind: ColumnType) -> Self {
        let values = match kind {
            ColumnType::Float8 => Values::Float8(Vec::new()),
            ColumnType::Int8 => Values::Int8(Vec::new()),
            ColumnType::Bool => Values::Bool(Vec::new()),
            ColumnType::Text => Values::Text { arena: String::new(), spans: Vec::new() },
            ColumnType::Timestamptz => Values::Timestamptz(Vec::new()),
        };
        Self { values, present: Vec::new() }
    }

    fn set(&mut self, row: usize, value: Value<'_>) {
        fn put<T: Clone + Default>(values: &mut Vec<T>, row: usize, value: T) {
            values.resize(row, T::default());
            values.push(value);
        }
        match (&mut self.values, value) {
            (Values::Float8(values), Value::Float8(value)) => put(values, row, value),
            (Values::Int8(values), Value::Int8(value)) | (Values::Timestamptz(values), Value::Timestamptz(value)) => {
                put(values, row, value);
            }
            (Values::Bool(values), Value::Bool(value)) => put(values, row, value),
            (Values::Text { arena, spans }, Value::Text(text)) => {
                let start = arena.len();
                arena.push_str(text);
                put(spans, row, start..arena.len());
            }
            (values, value) => panic!("{value:?} cannot stand in a column of {values:?}"),
        }
        self.present.resize(row / 64 + 1, 0);
        self.present[row / 64] |= 1 << (row % 64);
    }

    fn get(&self, row: usize) -> Option<Value<'_>> {
        let bits = self.present.get(row / 64)?;
        if bits >> (row % 64) & 1 == 0 {
            return None;
        }
        Some(match &self.values {
            Values::Float8(values) => Value::Float8(values[row]),
            Values::Int8(values) => Value::Int8(values[row]),
            Values::Bool(values) => Value::Bool(values[row]),
            Values::Text { arena, spans } => Value::Text(&arena[spans[row].clone()]),
            Values::Timestamptz(values) => Value::Timestamptz(values[row]),
        })
    }

    fn bytes(&self) -> usize {
        let values = match &self.values {
            Values::Float8(values) => values.len() * 8,
            Values::Int8(values) | Values::Timestamptz(values) => values.len() * 8,
            Values::Bool(values) => values.len(),
            Values::Text { arena, spans } => arena.len() + spans.len() * size_of::<Range<usize>>(),
        };
        values + self.present.len() * 8
    }
}

#[cfg(test)]
mod tests;
