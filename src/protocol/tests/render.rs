//! What is rendered reads back.

use std::borrow::Cow;

use proptest::{collection::vec, option, prelude::*};

use super::{
    super::{Fields, MAX_TIME_US, MIN_TIME_US, Tags},
    *,
};

/// Names that line protocol can say, made of what means something in it.
fn name() -> impl Strategy<Value = String> {
    "[a-z,= \\\\\"\té€#0]{1,8}"
        .prop_filter("no name ends in a backslash", |name| !name.ends_with('\\'))
        // A tab is in a name only behind a backslash, which stays.
        .prop_map(|name| name.replace('\t', "\\\t"))
}

fn value() -> impl Strategy<Value = FieldValue<'static>> {
    prop_oneof![
        any::<f64>().prop_filter("finite", |value| value.is_finite()).prop_map(FieldValue::Float),
        any::<i64>().prop_map(FieldValue::Integer),
        any::<u64>().prop_map(FieldValue::Unsigned),
        any::<bool>().prop_map(FieldValue::Boolean),
        (MIN_TIME_US..=MAX_TIME_US).prop_map(FieldValue::Timestamp),
        "[a-z,= \\\\\"\n\r\té€#]{0,12}".prop_map(|text| FieldValue::Text(Cow::Owned(text))),
    ]
}

/// A line of distinct names: numbers behind them keep them apart.
fn line() -> impl Strategy<Value = Line<'static>> {
    let measurement = name().prop_filter("no comment", |name| !name.starts_with('#'));
    let tags = vec((name(), name()), 0..4);
    // With a bare quote in a field's name, a line ends at the first line break, even in a text.
    let field_name = name().prop_map(|name| name.replace('"', r#"\""#));
    let fields = vec((field_name, value()), 1..5);
    (measurement, tags, fields, option::of(MIN_TIME_US..=MAX_TIME_US)).prop_map(
        |(measurement, tags, fields, time_us)| {
            let distinct =
                |index: usize, name: String, role: char| Cow::<'static, str>::Owned(format!("{name}{role}{index}"));
            let tags: Tags<'static> = tags
                .into_iter()
                .enumerate()
                .map(|(i, (name, value))| (distinct(i, name, 't'), Cow::Owned(value)))
                .collect();
            let fields: Fields<'static> =
                fields.into_iter().enumerate().map(|(i, (name, value))| (distinct(i, name, 'f'), value)).collect();
            Line { measurement: Cow::Owned(measurement), tags, fields, time_us, ..Line::empty(1) }
        },
    )
}

/// Everything but where the line stood; as text, in which -0 is not 0.
fn content(line: &Line<'_>) -> String {
    format!("{:?} {:?} {:?} {:?}", line.measurement, line.tags, line.fields, line.time_us)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_rendered_line_reads_back_as_the_same_line(lines in vec(line(), 1..4)) {
        let body = lines.iter().map(Line::render).collect::<Vec<_>>().join("\n");
        let read: Vec<_> = parse(body.as_bytes(), Precision::Microseconds).collect();
        prop_assert_eq!(read.len(), lines.len(), "{:?}", body);
        for (line, read) in lines.iter().zip(&read) {
            let read = read.as_ref().map_err(|error| TestCaseError::fail(format!("{error} in {body:?}")))?;
            prop_assert_eq!(content(line), content(read), "{:?}", body);
        }
    }
}

#[test]
fn a_name_that_begins_like_a_byte_order_mark_keeps_it_wherever_the_line_stands() {
    let body = "\u{feff}m f=1 1\n\u{feff}m f=2 2";
    let lines: Vec<_> = parse(body.as_bytes(), Precision::Microseconds).map(Result::unwrap).collect();
    let names: Vec<_> = lines.iter().map(|line| &*line.measurement).collect();
    assert_eq!(names, ["m", "\u{feff}m"], "only the first is the body's mark");
    for line in &lines {
        let text = line.render();
        let read = parse(text.as_bytes(), Precision::Microseconds).next().unwrap().unwrap();
        assert_eq!(content(&read), content(line));
    }
}
