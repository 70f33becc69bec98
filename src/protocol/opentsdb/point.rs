//! The parts of a data point, whichever form it came in.

use std::borrow::Cow;

use super::{
    super::{
        keys::Keys,
        limits::Limits,
        line::{FieldValue, Line},
    },
    PointFault,
};

/// The only field of a metric.
const FIELD: &str = "value";
/// Columns that every metric's measurement has.
const RESERVED: [&str; 3] = [FIELD, "time", "series_id"];
/// So much of what was refused is shown.
const SHOWN_CHARS: usize = 64;

/// The first seconds that are read as milliseconds, and the first milliseconds that are nothing.
const SECONDS_END: u64 = 10_000_000_000;
const MILLISECONDS_END: u64 = 10_000_000_000_000;

/// Letters, digits and `-_./`.
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        plain[byte as usize] = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/');
        byte += 1;
    }
    plain
};

/// A piece of what was sent, for an error's text.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(SHOWN_CHARS).collect()
}

fn check_name(what: &'static str, name: &str, limit_bytes: usize) -> Result<(), PointFault> {
    if name.len() > limit_bytes {
        return Err(PointFault::NameTooLong { what, limit_bytes });
    }
    if name.bytes().all(|byte| PLAIN[usize::from(byte)]) {
        return Ok(());
    }
    // Letters of other scripts are letters.
    let is_allowed = |c: char| if c.is_ascii() { PLAIN[c as usize] } else { c.is_alphabetic() };
    match name.chars().find(|&c| !is_allowed(c)) {
        Some(character) => Err(PointFault::IllegalCharacter { what, name: shown(name), character }),
        None => Ok(()),
    }
}

pub(super) fn set_metric<'a>(line: &mut Line<'a>, metric: Cow<'a, str>, limits: &Limits) -> Result<(), PointFault> {
    if metric.is_empty() {
        return Err(PointFault::MissingMetric);
    }
    check_name("metric name", &metric, limits.name_bytes)?;
    line.measurement = metric;
    Ok(())
}

pub(super) fn add_tag<'a>(
    line: &mut Line<'a>,
    keys: &mut Keys,
    (key, value): (Cow<'a, str>, Cow<'a, str>),
    limits: &Limits,
) -> Result<(), PointFault> {
    if key.is_empty() || value.is_empty() {
        return Err(PointFault::InvalidTag(shown(&format!("{key}={value}"))));
    }
    check_name("tag name", &key, limits.name_bytes)?;
    check_name("tag value", &value, limits.tag_value_bytes)?;
    if RESERVED.contains(&&*key) {
        return Err(PointFault::ReservedTag(key.into_owned()));
    }
    if keys.contain(&line.tags, &key) {
        let is_same = line.tags.iter().any(|(k, v)| *k == key && *v == value);
        return if is_same { Ok(()) } else { Err(PointFault::DuplicateTag(shown(&format!("{key}={value}")))) };
    }
    if line.tags.len() == limits.tags {
        return Err(PointFault::TooManyTags(limits.tags));
    }
    line.tags.push((key, value));
    Ok(())
}

pub(super) fn set_value(line: &mut Line<'_>, value: f64, text: impl FnOnce() -> String) -> Result<(), PointFault> {
    if !value.is_finite() {
        return Err(PointFault::NotFinite(text()));
    }
    line.fields.push((Cow::Borrowed(FIELD), FieldValue::Float(value)));
    Ok(())
}

pub(super) fn set_value_text(line: &mut Line<'_>, text: &str) -> Result<(), PointFault> {
    let value = lexical_core::parse::<f64>(text.as_bytes()).map_err(|_| PointFault::InvalidValue(shown(text)))?;
    set_value(line, value, || shown(text))
}

/// Seconds or milliseconds, told apart by their size.
pub(super) fn set_time(line: &mut Line<'_>, time: u64) -> Result<(), PointFault> {
    let us = match time {
        1..SECONDS_END => time * 1_000_000,
        SECONDS_END..MILLISECONDS_END => time * 1_000,
        _ => return Err(PointFault::InvalidTimestamp(time.to_string())),
    };
    line.time_us = i64::try_from(us).ok();
    Ok(())
}

pub(super) fn set_time_text(line: &mut Line<'_>, text: &str) -> Result<(), PointFault> {
    let invalid = || PointFault::InvalidTimestamp(shown(text));
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let time = digits(whole).ok_or_else(invalid)?;
    let Some(fraction) = fraction else { return set_time(line, time).map_err(|_| invalid()) };
    digits(fraction).ok_or_else(invalid)?;
    if time >= SECONDS_END {
        return Err(invalid());
    }
    let (kept, lost) = fraction.as_bytes().split_at(fraction.len().min(6));
    let us = (0..6).fold(0, |us, i| us * 10 + u64::from(kept.get(i).map_or(0, |digit| digit - b'0')));
    line.time_us = i64::try_from(time * 1_000_000 + us).ok().filter(|us| *us > 0);
    line.rounded = lost.iter().any(|digit| *digit != b'0');
    if line.time_us.is_none() { Err(invalid()) } else { Ok(()) }
}

/// One to nineteen digits and nothing else.
fn digits(text: &str) -> Option<u64> {
    if text.is_empty() || text.len() > 19 {
        return None;
    }
    text.bytes().try_fold(0_u64, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u64::from(byte - b'0')))
}
