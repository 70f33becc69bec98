//! Lines as bytes and back, exactly.
//!
//! ```text
//! lines  number of lines, line...
//! line   number | flags: 1 byte, bit 0 rounded | time: 8 bytes | measurement: text
//!        | number of tags, (name: text, value: text)... | number of fields, (name: text, value)...
//! text   length in bytes, UTF-8
//! value  0 float, 1 integer, 2 unsigned, 6 timestamp: 8 bytes each | 3 false | 4 true | 5 text
//! ```
//!
//! Numbers without a size are LEB128, those with one little-endian; a float is its bits.

use std::borrow::Cow;

use crate::protocol::{FieldValue, Fields, Line, Tags};

const FLOAT: u8 = 0;
const INTEGER: u8 = 1;
const UNSIGNED: u8 = 2;
const FALSE: u8 = 3;
const TRUE: u8 = 4;
const TEXT: u8 = 5;
const TIMESTAMP: u8 = 6;

const ROUNDED: u8 = 1;

/// A line has no time. Whoever spools it must stamp it first: the moment of its replay would be a wrong one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {number} has no time: give it one before it is spooled")]
pub struct Untimed {
    /// The line's number in its body.
    pub number: u32,
}

/// Bytes that [`encode_lines`] has not made. `at` is where in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinesError {
    /// They end within a line.
    #[error("the spooled lines end at byte {at}, in the middle of a line")]
    Cut {
        /// Where.
        at: usize,
    },
    /// A text is not UTF-8.
    #[error("the spooled lines hold a text at byte {at} that is not UTF-8")]
    Text {
        /// Where the text begins.
        at: usize,
    },
    /// A number is too large for what it counts, or a byte that names a kind is none of the known ones.
    #[error("the spooled lines hold an impossible value at byte {at}")]
    Value {
        /// Where the value ends.
        at: usize,
    },
    /// Bytes follow the last line.
    #[error("the spooled lines end at byte {at}, but more bytes follow")]
    Longer {
        /// Where the last line ends.
        at: usize,
    },
}

/// Writes lines at the end of `out`; where a line has no time, `out` is left as it was. Everything of a line is kept but
/// [`Line::bytes`]: the body that they point to is not spooled.
pub fn encode_lines(lines: &[Line<'_>], out: &mut Vec<u8>) -> Result<(), Untimed> {
    let start = out.len();
    put_number(lines.len() as u64, out);
    for line in lines {
        let Some(time_us) = line.time_us else {
            out.truncate(start);
            return Err(Untimed { number: line.number });
        };
        put_number(u64::from(line.number), out);
        out.push(if line.rounded { ROUNDED } else { 0 });
        out.extend_from_slice(&time_us.to_le_bytes());
        put_text(&line.measurement, out);
        put_number(line.tags.len() as u64, out);
        for (name, value) in &line.tags {
            put_text(name, out);
            put_text(value, out);
        }
        put_number(line.fields.len() as u64, out);
        for (name, value) in &line.fields {
            put_text(name, out);
            put_value(value, out);
        }
    }
    Ok(())
}

fn put_number(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push((number & 0x7f) as u8);
}

fn put_text(text: &str, out: &mut Vec<u8>) {
    put_number(text.len() as u64, out);
    out.extend_from_slice(text.as_bytes());
}

fn put_value(value: &FieldValue<'_>, out: &mut Vec<u8>) {
    let (kind, bytes) = match value {
        FieldValue::Float(value) => (FLOAT, value.to_bits().to_le_bytes()),
        FieldValue::Integer(value) => (INTEGER, value.to_le_bytes()),
        FieldValue::Unsigned(value) => (UNSIGNED, value.to_le_bytes()),
        FieldValue::Timestamp(us) => (TIMESTAMP, us.to_le_bytes()),
        FieldValue::Boolean(value) => return out.push(if *value { TRUE } else { FALSE }),
        FieldValue::Text(text) => {
            out.push(TEXT);
            return put_text(text, out);
        }
    };
    out.push(kind);
    out.extend_from_slice(&bytes);
}

/// Reads lines back; their texts are borrowed from `bytes`, [`Line::bytes`] is `0..0`.
///
/// Any bytes may be given: what [`encode_lines`] has not made is an error or, by chance, other lines, and memory stays in
/// proportion to the bytes.
pub fn decode_lines(bytes: &[u8]) -> Result<Vec<Line<'_>>, LinesError> {
    DecodedLines::new(bytes)?.collect()
}

