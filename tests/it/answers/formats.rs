//! One answer in every format, as its readers see it: `clients.py` reads them back.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::{Value, json};

use super::real::{Real, STOCKS, ask};
use crate::support::{Answer, run_python};

/// The name in `?format=`, which is the file's ending too, and the media type.
const FORMATS: [(&str, &str); 5] = [
    ("json", "application/json"),
    ("npy", "application/x-npy"),
    ("npz", "application/x-npz"),
    ("arrow", "application/vnd.apache.arrow.stream"),
    ("csv", "text/csv"),
];

/// What an answer says of itself beside its body.
fn check(answer: &Answer, format: &str, media_type: &str, what: &str) -> String {
    assert_eq!(answer.status, 200, "{what} as {format}: {}", String::from_utf8_lossy(&answer.body));
    let content_type = answer.header("content-type").unwrap();
    assert!(content_type.starts_with(media_type), "{what}: {content_type}");
    match (format, answer.header("chunkwise-receipt")) {
        ("json", None) => {}
        ("json", Some(receipt)) => panic!("{what}: JSON has its receipt within, not {receipt}"),
        (_, receipt) => {
            let receipt: Value = serde_json::from_str(receipt.unwrap()).unwrap();
            let has_read =
                receipt["rows_read"].as_u64().unwrap() > 0 || receipt["chunks"]["cached"].as_u64().unwrap() > 0;
            assert!(has_read, "{what}: {receipt}");
            for field in ["queue", "plan", "read", "align", "compute", "encode"] {
                assert!(receipt["ms"][field].is_f64(), "{what}: {receipt}");
            }
        }
    }
    answer.header("chunkwise-series-version").unwrap().to_owned()
}

#[tokio::test]
async fn every_format_holds_the_same_numbers_bit_for_bit() {
    let real = Real::shared().await;
    // Google begins within this range, Facebook near its end, and its first and last days are no trading days.
    let window = |transform: &str| {
        ask(json!({
            "measurement": "stocks", "field": "Close", "transform": transform,
            "from": "2004-08-01T00:00:00Z", "to": "2012-06-10T00:00:00Z",
        }))
    };
    let correlation = |fields: Value| {
        let mut question = ask(json!({
            "measurement": "stocks", "field": "Close", "transform": "log_return", "target": {"Ticker": "AAPL"},
            "ranges": [{"from": "2004-08-01T00:00:00Z", "to": "2012-06-10T00:00:00Z"},
                       {"from": "2012-05-01T00:00:00Z", "to": "2012-06-10T00:00:00Z"}],
            "min_overlap": 15, "stats": ["p_value", "ci95", "q_value"],
        }));
        question.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        question
    };
    let questions = [
        ("window", "level", window("level")),
        ("window", "returns", window("log_return")),
        ("correlate", "correlation", correlation(json!({}))),
        ("correlate", "ranking", correlation(json!({"top": 3}))),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (route, name, question) in &questions {
        let mut versions = BTreeSet::new();
        for (format, media_type) in FORMATS {
            let path = format!("/api/v1/{route}");
            let answer = real.app.post_with(&path, &[("accept", media_type)], question.to_string().as_bytes());
            versions.insert(check(&answer, format, media_type, name));
            fs::write(folder.path().join(format!("{name}.{format}")), &answer.body).unwrap();
            let by_parameter = real.app.ask(&format!("{path}?format={format}"), question);
            versions.insert(check(&by_parameter, format, media_type, name));
            // JSON tells when it was made, npz when its parts were.
            if !matches!(format, "json" | "npz") {
                assert_eq!(answer.body, by_parameter.body, "{name} as {format}");
            }
        }
        assert_eq!(versions.len(), 1, "{name}: {versions:?}");
        for format in ["arrow", "csv"].into_iter().filter(|_| *route == "window") {
            let wide = real.app.ask(&format!("/api/v1/window?layout=wide&format={format}"), question);
            assert_eq!(wide.status, 200, "{name} as wide {format}");
            assert!(versions.contains(wide.header("chunkwise-series-version").unwrap()), "{name} as wide {format}");
            fs::write(folder.path().join(format!("{name}.wide.{format}")), &wide.body).unwrap();
        }
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/answers/clients.py");
    run_python(script, &[folder.path(), Path::new(STOCKS)]);
}

#[tokio::test]
async fn equal_versions_mean_equal_series_whatever_is_asked() {
    let real = Real::shared().await;
    let range = json!({"from": "2020-01-01T00:00:00Z", "to": "2020-02-01T00:00:00Z"});
    let version = |answer: Answer| answer.header("chunkwise-series-version").unwrap().to_owned();
    let window = |series: Value| {
        let question = json!({"series": series, "from": range["from"], "to": range["to"]});
        version(real.app.ask("/api/v1/window?format=npy", &ask(question)))
    };
    let listed = version(real.app.get("/api/v1/series?measurement=prices"));
    let correlated = json!({"target": {"symbol": "XOM"}, "ranges": [range]});
    assert_eq!(window(json!({})), listed);
    assert_eq!(version(real.app.ask("/api/v1/correlate?format=npy", &ask(correlated))), listed);
    assert_ne!(window(json!({"symbol": ["AAPL", "XOM"]})), listed);
    assert_eq!(window(json!({"symbol": ["AAPL", "XOM"]})), window(json!({"symbol": ["XOM", "AAPL"]})));
}
