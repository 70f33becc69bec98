//! The parser against `influxdb-line-protocol`, the one of InfluxDB 3.
//!
//! Where both take a body they must take it the same way. Where they differ, it is on purpose:
//!
//! Refused here, taken there:
//! - a measurement, tag or field with a NUL byte: PostgreSQL's text cannot hold one; bodies that are not UTF-8 do not even
//!   reach the other parser;
//! - a tag or a field twice in a line, or a name that is both: which of the two values counts would be an accident;
//! - the names `time` and `series_id`, columns of every measurement;
//! - a comma in a tag's or field's name (`m,a,b=1 f=1` is a tag named `a,b` there): it is far more often a missing value;
//! - a line break behind a backslash in a name: a line ends there, so that one bad line does not take the next with it;
//! - text with line breaks in a line that also has a quote in a field's name: see `extent`, which must know open quotes;
//! - floats that overflow, which are infinite there; times outside the years 1 to 9999; and what is beyond [`Limits`].
//!
//! Taken by both: a backslash before a line break within text, which goes here, as QuestDB's clients mean it, and stays
//! there.
//!
//! Taken here, refused there:
//! - `.5` and `1.`, as by InfluxDB 1 and 2;
//! - QuestDB's suffixes `t` and `n`;
//! - spaces behind the fields of a line without a time;
//! - a carriage return before a line break, and a byte order mark at the start;
//! - a quote in a name of an indented line whose measurement has an `=`: there the line's break is then within text;
//! - lines behind an open quote, or behind a comment that looks like one: there they are part of it.
//!
//! [`Limits`]: super::super::Limits

use influxdb_line_protocol::{FieldValue as OracleValue, parse_lines};
use proptest::{collection::vec, option, prelude::*, sample::select};

use super::*;

/// A name or a tag's value: anything that needs escapes, and anything that looks as if it did.
fn name() -> impl Strategy<Value = String> {
    let pieces: &[&str] = &["a", "Z", "0", "_", ",", "=", " ", "\\x", "\"", "#", "'", "é", "€", "😀", "-", "."];
    vec(select(pieces), 1..6)
        .prop_map(|pieces| pieces.concat())
        .prop_filter("a line that begins with # is a comment", |name| !name.starts_with('#'))
}

fn escaped(name: &str, special: &[char]) -> String {
    let mut text = String::new();
    for character in name.chars() {
        if special.contains(&character) {
            text.push('\\');
        }
        text.push(character);
    }
    text
}

fn value() -> impl Strategy<Value = String> {
    let text = vec(select(&["a", " ", ",", "=", "\\\"", "\\\\", "\\x", "\n", "#", "é", "😀", "'"][..]), 0..8)
        .prop_map(|pieces| format!("\"{}\"", pieces.concat()));
    prop_oneof![
        any::<f64>().prop_filter("finite", |value| value.is_finite()).prop_map(|value| value.to_string()),
        any::<i32>().prop_map(|value| value.to_string()),
        (-1e9..1e9).prop_map(|value: f64| format!("{value:.3}")),
        (any::<u32>(), -30..30).prop_map(|(value, exponent)| format!("{value}e{exponent}")),
        any::<i64>().prop_map(|value| format!("{value}i")),
        any::<u64>().prop_map(|value| format!("{value}u")),
        select(&["t", "T", "true", "True", "TRUE", "f", "F", "false", "False", "FALSE"][..]).prop_map(str::to_owned),
        text,
    ]
}

prop_compose! {
    fn line()(
        indent in select(&["", " ", "\t "][..]),
        measurement in name(),
        tags in vec((name(), name()), 0..4),
        fields in vec((name(), value()), 1..4),
        spaces in select(&[" ", "   "][..]),
        time in option::of(any::<i64>()),
    ) -> String {
        let special = [',', '=', ' '];
        let mut line = if measurement.contains('=') { String::new() } else { indent.to_owned() };
        line += &escaped(&measurement, &[',', ' ']);
        let many_lines = fields.iter().any(|(_, value)| value.contains('\n'));
        // Numbered, so that no name comes twice.
        for (i, (key, value)) in tags.iter().enumerate() {
            line += &format!(",{}t{i}={}", escaped(key, &special), escaped(value, &special));
        }
        for (i, (key, value)) in fields.iter().enumerate() {
            let key = if many_lines { key.replace('"', "") } else { key.clone() };
            line += &format!("{}{}f{i}={value}", if i == 0 { spaces } else { "," }, escaped(&key, &special));
        }
        if let Some(time) = time {
            line += &format!("{spaces}{time}");
        }
        line
    }
}

fn body() -> impl Strategy<Value = String> {
    let item = prop_oneof![8 => line(), 1 => Just(String::new()), 1 => Just("# a comment, with a=b".to_owned())];
    (vec(item, 0..6), any::<bool>()).prop_map(|(items, newline)| items.join("\n") + if newline { "\n" } else { "" })
}