/// The lines that [`decode_lines`] gives, one at a time: a line takes some hundred bytes, which are better used again.
#[derive(Debug)]
pub struct DecodedLines<'a> {
    reader: Reader<'a>,
    left: usize,
}

impl<'a> DecodedLines<'a> {
    /// # Errors
    /// The bytes do not say how many lines they are, or are none and more.
    pub fn new(bytes: &'a [u8]) -> Result<Self, LinesError> {
        let mut reader = Reader { bytes, at: 0 };
        let left = reader.count()?;
        if left == 0 {
            reader.end()?;
        }
        Ok(Self { reader, left })
    }

    /// The names of the lines' measurements, each once where it comes several times in a row.
    ///
    /// # Errors
    /// That of the first line that cannot be read; without one all can.
    pub fn measurements(mut self) -> Result<Vec<&'a str>, LinesError> {
        let mut names = Vec::new();
        for _ in 0..self.left {
            let name = self.reader.skim()?;
            if names.last() != Some(&name) {
                names.push(name);
            }
        }
        self.reader.end()?;
        Ok(names)
    }

    /// Looks at the next line without reading it; none if there is none, or its beginning cannot be read.
    #[must_use]
    #[inline]
    pub fn glance(&self) -> Option<LineGlance<'a>> {
        if self.left == 0 {
            return None;
        }
        let mut reader = self.reader;
        let (number, _, time_us) = reader.head().ok()?;
        let start = reader.at;
        reader.skip_text()?;
        for _ in 0..reader.count().ok()? {
            reader.skip_text()?;
            reader.skip_text()?;
        }
        Some(LineGlance { number, time_us, series_part: &reader.bytes[start..reader.at], fields: reader })
    }

    /// Goes behind the line that a [`glance`](Self::glance) gave and that was read.
    #[inline]
    pub fn pass(&mut self, behind: Behind) {
        self.reader.at = behind.0;
        self.left = self.left.saturating_sub(1);
    }
}

/// A line of which only the series' part is told apart; nothing else of it has been checked.
#[derive(Debug, Clone)]
pub struct LineGlance<'a> {
    number: u32,
    time_us: i64,
    series_part: &'a [u8],
    /// Before the fields.
    fields: Reader<'a>,
}

/// Where the line after one that was read begins.
#[derive(Debug, Clone, Copy)]
pub struct Behind(usize);

impl<'a> LineGlance<'a> {
    /// The line's number in the body that it is of.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Its time, microseconds since 1970 UTC.
    #[must_use]
    pub fn time_us(&self) -> i64 {
        self.time_us
    }

    /// The bytes of measurement and tags; two series can have the same only if they are one.
    #[must_use]
    pub fn series_part(&self) -> &'a [u8] {
        self.series_part
    }

    /// Reads the fields. `field` gets each one's name and value, and says whether it knows the field; none if it does not,
    /// or they cannot be read.
    #[inline]
    pub fn read(&self, mut field: impl FnMut(&'a str, FieldValue<'a>) -> bool) -> Option<Behind> {
        let mut reader = self.fields;
        for _ in 0..reader.count().ok()? {
            let (name, value) = (reader.text().ok()?, reader.value().ok()?);
            if !field(name, value) {
                return None;
            }
        }
        Some(Behind(reader.at))
    }
}

impl<'a> Iterator for DecodedLines<'a> {
    type Item = Result<Line<'a>, LinesError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let line = match self.left {
            0 => self.reader.line().and_then(|line| self.reader.end().map(|()| line)),
            _ => self.reader.line(),
        };
        if line.is_err() {
            self.left = 0;
        }
        Some(line)
    }
}

/// How many lines the bytes say that they are; 0 if they do not even say that. They may be no lines at all.
#[must_use]
pub fn count_lines(bytes: &[u8]) -> u64 {
    Reader { bytes, at: 0 }.count().map_or(0, |count| count as u64)
}

