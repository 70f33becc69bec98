//! Where a record ends, by its raw bytes alone.

use memchr::{memchr, memchr_iter, memrchr};

use crate::protocol::{complete_bytes, tsbs};

/// What ends a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RecordRule {
    /// A newline outside a quoted cell. A quote opens a cell only at its beginning, and `""` in it is a quote: as the `csv`
    /// crate reads it, so that what is cut here is read there as the same records.
    Csv {
        /// The byte between cells.
        delimiter: u8,
    },
    /// Where the protocol's parser ends a line, text with line breaks in mind.
    LineProtocol,
    /// The blank line behind a head of TSBS's.
    TsbsHead,
    /// A row of TSBS's: two lines.
    Tsbs,
}

/// A line of line protocol that is open for longer is cut at its first line break; the parser refuses it in any case.
const LINE_LIMIT_BYTES: usize = 1024 * 1024;

impl RecordRule {
    /// The length of the first record in `bytes`, with its newline; `None` if it does not end in them.
    pub(super) fn first_len(self, bytes: &[u8]) -> Option<usize> {
        match self {
            Self::TsbsHead => tsbs::head_bytes(bytes),
            Self::Tsbs => tsbs::record_bytes(bytes),
            Self::Csv { delimiter } => line_or(bytes, |_| csv_len(bytes, delimiter)),
            Self::LineProtocol => line_or(bytes, |second| lines_len(bytes, second)),
        }
    }
}

/// The length of the first line. Nearly all records are one; only those with a quote in their first line, which may hold the
/// line break, are looked at byte by byte: `quoted` gets where the second line begins.
fn line_or(bytes: &[u8], quoted: impl FnOnce(usize) -> Option<usize>) -> Option<usize> {
    let newline = memchr(b'\n', bytes)?;
    if memchr(b'"', &bytes[..newline]).is_none() { Some(newline + 1) } else { quoted(newline + 1) }
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

/// Looks at twice as much each time, so that an open text costs no more than a few times its length; then for the first of
/// the line breaks that complete a line. What it finds does not depend on how much follows.
fn lines_len(bytes: &[u8], first_len: usize) -> Option<usize> {
    let (mut open, mut looked_at) = (0, first_len);
    while complete_bytes(&bytes[..looked_at]) == 0 {
        if looked_at > LINE_LIMIT_BYTES {
            return Some(first_len);
        }
        open = looked_at;
        let rest = bytes.get(open * 2..).unwrap_or_default();
        looked_at = match memchr(b'\n', rest) {
            Some(newline) => open * 2 + newline + 1,
            None => memrchr(b'\n', bytes)? + 1,
        };
        if looked_at == open {
            return None;
        }
    }
    let ends: Vec<usize> = memchr_iter(b'\n', &bytes[open..looked_at]).map(|newline| open + newline + 1).collect();
    let first = ends.partition_point(|&end| complete_bytes(&bytes[..end]) == 0);
    let len = ends.get(first).copied()?;
    Some(if len > LINE_LIMIT_BYTES { first_len } else { len })
}

/// Newlines in `bytes`.
pub(super) fn newlines(bytes: &[u8]) -> u64 {
    memchr_iter(b'\n', bytes).count() as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::{Precision, parse};

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
    fn a_line_with_a_line_break_in_its_text_is_one_whatever_follows() {
        let line = "m s=\"a\nb\" 1\n";
        for behind in ["", "m v", "m v=1\n", "m v=1\nm v=2\nm s=\"c\nd\" 3\n"] {
            let bytes = format!("{line}{behind}");
            assert_eq!(RecordRule::LineProtocol.first_len(bytes.as_bytes()), Some(line.len()), "{behind:?}");
        }
        assert_eq!(RecordRule::LineProtocol.first_len(b"m s=\"a\nb"), None);
    }

    #[test]
    fn a_text_that_is_never_closed_takes_no_other_lines_with_it() {
        let body = format!("m s=\"open\n{}", "m v=1\n".repeat(400_000));
        assert_eq!(RecordRule::LineProtocol.first_len(body.as_bytes()), Some(10));
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

        /// The protocol's parser reads the same lines from the pieces as from the whole.
        #[test]
        fn line_protocol_is_cut_between_lines(pieces in proptest::collection::vec(
            prop_oneof![Just("m v=1\n"), Just("m s=\"a\nb\" 1\n"), Just("# it\"s\n"), Just("m,t=\" v=1\n"), Just("m s=\"c\\\"\nd\" 2\n")],
            0..12,
        )) {
            let body = pieces.concat();
            let fields = |bytes: &[u8]| -> Vec<String> {
                parse(bytes, Precision::default()).map(|line| format!("{:?}", line.map(|line| line.fields.to_vec()).ok())).collect()
            };
            let cut: Vec<String> = cut(RecordRule::LineProtocol, body.as_bytes()).into_iter().flat_map(fields).collect();
            prop_assert_eq!(cut, fields(body.as_bytes()));
        }

        #[test]
        fn nothing_is_lost_between_records(text in "[a\"\\\\\n#]{0,60}") {
            for rule in [CSV, RecordRule::LineProtocol, RecordRule::TsbsHead, RecordRule::Tsbs] {
                prop_assert_eq!(cut(rule, text.as_bytes()).concat(), text.as_bytes());
            }
        }
    }
}
