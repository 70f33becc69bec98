//! chunkwise's own form: a document with rows.

use std::borrow::Cow;

use super::{
    mistake::{BadRow, Mistake},
    node::Node,
    row::{Fault, RowBuilder, bad_row, within},
    time::rfc3339,
};
use crate::protocol::{FieldValue, Limits, Line, Moment, Precision};

/// A request as JSON.
#[derive(Debug, Clone, PartialEq)]
pub struct Document<'a> {
    /// What the client calls it, if anything.
    pub id: Option<Cow<'a, str>>,
    rows: Vec<Node<'a>>,
}

/// Why there are no rows to look at.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// No JSON, or an object with a name twice.
    #[error("this is not the JSON of a request: {0}")]
    Malformed(serde_json::Error),
    /// JSON of another shape.
    #[error(
        "{0} write {{\"id\": \"...\", \"rows\": [{{\"measurement\", \"time\", \"tags\": {{}}, \"fields\": {{}}}}]}}"
    )]
    Shape(String),
}

impl DocumentError {
    fn shape(what: impl Into<String>) -> Self {
        Self::Shape(what.into())
    }
}

impl<'a> Document<'a> {
    /// The longest id.
    pub const MAX_ID_BYTES: usize = 255;

    /// Reads a document; its rows are looked at by [`lines`](Self::lines).
    ///
    /// # Errors
    /// What is no JSON, is no object, has other members than `id` and `rows`, or an id that is no text of 1 to 255 bytes.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, DocumentError> {
        let Node::Object(members) = Node::parse(bytes).map_err(DocumentError::Malformed)? else {
            return Err(DocumentError::shape("a request is an object:"));
        };
        let mut id = None;
        let mut rows = None;
        for (name, value) in members {
            match (&*name, value) {
                ("id", Node::Null) => {}
                ("id", Node::Text(text)) if (1..=Self::MAX_ID_BYTES).contains(&text.len()) => id = Some(text),
                ("id", _) => return Err(DocumentError::shape("`id` is text of 1 to 255 bytes:")),
                ("rows", Node::List(list)) => rows = Some(list),
                ("rows", _) => return Err(DocumentError::shape("`rows` is an array:")),
                (other, _) => {
                    return Err(DocumentError::shape(format!("there is no member `{}`:", within("", other))));
                }
            }
        }
        let rows = rows.ok_or_else(|| DocumentError::shape("`rows` is missing:"))?;
        Ok(Self { id, rows })
    }

    /// How many rows there are, good and bad ones.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// The rows as lines, in order. Integers as times count `precision`.
    pub fn lines(self, precision: Precision, limits: Limits) -> impl Iterator<Item = Result<Line<'a>, BadRow>> {
        self.rows
            .into_iter()
            .zip(1_u32..)
            .map(move |(row, number)| line(row, number, precision, limits).map_err(|fault| bad_row(number, fault)))
    }
}

fn line(row: Node<'_>, number: u32, precision: Precision, limits: Limits) -> Result<Line<'_>, Fault> {
    let members = object("row", row)?;
    let (mut measurement, mut time, mut tags, mut fields) = (None, Node::Null, Vec::new(), Vec::new());
    for (name, value) in members {
        match &*name {
            "measurement" => measurement = Some(value),
            "time" => time = value,
            "tags" => tags = optional_object("tags", value)?,
            "fields" => fields = optional_object("fields", value)?,
            _ => return Err((within("row", &name), Mistake::Unknown)),
        }
    }
    let measurement = match measurement {
        Some(Node::Text(text)) => text,
        None | Some(Node::Null) => return Err(("measurement".to_owned(), Mistake::Missing("its name"))),
        Some(other) => return Err(("measurement".to_owned(), wrong("text", &other))),
    };
    let mut builder = RowBuilder::new(number, measurement, limits)?;
    if let Some(moment) = moment(&time, precision).map_err(|mistake| ("time".to_owned(), mistake))? {
        builder.time_us(moment.us, moment.rounded);
    }
    for (name, value) in tags {
        match value {
            Node::Null => {}
            Node::Text(text) => builder.tag(name, text)?,
            Node::Number(number) => builder.tag(name, number.to_string().into())?,
            other => return Err((within("tags", &name), wrong("text or a number", &other))),
        }
    }
    for (name, value) in fields {
        let value = match value {
            Node::Null => continue,
            Node::Boolean(value) => FieldValue::Boolean(value),
            Node::Text(text) => FieldValue::Text(text),
            Node::Number(number) => FieldValue::Float(number.as_f64().unwrap_or_default()),
            other => return Err((within("fields", &name), wrong("a number, true or false, text or null", &other))),
        };
        builder.field(name, value)?;
    }
    builder.finish()
}

fn moment(time: &Node<'_>, precision: Precision) -> Result<Option<Moment>, Mistake> {
    const EXPECTED: &str = "an integer in the request's precision, or RFC 3339 as text";
    match time {
        Node::Null => Ok(None),
        Node::Text(text) => rfc3339(text).map(Some),
        Node::Number(number) => match number.as_i64() {
            Some(time) => precision.to_us(time).map(Some).ok_or(Mistake::TimeOutOfRange),
            None if number.is_u64() => Err(Mistake::TimeOutOfRange),
            None => Err(Mistake::Time(EXPECTED)),
        },
        other => Err(wrong(EXPECTED, other)),
    }
}

type Members<'a> = Vec<(Cow<'a, str>, Node<'a>)>;

fn object<'a>(path: &str, node: Node<'a>) -> Result<Members<'a>, Fault> {
    match node {
        Node::Object(members) => Ok(members),
        other => Err((path.to_owned(), wrong("an object", &other))),
    }
}

fn optional_object<'a>(path: &str, node: Node<'a>) -> Result<Members<'a>, Fault> {
    if node == Node::Null { Ok(Vec::new()) } else { object(path, node) }
}

fn wrong(expected: &'static str, given: &Node<'_>) -> Mistake {
    Mistake::Type { expected, given: given.kind() }
}
