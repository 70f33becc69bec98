//! Values of fields.

use std::borrow::Cow;

use memchr::memchr2;

use super::{
    cursor::Cursor,
    error::{Fault, Reason},
    line::FieldValue,
    time::Precision,
};

/// So many digits fit a `u64`, whatever they are.
const DIGITS_IN_U64: usize = 19;

/// A value, and whether it lost digits below a microsecond.
pub(super) type Parsed<'a> = (FieldValue<'a>, bool);

impl<'a> Cursor<'a> {
    /// Reads a field's value; what follows it is a comma, a space or the end of the line.
    pub(super) fn field_value(&mut self) -> Result<Parsed<'a>, Fault> {
        match self.peek() {
            Some(b'0'..=b'9' | b'-' | b'.') => self.number(),
            Some(b'"') => self.text_value(),
            None | Some(b',' | b' ') => Err(Fault::new(self.at, Reason::MissingFieldValue)),
            Some(_) => self.word(),
        }
    }

    /// Reads a number: `-? (digits [. digits?] | . digits) [e [+-]? digits]` as a float, or `-? digits` and a suffix.
    fn number(&mut self) -> Result<Parsed<'a>, Fault> {
        let rest = self.rest();
        let negative = rest[0] == b'-';
        let first = usize::from(negative);
        let mut magnitude = 0_u64;
        let mut end = first;
        while let Some(digit) = rest.get(end).map(|byte| byte.wrapping_sub(b'0')).filter(|&digit| digit < 10) {
            magnitude = magnitude.wrapping_mul(10).wrapping_add(u64::from(digit));
            end += 1;
        }
        let digits = end - first;
        let (value, rounded) = match rest.get(end) {
            Some(b'.' | b'e' | b'E') => return self.float(),
            _ if digits == 0 => return Err(self.not_a_value()),
            None | Some(b',' | b' ') => {
                if digits > DIGITS_IN_U64 {
                    return self.float();
                }
                // Exact in 64 bits, and so rounded once, like any decimal; minus 0 keeps its sign.
                let float = magnitude as f64;
                self.at += end;
                return Ok((FieldValue::Float(if negative { -float } else { float }), false));
            }
            Some(b'i') => (FieldValue::Integer(self.integer(magnitude, negative, digits)?), false),
            Some(b'u') => (FieldValue::Unsigned(self.unsigned(magnitude, negative, digits)?), false),
            Some(suffix @ (b't' | b'n')) => {
                let unit = if *suffix == b't' { Precision::Microseconds } else { Precision::Nanoseconds };
                let time = self.integer(magnitude, negative, digits).ok();
                let moment = time.and_then(|time| unit.to_us(time));
                let moment = moment.ok_or_else(|| Fault::new(self.at, Reason::TimeOutOfRange))?;
                (FieldValue::Timestamp(moment.us), moment.rounded)
            }
            Some(_) => return Err(self.not_a_value()),
        };
        if !matches!(rest.get(end + 1), None | Some(b',' | b' ')) {
            return Err(self.not_a_value());
        }
        self.at += end + 1;
        Ok((value, rounded))
    }

    fn float(&mut self) -> Result<Parsed<'a>, Fault> {
        let rest = self.rest();
        let Ok((value, length)) = lexical_core::parse_partial::<f64>(rest) else { return Err(self.not_a_value()) };
        if !matches!(rest.get(length), None | Some(b',' | b' ')) {
            return Err(self.not_a_value());
        }
        if !value.is_finite() {
            return Err(Fault::new(self.at, Reason::NotFinite));
        }
        self.at += length;
        Ok((FieldValue::Float(value), false))
    }

    /// The integer here, of which `magnitude` is the sum of its digits unless they overflow 64 bits.
    pub(super) fn integer(&self, magnitude: u64, negative: bool, digits: usize) -> Result<i64, Fault> {
        let integer = if digits > DIGITS_IN_U64 {
            self.long_digits(usize::from(negative) + digits)
        } else if negative {
            0_i64.checked_sub_unsigned(magnitude)
        } else {
            i64::try_from(magnitude).ok()
        };
        integer.ok_or_else(|| Fault::new(self.at, Reason::IntegerOutOfRange))
    }

    fn unsigned(&self, magnitude: u64, negative: bool, digits: usize) -> Result<u64, Fault> {
        if digits <= DIGITS_IN_U64 && !negative {
            return Ok(magnitude);
        }
        // `-0u` fails here too: the original parsers know no sign before an unsigned integer.
        self.long_digits(usize::from(negative) + digits).ok_or_else(|| Fault::new(self.at, Reason::UnsignedOutOfRange))
    }

    #[cold]
    fn long_digits<T: std::str::FromStr>(&self, length: usize) -> Option<T> {
        std::str::from_utf8(&self.rest()[..length]).ok()?.parse().ok()
    }

    fn text_value(&mut self) -> Result<Parsed<'a>, Fault> {
        let quote = self.at;
        self.at += 1;
        let start = self.at;
        let unclosed = || Fault::new(quote, Reason::UnclosedText);
        let stop = memchr2(b'"', b'\\', self.rest()).ok_or_else(unclosed)?;
        self.at += stop;
        let text = if self.peek() == Some(b'"') {
            Cow::Borrowed(self.since(start))
        } else {
            Cow::Owned(self.escaped_text(start).ok_or_else(unclosed)?)
        };
        self.at += 1;
        match self.peek() {
            None | Some(b',' | b' ') => Ok((FieldValue::Text(text), false)),
            Some(_) => Err(self.unexpected(Reason::TextGoesOn)),
        }
    }

    /// Reads the rest of a text from its first backslash to its closing quote; `None` where there is none.
    #[cold]
    fn escaped_text(&mut self, start: usize) -> Option<String> {
        let mut text = self.since(start).to_owned();
        while self.peek()? == b'\\' {
            let backslash = self.at;
            self.at += 1;
            // Another byte than these keeps its backslash; it is copied below, with what follows it. QuestDB's clients
            // escape line breaks too.
            let mut plain = backslash;
            if matches!(self.peek()?, b'"' | b'\\' | b'\n' | b'\r') {
                plain = self.at;
                self.at += 1;
            }
            self.at += memchr2(b'"', b'\\', self.rest())?;
            text.push_str(self.since(plain));
        }
        Some(text)
    }

    fn word(&mut self) -> Result<Parsed<'a>, Fault> {
        let rest = self.rest();
        let word = &rest[..rest.iter().position(|byte| matches!(byte, b',' | b' ')).unwrap_or(rest.len())];
        let value = match word {
            b"t" | b"T" | b"true" | b"True" | b"TRUE" => true,
            b"f" | b"F" | b"false" | b"False" | b"FALSE" => false,
            _ => return Err(self.not_a_value()),
        };
        self.at += word.len();
        Ok((FieldValue::Boolean(value), false))
    }

    #[cold]
    fn not_a_value(&self) -> Fault {
        let rest = self.rest();
        let word = &rest[..rest.iter().position(|byte| matches!(byte, b',' | b' ')).unwrap_or(rest.len())];
        let unsigned = word.strip_prefix(b"-").or_else(|| word.strip_prefix(b"+")).unwrap_or(word);
        let names = [&b"nan"[..], b"inf", b"infinity"];
        let not_finite = names.iter().any(|name| unsigned.eq_ignore_ascii_case(name));
        Fault::new(self.at, if not_finite { Reason::NotFinite } else { Reason::InvalidValue })
    }
}
