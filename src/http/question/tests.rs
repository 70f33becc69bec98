use axum::{Router, response::IntoResponse};
use axum::{body::Body, extract::DefaultBodyLimit, response::Response, routing::get};
use http_body_util::BodyExt;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tower::ServiceExt;

use super::*;

const WINDOW: &str = r#"{"measurement": "prices", "field": "close", "bucket": "1d",
    "from": "2020-01-01T00:00:00Z", "to": "2021-01-01T00:00:00Z"}"#;
const CORRELATE: &str = r#"{"measurement": "prices", "field": "close", "bucket": "1d", "target": {"symbol": "AAPL"},
    "ranges": [{"from": 0, "to": 1}, {"from": 1, "to": 2}, {"from": 2, "to": 3}], "top": 5000}"#;

async fn answer(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap())
}

/// Routes that answer with what was asked.
fn router() -> Router {
    async fn window(asked: Question<WindowQuestion>) -> impl IntoResponse {
        let Question { question, format, layout } = asked;
        axum::Json(json!({ "q": question, "format": format.name(), "wide": layout == Layout::Wide }))
    }
    async fn correlate(asked: Question<CorrelateQuestion>) -> impl IntoResponse {
        axum::Json(json!({ "q": asked.question, "format": asked.format.name() }))
    }
    Router::new()
        .route("/window", get(window).post(window))
        .route("/correlate", get(correlate).post(correlate))
        .layer(DefaultBodyLimit::max(4_096))
}

async fn post(uri: &str, body: impl Into<Body>) -> (u16, Value) {
    let request = Request::builder().method("POST").uri(uri).body(body.into()).unwrap();
    answer(router().oneshot(request).await.unwrap()).await
}

async fn ask_by_url(path: &str, question: &str, rest: &str) -> (u16, Value) {
    let uri = format!("{path}?q={}{rest}", utf8_percent_encode(question, NON_ALPHANUMERIC));
    answer(router().oneshot(Request::builder().uri(uri).body(Body::empty()).unwrap()).await.unwrap()).await
}

/// The code and path of the error that a question gets, the same by POST and by GET.
async fn refusal(path: &str, question: &str) -> (String, String) {
    let posted = post(path, question.to_owned()).await;
    assert_eq!(posted, ask_by_url(path, question, "").await);
    let (status, body) = posted;
    assert_eq!(status, 400, "{body}");
    let error = &body["error"];
    (error["code"].as_str().unwrap().to_owned(), error["details"]["path"].as_str().unwrap_or("-").to_owned())
}

#[tokio::test]
async fn a_question_is_the_same_by_body_and_by_url() {
    let posted = post("/window?format=csv&layout=wide", WINDOW).await;
    assert_eq!(posted, ask_by_url("/window", WINDOW, "&layout=wide&format=csv").await);
    let (status, body) = posted;
    assert_eq!(status, 200);
    assert_eq!(body["q"]["namespace"], "public");
    assert_eq!((&body["format"], &body["wide"]), (&json!("csv"), &json!(true)));
}

