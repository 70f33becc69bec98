use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::protocol::{FieldValue, Line};

fn commands(body: &str) -> Vec<Result<Command<'_>, PointError>> {
    Commands::new(body.as_bytes()).collect()
}

fn put(line: &str) -> Result<Line<'_>, PointFault> {
    match commands(line).pop().expect("a command") {
        Ok(Command::Put(line)) => Ok(line),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(error.fault),
    }
}

#[test]
fn seconds_and_milliseconds_are_told_apart_by_their_size() {
    for (time, us) in [
        ("1", 1_000_000),
        ("1700000000", 1_700_000_000_000_000),
        ("9999999999", 9_999_999_999_000_000),
        ("10000000000", 10_000_000_000_000),
        ("1700000000123", 1_700_000_000_123_000),
        ("1700000000.123", 1_700_000_000_123_000),
        ("1700000000.1234567", 1_700_000_000_123_456),
    ] {
        assert_eq!(put(&format!("put m {time} 1 a=b")).unwrap().time_us, Some(us), "{time}");
    }
    assert!(put("put m 1700000000.1234567 1 a=b").unwrap().rounded);
    for time in ["0", "-1", "now", "", "1e9", "17000000000000", "1700000000000000000", "1.", ".5", "1.2.3", "0.0", "+1"]
    {
        let text = format!("put m {time} 1 a=b");
        let refused = put(&text);
        // Without a time the words move up by one.
        assert!(matches!(refused, Err(PointFault::InvalidTimestamp(_) | PointFault::NotEnoughArguments(_))), "{time}");
    }
}

#[test]
fn numbers_are_floats_and_finite() {
    for (text, value) in [("42", 42.0), ("-1.5e3", -1500.0), ("+1", 1.0), (".5", 0.5), ("1e-400", 0.0)] {
        let text = format!("put m 1 {text} a=b");
        let line = put(&text).unwrap();
        assert_eq!(line.fields.as_slice(), [("value".into(), FieldValue::Float(value))], "{text}");
    }
    for text in ["NaN", "nan", "inf", "-Infinity", "1e400"] {
        assert!(matches!(put(&format!("put m 1 {text} a=b")), Err(PointFault::NotFinite(_))), "{text}");
    }
    for text in ["1i", "0x10", "1_000", "1,5", "true", "\"1\"", "1e", "-"] {
        assert!(matches!(put(&format!("put m 1 {text} a=b")), Err(PointFault::InvalidValue(_))), "{text}");
    }
}

#[test]
fn hostile_puts_are_refused_by_what_is_wrong_with_them() {
    for (line, label, column) in [
        ("put", "not_enough_arguments", 4),
        ("put m 1 2", "not_enough_arguments", 10),
        ("put m 1 2 ", "not_enough_arguments", 11),
        ("put m 1 2 a", "invalid_tag", 11),
        ("put m 1 2 =b", "invalid_tag", 11),
        ("put m 1 2 a=", "invalid_tag", 11),
        ("put m 1 2 a=b=c", "invalid_tag", 11),
        ("put m 1 2 host=*", "illegal_character", 11),
        ("put m 1 2 a=b|c", "illegal_character", 11),
        ("put m{x} 1 2 a=b", "illegal_character", 5),
        ("put m\0 1 2 a=b", "illegal_character", 5),
        ("put m 1 2\0 a=b", "invalid_value", 9),
        ("put m\t1 2 a=b", "not_enough_arguments", 14),
        ("put m 1 2 a=b a=c", "duplicate_tag", 15),
        ("put m 1 2 value=b", "reserved_name", 11),
        ("put m 1 2 time=b", "reserved_name", 11),
    ] {
        let error = commands(line).pop().unwrap().unwrap_err();
        assert_eq!((error.fault.label(), error.column), (label, column), "{line:?}: {error}");
    }
    let long = "x".repeat(3_000);
    assert!(matches!(put(&format!("put {long} 1 2 a=b")), Err(PointFault::NameTooLong { .. })));
    assert!(matches!(put(&format!("put m 1 2 a={long}")), Err(PointFault::NameTooLong { .. })));
    let tags: String = (0..300).map(|i| format!(" t{i}=x")).collect();
    assert!(matches!(put(&format!("put m 1 2{tags}")), Err(PointFault::TooManyTags(256))));
    let endless = vec![b'p'; 2 << 20];
    assert!(matches!(Commands::new(&endless).next(), Some(Err(PointError { fault: PointFault::LineTooLong(_), .. }))));
    let error = Commands::new(b"put m 1 2 a=\xff\n").next().unwrap().unwrap_err();
    assert_eq!((error.fault, error.column), (PointFault::InvalidUtf8, 13));
}

