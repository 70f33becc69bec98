//! Rows: two lines each.

use std::ops::Range;

use super::{
    super::{FieldValue, Fields, Limits, Line, LineError, Precision, Reason, Tags},
    head::{Head, TAGS},
};

/// The rows of a body, in its order: an item for each that has a value, and for each that cannot be read.
///
/// A line of tags without one of values behind it, and one of values without tags before it, cost only themselves: the next
/// row is read as if they had not been there.
#[derive(Debug, Clone)]
pub struct Records<'a> {
    body: &'a [u8],
    head: &'a Head,
    /// Where the next line begins, and its number.
    at: usize,
    number: u32,
    limits: Limits,
}

/// The length of the first row of `bytes`, with its line break: two lines, or one where it stands alone; `None` if that
/// cannot be told yet.
#[must_use]
pub fn record_bytes(bytes: &[u8]) -> Option<usize> {
    let first = memchr::memchr(b'\n', bytes)? + 1;
    if !is_tags(&bytes[..first]) {
        return Some(first);
    }
    let rest = &bytes[first..];
    match memchr::memchr(b'\n', rest) {
        Some(newline) if is_tags(&rest[..newline]) => Some(first),
        Some(newline) => Some(first + newline + 1),
        None if rest.starts_with(b"tags,") => Some(first),
        None => None,
    }
}

fn is_tags(line: &[u8]) -> bool {
    line.strip_prefix(TAGS.as_bytes()).is_some_and(|rest| matches!(rest.trim_ascii_end().first(), None | Some(b',')))
}

/// A line of the body without its line break.
#[derive(Debug, Clone, Copy)]
struct Bare<'a> {
    text: &'a [u8],
    start: usize,
    number: u32,
}

impl Bare<'_> {
    fn end(&self) -> usize {
        self.start + self.text.len()
    }
}

/// What is wrong, and the byte of its line, from 0.
struct Fault {
    at: usize,
    reason: Reason,
}

impl<'a> Records<'a> {
    /// Reads whole rows of a file with that head.
    #[must_use]
    pub fn new(body: &'a [u8], head: &'a Head) -> Self {
        Self { body, head, at: 0, number: 1, limits: Limits::default() }
    }

    fn peek(&self) -> Option<(Bare<'a>, usize)> {
        let rest = self.body.get(self.at..).filter(|rest| !rest.is_empty())?;
        let newline = memchr::memchr(b'\n', rest);
        let text = &rest[..newline.unwrap_or(rest.len())];
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        let next = self.at + newline.map_or(rest.len(), |newline| newline + 1);
        Some((Bare { text, start: self.at, number: self.number }, next))
    }

    fn pass(&mut self, next: usize) {
        self.at = next;
        self.number = self.number.saturating_add(1);
    }

