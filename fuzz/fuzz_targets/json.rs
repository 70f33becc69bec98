//! Rows as JSON, in chunkwise's own form and through mappings.

#![no_main]

use std::sync::LazyLock;

use chunkwise::protocol::{
    FieldValue, Limits, Line, MAX_TIME_US, MIN_TIME_US, Precision,
    json::{Document, Mapping, Node},
};
use libfuzzer_sys::fuzz_target;

static MAPPINGS: LazyLock<Vec<Mapping>> = LazyLock::new(|| {
    let texts = [
        "measurement = 'trades'\nrows = 'data/*'\nonly = { '/e' = 'trade', ok = true }\n\
         time = { path = 't', unit = 'ms' }\ntags = { symbol = 's', venue = '/venue' }\n\
         [fields]\nprice = { path = 'p', type = 'float' }\nsize = { path = 'q', type = 'integer' }\nraw = 'r'",
        "measurement = 'm'\nfields = { value = '' }",
    ];
    texts.iter().map(|text| toml::from_str(text).expect("the mapping is valid")).collect()
});

fuzz_target!(|bytes: &[u8]| {
    if let Ok(document) = Document::parse(bytes) {
        let rows = document.rows();
        let mut read = 0;
        for line in document.lines(Precision::Nanoseconds, Limits::default()) {
            read += 1;
            match line {
                Ok(line) => check(&line),
                Err(bad) => assert!(bad.row > 0 && !bad.path.is_empty()),
            }
        }
        assert_eq!(read, rows, "every row is answered for");
    }
    if let Ok(message) = Node::parse(bytes) {
        for mapping in &*MAPPINGS {
            for line in mapping.lines(&message, &[("place", "hall")], Limits::default()).flatten() {
                check(&line);
            }
        }
    }
});

fn check(line: &Line<'_>) {
    let is_name = |name: &str| !name.is_empty() && !name.contains('\0');
    assert!(is_name(&line.measurement) && !line.fields.is_empty());
    assert!(line.tags.iter().all(|(name, value)| is_name(name) && is_name(value)));
    assert!(line.time_us.is_none_or(|us| (MIN_TIME_US..=MAX_TIME_US).contains(&us)));
    for (name, value) in &line.fields {
        assert!(is_name(name));
        match value {
            FieldValue::Float(value) => assert!(value.is_finite()),
            FieldValue::Text(text) => assert!(!text.contains('\0')),
            FieldValue::Timestamp(us) => assert!((MIN_TIME_US..=MAX_TIME_US).contains(us)),
            FieldValue::Integer(_) | FieldValue::Unsigned(_) | FieldValue::Boolean(_) => {}
        }
    }
}
