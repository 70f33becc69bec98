use axum::{Router, body::Body, extract::Request, middleware::from_fn, routing::get};
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::*;

const SECRET: &str = "relation \"secret_store.ticks\" does not exist";

fn cause() -> BoxError {
    SECRET.into()
}

/// One of each variant with its status and code: the contract's table.
fn table() -> Vec<(ApiError, u16, &'static str)> {
    let soon = Duration::from_millis(1_500);
    let matches = (0..12).map(|series_id| SeriesMatch { series_id, tags: BTreeMap::new() }).collect();
    vec![
        (ApiError::bad_request("malformed_json", "no"), 400, "malformed_json"),
        (Invalid::new("ranges[2].to", "must be later").into(), 400, "invalid_question"),
        (ApiError::AmbiguousTarget { matches, total: 12 }, 400, "ambiguous_target"),
        (ApiError::Forbidden { code: "foreign_origin", message: "no".to_owned() }, 403, "foreign_origin"),
        (
            ApiError::UnknownMeasurement { name: "pricse".to_owned(), near: vec!["prices".to_owned()] },
            404,
            "unknown_measurement",
        ),
        (
            ApiError::UnknownField { measurement: "prices".to_owned(), name: "cloze".to_owned(), near: vec![] },
            404,
            "unknown_field",
        ),
        (
            ApiError::UnknownSeries {
                measurement: "prices".to_owned(),
                path: "target",
                selector: Selector::from_pairs(["symbol=NOPE"]).unwrap(),
            },
            404,
            "unknown_series",
        ),
        (ApiError::UnknownReport { name: "ingest".to_owned() }, 404, "unknown_report"),
        (ApiError::NotFound { path: "/nowhere".to_owned() }, 404, "not_found"),
        (ApiError::MethodNotAllowed { method: "PUT".to_owned(), path: "/write".to_owned() }, 405, "method_not_allowed"),
        (ApiError::NotAcceptable { offered: &[Format::Json, Format::Csv] }, 406, "not_acceptable"),
        (ApiError::Conflict { code: "field_type", message: "no".to_owned() }, 409, "field_type"),
        (ApiError::TooLarge { estimate_bytes: 1 << 40, limit_bytes: 1 << 30 }, 413, "too_large"),
        (ApiError::BodyTooLarge, 413, "body_too_large"),
        (ApiError::Internal(cause()), 500, "internal"),
        (ApiError::Overloaded { retry_after: soon }, 503, "overloaded"),
        (ApiError::DatabaseUnavailable { retry_after: soon, cause: cause() }, 503, "database_unavailable"),
        (ApiError::Timeout { limit: Duration::from_secs(30) }, 504, "timeout"),
    ]
}

async fn body(response: Response) -> Value {
    assert_eq!(response.headers()["content-type"], "application/json");
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&bytes).unwrap()
}

#[tokio::test]
async fn every_error_has_its_status_and_code_in_one_envelope() {
    for (error, status, code) in table() {
        let response = error.into_response();
        assert_eq!(response.status().as_u16(), status, "{code}");
        let retry_after = response.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(retry_after.as_deref(), (status == 503).then_some("2"), "{code}");
        let body = body(response).await;
        assert_eq!(body.as_object().unwrap().keys().collect::<Vec<_>>(), ["error"]);
        let error = body["error"].as_object().unwrap();
        assert_eq!(error.keys().collect::<Vec<_>>(), ["code", "details", "message"]);
        assert_eq!(error["code"], code);
        assert!(error["details"].is_object(), "{code}");
        assert!(!error["message"].as_str().unwrap().is_empty(), "{code}");
    }
}

#[tokio::test]
async fn a_client_never_sees_the_databases_text_but_the_log_does() {
    for (error, status, code) in table() {
        let response = error.into_response();
        let cause = response.extensions().get::<Cause>().map(Cause::chain);
        assert_eq!(cause.as_deref(), matches!(code, "internal" | "database_unavailable").then_some(SECRET), "{status}");
        assert!(!body(response).await.to_string().contains("secret_store"), "{code}");
    }
}

#[tokio::test]
async fn details_say_what_a_program_needs() {
    let mut details = BTreeMap::new();
    for (error, _, code) in table() {
        details.insert(code, body(error.into_response()).await["error"]["details"].take());
    }
    assert_eq!(details["invalid_question"]["path"], "ranges[2].to");
    assert_eq!(details["ambiguous_target"]["matches"].as_array().unwrap().len(), MAX_NAMED_MATCHES);
    assert_eq!(details["ambiguous_target"]["total"], 12);
    assert_eq!(details["unknown_measurement"]["near"], json!(["prices"]));
    assert_eq!(details["unknown_series"]["selector"], json!({"symbol": "NOPE"}));
    assert_eq!(details["not_acceptable"]["formats"], json!(["json", "csv"]));
    assert_eq!(details["too_large"], json!({"estimate_bytes": 1_u64 << 40, "limit_bytes": 1 << 30}));
    let unknown = ApiError::UnknownMeasurement { name: "pricse".to_owned(), near: vec!["prices".to_owned()] };
    assert_eq!(unknown.to_string(), "there is no measurement `pricse`: did you mean `prices`?");
}

#[tokio::test]
async fn unknown_routes_and_wrong_methods_are_json() {
    let router = with_fallbacks(Router::new().route("/there", get(|| async { "here" })));
    let send = |method: &str, path: &str| {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        router.clone().oneshot(request)
    };
    let response = send("GET", "/nowhere?x=1").await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(body(response).await["error"]["details"]["path"], "/nowhere");
    let response = send("DELETE", "/there").await.unwrap();
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(response.headers()["allow"], "GET,HEAD");
    assert_eq!(body(response).await["error"]["code"], "method_not_allowed");
}

#[tokio::test]
async fn a_cause_is_taken_off_the_response_when_it_was_logged() {
    let router = Router::new().route("/", get(|| async { ApiError::internal(cause()) })).layer(from_fn(log_causes));
    let response = router.oneshot(Request::builder().uri("/").body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(response.extensions().get::<Cause>().is_none(), "a second layer would log it again");
}

#[test]
fn a_top_that_the_format_lacks_is_the_clients_affair_and_a_bug_is_not() {
    let top = FormatError::TooManyRanked { format: Format::Npy, top: 5_000 };
    assert_eq!(ApiError::from(top).code(), "invalid_question");
    let bug = FormatError::Shape { array: "r", found: vec![1], expected: vec![2] };
    assert_eq!(ApiError::from(bug).status(), StatusCode::INTERNAL_SERVER_ERROR);
}
