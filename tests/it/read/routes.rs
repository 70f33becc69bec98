//! The question service over HTTP.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{
        Method, Request, StatusCode,
        header::{ETAG, IF_NONE_MATCH},
    },
    response::Response,
};
use chunkwise::{
    db::{Database, DatabaseOptions},
    http::{Figures, HttpState, error::with_fallbacks, question_router, service_router},
    query::{QueryLimits, Questions},
};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::fixture::{DAY_US, Fixture, HOUR_US, Row, START_US, text};

struct Fixed;

impl Figures for Fixed {
    fn figures(&self) -> Value {
        json!({"lines": 7})
    }
}

fn service(database: &Database) -> Router {
    let questions = Arc::new(Questions::new(database.clone(), QueryLimits::default()));
    let state = HttpState::new(questions, None, vec![("ingestion", Arc::new(Fixed))]);
    with_fallbacks(service_router(state.clone()).merge(question_router(state)))
}

async fn call(service: &Router, request: Request<Body>) -> Response {
    service.clone().oneshot(request).await.unwrap()
}

async fn get(service: &Router, path: &str) -> Response {
    call(service, Request::get(path).body(Body::empty()).unwrap()).await
}

async fn post(service: &Router, path: &str, question: &Value) -> Response {
    call(service, Request::post(path).body(Body::from(question.to_string())).unwrap()).await
}

async fn body(response: Response) -> Vec<u8> {
    response.into_body().collect().await.unwrap().to_bytes().to_vec()
}

async fn json_of(response: Response) -> Value {
    serde_json::from_slice(&body(response).await).unwrap()
}

async fn prices() -> Fixture {
    let rows = (0..60)
        .map(|i| Row { time_us: START_US + i / 3 * HOUR_US, series_id: i % 3, price: (1 + (i * i) % 17) as f64 })
        .collect();
    Fixture::new(6 * HOUR_US, 3, rows).await
}

fn window() -> Value {
    json!({"measurement": "ticks", "field": "price", "bucket": "1h", "from": text(START_US), "to": text(START_US + 4 * HOUR_US)})
}

#[tokio::test]
async fn a_window_is_had_in_every_format() {
    let fixture = prices().await;
    let service = service(&fixture.test.database);
    let response = post(&service, "/api/v1/window", &window()).await;
    assert_eq!(response.status(), StatusCode::OK);
    let answer = json_of(response).await;
    assert_eq!(answer["values"], json!([[1.0, 10.0, 3.0, 14.0], [2.0, 17.0, 16.0, 16.0], [5.0, 9.0, 14.0, 3.0]]));
    assert_eq!(answer["series"][1]["tags"], json!({"symbol": "S1", "exchange": "odd"}));
    assert_eq!(answer["times"][1], "2024-01-01T01:00:00Z");
    assert_eq!(answer["receipt"]["chunks"], json!({"total": 4, "pruned": 3, "cached": 0, "read": 1}));

    let npy = post(&service, "/api/v1/window?format=npy", &window()).await;
    assert_eq!(npy.headers()["content-type"], "application/x-npy");
    let receipt: Value = serde_json::from_str(npy.headers()["chunkwise-receipt"].to_str().unwrap()).unwrap();
    assert_eq!(receipt["rows_read"], 12);
    let version = npy.headers()["chunkwise-series-version"].clone();
    assert!(body(npy).await.starts_with(b"\x93NUMPY"));
    let listed = get(&service, "/api/v1/series?measurement=ticks").await;
    assert_eq!(listed.headers()["chunkwise-series-version"], version);
    let csv = post(&service, "/api/v1/window?format=csv&layout=wide", &window()).await;
    assert!(body(csv).await.starts_with(b"time,"));
}

#[tokio::test]
async fn a_question_in_the_url_is_answered_again_only_if_something_changed() {
    let fixture = prices().await;
    let service = service(&fixture.test.database);
    let query: String =
        url::form_urlencoded::Serializer::new(String::new()).append_pair("q", &window().to_string()).finish();
    let path = format!("/api/v1/window?{query}");
    let first = get(&service, &path).await;
    assert_eq!(first.status(), StatusCode::OK);
    let tag = first.headers()[ETAG].clone();
    let again = || Request::get(&path).header(IF_NONE_MATCH, &tag).body(Body::empty()).unwrap();
    let unchanged = call(&service, again()).await;
    assert_eq!((unchanged.status(), &unchanged.headers()[ETAG]), (StatusCode::NOT_MODIFIED, &tag));
    let other_format = get(&service, &format!("{path}&format=csv")).await;
    assert_ne!(other_format.headers()[ETAG], tag);
    sqlx::query("UPDATE public_store.ticks SET price = 99").execute(&mut fixture.test.connect().await).await.unwrap();
    let changed = call(&service, again()).await;
    assert_eq!(changed.status(), StatusCode::OK);
    assert_ne!(changed.headers()[ETAG], tag);
}

