//! One line -> one row of its measurement, or why not. Pure.

use smallvec::SmallVec;

use super::RowFault;
use crate::{
    batch::Value,
    hypertable::{ColumnType, Measurement, Member, SchemaLimits, check_name},
    protocol::{FieldValue, Line},
    question::Width,
    series::SeriesKey,
};

/// A line that fits its measurement.
#[derive(Debug)]
pub(super) struct Row<'l> {
    /// When.
    pub(super) time_us: i64,
    /// Which series.
    pub(super) key: SeriesKey,
    /// Index of the field in the measurement, and its value.
    pub(super) values: SmallVec<[(usize, Value<'l>); 4]>,
}

/// What time it is, how far ahead of that a line may be, and what becomes of one that is older than the retention.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    pub(super) now_us: i64,
    pub(super) ahead_us: i64,
    pub(super) expired: Expired,
}

/// What becomes of a line that is older than its measurement's retention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expired {
    /// It is refused: its chunk would be dropped at once.
    Refused,
    /// It is written like others, and dropped with its chunk: it was young enough when it was acknowledged.
    Taken,
}

impl Clock {
    /// The time of a row; how many seconds it is ahead, if that is too far.
    pub(super) fn time_of(self, given_us: Option<i64>) -> Result<i64, i64> {
        let time_us = given_us.unwrap_or(self.now_us);
        if time_us > self.now_us.saturating_add(self.ahead_us) {
            return Err((time_us - self.now_us) / 1_000_000);
        }
        Ok(time_us)
    }

    /// By how many seconds a time is older than the retention allows, if it is and that matters.
    pub(super) fn expired_s(self, time_us: i64, retention_us: Option<i64>) -> Option<i64> {
        let oldest_us = self.now_us.saturating_sub(retention_us?);
        (self.expired == Expired::Refused && time_us < oldest_us)
            .then(|| oldest_us.saturating_sub(time_us).saturating_add(999_999) / 1_000_000)
    }
}

/// What is wrong, and the text in the line that it is about.
pub(super) type Misfit<'l> = (RowFault, &'l str);

/// Fits a line, whose tags are sorted, into its measurement.
pub(super) fn fit<'l>(
    line: &'l Line<'_>,
    measurement: &Measurement,
    limits: SchemaLimits,
    clock: Clock,
) -> Result<Row<'l>, Misfit<'l>> {
    let time_us = clock.time_of(line.time_us).map_err(|ahead_s| (RowFault::TooFarAhead { ahead_s }, ""))?;
    if let (Some(retention_us), Some(over_s)) =
        (measurement.retention_us, clock.expired_s(time_us, measurement.retention_us))
    {
        return Err((RowFault::Expired { over_s, retention: Width::Fixed(retention_us) }, ""));
    }
    for (name, _) in &line.tags {
        match measurement.member(name) {
            Some(Member::Tag(_)) => {}
            Some(Member::Field(_)) => return Err((RowFault::TagIsField(name.to_string()), name)),
            None => return Err((unknown(name, RowFault::TooManyTags(limits.tags, name.to_string())), name)),
        }
    }
    let mut values = SmallVec::new();
    for (name, value) in &line.fields {
        match measurement.member(name) {
            Some(Member::Field(index)) => {
                let value = convert(name, value, measurement.fields[index].kind).map_err(|fault| (fault, &**name))?;
                values.push((index, value));
            }
            Some(Member::Tag(_)) => return Err((RowFault::FieldIsTag(name.to_string()), name)),
            None => return Err((unknown(name, RowFault::TooManyFields(limits.fields, name.to_string())), name)),
        }
    }
    let key = SeriesKey::of(line.tags.iter().map(|(name, value)| (&**name, &**value)));
    Ok(Row { time_us, key, values })
}

/// A column that was wanted and is not there: its name would not do, or there was no room.
fn unknown(name: &str, no_room: RowFault) -> RowFault {
    match check_name(name) {
        Err(error) => RowFault::Name(error),
        Ok(()) => no_room,
    }
}

/// The type that a field gets when this value is its first.
pub(super) fn type_of(value: &FieldValue<'_>) -> ColumnType {
    match value {
        FieldValue::Float(_) => ColumnType::Float8,
        FieldValue::Integer(_) | FieldValue::Unsigned(_) => ColumnType::Int8,
        FieldValue::Boolean(_) => ColumnType::Bool,
        FieldValue::Text(_) => ColumnType::Text,
        FieldValue::Timestamp(_) => ColumnType::Timestamptz,
    }
}

