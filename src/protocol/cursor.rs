//! A place in a line, and the names that are read from there.

use std::borrow::Cow;

use super::error::{Fault, Reason};

/// A place in one line.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    /// Always at a character's first byte or at the end.
    pub(super) at: usize,
}

/// What a name is the name of: it decides where the name ends and what a backslash escapes in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Measurement,
    TagKey,
    TagValue,
    FieldKey,
}

/// Ends a measurement and a tag's value; a backslash ends the part that can be borrowed.
const ENDS_VALUE: u8 = 1;
/// Ends a tag's or a field's name.
const ENDS_KEY: u8 = 2;

/// What each byte ends. One load a byte: names are too short for a vector search to pay off.
const ENDS: [u8; 256] = {
    let mut ends = [0; 256];
    let mut i = 0;
    while i < STOPS.len() {
        ends[STOPS[i] as usize] = ENDS_VALUE | ENDS_KEY;
        i += 1;
    }
    ends[b'=' as usize] = ENDS_KEY;
    ends
};
const STOPS: &[u8] = b", \t\\";

impl Part {
    const fn ends(self) -> u8 {
        match self {
            Self::Measurement | Self::TagValue => ENDS_VALUE,
            Self::TagKey | Self::FieldKey => ENDS_KEY,
        }
    }

    fn escapes(self, byte: u8) -> bool {
        matches!(byte, b',' | b' ' | b'\\') || (byte == b'=' && self != Self::Measurement)
    }
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str, at: usize) -> Self {
        Self { text, at }
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The bytes from here to the end of the line.
    pub(super) fn rest(&self) -> &'a [u8] {
        &self.text.as_bytes()[self.at..]
    }

    /// The text from `from` to here. Both must be at a character's first byte: beside an ASCII byte always holds.
    pub(super) fn since(&self, from: usize) -> &'a str {
        &self.text[from..self.at]
    }

    pub(super) fn skip_spaces(&mut self) {
        while self.peek() == Some(b' ') {
            self.at += 1;
        }
    }

    /// Something else should stand here: `reason`, unless what is here is a tab, which looks like a space.
    #[cold]
    pub(super) fn unexpected(&self, reason: Reason) -> Fault {
        Fault::new(self.at, if self.peek() == Some(b'\t') { Reason::Tab } else { reason })
    }

    /// Reads a name up to the byte that ends it; may be empty.
    pub(super) fn name(&mut self, part: Part) -> Result<Cow<'a, str>, Fault> {
        let start = self.at;
        self.skip_plain(part);
        if self.peek() == Some(b'\\') {
            return self.escaped_name(start, part).map(Cow::Owned);
        }
        Ok(Cow::Borrowed(self.since(start)))
    }

    fn skip_plain(&mut self, part: Part) {
        let rest = self.rest();
        let plain = rest.iter().position(|&byte| ENDS[usize::from(byte)] & part.ends() != 0);
        self.at += plain.unwrap_or(rest.len());
    }

    /// Reads the rest of a name from its first backslash.
    #[cold]
    fn escaped_name(&mut self, start: usize, part: Part) -> Result<String, Fault> {
        let mut name = self.since(start).to_owned();
        while self.peek() == Some(b'\\') {
            self.at += 1;
            let Some(next) = self.text[self.at..].chars().next() else { break };
            if !u8::try_from(next).is_ok_and(|byte| part.escapes(byte)) {
                name.push('\\');
            }
            name.push(next);
            self.at += next.len_utf8();
            let plain = self.at;
            self.skip_plain(part);
            name.push_str(self.since(plain));
        }
        // Either the last character is an escaped backslash, which the original parsers refuse to end a name with, or
        // the line ended behind a backslash.
        if self.text.as_bytes()[self.at - 1] == b'\\' {
            return Err(Fault::new(self.at - 1, Reason::TrailingBackslash));
        }
        Ok(name)
    }
}
