//! Tables of good and hostile rows, and properties that hold for any bytes.

mod mapping;
mod properties;

use super::{Document, DocumentError, Node};
use crate::protocol::{FieldValue, Limits, Line, Precision};

/// What becomes of each row: `m,tag=a f=1.0 123`, or `1 tags.x: ...` for one that is refused.
fn outcome(rows: &str) -> Vec<String> {
    outcome_under(rows, Limits::default())
}

fn outcome_under(rows: &str, limits: Limits) -> Vec<String> {
    let text = format!(r#"{{"rows": [{rows}]}}"#);
    let document = Document::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"));
    document
        .lines(Precision::Microseconds, limits)
        .map(|line| line.map_or_else(|bad| format!("{} {}: {}", bad.row, bad.path, bad.mistake), |line| shown(&line)))
        .collect()
}

fn shown(line: &Line<'_>) -> String {
    let mut text = line.measurement.to_string();
    for (name, value) in &line.tags {
        text += &format!(",{name}={value}");
    }
    for (index, (name, value)) in line.fields.iter().enumerate() {
        let value = match value {
            FieldValue::Float(value) => format!("{value:?}"),
            FieldValue::Integer(value) => format!("{value}i"),
            FieldValue::Boolean(value) => value.to_string(),
            FieldValue::Text(value) => format!("{value:?}"),
            other => panic!("JSON never makes {other:?}"),
        };
        text += &format!("{}{name}={value}", if index == 0 { ' ' } else { ',' });
    }
    if let Some(us) = line.time_us {
        text += &format!(" {us}");
    }
    text
}

#[test]
fn every_kind_of_value_becomes_what_the_table_says() {
    let rows = r#"{"measurement": "m", "time": 5, "tags": {"s": "A", "n": 7, "half": 0.5, "none": null},
                   "fields": {"whole": 3, "float": -1.5, "yes": true, "text": "a\"b", "none": null}},
                  {"measurement": "m", "time": "2023-11-14T22:13:20.000001+00:00", "fields": {"v": 1}},
                  {"measurement": "m", "time": null, "tags": null, "fields": {"v": 1e3}}"#;
    assert_eq!(
        outcome(rows),
        [r#"m,s=A,n=7,half=0.5 whole=3.0,float=-1.5,yes=true,text="a\"b" 5"#, "m v=1.0 1700000000000001", "m v=1000.0"]
    );
}

#[test]
fn a_bad_row_is_named_with_its_number_and_path_and_the_others_go_on() {
    let refused = [
        (r#"1"#, "row: is a number"),
        (r#"{}"#, "measurement: is missing"),
        (r#"{"measurement": 1, "fields": {"v": 1}}"#, "measurement: is a number"),
        (r#"{"measurement": "", "fields": {"v": 1}}"#, "measurement: is empty"),
        (r#"{"measurement": "m"}"#, "fields: is missing"),
        (r#"{"measurement": "m", "fields": {"v": null}}"#, "fields: is missing"),
        (r#"{"measurement": "m", "fields": [1]}"#, "fields: is an array"),
        (r#"{"measurement": "m", "fields": {"v": {"deep": 1}}}"#, "fields.v: is an object"),
        (r#"{"measurement": "m", "fields": {"v": [1]}}"#, "fields.v: is an array"),
        (r#"{"measurement": "m", "fields": {"": 1}}"#, "fields.: is empty"),
        (r#"{"measurement": "m", "fields": {"time": 1}}"#, "fields.time: cannot be a name"),
        (r#"{"measurement": "m", "fields": {"v": "a\u0000b"}}"#, "fields.v: has a NUL"),
        (r#"{"measurement": "m\u0000", "fields": {"v": 1}}"#, "measurement: has a NUL"),
        (r#"{"measurement": "m", "tags": {"t": ""}, "fields": {"v": 1}}"#, "tags.t: is empty"),
        (r#"{"measurement": "m", "tags": {"t": true}, "fields": {"v": 1}}"#, "tags.t: is a truth value"),
        (r#"{"measurement": "m", "tags": {"v": "x"}, "fields": {"v": 1}}"#, "fields.v: comes twice"),
        (r#"{"measurement": "m", "tags": {"series_id": "x"}, "fields": {"v": 1}}"#, "tags.series_id: cannot be"),
        (r#"{"measurement": "m", "time": 1.5, "fields": {"v": 1}}"#, "time: is no time"),
        (r#"{"measurement": "m", "time": true, "fields": {"v": 1}}"#, "time: is a truth value"),
        (r#"{"measurement": "m", "time": "yesterday", "fields": {"v": 1}}"#, "time: is no time"),
        (r#"{"measurement": "m", "time": "2024-01-01T00:00:00", "fields": {"v": 1}}"#, "time: is no time"),
        (r#"{"measurement": "m", "time": 9223372036854775807, "fields": {"v": 1}}"#, "time: is outside"),
        (r#"{"measurement": "m", "time": 18446744073709551615, "fields": {"v": 1}}"#, "time: is outside"),
        (r#"{"measurement": "m", "tmie": 1, "fields": {"v": 1}}"#, "row.tmie: does not exist"),
    ];
    const GOOD: &str = r#"{"measurement": "good", "fields": {"v": 1}}"#;
    for (row, expected) in refused {
        let outcome = outcome(&format!("{GOOD}, {row}, {GOOD}"));
        assert!(outcome[1].starts_with(&format!("2 {expected}")), "{row}: {outcome:?}");
        assert_eq!((&*outcome[0], &*outcome[2]), ("good v=1.0", "good v=1.0"));
    }
}

#[test]
fn limits_are_a_row_s_own() {
    let limits = Limits { line_bytes: 40, tags: 2, fields: 2, name_bytes: 8, tag_value_bytes: 10 };
    for (row, expected) in [
        (r#"{"measurement": "123456789", "fields": {"v": 1}}"#, "1 measurement: is longer than 8"),
        (r#"{"measurement": "m", "fields": {"123456789": 1}}"#, "1 fields.123456789: is longer than 8"),
        (r#"{"measurement": "m", "tags": {"t": "12345678901"}, "fields": {"v": 1}}"#, "1 tags.t: is longer than 10"),
        (r#"{"measurement": "m", "tags": {"a": 1, "b": 2, "c": 3}, "fields": {"v": 1}}"#, "1 tags: are more than 2"),
        (r#"{"measurement": "m", "fields": {"a": 1, "b": 2, "c": 3}}"#, "1 fields: are more than 2"),
        (
            r#"{"measurement": "m", "fields": {"v": "0123456789012345678901234567890123456789"}}"#,
            "1 fields.v: is longer than 40",
        ),
    ] {
        let outcome = outcome_under(row, limits);
        assert!(outcome[0].starts_with(expected), "{row}: {outcome:?}");
    }
}

#[test]
fn what_is_no_document_is_refused_whole() {
    let deep = "[".repeat(10_000);
    for text in [
        "",
        "{",
        "[]",
        "{}",
        r#"{"rows": {}}"#,
        r#"{"rows": [], "more": 1}"#,
        r#"{"rows": [], "id": 1}"#,
        r#"{"rows": [], "id": ""}"#,
        r#"{"rows": []} x"#,
        r#"{"rows": [], "rows": []}"#,
        r#"{"rows": [{"measurement": "m", "fields": {"v": 1, "v": 2}}]}"#,
        r#"{"rows": [{"measurement": "m", "fields": {"v": 1e400}}]}"#,
        r#"{"rows": [{"measurement": "m", "fields": {"v": NaN}}]}"#,
        r#"{"rows": [{"measurement": "\ud800", "fields": {"v": 1}}]}"#,
        &format!(r#"{{"rows": {deep}"#),
        &format!(r#"{{"rows": [], "id": "{}"}}"#, "x".repeat(256)),
    ] {
        assert!(Document::parse(text.as_bytes()).is_err(), "{text}");
    }
    assert!(matches!(Document::parse(b"{\"rows\": [\xff]}"), Err(DocumentError::Malformed(_))));
}

#[test]
fn text_without_escapes_is_borrowed() {
    let bytes = br#"{"id": "x", "rows": []}"#;
    let document = Document::parse(bytes).unwrap();
    assert!(matches!(document.id, Some(std::borrow::Cow::Borrowed("x"))));
    let Node::Object(members) = Node::parse(br#"{"a": "b\n"}"#).unwrap() else { panic!() };
    assert!(matches!(members[0].0, std::borrow::Cow::Borrowed("a")));
    assert!(matches!(&members[0].1, Node::Text(std::borrow::Cow::Owned(text)) if text == "b\n"));
}
