//! Correlations of real prices are those of pandas and scipy (`tests/data/make_golden.py`), all the way through.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::real::{Real, ask, correlation, data};
use crate::support::run;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    data: String,
    target: String,
    from: String,
    to: String,
    bucket: String,
    transform: String,
    method: String,
    min_overlap: usize,
    results: BTreeMap<String, Expected>,
}

#[derive(Deserialize)]
struct Expected {
    r: Option<f64>,
    n: i64,
    p_value: Option<f64>,
}

impl Case {
    fn tag(&self) -> &'static str {
        if self.data == "sp500_prices" { "symbol" } else { "Ticker" }
    }

    fn question(&self) -> Value {
        let (measurement, field) = if self.data == "sp500_prices" { ("prices", "close") } else { ("stocks", "Close") };
        let midnight = |date: &str| format!("{date}T00:00:00Z");
        ask(json!({
            "measurement": measurement, "field": field, "bucket": self.bucket, "transform": self.transform,
            "method": self.method, "min_overlap": self.min_overlap, "target": {self.tag(): self.target},
            "ranges": [{"from": midnight(&self.from), "to": midnight(&self.to)}], "stats": ["p_value"],
        }))
    }
}

/// 1e-4 where a p-value can be told from 0, below that the order of magnitude.
fn is_near(p: f64, expected: f64) -> bool {
    if expected > 1e-12 {
        (p - expected).abs() <= 1e-4 * expected
    } else if expected > 1e-300 {
        (p.log10() - expected.log10()).abs() < 0.1
    } else {
        (0.0..1e-299).contains(&p)
    }
}

#[tokio::test]
async fn every_golden_correlation_is_answered_over_http() {
    let real = Real::shared().await;
    let golden: Golden = serde_json::from_str(include_str!(data!("golden.json"))).unwrap();
    assert_eq!(golden.cases.len(), 7);
    for case in golden.cases {
        let answer = real.app.ask("/api/v1/correlate", &case.question());
        assert_eq!(answer.status, 200, "{}: {}", case.name, answer.json());
        let answer = answer.json();
        assert_eq!(answer["target"]["tags"][case.tag()], case.target.as_str());
        let results = answer["ranges"][0]["results"].as_array().unwrap();
        assert_eq!(results.len(), case.results.len(), "{}", case.name);
        for result in results {
            let name = result["series"][case.tag()].as_str().unwrap();
            let what = format!("{}, {name}: {result}", case.name);
            let Expected { r, n, p_value } = &case.results[name];
            assert_eq!(result["n"], *n, "{what}");
            match (r, p_value) {
                (Some(r), Some(p)) => {
                    assert!((result["r"].as_f64().unwrap() - r).abs() <= 1e-9, "{what} is not {r}");
                    assert!(is_near(result["p_value"].as_f64().unwrap(), *p), "{what} has not p = {p}");
                }
                _ => assert_eq!((&result["r"], &result["p_value"]), (&Value::Null, &Value::Null), "{what}"),
            }
            if name == case.target && r.is_some() {
                assert_eq!(result["r"], 1.0, "{what}");
            }
        }
    }
}

#[tokio::test]
async fn the_command_gives_the_answer_that_the_port_gives() {
    let real = Real::shared().await;
    let url = real.database.url();
    let line = "correlate prices close --bucket 1d --transform log_return --target symbol=AAPL \
                --range 2020-01-01..2021-01-01 --stats p_value --format json --database-url";
    let arguments: Vec<&str> = line.split_whitespace().chain([url.as_str()]).collect();
    let told: Value = serde_json::from_str(run(&arguments).successful().text()).unwrap();
    let asked = real.app.ask("/api/v1/correlate", &correlation(json!({"stats": ["p_value"]}))).json();
    assert_eq!((&told["target"], &told["ranges"]), (&asked["target"], &asked["ranges"]));
    // A service keeps what it has read.
    assert_eq!(told["receipt"]["chunks"]["total"], asked["receipt"]["chunks"]["total"]);
    assert_eq!(told["ranges"][0]["results"].as_array().unwrap().len(), 20);
}
