//! Tests of the parser: a table of hostile bodies, properties that hold for any bytes, and a differential test against the
//! parser of InfluxDB itself.

mod hostile;
mod oracle;
mod properties;
mod render;
mod values;

use super::{FieldValue, Line, LineError, Precision, parse};

/// What becomes of a body, one text a line: `2 m,tag=a f=1.0,g="x" 123` with the line's number and its time in
/// microseconds, or `2:7 missing_tag_value` with the line and column of an error.
fn outcome(body: impl AsRef<[u8]>) -> Vec<String> {
    parse(body.as_ref(), Precision::Microseconds).map(|line| shown(&line)).collect()
}

fn shown(line: &Result<Line<'_>, LineError>) -> String {
    let line = match line {
        Ok(line) => line,
        Err(error) => return format!("{}:{} {}", error.line, error.column, error.reason.label()),
    };
    let mut text = format!("{} {}", line.number, line.measurement);
    for (key, value) in &line.tags {
        text += &format!(",{key}={value}");
    }
    for (i, (key, value)) in line.fields.iter().enumerate() {
        let value = match value {
            FieldValue::Float(value) => format!("{value:?}"),
            FieldValue::Integer(value) => format!("{value}i"),
            FieldValue::Unsigned(value) => format!("{value}u"),
            FieldValue::Boolean(value) => value.to_string(),
            FieldValue::Text(value) => format!("{value:?}"),
            FieldValue::Timestamp(us) => format!("{us}t"),
        };
        text += &format!("{}{key}={value}", if i == 0 { ' ' } else { ',' });
    }
    if let Some(us) = line.time_us {
        text += &format!(" {us}");
    }
    text
}

/// Compares each body of a table with what becomes of it.
fn check(table: &[(&str, &[&str])]) {
    for (body, expected) in table {
        assert_eq!(outcome(body), *expected, "{body:?}");
    }
}