/// Compares what both parsers make of a line; `None` if one refuses it.
fn compare(ours: &Line<'_>, theirs: &influxdb_line_protocol::ParsedLine<'_>) -> Result<(), TestCaseError> {
    prop_assert_eq!(&*ours.measurement, theirs.series.measurement.as_str());
    let tags: Vec<_> = theirs.series.tag_set.iter().flatten().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    prop_assert_eq!(ours.tags.iter().map(|(k, v)| (&**k, &**v)).collect::<Vec<_>>(), tags);
    prop_assert_eq!(ours.fields.len(), theirs.field_set.len());
    for ((key, value), (their_key, their_value)) in ours.fields.iter().zip(&theirs.field_set) {
        prop_assert_eq!(&**key, their_key.as_str());
        let equal = match (value, their_value) {
            (FieldValue::Float(a), OracleValue::F64(b)) => a.to_bits() == b.to_bits(),
            (FieldValue::Integer(a), OracleValue::I64(b)) => a == b,
            (FieldValue::Unsigned(a), OracleValue::U64(b)) => a == b,
            (FieldValue::Boolean(a), OracleValue::Boolean(b)) => a == b,
            (FieldValue::Text(a), OracleValue::String(b)) => **a == *b.as_str(),
            _ => false,
        };
        prop_assert!(equal, "{:?} {:?}", value, their_value);
    }
    prop_assert_eq!(ours.time_us, theirs.timestamp.map(|ns| ns.div_euclid(1_000)));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn both_parsers_read_every_valid_body_alike(body in body()) {
        let ours: Vec<_> = parse(body.as_bytes(), Precision::Nanoseconds).collect();
        let theirs: Vec<_> = parse_lines(&body).collect();
        prop_assert_eq!(ours.len(), theirs.len(), "{:?}", body);
        for (ours, theirs) in ours.iter().zip(&theirs) {
            let (Ok(ours), Ok(theirs)) = (ours, theirs) else {
                return Err(TestCaseError::fail(format!("{body:?}\nours: {ours:?}\ntheirs: {theirs:?}")));
            };
            compare(ours, theirs)?;
        }
    }

    #[test]
    fn carriage_returns_before_line_breaks_change_nothing(body in body()) {
        // Within text they are part of it: without quotes there is none, and the errors must be equal too.
        let body = body.replace('"', "");
        let plain: Vec<_> = parse(body.as_bytes(), Precision::Nanoseconds).map(|line| shown(&line)).collect();
        let with = body.replace('\n', "\r\n");
        prop_assert_eq!(parse(with.as_bytes(), Precision::Nanoseconds).map(|line| shown(&line)).collect::<Vec<_>>(), plain);
    }

    #[test]
    fn what_both_take_of_a_damaged_line_they_take_alike(
        line in line(),
        changes in vec((any::<prop::sample::Index>(), select(&[',', '=', ' ', '"', '\\', '1', '.', 'i', 'x'][..])), 1..4),
    ) {
        let mut damaged: Vec<char> = line.chars().filter(|&character| character != '\n').collect();
        for (at, character) in changes {
            let at = at.index(damaged.len());
            damaged[at] = character;
        }
        let damaged: String = damaged.into_iter().collect();
        let ours: Vec<_> = parse(damaged.as_bytes(), Precision::Nanoseconds).collect();
        let theirs: Vec<_> = parse_lines(&damaged).collect();
        if let ([Ok(ours)], [Ok(theirs)]) = (&ours[..], &theirs[..]) {
            compare(ours, theirs)?;
        }
    }
}

#[test]
fn the_deliberate_differences_are_these() {
    let ours = |body: &str| parse(body.as_bytes(), Precision::Nanoseconds).map(|line| line.is_ok()).collect::<Vec<_>>();
    let theirs = |body: &str| parse_lines(body).map(|line| line.is_ok()).collect::<Vec<_>>();
    for body in [
        "m,t=a\0 f=1",
        "m,t=a,t=b f=1",
        "m f=1,f=2",
        "m,t=a t=1",
        "m time=1",
        "m,series_id=1 f=1",
        "m,a,b=1 f=1",
        "m a,b=1",
        "m f=1e309",
    ] {
        assert_eq!((ours(body), theirs(body)), (vec![false], vec![true]), "{body:?}");
    }
    for body in ["m f=.5", "m f=1.", "m f=5t", "m f=5n", "m f=1 ", "m f=1\r\n", "m f=\"a\"\r\n"] {
        assert_eq!((ours(body), theirs(body)), (vec![true], vec![false]), "{body:?}");
    }
    let escaped_break = "m f=\"a\\\nb\"";
    assert_eq!((ours(escaped_break), theirs(escaped_break)), (vec![true], vec![true]));
    assert_eq!((ours("m,t=a\\\nm f=1"), theirs("m,t=a\\\nm f=1")), (vec![false, true], vec![true]));
    assert_eq!((ours("m f=\"a\nm f=1"), theirs("m f=\"a\nm f=1")), (vec![false, true], vec![false]));
    let comment = "# a b=\"\nm f=1\nm f=2";
    assert_eq!((ours(comment), theirs(comment)), (vec![true, true], vec![false]));
    let indented = " =,t=\" f=1\n";
    assert_eq!((ours(indented), theirs(indented)), (vec![true], vec![false]));
    let quoted_name = "m f=\"\n\",\"g=1";
    assert_eq!((ours(quoted_name), theirs(quoted_name)), (vec![false, false], vec![true]));
    assert_eq!(parse_lines("\u{feff}m f=1").next().unwrap().unwrap().series.measurement, "\u{feff}m");
}
