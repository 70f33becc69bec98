//! The cells of one column of a batch.

use crate::hypertable::ColumnType;

use super::{row::Value, validity::Validity};

/// A column's cells, up to the last row that has one.
#[derive(Debug, Clone)]
pub(super) struct Column {
    cells: Cells,
    presence: Presence,
    /// How many cells have a value.
    present: usize,
}

/// The values. A padded column has one for each row, of which those of NULL cells mean nothing; a sparse one has only
/// those that there are.
#[derive(Debug, Clone)]
enum Cells {
    Float8(Vec<f64>),
    Int8(Vec<i64>),
    Bool(Vec<bool>),
    Text(Texts),
    Timestamptz(Vec<i64>),
}

/// Which rows have a value.
#[derive(Debug, Clone)]
enum Presence {
    /// A bit a row: quick to look up.
    Padded(Validity),
    /// The rows that have one, ascending: rows without one cost nothing.
    Sparse(Vec<u32>),
}

/// A column is padded for as long as its NULLs are at most so many for each value, and a few more: beyond it a client could
/// make a large column of a few bytes.
const NULLS_A_VALUE: usize = 1;
const SPARE_NULLS: usize = 1_024;

/// Texts, one behind the other, and where each one ends.
#[derive(Debug, Clone, Default)]
struct Texts {
    joined: String,
    ends: Vec<usize>,
}

impl Texts {
    /// Where the text at `at` begins.
    fn start(&self, at: usize) -> usize {
        at.checked_sub(1).map_or(0, |before| self.ends[before])
    }

    fn get(&self, at: usize) -> &str {
        &self.joined[self.start(at)..self.ends[at]]
    }

    fn pad(&mut self, cells: usize) {
        self.ends.resize(cells, self.joined.len());
    }

    fn push(&mut self, text: &str) {
        self.joined.push_str(text);
        self.ends.push(self.joined.len());
    }

    fn pop(&mut self) {
        self.ends.pop();
        self.joined.truncate(self.ends.last().copied().unwrap_or(0));
    }

    fn append(&mut self, other: &Self) {
        let base = self.joined.len();
        self.joined.push_str(&other.joined);
        self.ends.extend(other.ends.iter().map(|end| base + end));
    }

    /// Keeps the texts at these places, which ascend.
    fn keep(&mut self, places: &[u32]) {
        let ends = places.iter().map(|&at| self.ends[at as usize]).collect();
        // A text that is left out is empty: its cell was padded.
        self.ends = ends;
    }
}

impl Cells {
    fn pad(&mut self, rows: usize) {
        match self {
            Self::Float8(cells) => cells.resize(rows, 0.0),
            Self::Int8(cells) | Self::Timestamptz(cells) => cells.resize(rows, 0),
            Self::Bool(cells) => cells.resize(rows, false),
            Self::Text(cells) => cells.pad(rows),
        }
    }

    fn push(&mut self, value: Value<'_>) {
        match (self, value) {
            (Self::Float8(cells), Value::Float8(value)) => cells.push(value),
            (Self::Int8(cells), Value::Int8(value)) | (Self::Timestamptz(cells), Value::Timestamptz(value)) => {
                cells.push(value);
            }
            (Self::Bool(cells), Value::Bool(value)) => cells.push(value),
            (Self::Text(cells), Value::Text(value)) => cells.push(value),
            _ => unreachable!("a row's values are checked against their columns before any of them is set"),
        }
    }

    fn pop(&mut self) {
        match self {
            Self::Float8(cells) => drop(cells.pop()),
            Self::Int8(cells) | Self::Timestamptz(cells) => drop(cells.pop()),
            Self::Bool(cells) => drop(cells.pop()),
            Self::Text(cells) => cells.pop(),
        }
    }

