//! All pairs, windows that move, lags and raw rows: what pandas makes of the same prices (`kinds.py`), and what is refused.

use std::{fs, path::Path};

use serde_json::{Value, json};

use super::real::{Real, STOCKS, ask};
use crate::support::run_python;

const RANGE: [&str; 2] = ["2004-08-01T00:00:00Z", "2012-06-10T00:00:00Z"];

/// A question about the stocks, which begin on different days, with these fields over its own.
fn stocks(fields: Value) -> Value {
    let mut question = ask(
        json!({"measurement": "stocks", "field": "Close", "transform": "log_return", "from": RANGE[0], "to": RANGE[1]}),
    );
    question.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    question
}

/// A question about all prices, which have no gaps.
fn prices(fields: Value) -> Value {
    let mut question = ask(json!({"transform": "log_return", "from": RANGE[0], "to": RANGE[1]}));
    question.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    question
}

fn without(mut question: Value, fields: &[&str]) -> Value {
    for field in fields {
        question.as_object_mut().unwrap().remove(*field);
    }
    question
}

#[tokio::test]
async fn pandas_computes_the_same() {
    let real = Real::shared().await;
    let folder = tempfile::tempdir().unwrap();
    let apple = json!({"Ticker": "AAPL"});
    let ranges =
        json!([{"from": RANGE[0], "to": RANGE[1]}, {"from": "2012-05-18T00:00:00Z", "to": "2012-06-10T00:00:00Z"}]);
    let ewma = |half_life: f64| {
        let question = json!({"target": apple, "ranges": ranges, "method": {"ewma": {"half_life": half_life}},
                              "stats": ["p_value", "ci95", "q_value"]});
        without(stocks(question), &["from", "to"])
    };
    let ticks = |method: &str| {
        let question = json!({"target": apple, "method": method});
        without(stocks(question), &["bucket"])
    };
    let symbol = json!({"symbol": "AAPL"});
    let questions = [
        ("stocks", "window", stocks(json!({}))),
        ("prices", "window", prices(json!({}))),
        ("ewma_20", "correlate", ewma(20.0)),
        ("ewma_0.5", "correlate", ewma(0.5)),
        ("stocks_pearson", "correlate/matrix", stocks(json!({}))),
        ("stocks_spearman", "correlate/matrix", stocks(json!({"method": "spearman"}))),
        ("prices_pearson", "correlate/matrix", prices(json!({"cluster": true}))),
        ("prices_spearman", "correlate/matrix", prices(json!({"method": "spearman"}))),
        ("stocks_rolling", "correlate/rolling", stocks(json!({"target": apple, "window": 60, "min_overlap": 20}))),
        ("prices_rolling", "correlate/rolling", prices(json!({"target": symbol, "window": 250, "step": 7}))),
        ("prices_lag", "correlate/lag", prices(json!({"target": symbol, "max_lag": 5}))),
        ("hayashi_yoshida", "correlate/ticks", ticks("hayashi_yoshida")),
        ("refresh_time", "correlate/ticks", ticks("refresh_time")),
    ];
    for (name, route, question) in &questions {
        for format in ["json", "npz", "npy"] {
            let answer = real.app.ask(&format!("/api/v1/{route}?format={format}"), question);
            assert_eq!(answer.status, 200, "{name} as {format}: {}", String::from_utf8_lossy(&answer.body));
            assert!(answer.header("chunkwise-series-version").is_some_and(|version| !version.is_empty()), "{name}");
            fs::write(folder.path().join(format!("{name}.{format}")), &answer.body).unwrap();
        }
    }
    let pairs = prices(json!({"top": 12}));
    for format in ["json", "csv", "arrow"] {
        let answer = real.app.ask(&format!("/api/v1/correlate/matrix?format={format}"), &pairs);
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        fs::write(folder.path().join(format!("pairs.{format}")), &answer.body).unwrap();
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/answers/kinds.py");
    run_python(script, &[folder.path(), Path::new(STOCKS)]);
}

#[tokio::test]
async fn the_best_lags_come_first_and_the_target_is_left_out() {
    let real = Real::shared().await;
    let question = prices(json!({"target": {"symbol": "AAPL"}, "max_lag": 2}));
    let all = real.app.ask("/api/v1/correlate/lag", &question).json();
    let mut ranked = question.clone();
    ranked["top"] = json!(5);
    let top = real.app.ask("/api/v1/correlate/lag", &ranked).json();
    let strength = |result: &Value| result["best"]["r"].as_f64().unwrap().abs();
    let all = all["results"].as_array().unwrap();
    assert_eq!(all.len(), 20);
    let own = all.iter().find(|result| result["series"]["symbol"] == "AAPL").unwrap();
    assert_eq!((own["best"]["lag"].as_i64(), own["best"]["r"].as_f64()), (Some(0), Some(1.0)));
    let mut strengths: Vec<f64> = all.iter().filter(|result| *result != own).map(strength).collect();
    strengths.sort_by(|a, b| b.total_cmp(a));
    let top = top["results"].as_array().unwrap();
    assert_eq!(top.iter().map(strength).collect::<Vec<_>>(), strengths[..5]);
    assert!(top.iter().all(|result| result["series"]["symbol"] != "AAPL"));
}

#[tokio::test]
async fn what_cannot_be_answered_is_refused_with_the_field() {
    let real = Real::shared().await;
    let target = json!({"symbol": "AAPL"});
    let cases = [
        ("matrix", prices(json!({"method": {"ewma": {"half_life": 3}}})), 400, json!("method")),
        ("matrix", prices(json!({"limit_bytes": 100_000})), 413, Value::Null),
        ("matrix", prices(json!({"windw": 3})), 400, json!("windw")),
        ("rolling", prices(json!({"target": target})), 400, json!("window")),
        ("rolling", prices(json!({"target": target, "window": 1})), 400, json!("window")),
        ("rolling", prices(json!({"target": {"symbol": ["AAPL", "XOM"]}, "window": 9})), 400, Value::Null),
        ("rolling", prices(json!({"target": {"symbol": "NONE"}, "window": 9})), 404, Value::Null),
        ("lag", prices(json!({"target": target, "max_lag": 100_000, "limit_bytes": 2_000_000})), 413, Value::Null),
        ("lag", prices(json!({"target": target, "max_lag": -1})), 400, json!("max_lag")),
        ("ticks", prices(json!({"target": target})), 400, json!("bucket")),
        ("ticks", without(prices(json!({"target": target, "transform": "pct"})), &["bucket"]), 400, json!("transform")),
        ("ticks", without(prices(json!({"target": target, "limit_bytes": 1_000})), &["bucket"]), 413, Value::Null),
        (
            "ticks",
            without(prices(json!({"target": target, "measurement": "none"})), &["bucket"]),
            404,
            json!("measurement"),
        ),
    ];
    for (kind, question, status, path) in cases {
        let answer = real.app.ask(&format!("/api/v1/correlate/{kind}"), &question);
        assert_eq!(answer.status, status, "{kind} {question}: {}", String::from_utf8_lossy(&answer.body));
        if path != Value::Null {
            assert_eq!(answer.json()["error"]["details"]["path"], path, "{kind} {question}");
        }
    }
    for (kind, fields, format) in [
        ("matrix", json!({"top": 3}), "npy"),
        ("matrix", json!({}), "csv"),
        ("rolling", json!({"target": target, "window": 9}), "arrow"),
        ("lag", json!({"target": target, "max_lag": 1}), "csv"),
    ] {
        let answer = real.app.ask(&format!("/api/v1/correlate/{kind}?format={format}"), &prices(fields));
        assert_eq!(answer.status, 406, "{kind} as {format}");
    }
}

#[tokio::test]
async fn no_data_is_an_answer_too() {
    let real = Real::shared().await;
    let target = json!({"symbol": "AAPL"});
    let empty = json!({"from": "1980-01-01T00:00:00Z", "to": "1981-01-01T00:00:00Z"});
    let with = |fields: Value| {
        let mut question = prices(fields);
        question.as_object_mut().unwrap().extend(empty.as_object().unwrap().clone());
        question
    };
    let matrix = real.app.ask("/api/v1/correlate/matrix", &with(json!({}))).json();
    assert_eq!((matrix["r"][3][4].clone(), matrix["n"][3][4].clone()), (Value::Null, json!(0)));
    let pairs = real.app.ask("/api/v1/correlate/matrix", &with(json!({"top": 3}))).json();
    assert_eq!(pairs["pairs"], json!([]));
    let rolling = real.app.ask("/api/v1/correlate/rolling", &with(json!({"target": target, "window": 9}))).json();
    assert_eq!((rolling["times"].clone(), rolling["results"][0]["r"].clone()), (json!([]), json!([])));
    let lag = real.app.ask("/api/v1/correlate/lag", &with(json!({"target": target, "max_lag": 1}))).json();
    assert_eq!((lag["lags"].clone(), lag["results"][0]["best"].clone()), (json!([-1, 0, 1]), Value::Null));
    let ticks = real.app.ask("/api/v1/correlate/ticks", &without(with(json!({"target": target})), &["bucket"])).json();
    assert_eq!(
        ticks["ranges"][0]["results"][0],
        json!({"series_id": 1, "series": {"symbol": "AAPL"}, "r": null, "n": 0})
    );
}
