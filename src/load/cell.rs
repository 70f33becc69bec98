//! Single cells: what counts as missing, and reading numbers, booleans and texts.

use super::refusal::{Reason, excerpt};

/// The longest text that is taken as a value, as long as a line of line protocol may be.
pub(super) const CELL_LIMIT_BYTES: usize = 1024 * 1024;

/// Whether a trimmed cell of a number, a boolean or a time says that there is none: empty, or NA, NaN, null, N/A in any case.
///
/// In a text column only the empty cell is missing: `NA` may be Namibia, or a ticker.
pub(super) fn is_missing(cell: &[u8]) -> bool {
    match cell.len() {
        0 => true,
        2 => cell.eq_ignore_ascii_case(b"na"),
        3 => cell.eq_ignore_ascii_case(b"nan") || cell.eq_ignore_ascii_case(b"n/a"),
        4 => cell.eq_ignore_ascii_case(b"null"),
        _ => false,
    }
}

/// A decimal number with a point, with or without exponent; finite.
pub(super) fn read_number(cell: &[u8]) -> Result<f64, Reason> {
    match lexical_core::parse::<f64>(cell) {
        Ok(number) if number.is_finite() => Ok(number),
        Ok(_) => Err(Reason::NotFinite(excerpt(cell))),
        Err(_) => Err(Reason::NotANumber(excerpt(cell))),
    }
}

/// An integer of 64 bits.
pub(super) fn read_integer(cell: &[u8]) -> Result<i64, Reason> {
    lexical_core::parse(cell).map_err(|_| Reason::NotANumber(excerpt(cell)))
}

/// `true` or `false` in any case.
pub(super) fn read_boolean(cell: &[u8]) -> Result<bool, Reason> {
    if cell.eq_ignore_ascii_case(b"true") {
        Ok(true)
    } else if cell.eq_ignore_ascii_case(b"false") {
        Ok(false)
    } else {
        Err(Reason::NotABoolean(excerpt(cell)))
    }
}

/// UTF-8 that PostgreSQL can store, of at most `limit_bytes`.
pub(super) fn read_text(cell: &[u8], limit_bytes: usize) -> Result<&str, Reason> {
    if cell.len() > limit_bytes {
        return Err(Reason::CellTooLong { bytes: cell.len(), limit_bytes });
    }
    let text = std::str::from_utf8(cell).map_err(|_| Reason::NotUtf8(excerpt(cell)))?;
    if memchr::memchr(0, cell).is_some() { Err(Reason::NulByte) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_decimal_and_finite() {
        for (cell, number) in [("1", 1.0), ("-1.50", -1.5), ("+2", 2.0), (".5", 0.5), ("1e-3", 1e-3), ("5.", 5.0)] {
            assert_eq!(read_number(cell.as_bytes()), Ok(number), "{cell}");
        }
        for cell in ["inf", "-Infinity", "1e999", "NaN"] {
            assert!(matches!(read_number(cell.as_bytes()), Err(Reason::NotFinite(_))), "{cell}");
        }
        for cell in ["", "1,5", "1 000", "0x1f", "$5", "12abc", "--1"] {
            assert!(matches!(read_number(cell.as_bytes()), Err(Reason::NotANumber(_))), "{cell}");
        }
    }

    #[test]
    fn the_known_words_for_nothing_are_missing() {
        for cell in ["", "NA", "NaN", "nan", "null", "NULL", "N/A", "n/a"] {
            assert!(is_missing(cell.as_bytes()), "{cell}");
        }
        for cell in ["0", "-", "None!", "NAB", "nil"] {
            assert!(!is_missing(cell.as_bytes()), "{cell}");
        }
    }

    #[test]
    fn texts_that_the_database_cannot_hold_are_refused() {
        assert_eq!(read_text("Zürich".as_bytes(), 7), Ok("Zürich"));
        assert_eq!(read_text(b"a\0b", 7), Err(Reason::NulByte));
        assert!(matches!(read_text(b"Z\xfcrich", 7), Err(Reason::NotUtf8(_))));
        assert!(matches!(read_text(b"12345678", 7), Err(Reason::CellTooLong { .. })));
    }
}