#[test]
fn what_opentsdb_takes_is_taken() {
    let line = put("put ../../etc/passwd 1 2 host=web-01.example  cpu=0  ").unwrap();
    assert_eq!((&*line.measurement, line.tags.len()), ("../../etc/passwd", 2));
    assert_eq!(put("put m 1 2 a=b a=b").unwrap().tags.len(), 1);
    assert_eq!(put("put größe 1 2 ort=köln\r\n").unwrap().tags[0].1, "köln");
    let tags: String = (0..20).map(|i| format!(" t{i}=x")).collect();
    assert_eq!(put(&format!("put m 1 2{tags}")).unwrap().tags.len(), 20, "more than OpenTSDB's eight");
}

#[test]
fn other_commands_are_told_apart_and_blank_lines_passed_over() {
    let found = commands("\n  \r\nversion\nstats\nhelp\nexit\nquit\ndropcaches now\nput\0 x\n");
    let found: Vec<_> = found.into_iter().map(Result::unwrap).collect();
    assert_eq!(
        found,
        [
            Command::Version,
            Command::Stats,
            Command::Help,
            Command::Exit,
            Command::Exit,
            Command::Other("dropcaches"),
            Command::Other("put\0"),
        ]
    );
    let number = |body: &str| commands(body).pop().unwrap().unwrap_err().line;
    assert_eq!(number("version\n\nput m"), 3);
}

#[test]
fn json_is_one_point_or_an_array_and_takes_numbers_as_text() {
    let one = json!({"metric": "m", "timestamp": 1_700_000_000, "value": 1.5, "tags": {"host": "a", "cpu": 0}});
    let body = one.to_string();
    let points = read_points(body.as_bytes()).unwrap();
    assert_eq!(points.lines.len(), 1);
    let line = &points.lines[0];
    assert_eq!((line.number, &*line.measurement, line.time_us), (1, "m", Some(1_700_000_000_000_000)));
    assert!(line.tags.contains(&("cpu".into(), "0".into())));

    let many = json!([
        one,
        {"metric": "m", "timestamp": "1700000000123", "value": "-2e3", "tags": {"a": "b"}, "more": [{}]},
        {"metric": "m", "timestamp": 1_700_000_000.25, "value": u64::MAX, "tags": {"a": "\u{e9}"}},
    ])
    .to_string();
    let points = read_points(many.as_bytes()).unwrap();
    assert!(points.errors.is_empty(), "{:?}", points.errors);
    let values: Vec<_> = points.lines.iter().map(|line| line.fields[0].1.clone()).collect();
    assert_eq!(values[1..], [FieldValue::Float(-2000.0), FieldValue::Float(u64::MAX as f64)]);
    assert_eq!(points.lines[2].time_us, Some(1_700_000_000_250_000));
    assert!(read_points(b"[]").unwrap().lines.is_empty());
}