#[derive(Debug, Clone, Copy)]
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Number, whether digits were lost, and time.
    fn head(&mut self) -> Result<(u32, bool, i64), LinesError> {
        let number = u32::try_from(self.number()?).map_err(|_| self.impossible())?;
        let rounded = match self.byte()? {
            0 => false,
            ROUNDED => true,
            _ => return Err(self.impossible()),
        };
        Ok((number, rounded, i64::from_le_bytes(self.eight()?)))
    }

    fn line(&mut self) -> Result<Line<'a>, LinesError> {
        let (number, rounded, time_us) = self.head()?;
        let measurement = Cow::Borrowed(self.text()?);
        let mut tags = Tags::new();
        for _ in 0..self.count()? {
            tags.push((Cow::Borrowed(self.text()?), Cow::Borrowed(self.text()?)));
        }
        let mut fields = Fields::new();
        for _ in 0..self.count()? {
            fields.push((Cow::Borrowed(self.text()?), self.value()?));
        }
        Ok(Line { number, measurement, tags, fields, time_us: Some(time_us), rounded, bytes: 0..0 })
    }

    /// Reads a line without keeping more of it than its measurement.
    fn skim(&mut self) -> Result<&'a str, LinesError> {
        self.head()?;
        let measurement = self.text()?;
        for _ in 0..self.count()? {
            self.text()?;
            self.text()?;
        }
        for _ in 0..self.count()? {
            self.text()?;
            self.value()?;
        }
        Ok(measurement)
    }

    fn end(&self) -> Result<(), LinesError> {
        if self.at < self.bytes.len() { Err(LinesError::Longer { at: self.at }) } else { Ok(()) }
    }

    fn value(&mut self) -> Result<FieldValue<'a>, LinesError> {
        Ok(match self.byte()? {
            FLOAT => FieldValue::Float(f64::from_bits(u64::from_le_bytes(self.eight()?))),
            INTEGER => FieldValue::Integer(i64::from_le_bytes(self.eight()?)),
            UNSIGNED => FieldValue::Unsigned(u64::from_le_bytes(self.eight()?)),
            FALSE => FieldValue::Boolean(false),
            TRUE => FieldValue::Boolean(true),
            TEXT => FieldValue::Text(Cow::Borrowed(self.text()?)),
            TIMESTAMP => FieldValue::Timestamp(i64::from_le_bytes(self.eight()?)),
            _ => return Err(self.impossible()),
        })
    }

    fn text(&mut self) -> Result<&'a str, LinesError> {
        let bytes = self.count()?;
        let at = self.at;
        let text = self.take(bytes)?;
        std::str::from_utf8(text).map_err(|_| LinesError::Text { at })
    }

    /// Goes behind a text without looking at it.
    #[inline]
    fn skip_text(&mut self) -> Option<()> {
        let bytes = self.count().ok()?;
        self.take(bytes).ok().map(drop)
    }

    /// How many of something follow. Each takes a byte at least, so more than there are bytes is impossible.
    fn count(&mut self) -> Result<usize, LinesError> {
        let number = self.number()?;
        let left = self.bytes.len() - self.at;
        usize::try_from(number).ok().filter(|count| *count <= left).ok_or(LinesError::Cut { at: self.bytes.len() })
    }

    fn number(&mut self) -> Result<u64, LinesError> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if (bits << shift) >> shift != bits {
                return Err(self.impossible());
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(self.impossible())
    }

    fn byte(&mut self) -> Result<u8, LinesError> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn eight(&mut self) -> Result<[u8; 8], LinesError> {
        let at = self.at;
        self.take(8)?.try_into().map_err(|_| LinesError::Cut { at })
    }

    fn take(&mut self, bytes: usize) -> Result<&'a [u8], LinesError> {
        let taken = self.bytes[self.at..].get(..bytes).ok_or(LinesError::Cut { at: self.bytes.len() })?;
        self.at += bytes;
        Ok(taken)
    }

    fn impossible(&self) -> LinesError {
        LinesError::Value { at: self.at }
    }
}
