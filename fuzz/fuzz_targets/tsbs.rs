//! TSBS's data: a head and rows.

#![no_main]

use chunkwise::protocol::{
    FieldValue, Limits,
    tsbs::{Head, Records, head_bytes, record_bytes},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((head, body)) = head_bytes(bytes).and_then(|end| bytes.split_at_checked(end)) else { return };
    let Ok(head) = Head::parse(head) else { return };
    let limits = Limits::default();
    let mut last = 0;
    let mut count = 0;
    for record in Records::new(body, &head) {
        count += 1;
        let (number, place) = match &record {
            Ok(line) => (line.number, line.bytes.clone()),
            Err(error) => (error.line, error.bytes.clone()),
        };
        assert!(number >= last && place.start <= place.end && place.end <= body.len(), "rows come in order");
        last = number;
        let Ok(line) = record else { continue };
        assert!(!line.measurement.is_empty() && !line.fields.is_empty() && line.time_us.is_some());
        assert!(line.tags.len() <= limits.tags && line.fields.len() <= limits.fields);
        for (name, value) in &line.tags {
            assert!(!name.is_empty() && name.len() <= limits.name_bytes);
            assert!(!value.is_empty() && value.len() <= limits.tag_value_bytes && !value.contains('\0'));
            assert!(line.fields.iter().all(|(field, _)| field != name));
        }
        for (_, value) in &line.fields {
            assert!(matches!(value, FieldValue::Float(number) if number.is_finite()));
        }
    }
    // Cut between its rows it is the same rows.
    let (mut rest, mut cut) = (body, 0);
    while let Some((record, behind)) = record_bytes(rest).and_then(|end| rest.split_at_checked(end)) {
        assert!(!record.is_empty());
        cut += Records::new(record, &head).count();
        rest = behind;
    }
    assert_eq!(cut + Records::new(rest, &head).count(), count);
});
