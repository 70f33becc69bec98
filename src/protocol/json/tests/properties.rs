use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{super::Document, *};

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>) {
        if let Ok(document) = Document::parse(&bytes) {
            document.lines(Precision::Auto, Limits::default()).for_each(drop);
        }
    }

    #[test]
    fn no_values_make_it_panic_and_every_row_has_one_outcome(
        measurement in ".{0,4}", time: i64, names in prop::collection::btree_map(".{0,4}", any::<f64>(), 0..4),
    ) {
        let fields: BTreeMap<_, _> = names.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        let row = json!({"measurement": measurement, "time": time, "tags": {"t": measurement}, "fields": fields});
        let text = json!({"rows": [row, Value::Null, row]}).to_string();
        let document = Document::parse(text.as_bytes()).unwrap();
        prop_assert_eq!(document.lines(Precision::Nanoseconds, Limits::default()).count(), 3);
    }

    #[test]
    fn what_is_well_formed_comes_out_as_it_went_in(
        rows in prop::collection::vec(
            ("[a-zé\" ]{1,8}", -1_000_000_000_000_i64..1_000_000_000_000, any::<f64>().prop_filter("finite", |v| v.is_finite()),
             any::<bool>(), "[^\0]{0,12}", "[^\0]{1,12}"),
            0..8,
        ),
    ) {
        let text = json!({"rows": rows.iter().map(|(measurement, time, float, truth, text, tag)| json!({
            "measurement": measurement, "time": time, "tags": {"tag": tag},
            "fields": {"a_float": float, "b_truth": truth, "c_text": text},
        })).collect::<Vec<_>>()}).to_string();
        let document = Document::parse(text.as_bytes()).unwrap();
        let lines: Vec<_> = document.lines(Precision::Microseconds, Limits::default()).collect::<Result<_, _>>().unwrap();
        prop_assert_eq!(lines.len(), rows.len());
        for (line, (measurement, time, float, truth, text, tag)) in lines.iter().zip(&rows) {
            prop_assert_eq!(&line.measurement, measurement);
            prop_assert_eq!(line.time_us, Some(*time));
            prop_assert_eq!(&line.tags[0].1, tag);
            let values: Vec<_> = line.fields.iter().map(|(_, value)| value.clone()).collect();
            prop_assert_eq!(values, vec![
                FieldValue::Float(*float), FieldValue::Boolean(*truth), FieldValue::Text(text.as_str().into()),
            ]);
        }
    }
}
