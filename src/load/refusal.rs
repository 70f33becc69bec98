//! Rows that cannot be read: where, why, and how many.

use std::{borrow::Cow, fmt};

use super::Rows;
use crate::protocol;

/// Why a row, or in a wide file a cell, is left out, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowError {
    /// The line of the file on which the record begins, from 1; the header's is 1. Of Parquet the row, from 1.
    pub line: u64,
    /// Which of the two it is.
    pub counted: Counted,
    /// The cell; `None` where it is the record as a whole.
    pub cell: Option<CellPlace>,
    /// What is wrong.
    pub reason: Reason,
}

/// What a place in a file is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// Lines of text.
    Lines,
    /// Rows of Parquet.
    Rows,
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lines => "line",
            Self::Rows => "row",
        })
    }
}

/// A cell's place in its record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CellPlace {
    /// The column, from 1.
    pub column: usize,
    /// Its name in the header.
    pub name: String,
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.counted, self.line)?;
        if let Some(CellPlace { column, name }) = &self.cell {
            write!(f, ", column {column} (`{name}`)")?;
        }
        write!(f, ": {}", self.reason)
    }
}

/// What is wrong with a cell or a record. Texts from the file are cut to 40 characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The record has more or fewer cells than the header.
    #[error("the record has {cells} cells, the header {columns}")]
    Ragged {
        /// Cells of the record.
        cells: usize,
        /// Columns of the header.
        columns: usize,
    },
    /// There is no time.
    #[error("the time is missing")]
    MissingTime,
    /// The cell is not a time in the plan's format.
    #[error("`{cell}` is not a time in the format {format}")]
    NotATime {
        /// The cell.
        cell: String,
        /// The format.
        format: String,
    },
    /// The time is outside the years 1 to 9999.
    #[error("the time `{0}` is outside the years 1 to 9999")]
    TimeOutOfRange(String),
    /// The clocks of the zone were put forward over this time.
    #[error("the time `{cell}` does not exist in {zone}: the clocks were put forward over it")]
    NoSuchLocalTime {
        /// The cell.
        cell: String,
        /// The zone.
        zone: String,
    },
    /// The cell is not a number.
    #[error("`{0}` is not a number")]
    NotANumber(String),
    /// The number is infinite, or too large for a float64.
    #[error("`{0}` is not a finite number")]
    NotFinite(String),
    /// The unsigned integer is larger than the database's integers.
    #[error("`{0}` is beyond 9223372036854775807, the largest integer that can be stored")]
    IntegerTooLarge(u64),
    /// The cell is neither true nor false.
    #[error("`{0}` is neither true nor false")]
    NotABoolean(String),
    /// The bytes are not UTF-8.
    #[error("`{0}` is not UTF-8")]
    NotUtf8(String),
    /// The text has a NUL, which PostgreSQL cannot store.
    #[error("the text has a NUL byte")]
    NulByte,
    /// The line of line protocol is not one.
    #[error("column {column}: {reason}")]
    Line {
        /// The byte that is at fault, counted from the line's first, which is 1.
        column: u32,
        /// What is wrong with it.
        reason: protocol::Reason,
    },
    /// The cell is longer than a value may be.
    #[error("the cell has {bytes} bytes, more than {limit_bytes}")]
    CellTooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit_bytes: usize,
    },
}

/// The cell as a message shows it: at most 40 characters, what is not UTF-8 replaced.
pub(super) fn excerpt(cell: &[u8]) -> String {
    const SHOWN_CHARS: usize = 40;
    let head = cell.get(..SHOWN_CHARS * 4).unwrap_or(cell);
    let text: Cow<'_, str> = String::from_utf8_lossy(head);
    let mut shown: String =
        text.chars().take(SHOWN_CHARS).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if shown.len() < cell.len() && text.chars().count() > SHOWN_CHARS {
        shown.push('…');
    }
    shown
}

/// What became of the records read, and the first rows that were refused.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// Rows that can be written.
    pub rows: u64,
    /// Rows left out as bad; in a wide file, cells.
    pub refused: u64,
    /// Rows left out because all their fields are missing; in a wide file, empty cells.
    pub empty: u64,
    /// Times with more digits than microseconds, rounded down.
    pub rounded_times: u64,
    /// The first of the refused, at most [`Tally::SHOWN`], in the file's order.
    pub errors: Vec<RowError>,
}

impl Tally {
    /// How many refused rows are kept with their reason; the others are only counted.
    pub const SHOWN: usize = 100;

    /// Enters the rows that can be written.
    pub(super) fn count(&mut self, rows: &Rows) {
        self.rows = rows.len() as u64;
        self.rounded_times = rows.rounded.iter().filter(|&&rounded| rounded).count() as u64;
    }

    pub(super) fn refuse(&mut self, error: RowError) {
        self.refused += 1;
        if self.errors.len() < Self::SHOWN {
            self.errors.push(error);
        }
    }

    /// Adds what became of a later part.
    pub fn absorb(&mut self, later: &Self) {
        self.rows += later.rows;
        self.refused += later.refused;
        self.empty += later.empty;
        self.rounded_times += later.rounded_times;
        self.errors.extend(later.errors.iter().take(Self::SHOWN - self.errors.len()).cloned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_refusals_are_counted_and_the_first_hundred_shown() {
        let error = |line| RowError { line, counted: Counted::Lines, cell: None, reason: Reason::MissingTime };
        let (mut first, mut second) = (Tally::default(), Tally::default());
        (1..=70).for_each(|line| first.refuse(error(line)));
        (71..=400).for_each(|line| second.refuse(error(line)));
        first.absorb(&second);
        assert_eq!(first.refused, 400);
        assert_eq!(first.errors.iter().map(|e| e.line).collect::<Vec<_>>(), (1..=100).collect::<Vec<_>>());
    }

    #[test]
    fn a_refusal_says_line_column_and_name() {
        let error = RowError {
            line: 7,
            counted: Counted::Lines,
            cell: Some(CellPlace { column: 3, name: "price".into() }),
            reason: Reason::NotANumber(excerpt(b"abc\x00\xff")),
        };
        assert_eq!(error.to_string(), "line 7, column 3 (`price`): `abc\u{fffd}\u{fffd}` is not a number");
    }

    #[test]
    fn a_long_cell_is_cut_on_a_character() {
        assert_eq!(excerpt("ä".repeat(41).as_bytes()), format!("{}…", "ä".repeat(40)));
        assert_eq!(excerpt("ä".repeat(40).as_bytes()), "ä".repeat(40));
    }
}