#[tokio::test]
async fn what_is_wrong_is_named_by_its_path() {
    let cases = [
        (r#""to": 2}"#, r#""to": "x"}"#, "ranges[1].to"),
        (r#""to": 2}"#, r#""to": 0}"#, "ranges[1].to"),
        (r#""to": 2}"#, r#""too": 2}"#, "ranges[1].too"),
        (r#", "to": 2}"#, "}", "ranges[1].to"),
        (r#""bucket": "1d""#, r#""bucket": "1y""#, "bucket"),
        (r#""bucket": "1d", "#, "", "bucket"),
        (r#""bucket": "1d""#, r#""bucket": "1d", "fill": {"locf": {"max_age": "x"}}"#, "fill.locf.max_age"),
        (r#""top": 5000"#, r#""top": 0"#, "top"),
        (r#""top": 5000"#, r#""stats": ["p_value", "mean"]"#, "stats[1]"),
        (r#""top": 5000"#, r#""tops": 5"#, "tops"),
    ];
    for (from, to, path) in cases {
        assert!(CORRELATE.contains(from));
        let question = CORRELATE.replacen(from, to, 1);
        assert_eq!(refusal("/correlate", &question).await, ("invalid_question".to_owned(), path.to_owned()), "{to}");
    }
}

#[tokio::test]
async fn a_misspelt_field_is_told_without_a_position_and_with_the_one_that_was_meant() {
    for (from, to, hint) in [
        (r#""top": 5000"#, r#""tops": 5000"#, "did you mean `top`?"),
        (r#""to": 2}"#, r#""too": 2}"#, "did you mean `to`?"),
        (r#""measurement""#, r#""mesurement""#, "did you mean `measurement`?"),
    ] {
        let (_, body) = post("/correlate", CORRELATE.replacen(from, to, 1)).await;
        let message = body["error"]["message"].as_str().unwrap();
        assert!(message.ends_with(hint), "{message}");
        assert!(!message.contains(" line "), "{message}");
    }
    let (_, body) = post("/window", WINDOW.replacen(r#""1d""#, "7", 1)).await;
    let message = body["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("bucket: ") && !message.contains(" line "), "{message}");
    let (_, body) = post("/window", "{\n nonsense").await;
    assert!(body["error"]["message"].as_str().unwrap().contains("line 2"), "{body}");
}

#[tokio::test]
async fn what_is_no_json_is_called_so() {
    for text in ["", "{", "nonsense", "{} {}", "{\"measurement\": \"\u{0}\"}"] {
        let (code, _) = refusal("/window", &format!("{text} ")).await;
        assert!(matches!(code.as_str(), "malformed_json" | "invalid_question"), "{text}: {code}");
    }
    let trailing = format!("{WINDOW} {{}}");
    assert_eq!(refusal("/window", &trailing).await.0, "malformed_json");
    let (status, body) = post("/window", vec![b'"', 0xff, b'"']).await;
    assert_eq!((status, &body["error"]["code"]), (400, &json!("malformed_json")));
}

#[tokio::test]
async fn a_namespace_of_the_url_is_that_of_a_question_without_one() {
    let (_, body) = post("/window?namespace=lab", WINDOW).await;
    assert_eq!(body["q"]["namespace"], "lab");
    let named = WINDOW.replacen('{', r#"{"namespace": "lab","#, 1);
    assert_eq!(post("/window?namespace=lab", named.clone()).await.0, 200);
    let (status, body) = post("/window?namespace=other", named).await;
    assert_eq!((status, &body["error"]["details"]["path"]), (400, &json!("namespace")));
}

#[tokio::test]
async fn parameters_that_mean_nothing_are_refused() {
    for (uri, path) in [
        ("/window?fromat=npy", "fromat"),
        ("/window?q={}", "q"),
        ("/window?layout=tall", "layout"),
        ("/window?layout=wide&layout=long", "layout"),
        ("/correlate?layout=wide", "layout"),
    ] {
        let (status, body) = post(uri, if uri.starts_with("/w") { WINDOW } else { CORRELATE }).await;
        assert_eq!((status, &body["error"]["details"]["path"]), (400, &json!(path)), "{uri}");
    }
    let request = Request::builder().uri("/window").body(Body::empty()).unwrap();
    let (status, body) = answer(router().oneshot(request).await.unwrap()).await;
    assert_eq!((status, &body["error"]["code"]), (400, &json!("missing_question")));
}

#[tokio::test]
async fn formats_and_sizes_have_their_own_statuses() {
    assert_eq!(post("/window?format=xml", WINDOW).await.0, 406);
    let (status, body) = post("/correlate?format=npz", CORRELATE).await;
    assert_eq!((status, &body["error"]["details"]["path"]), (400, &json!("top")));
    assert_eq!(post("/correlate?format=arrow", CORRELATE).await.0, 200);
    let (status, body) = post("/window", " ".repeat(5_000)).await;
    assert_eq!((status, &body["error"]["code"]), (413, &json!("body_too_large")));
}

#[test]
fn long_texts_are_cut_between_characters() {
    let long = "\u{e9}".repeat(1_000);
    assert_eq!(shortened(&long).chars().count(), 401);
    assert_eq!(shortened("short"), "short");
}