#[tokio::test]
async fn a_correlation_is_answered_and_its_errors_are_too() {
    let fixture = prices().await;
    let service = service(&fixture.test.database);
    let range = json!({"from": text(START_US), "to": text(START_US + DAY_US)});
    let ask = |fields: Value| {
        let mut question = json!({"measurement": "ticks", "field": "price", "bucket": "1h",
            "target": {"symbol": "S0"}, "ranges": [range]});
        question.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        question
    };
    let answer = json_of(post(&service, "/api/v1/correlate", &ask(json!({"top": 5}))).await).await;
    let results = answer["ranges"][0]["results"].as_array().unwrap();
    assert_eq!((results.len(), &results[0]["n"]), (2, &json!(20)));
    assert!(results[0]["p_value"].is_f64() && results[0]["ci95"].is_array(), "{results:?}");

    for (fields, status, code) in [
        (json!({"measurement": "tick"}), 404, "unknown_measurement"),
        (json!({"field": "prize"}), 404, "unknown_field"),
        (json!({"field": "note"}), 400, "invalid_question"),
        (json!({"target": {}}), 400, "ambiguous_target"),
        (json!({"target": {"symbol": "nobody"}}), 404, "unknown_series"),
        (json!({"against": {"colour": "red"}}), 400, "invalid_question"),
        (json!({"limit_bytes": 100}), 413, "too_large"),
        (json!({"rank_by": 7}), 400, "invalid_question"),
    ] {
        let response = post(&service, "/api/v1/correlate", &ask(fields.clone())).await;
        assert_eq!(response.status().as_u16(), status, "{fields}");
        assert_eq!(json_of(response).await["error"]["code"], code, "{fields}");
    }
    let near = json_of(post(&service, "/api/v1/correlate", &ask(json!({"measurement": "tick"}))).await).await;
    assert_eq!(near["error"]["details"]["near"], json!(["ticks"]));
}

#[tokio::test]
async fn what_is_there_is_listed() {
    let fixture = prices().await;
    let service = service(&fixture.test.database);
    let measurements = json_of(get(&service, "/api/v1/measurements").await).await;
    let ticks = &measurements["measurements"][0];
    assert_eq!(
        (&ticks["name"], &ticks["chunk_interval"], &ticks["retention"]),
        (&json!("ticks"), &json!("6h"), &Value::Null)
    );
    assert_eq!(ticks["fields"][0], json!({"name": "price", "type": "float8"}));
    assert_eq!((&ticks["from"], &ticks["to"]), (&json!("2024-01-01T00:00:00Z"), &json!("2024-01-01T19:00:00Z")));

    let page =
        json_of(get(&service, "/api/v1/series?measurement=ticks&limit=2&tag.exchange=even&search=s").await).await;
    assert_eq!((&page["total"], &page["next"]), (&json!(2), &Value::Null));
    assert_eq!(page["series"][1]["tags"]["symbol"], "S2");
    assert_eq!(page["series"][1]["first"], "2024-01-01T00:00:00Z");
    let csv = body(get(&service, "/api/v1/series?measurement=ticks&format=csv").await).await;
    assert!(csv.starts_with(b"series_id,symbol,exchange,first,last\n"));

    let chunks = json_of(get(&service, "/api/v1/chunks?measurement=ticks&from=2024-01-01T07:00:00Z").await).await;
    let chunks = chunks["chunks"].as_array().unwrap();
    assert_eq!(
        (chunks.len(), &chunks[0]["from"], &chunks[0]["state"]),
        (3, &json!("2024-01-01T06:00:00Z"), &json!("hot"))
    );

    post(&service, "/api/v1/window", &window()).await;
    let stats = json_of(get(&service, "/api/v1/stats").await).await;
    assert_eq!((&stats["questions"]["window"]["answered"], &stats["ingestion"]["lines"]), (&json!(1), &json!(7)));

    for (path, status) in [
        ("/api/v1/series", 400),
        ("/api/v1/series?measurement=nothing", 404),
        ("/api/v1/series?measurement=ticks&limit=0", 400),
        ("/api/v1/series?measurement=ticks&tag.colour=red", 400),
        ("/api/v1/series?measurement=ticks&format=npy", 406),
        ("/api/v1/chunks?colour=red", 400),
        ("/nothing/here", 404),
        ("/metrics", 404),
    ] {
        let response = get(&service, path).await;
        assert_eq!(response.status().as_u16(), status, "{path}");
        assert!(json_of(response).await["error"]["code"].is_string(), "{path}");
    }
}

#[tokio::test]
async fn health_is_told_with_and_without_a_database() {
    let fixture = prices().await;
    let here = service(&fixture.test.database);
    for (path, status) in [("/health", "pass"), ("/ready", "ready")] {
        let response = get(&here, path).await;
        assert_eq!(response.status(), StatusCode::OK);
        let body = json_of(response).await;
        assert_eq!((&body["name"], &body["status"]), (&json!("chunkwise"), &json!(status)));
    }
    for method in [Method::GET, Method::HEAD] {
        let ping = Request::builder().method(method).uri("/ping").body(Body::empty()).unwrap();
        let response = call(&here, ping).await;
        assert_eq!(response.status(), StatusCode::NO_CONTENT);
        assert!(response.headers().contains_key("x-influxdb-version"));
    }

    let nowhere = sqlx::postgres::PgConnectOptions::new().host("127.0.0.1").port(1).username("u").database("d");
    let away = service(&Database::new(DatabaseOptions::single(nowhere)));
    let told = tokio::time::timeout(Duration::from_secs(2), get(&away, "/health")).await.unwrap();
    assert_eq!(told.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(json_of(told).await["status"], "fail");
    let response = post(&away, "/api/v1/window", &window()).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(response.headers().contains_key("retry-after"));
}
