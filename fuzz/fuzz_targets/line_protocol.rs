//! Bodies of line protocol, against what holds for any body and against InfluxDB's own parser.

#![no_main]

use std::ops::Range;

use chunkwise::protocol::{
    FieldValue, Limits, Line, Lines, MAX_TIME_US, MIN_TIME_US, Precision, complete_bytes, parse,
};
use influxdb_line_protocol::{FieldValue as Theirs, ParsedLine, parse_lines};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let precision = Precision::Nanoseconds;
    let (mut last_number, mut last_end) = (0, 0);
    let mut place = |number: u32, bytes: &Range<usize>| {
        assert!(number > last_number && bytes.start >= last_end && bytes.end <= body.len());
        (last_number, last_end) = (number, bytes.end);
    };
    for line in parse(body, precision) {
        match line {
            Ok(line) => {
                place(line.number, &line.bytes);
                check(&line);
                reads_back(&line);
            }
            Err(error) => {
                place(error.line, &error.bytes);
                // Each byte that is none of UTF-8 is shown as a replacement character.
                assert!(error.column > 0 && error.original(body, 80).len() <= 80 * '\u{fffd}'.len_utf8());
            }
        }
    }
    assert!(complete_bytes(body) <= body.len());
    glances(body, precision);
    if let Ok(text) = std::str::from_utf8(body) {
        compare(text);
    }
});

/// What the database relies on.
fn check(line: &Line<'_>) {
    let limits = Limits::default();
    let is_name = |name: &str| !name.is_empty() && name.len() <= limits.name_bytes && !name.contains('\0');
    assert!(is_name(&line.measurement) && !line.fields.is_empty());
    assert!(line.tags.iter().all(|(name, value)| is_name(name) && !value.is_empty() && !value.contains('\0')));
    assert!(line.time_us.is_none_or(|us| (MIN_TIME_US..=MAX_TIME_US).contains(&us)));
    let mut names: Vec<&str> = line.tags.iter().map(|(name, _)| &**name).collect();
    for (name, value) in &line.fields {
        assert!(is_name(name));
        names.push(name);
        match value {
            FieldValue::Float(value) => assert!(value.is_finite()),
            FieldValue::Text(text) => assert!(!text.contains('\0')),
            FieldValue::Timestamp(us) => assert!((MIN_TIME_US..=MAX_TIME_US).contains(us)),
            FieldValue::Integer(_) | FieldValue::Unsigned(_) | FieldValue::Boolean(_) => {}
        }
    }
    names.sort_unstable();
    assert!(names.is_sorted_by(|a, b| a < b), "a name comes twice");
}

/// A rendered line, as a dead letter has it, is that line again.
fn reads_back(line: &Line<'_>) {
    let text = line.render();
    // A field's escapes make it longer, and there is a limit.
    if text.len() > Limits::default().line_bytes {
        return;
    }
    let mut again = parse(text.as_bytes(), Precision::Microseconds);
    let read = again.next().expect("a line is rendered").expect("and a good one");
    let shown = |line: &Line<'_>| format!("{:?}", (&line.measurement, &line.tags, &line.fields, line.time_us));
    assert_eq!(shown(&read), shown(line));
    assert!(again.next().is_none());
}

/// The short way to read a line of a known series says what the long one says.
fn glances(body: &[u8], precision: Precision) {
    let mut lines = Lines::new(body, precision, Limits::default());
    loop {
        let glance = lines.glance();
        let Some(read) = lines.next() else { break };
        let (Some(glance), Ok(line)) = (glance, read) else { continue };
        if glance.number() != line.number {
            continue;
        }
        let mut fields = Vec::new();
        let time = glance.read(|name, value| {
            fields.push((name, value));
            true
        });
        let Some(time) = time else { continue };
        assert!(
            fields
                .iter()
                .map(|(name, value)| (*name, value))
                .eq(line.fields.iter().map(|(name, value)| (&**name, value)))
        );
        assert_eq!((time.us, time.rounded, glance.bytes()), (line.time_us, line.rounded, line.bytes));
    }
}

/// What both parsers take of one line they take alike. Bodies with line breaks differ on purpose in where lines end, and a
/// byte order mark is part of a name there.
fn compare(text: &str) {
    if text.contains(['\n', '\r', '\u{feff}']) {
        return;
    }
    let ours: Vec<_> = parse(text.as_bytes(), Precision::Nanoseconds).collect();
    let theirs: Vec<_> = parse_lines(text).collect();
    if let ([Ok(ours)], [Ok(theirs)]) = (&ours[..], &theirs[..]) {
        same(ours, theirs);
    }
}

fn same(ours: &Line<'_>, theirs: &ParsedLine<'_>) {
    assert_eq!(ours.measurement, theirs.series.measurement.as_str());
    let tags = theirs.series.tag_set.iter().flatten();
    assert!(ours.tags.iter().map(|(k, v)| (&**k, &**v)).eq(tags.map(|(k, v)| (k.as_str(), v.as_str()))));
    assert_eq!(ours.fields.len(), theirs.field_set.len());
    for ((name, value), (their_name, their_value)) in ours.fields.iter().zip(&theirs.field_set) {
        assert_eq!(name, their_name.as_str());
        let equal = match (value, their_value) {
            (FieldValue::Float(a), Theirs::F64(b)) => a.to_bits() == b.to_bits(),
            (FieldValue::Integer(a), Theirs::I64(b)) => a == b,
            (FieldValue::Unsigned(a), Theirs::U64(b)) => a == b,
            (FieldValue::Boolean(a), Theirs::Boolean(b)) => a == b,
            (FieldValue::Text(a), Theirs::String(b)) => **a == *b.as_str(),
            _ => false,
        };
        assert!(equal, "{value:?} {their_value:?}");
    }
    assert_eq!(ours.time_us, theirs.timestamp.map(|ns| ns.div_euclid(1_000)));
}
