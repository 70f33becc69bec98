//! The cells of one column of a batch.

use crate::hypertable::ColumnType;

use super::{row::Value, validity::Validity};

/// A column's cells, up to the last row that has one.
#[derive(Debug, Clone)]
pub(super) struct Column {
    cells: Cells,
    validity: Validity,
}

/// What a NULL cell holds here has no meaning.
#[derive(Debug, Clone)]
enum Cells {
    Float8(Vec<f64>),
    Int8(Vec<i64>),
    Bool(Vec<bool>),
    Text(Texts),
    Timestamptz(Vec<i64>),
}

/// Texts, one behind the other, and where each one ends.
#[derive(Debug, Clone, Default)]
struct Texts {
    joined: String,
    ends: Vec<usize>,
}

impl Texts {
    /// Where the text of `row` begins.
    fn start(&self, row: usize) -> usize {
        row.checked_sub(1).map_or(0, |before| self.ends[before])
    }

    fn get(&self, row: usize) -> &str {
        &self.joined[self.start(row)..self.ends[row]]
    }

    fn pad(&mut self, rows: usize) {
        self.ends.resize(rows, self.joined.len());
    }

    fn push(&mut self, text: &str) {
        self.joined.push_str(text);
        self.ends.push(self.joined.len());
    }

    fn append(&mut self, other: &Self) {
        let base = self.joined.len();
        self.joined.push_str(&other.joined);
        self.ends.extend(other.ends.iter().map(|end| base + end));
    }
}

impl Column {
    pub(super) fn new(kind: ColumnType) -> Self {
        let cells = match kind {
            ColumnType::Float8 => Cells::Float8(Vec::new()),
            ColumnType::Int8 => Cells::Int8(Vec::new()),
            ColumnType::Bool => Cells::Bool(Vec::new()),
            ColumnType::Text => Cells::Text(Texts::default()),
            ColumnType::Timestamptz => Cells::Timestamptz(Vec::new()),
        };
        Self { cells, validity: Validity::default() }
    }

    /// Adds NULLs, so that `rows` rows are stored.
    fn pad(&mut self, rows: usize) {
        match &mut self.cells {
            Cells::Float8(cells) => cells.resize(rows, 0.0),
            Cells::Int8(cells) | Cells::Timestamptz(cells) => cells.resize(rows, 0),
            Cells::Bool(cells) => cells.resize(rows, false),
            Cells::Text(cells) => cells.pad(rows),
        }
        self.validity.pad(rows);
    }

    /// Makes `value`, which must be of the column's type, the cell of `row`: of the last row that is stored, or of one
    /// behind it.
    pub(super) fn set(&mut self, row: usize, value: Value<'_>) {
        if self.validity.len() > row {
            self.forget_last();
        }
        if self.validity.len() < row {
            self.pad(row);
        }
        match (&mut self.cells, value) {
            (Cells::Float8(cells), Value::Float8(value)) => cells.push(value),
            (Cells::Int8(cells), Value::Int8(value)) | (Cells::Timestamptz(cells), Value::Timestamptz(value)) => {
                cells.push(value);
            }
            (Cells::Bool(cells), Value::Bool(value)) => cells.push(value),
            (Cells::Text(cells), Value::Text(value)) => cells.push(value),
            _ => unreachable!("a row's values are checked against their columns before any of them is set"),
        }
        self.validity.push(true);
    }

    /// Takes the last cell away, whose row has named the column a second time.
    #[cold]
    fn forget_last(&mut self) {
        match &mut self.cells {
            Cells::Float8(cells) => drop(cells.pop()),
            Cells::Int8(cells) | Cells::Timestamptz(cells) => drop(cells.pop()),
            Cells::Bool(cells) => drop(cells.pop()),
            Cells::Text(cells) => {
                cells.ends.pop();
                let start = cells.ends.last().copied().unwrap_or(0);
                cells.joined.truncate(start);
            }
        }
        self.validity.pop();
    }

    /// The cell of `row`; none where it is NULL, or behind what is stored.
    pub(super) fn cell(&self, row: usize) -> Option<Value<'_>> {
        self.validity.get(row).then(|| match &self.cells {
            Cells::Float8(cells) => Value::Float8(cells[row]),
            Cells::Int8(cells) => Value::Int8(cells[row]),
            Cells::Bool(cells) => Value::Bool(cells[row]),
            Cells::Text(cells) => Value::Text(cells.get(row)),
            Cells::Timestamptz(cells) => Value::Timestamptz(cells[row]),
        })
    }

    /// Adds the cells of `other`, which must be of the same type, for rows from `first` on.
    pub(super) fn append(&mut self, first: usize, other: &Self) {
        self.pad(first);
        match (&mut self.cells, &other.cells) {
            (Cells::Float8(cells), Cells::Float8(more)) => cells.extend_from_slice(more),
            (Cells::Int8(cells), Cells::Int8(more)) | (Cells::Timestamptz(cells), Cells::Timestamptz(more)) => {
                cells.extend_from_slice(more);
            }
            (Cells::Bool(cells), Cells::Bool(more)) => cells.extend_from_slice(more),
            (Cells::Text(cells), Cells::Text(more)) => cells.append(more),
            _ => unreachable!("columns of two types are refused before any of them is joined"),
        }
        self.validity.append(&other.validity);
    }

    pub(super) fn bytes(&self) -> usize {
        let cells = match &self.cells {
            Cells::Float8(cells) => cells.capacity() * size_of::<f64>(),
            Cells::Int8(cells) | Cells::Timestamptz(cells) => cells.capacity() * size_of::<i64>(),
            Cells::Bool(cells) => cells.capacity(),
            Cells::Text(cells) => cells.joined.capacity() + cells.ends.capacity() * size_of::<usize>(),
        };
        cells + self.validity.bytes()
    }
}