    fn read(&self, tags: Bare<'a>, values: Bare<'a>) -> Result<Option<Line<'a>>, LineError> {
        let record = tags.start..values.end();
        let (tags_text, measurement, fields, time);
        match self.tags(tags.text) {
            Ok(found) => tags_text = found,
            Err(fault) => return Err(error(tags, fault, record)),
        }
        match self.values(values.text, &tags_text) {
            Ok((name, found, moment)) => (measurement, fields, time) = (name, found, moment),
            Err(fault) => return Err(error(values, fault, record)),
        }
        Ok((!fields.is_empty()).then(|| Line {
            number: tags.number,
            measurement: measurement.into(),
            tags: tags_text,
            fields,
            time_us: Some(time.us),
            rounded: time.rounded,
            bytes: record,
        }))
    }

    fn tags(&self, line: &'a [u8]) -> Result<Tags<'a>, Fault> {
        let text = self.text(line)?;
        let mut tags = Tags::new();
        // Behind `tags,`.
        let mut at = TAGS.len() + 1;
        let mut is_as_head = true;
        for (place, word) in text.get(at..).unwrap_or_default().split(',').enumerate() {
            let fault = |reason| Fault { at, reason };
            let (name, value) = word.split_once('=').ok_or_else(|| fault(Reason::MissingTagValue))?;
            if name.is_empty() {
                return Err(fault(Reason::MissingTagKey));
            }
            if name.len() > self.limits.name_bytes {
                return Err(fault(Reason::NameTooLong { limit_bytes: self.limits.name_bytes }));
            }
            if value.len() > self.limits.tag_value_bytes {
                return Err(fault(Reason::TagValueTooLong { limit_bytes: self.limits.tag_value_bytes }));
            }
            // The head's names are right, and apart from each other, as long as they come in its order.
            is_as_head &= self.head.tags().get(place).is_some_and(|known| known == name);
            if !is_as_head {
                if matches!(name, "time" | "series_id") {
                    return Err(fault(Reason::ReservedName(name.to_owned())));
                }
                if tags.iter().any(|(known, _)| known == name) {
                    return Err(fault(Reason::DuplicateTag(name.to_owned())));
                }
            }
            if !value.is_empty() {
                tags.push((name.into(), value.into()));
            }
            if tags.len() > self.limits.tags {
                return Err(fault(Reason::TooManyTags { limit: self.limits.tags }));
            }
            at += word.len() + 1;
        }
        Ok(tags)
    }

    fn values(&self, line: &'a [u8], tags: &Tags<'a>) -> Result<(&'a str, Fields<'a>, super::super::Moment), Fault> {
        let text = self.text(line)?;
        let mut words = text.split(',');
        let measurement = words.next().unwrap_or_default();
        let Some(names) = self.head.fields(measurement) else {
            return Err(Fault { at: 0, reason: Reason::NotInHead(shown(measurement)) });
        };
        let mut at = measurement.len() + 1;
        let time = words.next().unwrap_or_default();
        let nanoseconds: i64 =
            time.parse().map_err(|_| Fault { at: at.min(text.len()), reason: Reason::InvalidTime })?;
        let moment = Precision::Nanoseconds.to_us(nanoseconds).ok_or(Fault { at, reason: Reason::TimeOutOfRange })?;
        at += time.len() + 1;
        let values = words.clone().count();
        if values != names.len() {
            let reason = Reason::WrongCount { values, names: names.len() };
            return Err(Fault { at: at.min(text.len()), reason });
        }
        // Names of the head are no tags of the head; a row may have further tags.
        let more = tags.len() > self.head.tags().len()
            || tags.iter().any(|(name, _)| !self.head.tags().iter().any(|known| known == name));
        let mut fields = Fields::new();
        for (name, word) in names.iter().zip(words) {
            if more && tags.iter().any(|(tag, _)| tag == name) {
                return Err(Fault { at, reason: Reason::TagAndField(name.clone()) });
            }
            if !word.is_empty() {
                match lexical_core::parse::<f64>(word.as_bytes()) {
                    Ok(number) if number.is_finite() => {
                        fields.push((name.as_str().into(), FieldValue::Float(number)));
                    }
                    Ok(_) => return Err(Fault { at, reason: Reason::NotFinite }),
                    Err(_) => return Err(Fault { at, reason: Reason::NotANumber(shown(word)) }),
                }
            }
            at += word.len() + 1;
        }
        Ok((measurement, fields, moment))
    }

    fn text(&self, line: &'a [u8]) -> Result<&'a str, Fault> {
        let limit_bytes = self.limits.line_bytes;
        if line.len() > limit_bytes {
            return Err(Fault { at: limit_bytes, reason: Reason::LineTooLong { limit_bytes } });
        }
        let text = std::str::from_utf8(line)
            .map_err(|error| Fault { at: error.valid_up_to(), reason: Reason::InvalidUtf8 })?;
        match memchr::memchr(0, line) {
            Some(at) => Err(Fault { at, reason: Reason::NulByte }),
            None => Ok(text),
        }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Line<'a>, LineError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (first, next) = self.peek()?;
            self.pass(next);
            if first.text.trim_ascii().is_empty() {
                continue;
            }
            if !is_tags(first.text) {
                return Some(Err(alone(first, Reason::MissingTagsLine, 0)));
            }
            let values = self.peek().filter(|(line, _)| !is_tags(line.text) && !line.text.trim_ascii().is_empty());
            let Some((second, next)) = values else {
                return Some(Err(alone(first, Reason::MissingValuesLine, first.text.len())));
            };
            self.pass(next);
            if let Some(line) = self.read(first, second).transpose() {
                return Some(line);
            }
        }
    }
}

fn alone(line: Bare<'_>, reason: Reason, at: usize) -> LineError {
    error(line, Fault { at, reason }, line.start..line.end())
}

fn error(line: Bare<'_>, Fault { at, reason }: Fault, bytes: Range<usize>) -> LineError {
    LineError { line: line.number, column: u32::try_from(at + 1).unwrap_or(u32::MAX), reason, bytes }
}

/// The beginning of a word, for a message.
fn shown(word: &str) -> String {
    word.chars().take(40).collect()
}