#[test]
fn a_bad_point_is_not_the_others_fault() {
    let body = br#"[{"metric":"m","timestamp":1,"value":1,"tags":{"a":"b"}}, {}, {"metric":"m"},
        {"metric":"m","timestamp":1}, {"metric":"m","timestamp":1,"value":"NaN","tags":{"a":"b"}},
        {"metric":"m","timestamp":1,"value":1}, {"metric":"m","timestamp":1,"value":1,"tags":{}},
        {"metric":"m","timestamp":1,"value":1,"tags":{"a":[]}}, {"metric":7,"timestamp":1,"value":1,"tags":{"a":"b"}},
        {"metric":"m","timestamp":-5,"value":1,"tags":{"a":"b"}}, {"metric":"m","timestamp":1,"value":{},"tags":{"a":"b"}},
        {"metric":"m","timestamp":1,"value":true,"tags":{"host":"*"}}, {"metric":"m","timestamp":1,"value":2,"tags":{"a":"b"}}]"#;
    let points = read_points(body).unwrap();
    assert_eq!(points.lines.iter().map(|line| line.number).collect::<Vec<_>>(), [1, 13]);
    let labels: Vec<_> = points.errors.iter().map(|error| (error.line, error.fault.label())).collect();
    assert_eq!(
        labels,
        [
            (2, "missing_measurement"),
            (3, "invalid_time"),
            (4, "missing_field_value"),
            (5, "not_finite"),
            (6, "missing_tags"),
            (7, "missing_tags"),
            (8, "invalid_tag"),
            (9, "missing_measurement"),
            (10, "invalid_time"),
            (11, "invalid_value"),
            (12, "invalid_value"),
        ]
    );
    let shown = show_points(body, &[2, 4, 13]);
    assert_eq!(
        shown,
        [
            json!({}),
            json!({"metric": "m", "timestamp": 1}),
            serde_json::from_slice::<Vec<serde_json::Value>>(body).unwrap()[12].clone()
        ]
    );
}

#[test]
fn json_that_is_no_put_is_malformed_as_a_whole() {
    let bomb = "[".repeat(100_000);
    let nested = format!(r#"{{"metric":"m","tags":{}"#, r#"{"a":"#.repeat(100_000));
    for body in [
        "",
        "1",
        "null",
        "\"m\"",
        "[1]",
        "{",
        "[{}",
        "{} {}",
        "{\"metric\":\"m\",\"value\":1e400}",
        &bomb,
        &nested,
        "{\"tags\":\"x\"}",
        "{\"metric\":\"\\ud800\"}",
    ] {
        assert!(read_points(body.as_bytes()).is_err(), "{}", &body[..body.len().min(40)]);
    }
    assert!(read_points(b"{\"metric\":\"\xff\"}").is_err());
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic_and_every_line_is_answered_for(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let lines = body.split(|byte| *byte == b'\n').filter(|line| {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            line.iter().any(|byte| *byte != b' ')
        });
        prop_assert_eq!(Commands::new(&body).count(), lines.count());
        drop(read_points(&body));
    }

    #[test]
    fn a_put_and_its_json_are_the_same_line(
        metric in "[a-zA-Z0-9_./-]{1,20}",
        time in 1_u64..4_000_000_000,
        value in any::<f64>().prop_filter("finite", |value| value.is_finite()),
        tags in proptest::collection::btree_map("[a-z]{1,4}[0-9]", "[a-zA-Z0-9_./-]{1,8}", 1..12),
    ) {
        let words: String = tags.iter().map(|(key, value)| format!(" {key}={value}")).collect();
        let text = format!("put {metric} {time} {value:?}{words}\n");
        let json = json!({"metric": metric, "timestamp": time, "value": value, "tags": tags}).to_string();
        let points = read_points(json.as_bytes()).unwrap();
        let mut telnet = put(&text).unwrap();
        telnet.bytes = 0..0;
        telnet.sort_tags();
        prop_assert_eq!(&telnet.fields[0].1, &FieldValue::Float(value));
        prop_assert_eq!(points.lines, vec![telnet]);
    }
}
