//! JSON, read by serde_json.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn read(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

fn window_json(answer: &WindowAnswer) -> Value {
    read(&window(answer, Format::Json, Layout::Long).unwrap())
}

#[test]
fn a_window_has_the_shape_of_the_contract() {
    let mut read = window_json(&window_answer());
    let encode = read["receipt"]["ms"]["encode"].take();
    assert!(encode.as_f64().unwrap() > 0.0, "the receipt knows what the writing took");
    assert_eq!(
        read,
        json!({
            "times": TIMES_US.map(time),
            "series": [
                {"series_id": 1, "tags": {"time": ODD[0], "symbol": "AAPL"}},
                {"series_id": 2, "tags": {"time": ODD[1], "symbol": ODD[2]}},
                {"series_id": 7, "tags": {"symbol": ""}},
                {"series_id": i64::MAX, "tags": {}},
            ],
            "values": [
                [0.1 + 0.2, -0.0, null, f64::MAX],
                [f64::MIN_POSITIVE, 5e-324, 1.0, null],
                [null, null, null, null],
                [-1e-7, 123_456_789.123_456_78, null, 9_007_199_254_740_993.0],
            ],
            "as_of": "2022-12-28T09:30:00.123456Z",
            "receipt": {
                "chunks": {"total": 0, "pruned": 0, "cached": 0, "read": 0}, "rows_read": 4032, "bytes_read": 0,
                "ms": {"queue": 0.0, "plan": 0.0, "read": 0.0, "align": 0.0, "compute": 0.0, "encode": null},
            },
        })
    );
}

#[test]
fn a_correlation_has_the_shape_of_the_contract() {
    let read = read(&correlate(&correlate_answer(), None, Format::Json).unwrap());
    assert_eq!(read["target"], json!({"series_id": 1, "tags": {"time": ODD[0], "symbol": "AAPL"}}));
    assert_eq!(read["as_of"], "2022-12-28T09:30:00.123456Z");
    assert!(read["receipt"]["chunks"].is_object());
    let ranges = read["ranges"].as_array().unwrap();
    assert_eq!(ranges.len(), 2);
    assert_eq!(ranges[1]["from"], "2021-01-01T00:00:00Z");
    assert_eq!(ranges[1]["to"], "2022-01-01T00:00:00Z");
    assert_eq!(
        ranges[0]["results"],
        json!([
            {"series_id": 1, "series": {"time": ODD[0], "symbol": "AAPL"}, "r": 1.0, "n": 252,
             "p_value": 0.0, "ci95": null, "q_value": 0.0},
            {"series_id": 2, "series": {"time": ODD[1], "symbol": ODD[2]}, "r": 0.7432, "n": 252,
             "p_value": 1.2e-45, "ci95": [0.68, 0.79], "q_value": 2e-45},
            {"series_id": 7, "series": {"symbol": ""}, "r": null, "n": 9,
             "p_value": null, "ci95": null, "q_value": null},
            {"series_id": i64::MAX, "series": {}, "r": -0.1, "n": 100,
             "p_value": 0.4, "ci95": [-0.3, 0.1], "q_value": 0.5},
        ])
    );
}

#[test]
fn stats_that_were_not_asked_for_are_not_there() {
    let mut answer = correlate_answer();
    answer.stats.clear();
    let read = read(&correlate(&answer, None, Format::Json).unwrap());
    let keys: Vec<_> = read["ranges"][0]["results"][0].as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["n", "r", "series", "series_id"]);
}

#[test]
fn a_list_of_series_has_the_shape_of_the_contract() {
    let read = read(&series_list(&listing(), Format::Json).unwrap());
    assert_eq!(read["next"], i64::MAX);
    assert_eq!(read["total"], 1_000_000);
    assert_eq!(
        read["series"][1],
        json!({"series_id": 2, "tags": {"time": ODD[1], "symbol": ODD[2]},
               "first": "1969-12-31T23:59:59.999999Z", "last": "1970-01-01T00:00:00.250Z"})
    );
    assert_eq!(read["series"][2], json!({"series_id": 7, "tags": {"symbol": ""}, "first": null, "last": null}));
}

#[test]
fn an_empty_window_is_empty_lists() {
    let read = window_json(&empty_window());
    assert_eq!((&read["times"], &read["series"], &read["values"]), (&json!([]), &json!([]), &json!([])));
}

proptest! {
    #[test]
    fn every_finite_number_reads_back_to_the_same_bits(bits in any::<u64>()) {
        let mut answer = long_window(1);
        answer.frame.values[[0, 0]] = f64::from_bits(bits);
        let read = window_json(&answer)["values"][0][0].as_f64();
        match f64::from_bits(bits) {
            value if value.is_finite() => prop_assert_eq!(read.map(f64::to_bits), Some(bits)),
            _ => prop_assert_eq!(read, None),
        }
    }

    #[test]
    fn any_text_survives_as_a_tag(text in any::<String>()) {
        let mut answer = long_window(1);
        Arc::make_mut(&mut answer.rows).series[0].tags[0] = Some(text.clone());
        prop_assert_eq!(&window_json(&answer)["series"][0]["tags"]["symbol"], &Value::String(text));
    }
}
