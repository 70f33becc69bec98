//! Foreign messages -> lines, as a table of the configuration says.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, Deserializer};

use super::{
    mistake::{BadRow, Mistake},
    node::Node,
    path::Path,
    row::{Fault, RowBuilder, bad_row, within},
    time::rfc3339,
};
use crate::protocol::{FieldValue, Limits, Line, Moment, Precision};

/// Which parts of a foreign message are what.
///
/// ```
/// use chunkwise::protocol::{Limits, json::{Mapping, Node}};
///
/// let mapping: Mapping = toml::from_str(r#"
///     measurement = "trades"
///     rows = "data/*"
///     only = { "/type" = "trade" }
///     time = { path = "t", unit = "ms" }
///     tags = { symbol = "s" }
///     fields = { price = { path = "p", type = "float" }, size = "v" }
/// "#).unwrap();
/// let message = Node::parse(br#"{"type": "trade", "data": [{"s": "AAPL", "p": "187.32", "v": 100, "t": 1700000000000}]}"#).unwrap();
/// let line = mapping.lines(&message, &[], Limits::default()).next().unwrap().unwrap();
/// assert_eq!((&*line.measurement, line.time_us), ("trades", Some(1_700_000_000_000_000)));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// The measurement of all rows.
    pub measurement: String,
    /// Where the rows are, such as `data/*`; without it the message itself is the row.
    pub rows: Option<Path>,
    /// Where a row's time is; without it rows get the time of their arrival.
    pub time: Option<TimeRule>,
    /// Where tags are, by their names.
    #[serde(default)]
    pub tags: BTreeMap<String, Path>,
    /// Where fields are, by their names.
    pub fields: BTreeMap<String, FieldRule>,
    /// Only rows where each of these has this text, number or truth value; others are passed over.
    #[serde(default, deserialize_with = "conditions")]
    pub only: Vec<(Path, String)>,
}

/// Where a row's time is, and what it counts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeRule {
    /// Where.
    pub path: Path,
    /// What.
    pub unit: TimeUnit,
}

/// How a foreign message writes times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TimeUnit {
    /// Nanoseconds since 1970 UTC, as a number or as text.
    Ns,
    /// Microseconds.
    Us,
    /// Milliseconds; a fraction counts down to microseconds.
    Ms,
    /// Seconds; a fraction counts down to microseconds.
    S,
    /// RFC 3339 with a zone.
    Rfc3339,
}

/// Where a field is, and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldRule {
    /// Where.
    pub path: Path,
    /// What.
    pub kind: FieldKind,
}

/// What a field is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FieldKind {
    /// What the JSON says: a number is a float.
    #[default]
    Json,
    /// A float, of a number or of text with one.
    Float,
    /// A whole number of 64 bits, of a number or of text with one.
    Integer,
    /// A truth value.
    Boolean,
    /// Text; a number or a truth value becomes its text.
    Text,
}

impl<'de> Deserialize<'de> for FieldRule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(
            untagged,
            expecting = "a field is a path, or { path = \"...\", type = \"json|float|integer|boolean|text\" }"
        )]
        enum Form {
            Short(Path),
            Long(Long),
        }
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Long {
            path: Path,
            #[serde(default, rename = "type")]
            kind: FieldKind,
        }
        Ok(match Form::deserialize(deserializer)? {
            Form::Short(path) => Self { path, kind: FieldKind::default() },
            Form::Long(Long { path, kind }) => Self { path, kind },
        })
    }
}

fn conditions<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(Path, String)>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a condition is text, a whole number or a truth value")]
    enum Scalar {
        Text(String),
        Integer(i64),
        Boolean(bool),
    }
    let table = BTreeMap::<String, Scalar>::deserialize(deserializer)?;
    table
        .into_iter()
        .map(|(path, value)| {
            let value = match value {
                Scalar::Text(text) => text,
                Scalar::Integer(number) => number.to_string(),
                Scalar::Boolean(value) => value.to_string(),
            };
            Ok((path.parse().map_err(serde::de::Error::custom)?, value))
        })
        .collect()
}

/// A mapping that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} {reason}")]
pub struct MappingError {
    /// Which of its keys.
    pub key: &'static str,
    /// What is wrong.
    pub reason: &'static str,
}

impl Mapping {
    /// Checks what types cannot say.
    ///
    /// # Errors
    /// The first key that makes no sense.
    pub fn validate(&self) -> Result<(), MappingError> {
        let wrong = |key, reason| Err(MappingError { key, reason });
        if self.measurement.is_empty() || self.measurement.contains('\0') {
            return wrong("measurement", "must be a name");
        }
        if self.fields.is_empty() {
            return wrong("fields", "must name at least one field");
        }
        let single = self.tags.values().chain(self.fields.values().map(|field| &field.path));
        let single =
            single.chain(self.only.iter().map(|(path, _)| path)).chain(self.time.iter().map(|time| &time.path));
        if { single }.any(Path::is_many) {
            return wrong("rows", "is the only path that may have a *");
        }
        Ok(())
    }

