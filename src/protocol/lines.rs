//! A body, line by line.

use std::iter::FusedIterator;

use memchr::{memchr, memchr2};

use super::{
    error::{Fault, LineError, Reason},
    extent::{Extent, extent, indent, line_end},
    glance::Glance,
    limits::Limits,
    line::Line,
    parse::parse_line,
    time::Precision,
};

pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// The lines of a body: one item for each that is neither blank nor a comment, in the order of the body.
#[derive(Debug, Clone)]
pub struct Lines<'a> {
    body: &'a [u8],
    /// The body, if all of it is UTF-8 without NUL bytes: then no line needs to be looked at for that.
    text: Option<&'a str>,
    precision: Precision,
    limits: Limits,
    /// The first byte of the next line, and its number.
    at: usize,
    number: u32,
}

impl<'a> Lines<'a> {
    /// The lines of `body`, whose times count `precision`.
    #[must_use]
    pub fn new(body: &'a [u8], precision: Precision, limits: Limits) -> Self {
        let at = if body.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        let text = std::str::from_utf8(body).ok().filter(|_| memchr(0, body).is_none());
        Self { body, text, precision, limits, at, number: 1 }
    }

    /// Looks at the next line without reading it. None where it must be read to know what it is: it is long or indented, its
    /// series is written with escapes, the body is not all text, or there is none.
    #[must_use]
    #[inline]
    pub fn glance(&self) -> Option<Glance<'a>> {
        let text = self.text?;
        let start = self.at;
        let end = line_end(self.body, start.min(self.body.len()));
        let line = self.body.get(start..end)?;
        if line.first().is_none_or(u8::is_ascii_whitespace) {
            // The first space would not end a series' part.
            return None;
        }
        let head = memchr2(b' ', b'\\', line).filter(|&at| line[at] == b' ')?;
        if line.len() > self.limits.line_bytes {
            return None;
        }
        let length = line.strip_suffix(b"\r").unwrap_or(line).len();
        Some(Glance::new(&text[start..start + length], head, self.number, start, end, self.precision))
    }

    /// Goes behind a line that was read at a [`glance`](Self::glance): the last that this gave.
    #[inline]
    pub fn pass(&mut self, glance: &Glance<'a>) {
        self.go_behind(glance.end());
    }

    /// Reads the bytes from `start` to `end` as one line, into an empty one.
    fn read(&self, start: usize, end: usize, line: &mut Line<'a>) -> Result<(), Fault> {
        let bytes = &self.body[start..end];
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        if bytes.len() > self.limits.line_bytes {
            return Err(Fault::line_too_long(&self.limits));
        }
        let text = match self.text {
            Some(text) => &text[start..start + bytes.len()],
            None => Self::checked(bytes)?,
        };
        line.bytes = start..start + bytes.len();
        parse_line(text, indent(bytes).unwrap_or_default(), self.precision, &self.limits, line)
    }

    #[cold]
    fn checked(bytes: &[u8]) -> Result<&str, Fault> {
        let text = std::str::from_utf8(bytes).map_err(|error| Fault::new(error.valid_up_to(), Reason::InvalidUtf8))?;
        match memchr(0, bytes) {
            Some(at) => Err(Fault::new(at, Reason::NulByte)),
            None => Ok(text),
        }
    }

    /// Reads the next line into `line`, whatever was in it; none at the end. What is there after an error means nothing.
    ///
    /// A [`Line`] is large enough for its moves to cost as much as its reading: whoever looks at one line after the other
    /// does it in one place by this. Others iterate.
    pub fn next_into(&mut self, line: &mut Line<'a>) -> Option<Result<(), LineError>> {
        while self.at < self.body.len() {
            let start = self.at;
            let end = line_end(self.body, start);
            let bytes = &self.body[start..end];
            match indent(bytes).map(|indent| &bytes[indent..]) {
                None | Some(b"\r" | [b'#', ..]) => self.go_behind(end),
                Some(_) => {
                    line.begin(self.number);
                    return Some(match self.read(start, end, line) {
                        Ok(()) => {
                            self.go_behind(end);
                            Ok(())
                        }
                        Err(fault) => self.second_look(start, end, fault, line),
                    });
                }
            }
        }
        None
    }

    /// What to make of a line that is not right up to `end`, its first line break. Goes to the line behind it.
    #[cold]
    fn second_look(&mut self, start: usize, end: usize, fault: Fault, line: &mut Line<'a>) -> Result<(), LineError> {
        let whole = match extent(&self.body[start..]) {
            Extent::To(length) => start + length,
            Extent::FirstBreak | Extent::Open => end,
        };
        let result = match fault.reason {
            Reason::UnclosedText if whole > end => {
                line.begin(self.number);
                self.read(start, whole, line)
            }
            _ => Err(fault),
        };
        let line_bytes = self.body[start..whole].strip_suffix(b"\r").map_or(whole - start, <[u8]>::len);
        let result = result.map_err(|fault| LineError {
            line: self.number,
            column: u32::try_from(fault.at).unwrap_or(u32::MAX).saturating_add(1),
            reason: fault.reason,
            bytes: start..start + line_bytes,
        });
        let breaks_within = memchr::memchr_iter(b'\n', &self.body[start..whole]).count();
        self.number = self.number.saturating_add(u32::try_from(breaks_within).unwrap_or(u32::MAX));
        self.go_behind(whole);
        result
    }

    /// Goes behind the line break at `end`, or to the end of the body.
    fn go_behind(&mut self, end: usize) {
        self.at = self.body.len().min(end + 1);
        self.number = self.number.saturating_add(1);
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Result<Line<'a>, LineError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut line = Line::default();
        let read = self.next_into(&mut line)?;
        Some(read.map(|()| line))
    }
}

impl FusedIterator for Lines<'_> {}
