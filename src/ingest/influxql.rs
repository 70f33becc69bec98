//! What clients ask before they write: InfluxDB 1's `CREATE DATABASE` and `SHOW DATABASES`, QuestDB's settings.

use axum::{
    body::Body,
    extract::{Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::{BodyLimits, WriteHttp, body};
use crate::hypertable::check_namespace;

const LIMITS: BodyLimits = BodyLimits { sent_bytes: 64 << 10, inflated_bytes: 64 << 10 };

/// `GET` and `POST /query`: `q` in the URL or in a form.
pub(super) async fn query(State(http): State<WriteHttp>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Some(statement) = statement(&http, parts.uri.query().unwrap_or_default(), &parts.headers, body).await else {
        return answer(StatusCode::BAD_REQUEST, &json!({ "error": "missing required parameter \"q\"" }));
    };
    let words: Vec<&str> = statement.trim().trim_end_matches(';').split_whitespace().collect();
    let upper: Vec<String> = words.iter().take(2).map(|word| word.to_ascii_uppercase()).collect();
    match upper.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["CREATE", "DATABASE"] if words.len() > 2 => {
            let name = words[2].trim_matches('"');
            match check_namespace(name) {
                // A namespace is made by its first write; there is nothing to do before.
                Ok(()) => answer(StatusCode::OK, &json!({ "results": [{ "statement_id": 0 }] })),
                Err(error) => answer(StatusCode::BAD_REQUEST, &json!({ "error": error.to_string() })),
            }
        }
        ["SHOW", "DATABASES"] => databases(&http).await,
        _ => {
            let error = "chunkwise answers CREATE DATABASE and SHOW DATABASES here: ask everything else in SQL, \
                         or at /api/v1/window";
            answer(StatusCode::BAD_REQUEST, &json!({ "error": error }))
        }
    }
}

async fn statement(http: &WriteHttp, query: &str, headers: &axum::http::HeaderMap, body: Body) -> Option<String> {
    let find =
        |encoded: &[u8]| form_urlencoded::parse(encoded).find(|(name, _)| name == "q").map(|(_, q)| q.into_owned());
    if let Some(statement) = find(query.as_bytes()) {
        return Some(statement);
    }
    find(&body::read(headers, body, LIMITS, &mut http.ingest.open_room()).await.ok()?)
}

async fn databases(http: &WriteHttp) -> Response {
    let names = sqlx::query_scalar::<_, String>("SELECT name FROM chunkwise.namespace ORDER BY name")
        .fetch_all(http.ingest.database().reader())
        .await;
    match names {
        Ok(names) => {
            let values: Vec<Value> = names.into_iter().map(|name| json!([name])).collect();
            let series = json!([{ "name": "databases", "columns": ["name"], "values": values }]);
            answer(StatusCode::OK, &json!({ "results": [{ "statement_id": 0, "series": series }] }))
        }
        Err(error) => {
            tracing::warn!(error = %error, "the namespaces could not be read");
            let body = json!({ "error": "the database is unavailable: try again in a few seconds" });
            let mut response = answer(StatusCode::SERVICE_UNAVAILABLE, &body);
            response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("2"));
            response
        }
    }
}

/// `GET /settings`: tells QuestDB's clients to speak the text version of the protocol.
pub(super) async fn settings() -> Response {
    let config = json!({
        "release.type": "OSS",
        "line.proto.support.versions": [1],
        "cairo.max.file.name.length": 127,
    });
    answer(StatusCode::OK, &json!({ "config": config, "preferences.version": 0, "preferences": {} }))
}

fn answer(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}
