//! The grammar of one line.

use super::{
    cursor::{Cursor, Part},
    error::{Fault, Reason},
    keys::Keys,
    limits::Limits,
    line::{Line, Tags},
    time::{Moment, Precision},
};

/// Names that are columns of every measurement.
const RESERVED: [&str; 2] = ["time", "series_id"];

/// Reads one line from the byte `start`, which is the first of its measurement, into an empty `line`: a line is large
/// enough for each move of it to be felt. `text` is the whole line, without its line break; places in faults are places
/// in it.
pub(super) fn parse_line<'a>(
    text: &'a str,
    start: usize,
    precision: Precision,
    limits: &Limits,
    line: &mut Line<'a>,
) -> Result<(), Fault> {
    let mut cursor = Cursor::new(text, start);
    let measurement = cursor.name(Part::Measurement)?;
    if measurement.is_empty() {
        return Err(cursor.unexpected(Reason::MissingMeasurement));
    }
    limit_name(&measurement, start, limits)?;
    line.measurement = measurement;
    let mut tag_keys = Keys::default();
    while cursor.peek() == Some(b',') {
        tag(&mut cursor, &mut line.tags, &mut tag_keys, limits)?;
    }
    if cursor.peek() == Some(b'\t') {
        return Err(cursor.unexpected(Reason::Tab));
    }
    cursor.skip_spaces();
    if cursor.peek().is_none() {
        return Err(Fault::new(cursor.at, Reason::MissingFields));
    }

    let mut field_keys = Keys::default();
    loop {
        field(&mut cursor, line, (&mut tag_keys, &mut field_keys), limits)?;
        // A value ends before a comma, before a space or with the line.
        if cursor.peek() != Some(b',') {
            break;
        }
        cursor.at += 1;
    }
    cursor.skip_spaces();
    if let Some(moment) = time(&mut cursor, precision)? {
        line.time_us = Some(moment.us);
        line.rounded |= moment.rounded;
    }
    Ok(())
}

/// Reads `,name=value`.
fn tag<'a>(cursor: &mut Cursor<'a>, tags: &mut Tags<'a>, keys: &mut Keys, limits: &Limits) -> Result<(), Fault> {
    if tags.len() == limits.tags {
        return Err(Fault::new(cursor.at, Reason::TooManyTags { limit: limits.tags }));
    }
    cursor.at += 1;
    let key_at = cursor.at;
    let key = cursor.name(Part::TagKey)?;
    if key.is_empty() {
        return Err(cursor.unexpected(Reason::MissingTagKey));
    }
    if cursor.peek() != Some(b'=') {
        return Err(cursor.unexpected(Reason::MissingTagValue));
    }
    cursor.at += 1;
    let value_at = cursor.at;
    let value = cursor.name(Part::TagValue)?;
    if value.is_empty() {
        return Err(cursor.unexpected(Reason::MissingTagValue));
    }
    limit_name(&key, key_at, limits)?;
    if value.len() > limits.tag_value_bytes {
        return Err(Fault::new(value_at, Reason::TagValueTooLong { limit_bytes: limits.tag_value_bytes }));
    }
    refuse_reserved(&key, key_at)?;
    if keys.contain(tags, &key) {
        return Err(Fault::new(key_at, Reason::DuplicateTag(key.into_owned())));
    }
    tags.push((key, value));
    Ok(())
}

/// Reads `name=value`.
fn field<'a>(
    cursor: &mut Cursor<'a>,
    line: &mut Line<'a>,
    (tag_keys, field_keys): (&mut Keys, &mut Keys),
    limits: &Limits,
) -> Result<(), Fault> {
    let key_at = cursor.at;
    if line.fields.len() == limits.fields {
        return Err(Fault::new(key_at, Reason::TooManyFields { limit: limits.fields }));
    }
    let key = cursor.name(Part::FieldKey)?;
    if key.is_empty() {
        return Err(cursor.unexpected(Reason::MissingFieldKey));
    }
    if cursor.peek() != Some(b'=') {
        return Err(cursor.unexpected(Reason::MissingFieldValue));
    }
    limit_name(&key, key_at, limits)?;
    refuse_reserved(&key, key_at)?;
    if field_keys.contain(&line.fields, &key) {
        return Err(Fault::new(key_at, Reason::DuplicateField(key.into_owned())));
    }
    if tag_keys.contain(&line.tags, &key) {
        return Err(Fault::new(key_at, Reason::TagAndField(key.into_owned())));
    }
    cursor.at += 1;
    let (value, rounded) = cursor.field_value()?;
    line.rounded |= rounded;
    line.fields.push((key, value));
    Ok(())
}

/// Reads the time, if there is one, and the spaces behind it, to the end of the line.
pub(super) fn time(cursor: &mut Cursor<'_>, precision: Precision) -> Result<Option<Moment>, Fault> {
    let rest = cursor.rest();
    if rest.is_empty() {
        return Ok(None);
    }
    let negative = rest[0] == b'-';
    let first = usize::from(negative);
    // Eight digits at a step, and no further than the last one.
    let (magnitude, digits) = match rest.get(first) {
        Some(b'0'..=b'9') => lexical_core::parse_partial::<u64>(&rest[first..])
            .unwrap_or_else(|_| (u64::MAX, rest[first..].iter().take_while(|byte| byte.is_ascii_digit()).count())),
        _ => (0, 0),
    };
    let end = first + digits;
    if digits == 0 || !matches!(rest.get(end), None | Some(b' ')) {
        return Err(cursor.unexpected(Reason::InvalidTime));
    }
    let time = cursor.integer(magnitude, negative, digits).ok();
    let moment = time.and_then(|time| precision.to_us(time));
    let moment = moment.ok_or_else(|| Fault::new(cursor.at, Reason::TimeOutOfRange))?;

    cursor.at += end;
    cursor.skip_spaces();
    if cursor.peek().is_some() {
        return Err(cursor.unexpected(Reason::TrailingContent));
    }
    Ok(Some(moment))
}

fn limit_name(name: &str, at: usize, limits: &Limits) -> Result<(), Fault> {
    if name.len() > limits.name_bytes {
        return Err(Fault::new(at, Reason::NameTooLong { limit_bytes: limits.name_bytes }));
    }
    Ok(())
}

fn refuse_reserved(name: &str, at: usize) -> Result<(), Fault> {
    if RESERVED.contains(&name) {
        return Err(Fault::new(at, Reason::ReservedName(name.to_owned())));
    }
    Ok(())
}
