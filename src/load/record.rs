//! Where a record ends, by its raw bytes alone.

use memchr::{memchr, memchr_iter, memchr2};

/// What ends a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RecordRule {
    /// A newline outside a quoted cell. A quote opens a cell only at its beginning, and `""` in it is a quote: as the `csv`
    /// crate reads it, so that what is cut here is read there as the same records.
    Csv {
        /// The byte between cells.
        delimiter: u8,
    },
    /// A newline with an even number of quotes before it in the record, not counting those after a backslash. A line that
    /// begins with `#` is a comment and ends at its newline. So a quote that is never closed swallows the next lines up to
    /// another quote; the protocol's parser then says what is wrong there.
    LineProtocol,
}

impl RecordRule {
    /// The length of the first record in `bytes`, with its newline; `None` if it does not end in them.
    pub(super) fn first_len(self, bytes: &[u8]) -> Option<usize> {
        let newline = memchr(b'\n', bytes)?;
        // Nearly all records end here; only those with a quote in their first line are looked at byte by byte.
        if memchr(b'"', &bytes[..newline]).is_none() {
            return Some(newline + 1);
        }
        match self {
            Self::Csv { delimiter } => csv_len(bytes, delimiter),
            Self::LineProtocol if bytes[..newline].trim_ascii_start().starts_with(b"#") => Some(newline + 1),
            Self::LineProtocol => line_len(bytes),
        }
    }
}

fn csv_len(bytes: &[u8], delimiter: u8) -> Option<usize> {
    #[derive(Clone, Copy)]
    enum At {
        CellStart,
        Plain,
        Quoted,
        QuoteInQuoted,
    }
    let mut at = At::CellStart;
    for (index, &byte) in bytes.iter().enumerate() {
        at = match (at, byte) {
            (At::CellStart, b'"') | (At::QuoteInQuoted, b'"') => At::Quoted,
            (At::Quoted, b'"') => At::QuoteInQuoted,
            (At::Quoted, _) => At::Quoted,
            (_, b'\n') => return Some(index + 1),
            (_, b'\r') => At::CellStart,
            (_, byte) if byte == delimiter => At::CellStart,
            _ => At::Plain,
        };
    }
    None
}

fn line_len(bytes: &[u8]) -> Option<usize> {
    let mut quoted = false;
    let mut from = 0;
    while let Some(offset) = memchr2(b'"', b'\n', &bytes[from..]) {
        let index = from + offset;
        if bytes[index] == b'"' {
            let backslashes = bytes[..index].iter().rev().take_while(|&&byte| byte == b'\\').count();
            quoted ^= backslashes % 2 == 0;
        } else if !quoted {
            return Some(index + 1);
        }
        from = index + 1;
    }
    None
}

/// Newlines in `bytes`.
pub(super) fn newlines(bytes: &[u8]) -> u64 {
    memchr_iter(b'\n', bytes).count() as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CSV: RecordRule = RecordRule::Csv { delimiter: b',' };

    fn cut(rule: RecordRule, mut bytes: &[u8]) -> Vec<&[u8]> {
        let mut records = Vec::new();
        while let Some(len) = rule.first_len(bytes) {
            let (record, rest) = bytes.split_at(len);
            records.push(record);
            bytes = rest;
        }
        if !bytes.is_empty() {
            records.push(bytes);
        }
        records
    }

    #[test]
    fn a_newline_in_a_quoted_cell_does_not_end_the_record() {
        assert_eq!(cut(CSV, b"a,\"x\ny\",b\nc,d,e\n"), [&b"a,\"x\ny\",b\n"[..], b"c,d,e\n"]);
        assert_eq!(cut(CSV, b"\"say \"\"hi\n\"\"\",1\r\n2"), [&b"\"say \"\"hi\n\"\"\",1\r\n"[..], b"2"]);
    }

    #[test]
    fn a_quote_within_a_plain_cell_is_a_sign_like_any_other() {
        assert_eq!(cut(CSV, b"5\" pipe,1\n6\" pipe,2\n").len(), 2);
    }

    #[test]
    fn a_string_field_with_a_newline_stays_in_one_piece() {
        let body = b"m s=\"a\nb\" 1\nm s=\"c\\\"\nd\" 2\n# it\"s\nm v=1\n";
        assert_eq!(
            cut(RecordRule::LineProtocol, body),
            [&b"m s=\"a\nb\" 1\n"[..], b"m s=\"c\\\"\nd\" 2\n", b"# it\"s\n", b"m v=1\n"]
        );
    }

    proptest! {
        /// The csv crate reads from each record alone what it reads from the whole, in the same order.
        #[test]
        fn csv_records_are_cut_where_the_csv_crate_ends_them(text in "[ab,\"\n\r;]{0,60}") {
            let read = |bytes: &[u8]| -> Vec<csv::ByteRecord> {
                csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes)
                    .into_byte_records().map(|record| record.unwrap()).collect()
            };
            let pieces: Vec<_> = cut(CSV, text.as_bytes()).into_iter().flat_map(read).collect();
            prop_assert_eq!(pieces, read(text.as_bytes()));
        }

        #[test]
        fn nothing_is_lost_between_records(text in "[a\"\\\\\n#]{0,60}") {
            for rule in [CSV, RecordRule::LineProtocol] {
                prop_assert_eq!(cut(rule, text.as_bytes()).concat(), text.as_bytes());
            }
        }
    }
}