    /// The rows of a message, each with `tags` of elsewhere besides its own. Rows that `only` passes over have no item.
    pub fn lines<'a>(
        &'a self,
        message: &'a Node<'a>,
        tags: &'a [(&'a str, &'a str)],
        limits: Limits,
    ) -> impl Iterator<Item = Result<Line<'a>, BadRow>> {
        let rows = self.rows.as_ref().map_or_else(|| vec![message], |rows| rows.each(message));
        rows.into_iter().zip(1_u32..).filter(|(row, _)| self.takes(message, row)).map(move |(row, number)| {
            self.line(message, row, tags, number, limits).map_err(|fault| bad_row(number, fault))
        })
    }

    fn takes(&self, message: &Node<'_>, row: &Node<'_>) -> bool {
        self.only.iter().all(|(path, wanted)| {
            path.find(message, row).and_then(scalar_text).is_some_and(|given| given == wanted.as_str())
        })
    }

    fn line<'a>(
        &'a self,
        message: &'a Node<'a>,
        row: &'a Node<'a>,
        tags: &'a [(&'a str, &'a str)],
        number: u32,
        limits: Limits,
    ) -> Result<Line<'a>, Fault> {
        let mut builder = RowBuilder::new(number, Cow::Borrowed(&self.measurement), limits)?;
        if let Some(rule) = &self.time {
            let moment = match rule.path.find(message, row) {
                None | Some(Node::Null) => Err(Mistake::Missing("the time that the mapping names")),
                Some(node) => moment(node, rule.unit),
            };
            let moment = moment.map_err(|mistake| ("time".to_owned(), mistake))?;
            builder.time_us(moment.us, moment.rounded);
        }
        for (name, value) in tags {
            builder.tag(Cow::Borrowed(name), Cow::Borrowed(value))?;
        }
        for (name, path) in &self.tags {
            let Some(node) = path.find(message, row).filter(|node| **node != Node::Null) else { continue };
            let text = scalar_text(node).ok_or_else(|| {
                (within("tags", name), Mistake::Type { expected: "text or a number", given: node.kind() })
            })?;
            builder.tag(Cow::Borrowed(name), text)?;
        }
        for (name, rule) in &self.fields {
            let Some(node) = rule.path.find(message, row).filter(|node| **node != Node::Null) else { continue };
            let value = rule.kind.value(node).map_err(|mistake| (within("fields", name), mistake))?;
            builder.field(Cow::Borrowed(name), value)?;
        }
        builder.finish()
    }
}

fn scalar_text<'a>(node: &'a Node<'_>) -> Option<Cow<'a, str>> {
    match node {
        Node::Text(text) => Some(Cow::Borrowed(text)),
        Node::Number(number) => Some(number.to_string().into()),
        Node::Boolean(value) => Some(value.to_string().into()),
        Node::Null | Node::List(_) | Node::Object(_) => None,
    }
}

impl FieldKind {
    fn value<'a>(self, node: &'a Node<'_>) -> Result<FieldValue<'a>, Mistake> {
        let value = match (self, node) {
            (Self::Json, Node::Number(number)) => FieldValue::Float(number.as_f64().unwrap_or_default()),
            (Self::Json | Self::Boolean, Node::Boolean(value)) => FieldValue::Boolean(*value),
            (Self::Json, Node::Text(text)) => FieldValue::Text(Cow::Borrowed(text)),
            (Self::Float, Node::Number(number)) => FieldValue::Float(number.as_f64().unwrap_or_default()),
            (Self::Float, Node::Text(text)) => {
                let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
                FieldValue::Float(number.ok_or(Mistake::Value("a finite number"))?)
            }
            (Self::Integer, Node::Number(number)) => {
                FieldValue::Integer(number.as_i64().ok_or(Mistake::Value("a whole number of 64 bits"))?)
            }
            (Self::Integer, Node::Text(text)) => {
                FieldValue::Integer(text.parse().map_err(|_| Mistake::Value("a whole number of 64 bits"))?)
            }
            (Self::Text, node) if scalar_text(node).is_some() => {
                FieldValue::Text(scalar_text(node).unwrap_or_default())
            }
            (_, node) => return Err(Mistake::Type { expected: self.expected(), given: node.kind() }),
        };
        Ok(value)
    }

    fn expected(self) -> &'static str {
        match self {
            Self::Json => "a number, a truth value or text",
            Self::Float | Self::Integer => "a number",
            Self::Boolean => "true or false",
            Self::Text => "text",
        }
    }
}

fn moment(node: &Node<'_>, unit: TimeUnit) -> Result<Moment, Mistake> {
    const NUMBER: Mistake = Mistake::Time("a number");
    let (precision, us_per_unit) = match unit {
        TimeUnit::Ns => (Precision::Nanoseconds, 1e-3),
        TimeUnit::Us => (Precision::Microseconds, 1.0),
        TimeUnit::Ms => (Precision::Milliseconds, 1e3),
        TimeUnit::S => (Precision::Seconds, 1e6),
        TimeUnit::Rfc3339 => {
            return match node {
                Node::Text(text) => rfc3339(text),
                other => Err(Mistake::Type { expected: "RFC 3339 as text", given: other.kind() }),
            };
        }
    };
    let text = match node {
        Node::Number(number) => Cow::Owned(number.to_string()),
        Node::Text(text) => Cow::Borrowed(&**text),
        other => return Err(Mistake::Type { expected: "a number", given: other.kind() }),
    };
    if let Ok(time) = text.parse::<i64>() {
        return precision.to_us(time).ok_or(Mistake::TimeOutOfRange);
    }
    let us = text.parse::<f64>().map_err(|_| NUMBER)? * us_per_unit;
    // Beyond the years 1 to 9999 the conversion saturates, and the bounds refuse it. A float of today's seconds is exact
    // to a quarter of a microsecond: rounding to the nearest one finds what was written.
    #[expect(clippy::cast_possible_truncation, reason = "saturates, and is checked")]
    let whole_us = us.round() as i64;
    if us.is_nan() {
        return Err(NUMBER);
    }
    let moment = Precision::Microseconds.to_us(whole_us).ok_or(Mistake::TimeOutOfRange)?;
    Ok(Moment { rounded: false, ..moment })
}
