use serde_json::{Value, json};

use super::assert_same_fields;
use crate::question::{LagQuestion, MatrixQuestion, RollingQuestion, TicksQuestion};

#[test]
fn the_fields_and_defaults_of_the_other_kinds_are_the_real_ones() {
    let minimal = |more: Value| {
        let mut minimal = json!({"measurement": "m", "field": "f", "bucket": "1d", "from": 0, "to": 1});
        minimal.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        minimal
    };
    let parsed: MatrixQuestion = serde_json::from_value(minimal(json!({}))).unwrap();
    let full = MatrixQuestion { top: Some(1), limit_bytes: Some(1), ..parsed.clone() };
    assert_same_fields("MatrixQuestion", &json!(full), &json!(parsed));

    let parsed: RollingQuestion = serde_json::from_value(minimal(json!({"target": {}, "window": 2}))).unwrap();
    let full = RollingQuestion { limit_bytes: Some(1), ..parsed.clone() };
    assert_same_fields("RollingQuestion", &json!(full), &json!(parsed));

    let parsed: LagQuestion = serde_json::from_value(minimal(json!({"target": {}, "max_lag": 2}))).unwrap();
    let full = LagQuestion { top: Some(1), limit_bytes: Some(1), ..parsed.clone() };
    assert_same_fields("LagQuestion", &json!(full), &json!(parsed));

    let ticks = json!({"measurement": "m", "field": "f", "target": {}, "from": 0, "to": 1});
    let parsed: TicksQuestion = serde_json::from_value(ticks).unwrap();
    let full = TicksQuestion { top: Some(1), limit_bytes: Some(1), ..parsed.clone() };
    assert_same_fields("TicksQuestion", &json!(full), &json!(parsed));
}