/// An integer fits a float column, and an integral number without a suffix an integer column; nothing else converts.
fn convert<'l>(field: &str, value: &'l FieldValue<'_>, kind: ColumnType) -> Result<Value<'l>, RowFault> {
    if let (ColumnType::Text, FieldValue::Text(text)) = (kind, value) {
        return Ok(Value::Text(text));
    }
    if let Some(value) = convert_plain(value, kind) {
        return Ok(value);
    }
    let given = match (kind, value) {
        (ColumnType::Int8, FieldValue::Unsigned(_)) => {
            return Err(RowFault::UnsignedTooLarge { field: field.to_owned() });
        }
        (ColumnType::Int8, FieldValue::Float(_)) => "a float with a fraction",
        (_, FieldValue::Float(_)) => "a float",
        (_, FieldValue::Integer(_)) => "an integer",
        (_, FieldValue::Unsigned(_)) => "an unsigned integer",
        (_, FieldValue::Boolean(_)) => "a truth value",
        (_, FieldValue::Text(_)) => "text",
        (_, FieldValue::Timestamp(_)) => "a moment",
    };
    Err(RowFault::TypeConflict { field: field.to_owned(), has: kind, given })
}

/// The same for everything but text.
#[expect(clippy::cast_precision_loss, reason = "a float column holds what a float can hold")]
pub(super) fn convert_plain(value: &FieldValue<'_>, kind: ColumnType) -> Option<Value<'static>> {
    match (kind, value) {
        (ColumnType::Float8, FieldValue::Float(value)) => Some(Value::Float8(*value)),
        (ColumnType::Float8, FieldValue::Integer(value)) => Some(Value::Float8(*value as f64)),
        (ColumnType::Float8, FieldValue::Unsigned(value)) => Some(Value::Float8(*value as f64)),
        (ColumnType::Int8, FieldValue::Integer(value)) => Some(Value::Int8(*value)),
        (ColumnType::Int8, FieldValue::Unsigned(value)) => i64::try_from(*value).ok().map(Value::Int8),
        (ColumnType::Int8, FieldValue::Float(value)) => integral(*value).map(Value::Int8),
        (ColumnType::Bool, FieldValue::Boolean(value)) => Some(Value::Bool(*value)),
        (ColumnType::Timestamptz, FieldValue::Timestamp(value)) => Some(Value::Timestamptz(*value)),
        _ => None,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "checked to be integral and within range")]
fn integral(value: f64) -> Option<i64> {
    // 2^63 itself is one more than the greatest i64.
    const END: f64 = 9_223_372_036_854_775_808.0;
    (value.fract() == 0.0 && (-END..END).contains(&value)).then_some(value as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_convert_only_where_nothing_is_lost_in_kind() {
        let int8 = |value| convert("f", &value, ColumnType::Int8).map(|value| format!("{value:?}"));
        assert!(int8(FieldValue::Float(3.0)).is_ok());
        assert!(int8(FieldValue::Float(3.5)).is_err());
        assert!(int8(FieldValue::Float(9.3e18)).is_err());
        assert!(int8(FieldValue::Unsigned(u64::MAX)).is_err());
        assert!(int8(FieldValue::Boolean(true)).is_err());
        assert!(convert("f", &FieldValue::Integer(7), ColumnType::Float8).is_ok());
        assert!(convert("f", &FieldValue::Float(7.0), ColumnType::Text).is_err());
    }

    #[test]
    fn only_what_is_older_than_the_retention_is_expired() {
        let clock = Clock { now_us: 10_000_000, ahead_us: 0, expired: Expired::Refused };
        assert_eq!(clock.expired_s(4_000_000, Some(6_000_000)), None);
        assert_eq!(clock.expired_s(3_999_999, Some(6_000_000)), Some(1), "a part of a second counts as one");
        assert_eq!(clock.expired_s(i64::MIN, Some(6_000_000)).map(|over_s| over_s > 0), Some(true));
        assert_eq!(clock.expired_s(i64::MIN, None), None);
        assert_eq!(Clock { expired: Expired::Taken, ..clock }.expired_s(0, Some(1)), None);
    }

    #[test]
    fn the_ends_of_an_i64_are_integral_and_their_neighbours_are_not() {
        assert_eq!(integral(-9_223_372_036_854_775_808.0), Some(i64::MIN));
        assert_eq!(integral(9_223_372_036_854_775_808.0), None);
        assert_eq!(integral(-0.0), Some(0));
        assert_eq!(integral(f64::NAN), None);
    }
}
