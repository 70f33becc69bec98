//! CSV with a header, in UTF-8, lines ended by `\n`.
//!
//! Spreadsheets take a cell that begins with `=`, `+`, `-`, `@`, a tab or a carriage return for a formula, quoted or
//! not, and tags come from whoever may write. So a tag, or a column named by one, that begins so and is no number gets
//! an apostrophe in front, which spreadsheets show as text. One that begins with apostrophes and then such a character
//! gets one more, so that taking one away gives back every tag as it was. Numbers and times are never touched; Arrow
//! and JSON carry tags as they are.

use std::{borrow::Cow, fmt::Write as _};

use super::{
    FormatError,
    table::{Cells, Kind, Table},
};
use crate::question::Timestamp;

pub(super) fn text(table: Table<'_>) -> Result<Vec<u8>, FormatError> {
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    for (name, _) in &table.columns {
        writer.write_field(inert(name).as_bytes())?;
    }
    writer.write_record(None::<&[u8]>)?;

    let values: Vec<Vec<Cow<'_, str>>> = table
        .columns
        .into_iter()
        .map(|(_, kind)| match kind {
            Kind::Tag(values) => values.into_iter().map(inert).collect(),
            Kind::Int | Kind::MaybeInt | Kind::Time | Kind::Float => Vec::new(),
        })
        .collect();
    let mut cell = String::new();
    for batch in table.batches {
        for row in 0..batch.first().map_or(0, Cells::len) {
            for (cells, values) in batch.iter().zip(&values) {
                cell.clear();
                // Writing to a String cannot fail. `{:?}` of a float is the shortest text that reads back the same.
                let written = match cells {
                    Cells::Ints(ints) => write!(cell, "{}", ints[row]),
                    Cells::MaybeInts(ints) => ints[row].map_or(Ok(()), |int| write!(cell, "{int}")),
                    Cells::Floats(floats) if floats[row].is_finite() => write!(cell, "{:?}", floats[row]),
                    Cells::Floats(_) => Ok(()),
                    Cells::Times(times) => times[row].map_or(Ok(()), |us| cell.write_str(&Timestamp::display_us(us))),
                    Cells::Codes(codes) => codes[row].map_or(Ok(()), |code| cell.write_str(&values[code])),
                };
                debug_assert!(written.is_ok());
                writer.write_field(cell.as_bytes())?;
            }
            writer.write_record(None::<&[u8]>)?;
        }
    }
    writer.into_inner().map_err(|error| FormatError::Csv(error.into_error().into()))
}

/// Text that a spreadsheet does not take for a formula; see the module's own words.
fn inert(text: &str) -> Cow<'_, str> {
    let formula = text.trim_start_matches('\'').starts_with(['=', '+', '-', '@', '\t', '\r']);
    let number = || text.parse::<f64>().is_ok_and(f64::is_finite);
    if formula && !number() { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn formulas_become_text_and_numbers_stay() {
        for text in ["=1+1", "@SUM(A1)", "+cmd", "-x", "\t=1", "'=1", "-inf", "-"] {
            assert_eq!(inert(text), format!("'{text}"));
        }
        for text in ["", "AAPL", "-5", "+1.5e3", "a=b", "'s-Hertogenbosch", "\u{5d0}\u{5d1}"] {
            assert_eq!(inert(text), text);
        }
    }

    proptest! {
        #[test]
        fn what_was_done_to_a_tag_can_be_undone(text in "['=+@a-]{0,6}") {
            let written = inert(&text).into_owned();
            let marked = written.strip_prefix('\'').filter(|rest| {
                rest.trim_start_matches('\'').starts_with(['=', '+', '-', '@'])
            });
            prop_assert_eq!(marked.unwrap_or(&written), text);
        }
    }
}
