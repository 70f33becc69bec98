//! Last values of one field, and how they are compared.

use std::{
    cmp::Ordering,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;

use crate::{copy::timestamptz_us, hypertable::ColumnType, query::AnswerRows};

/// Last values of one field.
#[derive(Debug, Clone)]
pub struct LatestAnswer {
    /// The series that have one, ascending by id.
    pub rows: AnswerRows,
    /// When each was observed, microseconds since 1970.
    pub times_us: Vec<i64>,
    /// The values, in the same order.
    pub values: LatestValues,
    pub(super) written: Written,
}

/// An answer's bytes in the formats that it was written in: most questions are asked again before anything has changed.
pub(super) type Written = Arc<Mutex<Vec<(&'static str, Bytes)>>>;

impl LatestAnswer {
    /// The answer's bytes in a format, by its content type: as `write` makes them, or as it has made them before.
    ///
    /// # Errors
    /// Those of `write`.
    pub fn written<E>(
        &self,
        content_type: &'static str,
        write: impl FnOnce(&Self) -> Result<Vec<u8>, E>,
    ) -> Result<Bytes, E> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, bytes)) = written.iter().find(|(of, _)| *of == content_type) {
            return Ok(bytes.clone());
        }
        let bytes = Bytes::from(write(self)?);
        written.push((content_type, bytes.clone()));
        Ok(bytes)
    }
}

/// Values by type.
#[derive(Debug, Clone, PartialEq)]
pub enum LatestValues {
    /// float8; truth values as 0 and 1.
    Floats(Vec<f64>),
    /// int8.
    Ints(Vec<i64>),
    /// Text.
    Texts(Vec<String>),
    /// Times, microseconds since 1970.
    Times(Vec<i64>),
}

/// Two values as the database sends them.
pub(super) fn compared(kind: ColumnType, a: &[u8], b: &[u8]) -> Ordering {
    match kind {
        ColumnType::Float8 | ColumnType::Bool => float(a).total_cmp(&float(b)),
        ColumnType::Int8 | ColumnType::Timestamptz => int(a).cmp(&int(b)),
        ColumnType::Text => a.cmp(b),
    }
}

/// 0 and -0 are one.
fn float(bytes: &[u8]) -> f64 {
    bytes.try_into().map_or(f64::NEG_INFINITY, f64::from_be_bytes) + 0.0
}

fn int(bytes: &[u8]) -> i64 {
    bytes.try_into().map_or(i64::MIN, i64::from_be_bytes)
}

impl LatestValues {
    pub(super) fn of(kind: ColumnType) -> Self {
        match kind {
            ColumnType::Float8 | ColumnType::Bool => Self::Floats(Vec::new()),
            ColumnType::Int8 => Self::Ints(Vec::new()),
            ColumnType::Text => Self::Texts(Vec::new()),
            ColumnType::Timestamptz => Self::Times(Vec::new()),
        }
    }

    /// Takes a value as the database sends it; false if it is none.
    pub(super) fn push(&mut self, value: &[u8]) -> bool {
        let eight = || value.try_into().ok();
        match self {
            Self::Floats(values) => eight().map(|eight| values.push(f64::from_be_bytes(eight))).is_some(),
            Self::Ints(values) => eight().map(|eight| values.push(i64::from_be_bytes(eight))).is_some(),
            Self::Texts(values) => String::from_utf8(value.to_vec()).map(|text| values.push(text)).is_ok(),
            Self::Times(values) => timestamptz_us(value).map(|us| values.push(us)).is_some(),
        }
    }

    /// How a value compares with one as the database sends it.
    pub(super) fn compared(&self, at: usize, value: &[u8]) -> Ordering {
        match self {
            Self::Floats(values) => values[at].total_cmp(&float(value)),
            Self::Ints(values) => values[at].cmp(&int(value)),
            Self::Texts(values) => values[at].as_bytes().cmp(value),
            Self::Times(values) => Some(values[at]).cmp(&timestamptz_us(value)),
        }
    }

    /// Takes a value as the database sends it in the place of another; `None` if it is none.
    pub(super) fn set(&mut self, at: usize, value: &[u8]) -> Option<()> {
        match self {
            Self::Floats(values) => values[at] = f64::from_be_bytes(value.try_into().ok()?),
            Self::Ints(values) => values[at] = i64::from_be_bytes(value.try_into().ok()?),
            Self::Texts(values) => values[at] = String::from_utf8(value.to_vec()).ok()?,
            Self::Times(values) => values[at] = timestamptz_us(value)?,
        }
        Some(())
    }

    /// Takes the value at a place of others of the same type.
    pub(super) fn push_from(&mut self, others: &Self, at: usize) {
        match (self, others) {
            (Self::Floats(values), Self::Floats(others)) => values.push(others[at]),
            (Self::Ints(values), Self::Ints(others)) | (Self::Times(values), Self::Times(others)) => {
                values.push(others[at]);
            }
            (Self::Texts(values), Self::Texts(others)) => values.push(others[at].clone()),
            _ => {}
        }
    }
}
