//! Single cells of Arrow's arrays.

use std::borrow::Cow;

use arrow_array::{
    Array,
    cast::AsArray,
    types::{
        Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type, Float16Type, Float32Type,
        Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType,
        TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
    },
};
use arrow_schema::{DataType, TimeUnit};

use super::super::{
    FieldKind, TimeRule,
    cell::{is_missing, read_number},
    refusal::Reason,
    time_rule::CellTime,
};
use crate::question::Timestamp;

const DAY_US: i64 = 86_400_000_000;

/// What a column of this type is as a field; `None` for what no field can hold.
pub(super) fn kind_of(data_type: &DataType) -> Option<FieldKind> {
    match data_type {
        DataType::Float16
        | DataType::Float32
        | DataType::Float64
        | DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => Some(FieldKind::Number),
        other if other.is_integer() => Some(FieldKind::Integer),
        DataType::Boolean => Some(FieldKind::Boolean),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Some(FieldKind::Text),
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => Some(FieldKind::Time),
        _ => None,
    }
}

/// A number, finite; `None` where it is missing.
pub(super) fn number_at(array: &dyn Array, row: usize) -> Result<Option<f64>, Reason> {
    if array.is_null(row) {
        return Ok(None);
    }
    let decimal = |text: String| read_number(text.as_bytes());
    let number = match array.data_type() {
        DataType::Float16 => array.as_primitive::<Float16Type>().value(row).to_f64(),
        DataType::Float32 => f64::from(array.as_primitive::<Float32Type>().value(row)),
        DataType::Float64 => array.as_primitive::<Float64Type>().value(row),
        // By its text: the nearest number, as of a cell of CSV.
        DataType::Decimal32(..) => decimal(array.as_primitive::<Decimal32Type>().value_as_string(row))?,
        DataType::Decimal64(..) => decimal(array.as_primitive::<Decimal64Type>().value_as_string(row))?,
        DataType::Decimal128(..) => decimal(array.as_primitive::<Decimal128Type>().value_as_string(row))?,
        DataType::Decimal256(..) => decimal(array.as_primitive::<Decimal256Type>().value_as_string(row))?,
        #[expect(clippy::cast_precision_loss, reason = "a wide file's cells are float8, as its documentation says")]
        DataType::UInt64 => array.as_primitive::<UInt64Type>().value(row) as f64,
        #[expect(clippy::cast_precision_loss, reason = "a wide file's cells are float8, as its documentation says")]
        _ => return Ok(integer_at(array, row)?.map(|integer| integer as f64)),
    };
    match number {
        number if number.is_nan() => Ok(None),
        number if number.is_infinite() => Err(Reason::NotFinite(number.to_string())),
        number => Ok(Some(number)),
    }
}

/// An integer that the database holds; `None` where it is missing.
pub(super) fn integer_at(array: &dyn Array, row: usize) -> Result<Option<i64>, Reason> {
    if array.is_null(row) {
        return Ok(None);
    }
    Ok(Some(match array.data_type() {
        DataType::Int8 => array.as_primitive::<Int8Type>().value(row).into(),
        DataType::Int16 => array.as_primitive::<Int16Type>().value(row).into(),
        DataType::Int32 => array.as_primitive::<Int32Type>().value(row).into(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row),
        DataType::UInt8 => array.as_primitive::<UInt8Type>().value(row).into(),
        DataType::UInt16 => array.as_primitive::<UInt16Type>().value(row).into(),
        DataType::UInt32 => array.as_primitive::<UInt32Type>().value(row).into(),
        DataType::UInt64 => {
            let integer = array.as_primitive::<UInt64Type>().value(row);
            i64::try_from(integer).map_err(|_| Reason::IntegerTooLarge(integer))?
        }
        other => return Err(Reason::NotANumber(other.to_string())),
    }))
}

/// `None` where it is missing.
pub(super) fn boolean_at(array: &dyn Array, row: usize) -> Option<bool> {
    array.as_boolean_opt().filter(|booleans| !booleans.is_null(row)).map(|booleans| booleans.value(row))
}

/// A time; `None` where it is missing. `rule` is for numbers and texts, and its zone for times that carry none.
pub(super) fn time_at(array: &dyn Array, row: usize, rule: &TimeRule) -> Result<Option<CellTime>, Reason> {
    if array.is_null(row) {
        return Ok(None);
    }
    let (value, unit, has_zone) = match array.data_type() {
        DataType::Timestamp(unit, zone) => {
            let value = match unit {
                TimeUnit::Second => array.as_primitive::<TimestampSecondType>().value(row),
                TimeUnit::Millisecond => array.as_primitive::<TimestampMillisecondType>().value(row),
                TimeUnit::Microsecond => array.as_primitive::<TimestampMicrosecondType>().value(row),
                TimeUnit::Nanosecond => array.as_primitive::<TimestampNanosecondType>().value(row),
            };
            (value, *unit, zone.is_some())
        }
        DataType::Date32 => {
            let us = i64::from(array.as_primitive::<Date32Type>().value(row)) * DAY_US;
            (us, TimeUnit::Microsecond, false)
        }
        DataType::Date64 => (array.as_primitive::<Date64Type>().value(row), TimeUnit::Millisecond, false),
        _ => {
            let text = text_at(array, row)?.unwrap_or_default();
            let cell = text.trim().as_bytes();
            return if is_missing(cell) { Ok(None) } else { rule.read(cell).map(Some) };
        }
    };
    let too_far = || Reason::TimeOutOfRange(value.to_string());
    let (us, rounded) = match unit {
        TimeUnit::Second => (value.checked_mul(1_000_000).ok_or_else(too_far)?, false),
        TimeUnit::Millisecond => (value.checked_mul(1_000).ok_or_else(too_far)?, false),
        TimeUnit::Microsecond => (value, false),
        TimeUnit::Nanosecond => (value.div_euclid(1_000), value.rem_euclid(1_000) != 0),
    };
    rule.place(us, has_zone, || value.to_string()).map(|us| Some(CellTime { us, rounded }))
}

/// Any value as a cell of CSV would have it; `None` where it is missing.
pub(super) fn text_at(array: &dyn Array, row: usize) -> Result<Option<Cow<'_, str>>, Reason> {
    if array.is_null(row) {
        return Ok(None);
    }
    Ok(match array.data_type() {
        DataType::Utf8 => Some(array.as_string::<i32>().value(row).into()),
        DataType::LargeUtf8 => Some(array.as_string::<i64>().value(row).into()),
        DataType::Utf8View => Some(array.as_string_view().value(row).into()),
        DataType::Boolean => boolean_at(array, row).map(|boolean| boolean.to_string().into()),
        DataType::UInt64 => Some(array.as_primitive::<UInt64Type>().value(row).to_string().into()),
        other => match kind_of(other) {
            Some(FieldKind::Number) => number_at(array, row)?.map(|number| number.to_string().into()),
            Some(FieldKind::Integer) => integer_at(array, row)?.map(|integer| integer.to_string().into()),
            Some(FieldKind::Time) => {
                let time = time_at(array, row, &TimeRule::UTC)?;
                time.map(|time| Timestamp::display_us(time.us).into())
            }
            _ => None,
        },
    })
}
