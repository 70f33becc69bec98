//! Where a line ends when text in it has line breaks.
//!
//! A line that is read without an error ends at its first line break. Another one needs a second look: it may hold text
//! with line breaks and be fine, hold such text and be wrong elsewhere, or have a quote that nobody closed. In the second
//! case what the text says must not be read as lines; in the third the lines that follow must not be lost.
//!
//! ```text
//! m text="one\ntwo" 1         the line ends behind the 1
//! m n=oops,text="one\ntwo" 1  one error, then the line behind the 1
//! m text="one\nm n=1\n        one error, then m n=1
//! m text="one\nm text="two"   one error (a quote cannot be followed by `t`), then m text="two"
//! ```
//!
//! Text is taken to go on over a line break only if every quote up to its end is where the grammar wants one: opening
//! behind the `=` of a field, closing before a comma, a space or the end. So each quote of a line turns text on or off,
//! whether the line is read from its own start or as the inside of a text that began before it. A line that leaves a text
//! open at its end has an odd number of quotes when read from its start; one that is passed through in the middle of
//! texts has an even number. No line is both, and so no part of a body is looked at more than three times, however many
//! of its lines are wrong.

use memchr::{memchr, memchr2, memrchr};

use super::lines::BYTE_ORDER_MARK;

/// Where a line ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// Before this byte: a line break, or the end.
    To(usize),
    /// At its first line break: a quote stands where none can.
    FirstBreak,
    /// Text is still open at the end of the body.
    Open,
}

/// Where the line ends that `body` begins with.
pub(super) fn extent(body: &[u8]) -> Extent {
    let first_break = line_end(body, 0);
    let Some(mut at) = fields_start(&body[..first_break]) else { return Extent::FirstBreak };
    let mut value_starts = false;
    while let Some(&byte) = body.get(at) {
        match byte {
            b'\n' => return Extent::To(at),
            b' ' => {
                // Behind the fields there is a time, without quotes.
                let end = line_end(body, at);
                let quote = memchr(b'"', &body[at..end]);
                return if quote.is_some() { Extent::FirstBreak } else { Extent::To(end) };
            }
            b'"' if !value_starts => return Extent::FirstBreak,
            b'"' => {
                let Some(closing) = closing_quote(body, at + 1) else { return Extent::Open };
                at = closing + 1;
                value_starts = false;
                match body.get(at) {
                    None | Some(b',' | b' ' | b'\n') => {}
                    Some(b'\r') if matches!(body.get(at + 1), None | Some(b'\n')) => {}
                    Some(_) => return Extent::FirstBreak,
                }
            }
            b'\\' => {
                at = behind_escape(body, at);
                value_starts = false;
            }
            byte => {
                at += 1;
                value_starts = byte == b'=';
            }
        }
    }
    Extent::To(at)
}

/// How many bytes of `buffer` are whole lines, line breaks included: what a listener can read of a stream so far.
///
/// A line break within an open text does not end a line, so the answer may stay behind the last line break; of a stream
/// with an open quote it stays behind for ever, and the listener's limit on its buffer is what ends it.
///
/// ```
/// use chunkwise::protocol::complete_bytes;
///
/// assert_eq!(complete_bytes(b"m f=1\nm f=2"), 6);
/// assert_eq!(complete_bytes(b"m f=1\nm f=\"two\nlines"), 6);
/// assert_eq!(complete_bytes(b"m f=1\nm f=\"two\nlines\" 1\n"), 24);
/// assert_eq!(complete_bytes(b"\xef\xbb\xbf m f=\"two\nlines"), 0);
/// ```
#[must_use]
pub fn complete_bytes(buffer: &[u8]) -> usize {
    // Whoever reads these bytes passes over a byte order mark, behind which a line may be indented.
    let Some(unmarked) = buffer.strip_prefix(BYTE_ORDER_MARK) else { return complete_lines(buffer) };
    match complete_lines(unmarked) {
        0 => 0,
        bytes => buffer.len() - unmarked.len() + bytes,
    }
}

fn complete_lines(buffer: &[u8]) -> usize {
    let mut at = 0;
    loop {
        // Up to the line with the next quote every line break ends a line.
        let quote = memchr(b'"', &buffer[at..]);
        let plain = &buffer[at..quote.map_or(buffer.len(), |quote| at + quote)];
        at += memrchr(b'\n', plain).map_or(0, |line_break| line_break + 1);
        if quote.is_none() {
            return at;
        }
        let rest = &buffer[at..];
        let Some(first_break) = memchr(b'\n', rest) else { return at };
        let end = if is_comment(&rest[..first_break]) {
            first_break
        } else {
            match extent(rest) {
                Extent::FirstBreak => first_break,
                Extent::To(end) if end < rest.len() => end,
                Extent::To(_) | Extent::Open => return at,
            }
        };
        at += end + 1;
    }
}

/// Where the line ends that the byte `from` is in: before its line break, or at the end of `body`.
pub(super) fn line_end(body: &[u8], from: usize) -> usize {
    memchr(b'\n', &body[from..]).map_or(body.len(), |length| from + length)
}

/// The first byte of `line` that is no blank; none if all are.
pub(super) fn indent(line: &[u8]) -> Option<usize> {
    line.iter().position(|byte| !matches!(byte, b' ' | b'\t'))
}

fn is_comment(line: &[u8]) -> bool {
    indent(line).is_some_and(|start| line[start] == b'#')
}

/// Behind the spaces that end a line's measurement and tags, in which quotes mean nothing.
fn fields_start(line: &[u8]) -> Option<usize> {
    let mut at = indent(line)?;
    loop {
        match *line.get(at)? {
            b' ' => break,
            b'\\' => at = behind_escape(line, at),
            _ => at += 1,
        }
    }
    Some(at + line[at..].iter().position(|&byte| byte != b' ')?)
}

/// Behind the byte that the backslash at `at` is before, which is not the end of a line.
fn behind_escape(body: &[u8], at: usize) -> usize {
    match body.get(at + 1) {
        None | Some(b'\n') => at + 1,
        Some(_) => at + 2,
    }
}

fn closing_quote(body: &[u8], mut from: usize) -> Option<usize> {
    loop {
        let stop = from + memchr2(b'"', b'\\', body.get(from..)?)?;
        if body[stop] == b'"' {
            return Some(stop);
        }
        from = stop + if matches!(body.get(stop + 1), Some(b'"' | b'\\')) { 2 } else { 1 };
    }
}
