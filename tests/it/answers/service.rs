//! The port itself: what is there for operators and browsers, who may ask, and how it refuses.

use serde_json::{Value, json};

use super::real::{Real, correlation};
use crate::support::wait_until;

#[tokio::test]
async fn health_and_readiness_are_told_as_influxdbs_clients_read_them() {
    let real = Real::shared().await;
    for (path, status) in [("/health", "pass"), ("/ready", "ready")] {
        let answer = real.app.get(path);
        let body = answer.json();
        assert_eq!(
            (answer.status, &body["name"], &body["status"]),
            (200, &json!("chunkwise"), &json!(status)),
            "{path}"
        );
        assert_eq!(body["version"], env!("CARGO_PKG_VERSION"));
    }
    let ping = real.app.get("/ping");
    assert_eq!((ping.status, ping.body.len()), (204, 0));
    assert!(ping.header("x-influxdb-version").unwrap().starts_with("1."));
}

#[tokio::test]
async fn metrics_count_lines_and_questions() {
    let real = Real::shared().await;
    assert_eq!(real.app.ask("/api/v1/correlate", &correlation(json!({}))).status, 200);
    assert_eq!(real.app.ask("/api/v1/correlate", &correlation(json!({"measurement": "pricse"}))).status, 404);
    assert_eq!(real.app.post("/write?db=metrics_test&precision=s", b"m v=1 1700000000\nm v=").status, 400);
    // Lines are counted a moment after they are acknowledged.
    wait_until("all of it is counted", async || {
        let answer = real.app.get("/metrics");
        assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
        let text = String::from_utf8(answer.body).unwrap();
        let counted = |start: &str| {
            let lines = text.lines().filter(|line| line.starts_with(start));
            lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum::<f64>() >= 1.0
        };
        [
            "chunkwise_ingest_lines_total{protocol=\"line_protocol_http\",outcome=\"committed\"}",
            "chunkwise_ingest_lines_total{protocol=\"line_protocol_http\",outcome=\"refused\"}",
            "chunkwise_ingest_acknowledge_seconds_count",
            "chunkwise_questions_total{question=\"correlate\",outcome=\"answered\"}",
            "chunkwise_questions_total{question=\"correlate\",outcome=\"failed\"}",
            "chunkwise_question_seconds_count{question=\"correlate\"}",
        ]
        .iter()
        .all(|start| counted(start))
    })
    .await;
}

#[tokio::test]
async fn stats_tell_of_questions_and_ingestion() {
    let real = Real::shared().await;
    let questions = || real.app.get("/api/v1/stats").json()["questions"]["correlate"].take();
    let before = questions();
    // Of a width that nobody else asks for: there are no blocks of it.
    assert_eq!(real.app.ask("/api/v1/correlate", &correlation(json!({"bucket": "6h"}))).status, 200);
    let after = questions();
    assert!(after["answered"].as_u64() > before["answered"].as_u64(), "{before} {after}");
    assert!(after["rows_read"].as_u64().unwrap() >= before["rows_read"].as_u64().unwrap() + 5_000, "{before} {after}");
    assert!(real.app.get("/api/v1/stats").json()["ingest"]["received"].is_u64());
}

#[tokio::test]
async fn every_described_route_is_there_and_nothing_else_is_a_page() {
    let real = Real::shared().await;
    let document = real.app.get("/api/openapi.json").json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3."), "{}", document["openapi"]);
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    let paths = document["paths"].as_object().unwrap();
    for route in ["/write", "/api/v1/window", "/api/v1/correlate", "/api/v1/measurements", "/api/v1/series"] {
        assert!(paths.contains_key(route), "{route}");
    }
    for (path, methods) in paths {
        for method in methods.as_object().unwrap().keys() {
            // Nobody has such a name: 404 is then the route's own.
            let named = path.replace("{name}", "nobody's");
            let answer = match method.as_str() {
                "get" | "head" => real.app.get(&named),
                "post" => real.app.post(&named, b""),
                "delete" => real.app.delete(&named),
                other => panic!("{path}: {other}"),
            };
            let is_own = |body: &Value| body["error"]["code"].as_str().is_some_and(|code| code.starts_with("unknown_"));
            let status = if answer.status == 404 && is_own(&answer.json()) { 200 } else { answer.status };
            assert!(![404, 405, 500].contains(&status), "{method} {path}: {status}");
        }
    }
    for path in ["/nowhere", "/api/v1/nowhere", "/index.html"] {
        let answer = real.app.get(path);
        let body = answer.json();
        assert_eq!((answer.status, &body["error"]["code"]), (404, &json!("not_found")), "{path}");
        assert_eq!(body["error"]["details"]["path"], path);
        assert!(body["error"]["message"].as_str().unwrap().contains("/api/docs"));
    }
    let wrong = real.app.post("/api/v1/measurements", b"{}");
    assert_eq!((wrong.status, wrong.header("allow")), (405, Some("GET,HEAD")));
    assert_eq!(wrong.json()["error"]["code"], "method_not_allowed");
}

#[tokio::test]
async fn the_page_of_the_api_is_served_with_all_it_loads() {
    let real = Real::shared().await;
    let page = real.app.get("/api/docs/");
    assert_eq!(page.status, 200);
    assert!(page.header("content-type").unwrap().starts_with("text/html"));
    assert!(page.header("content-security-policy").unwrap().starts_with("default-src 'self'"));
    let page = String::from_utf8(page.body).unwrap();
    let loaded: Vec<&str> = ["src=\"", "href=\""]
        .iter()
        .flat_map(|attribute| page.split(attribute).skip(1))
        .filter_map(|rest| rest.split('"').next())
        .collect();
    assert!(loaded.len() >= 4, "{page}");
    for file in loaded {
        assert_eq!(real.app.get(&format!("/api/docs/{}", file.trim_start_matches("./"))).status, 200, "{file}");
    }
    // Without the slash it is found too.
    assert_eq!(real.app.get("/api/docs").status, 200);
}

#[tokio::test]
async fn pages_elsewhere_and_strange_hosts_are_refused_and_programs_are_not() {
    let real = Real::shared().await;
    let port = real.app.base.rsplit_once(':').unwrap().1;
    for (name, value, code) in [
        ("host", "evil.example", Some("host_not_allowed")),
        ("host", "127.0.0.1.evil.example", Some("host_not_allowed")),
        ("origin", "http://evil.example", Some("origin_not_allowed")),
        ("origin", "null", Some("origin_not_allowed")),
        ("sec-fetch-site", "cross-site", Some("origin_not_allowed")),
        ("host", &format!("localhost:{port}"), None),
        ("origin", &format!("http://localhost:{port}"), None),
        ("user-agent", "anything", None),
    ] {
        for path in ["/api/v1/measurements", "/health", "/metrics", "/api/docs/", "/nowhere"] {
            let answer = real.app.get_with(path, &[(name, value)]);
            let usual = if path == "/nowhere" { 404 } else { 200 };
            assert_eq!(answer.status, if code.is_some() { 403 } else { usual }, "{name}: {value} on {path}");
            if let Some(code) = code {
                assert_eq!(answer.json()["error"]["code"], code, "{name}: {value} on {path}");
            }
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        }
    }
    // A refused write has written nothing.
    let origin = [("origin", "http://evil.example")];
    assert_eq!(real.app.post_with("/write?db=evil", &origin, b"m v=1 1700000000000000000").status, 403);
    assert_eq!(real.database.scalar::<i64>("SELECT count(*) FROM pg_namespace WHERE nspname = 'evil'").await, 0);
}