    fn get(&self, at: usize) -> Value<'_> {
        match self {
            Self::Float8(cells) => Value::Float8(cells[at]),
            Self::Int8(cells) => Value::Int8(cells[at]),
            Self::Bool(cells) => Value::Bool(cells[at]),
            Self::Text(cells) => Value::Text(cells.get(at)),
            Self::Timestamptz(cells) => Value::Timestamptz(cells[at]),
        }
    }

    fn append(&mut self, other: &Self) {
        match (self, other) {
            (Self::Float8(cells), Self::Float8(more)) => cells.extend_from_slice(more),
            (Self::Int8(cells), Self::Int8(more)) | (Self::Timestamptz(cells), Self::Timestamptz(more)) => {
                cells.extend_from_slice(more);
            }
            (Self::Bool(cells), Self::Bool(more)) => cells.extend_from_slice(more),
            (Self::Text(cells), Self::Text(more)) => cells.append(more),
            _ => unreachable!("columns of two types are refused before any of them is joined"),
        }
    }

    /// Keeps the cells at these places, which ascend.
    fn keep(&mut self, places: &[u32]) {
        fn keep<T: Copy>(cells: &mut Vec<T>, places: &[u32]) {
            *cells = places.iter().map(|&at| cells[at as usize]).collect();
        }
        match self {
            Self::Float8(cells) => keep(cells, places),
            Self::Int8(cells) | Self::Timestamptz(cells) => keep(cells, places),
            Self::Bool(cells) => keep(cells, places),
            Self::Text(cells) => cells.keep(places),
        }
    }

    fn shrink_to_fit(&mut self) {
        match self {
            Self::Float8(cells) => cells.shrink_to_fit(),
            Self::Int8(cells) | Self::Timestamptz(cells) => cells.shrink_to_fit(),
            Self::Bool(cells) => cells.shrink_to_fit(),
            Self::Text(cells) => {
                cells.joined.shrink_to_fit();
                cells.ends.shrink_to_fit();
            }
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Float8(cells) => cells.capacity() * size_of::<f64>(),
            Self::Int8(cells) | Self::Timestamptz(cells) => cells.capacity() * size_of::<i64>(),
            Self::Bool(cells) => cells.capacity(),
            Self::Text(cells) => cells.joined.capacity() + cells.ends.capacity() * size_of::<usize>(),
        }
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
        Self { cells, presence: Presence::Padded(Validity::default()), present: 0 }
    }

    /// The row behind the last one that is stored.
    fn end(&self) -> usize {
        match &self.presence {
            Presence::Padded(validity) => validity.len(),
            Presence::Sparse(rows) => rows.last().map_or(0, |&row| row as usize + 1),
        }
    }

    /// Adds NULLs, so that the next value is of `row`.
    fn pad(&mut self, row: usize) {
        if row - self.present > SPARE_NULLS + NULLS_A_VALUE * self.present {
            self.make_sparse();
        }
        if let Presence::Padded(validity) = &mut self.presence {
            self.cells.pad(row);
            validity.pad(row);
        }
    }

    #[cold]
    fn make_sparse(&mut self) {
        if let Presence::Padded(validity) = &self.presence {
            let rows: Vec<u32> = validity.ones().collect();
            self.cells.keep(&rows);
            self.presence = Presence::Sparse(rows);
        }
    }

    /// Makes `value`, which must be of the column's type, the cell of `row`: of the last row that is stored, or of one
    /// behind it. Rows fit 32 bits.
    pub(super) fn set(&mut self, row: usize, value: Value<'_>) {
        let end = self.end();
        if end > row {
            self.forget_last();
        } else if end < row {
            self.pad(row);
        }
        self.cells.push(value);
        self.present += 1;
        match &mut self.presence {
            Presence::Padded(validity) => validity.push(true),
            #[expect(clippy::cast_possible_truncation, reason = "a batch counts its rows in 32 bits")]
            Presence::Sparse(rows) => rows.push(row as u32),
        }
    }

    /// Takes the last cell away, whose row has named the column a second time.
    #[cold]
    fn forget_last(&mut self) {
        self.cells.pop();
        self.present -= 1;
        match &mut self.presence {
            Presence::Padded(validity) => validity.pop(),
            Presence::Sparse(rows) => drop(rows.pop()),
        }
    }

    /// The cell of `row`; none where it is NULL, or behind what is stored.
    pub(super) fn cell(&self, row: usize) -> Option<Value<'_>> {
        match &self.presence {
            Presence::Padded(validity) => validity.get(row).then(|| self.cells.get(row)),
            Presence::Sparse(rows) => {
                let at = rows.binary_search_by_key(&row, |&row| row as usize).ok()?;
                Some(self.cells.get(at))
            }
        }
    }

    /// How many cells have a value.
    pub(super) fn present(&self) -> usize {
        self.present
    }

    /// The rows that have a value, ascending.
    pub(super) fn for_each_row(&self, row: impl FnMut(u32)) {
        match &self.presence {
            Presence::Padded(validity) => validity.ones().for_each(row),
            Presence::Sparse(rows) => rows.iter().copied().for_each(row),
        }
    }

    /// Adds the cells of `other`, which must be of the same type, for rows from `first` on.
    pub(super) fn append(&mut self, first: usize, other: &Self) {
        if other.present == 0 {
            return;
        }
        self.pad(first);
        if matches!((&self.presence, &other.presence), (Presence::Padded(_), Presence::Sparse(_))) {
            self.make_sparse();
        }
        match (&mut self.presence, &other.presence) {
            (Presence::Padded(validity), Presence::Padded(more)) => {
                validity.append(more);
                self.cells.append(&other.cells);
            }
            (Presence::Sparse(rows), Presence::Sparse(more)) => {
                #[expect(clippy::cast_possible_truncation, reason = "a batch counts its rows in 32 bits")]
                rows.extend(more.iter().map(|row| row + first as u32));
                self.cells.append(&other.cells);
            }
            (Presence::Sparse(rows), Presence::Padded(more)) => {
                for row in more.ones() {
                    #[expect(clippy::cast_possible_truncation, reason = "a batch counts its rows in 32 bits")]
                    rows.push(row + first as u32);
                    self.cells.push(other.cells.get(row as usize));
                }
            }
            (Presence::Padded(_), Presence::Sparse(_)) => unreachable!("it was made sparse above"),
        }
        self.present += other.present;
    }

    /// Gives back the room for growth; that of the bits is little.
    pub(super) fn shrink_to_fit(&mut self) {
        self.cells.shrink_to_fit();
        if let Presence::Sparse(rows) = &mut self.presence {
            rows.shrink_to_fit();
        }
    }

    pub(super) fn bytes(&self) -> usize {
        let presence = match &self.presence {
            Presence::Padded(validity) => validity.bytes(),
            Presence::Sparse(rows) => rows.capacity() * size_of::<u32>(),
        };
        self.cells.bytes() + presence
    }
}
