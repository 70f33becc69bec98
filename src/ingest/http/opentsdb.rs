//! `POST /api/put`: OpenTSDB's JSON, answered as OpenTSDB answers.
//!
//! Without parameters the answer is 204, or 400 with an error; with `summary` it counts, with `details` it also shows each
//! data point that was refused. `sync` is taken: a point is always committed before the answer.

use axum::{
    Json, Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::{
    JSON, WriteHttp,
    answer::{MAX_NAMED, Refusal, tell_receipt, tell_when_to_come_back},
};
use crate::{
    ingest::{
        PartialWrites, Protocol, Refused, WriteRequest, body,
        identity::{idempotency_key, identify},
        request::hash,
    },
    protocol::opentsdb::{read_points, show_points},
};

/// The version of OpenTSDB whose clients are answered as they expect.
const OPENTSDB_VERSION: &str = "2.4.1";

/// OpenTSDB's routes: what clients that put data points ask for, and nothing else.
pub fn opentsdb_router(write: WriteHttp) -> Router {
    Router::new()
        .route("/api/put", post(put))
        .route("/api/version", get(version).post(version))
        .route("/version", get(version))
        .with_state(write)
}

async fn version() -> impl IntoResponse {
    Json(json!({ "version": OPENTSDB_VERSION, "repo": "chunkwise", "full_revision": env!("CARGO_PKG_VERSION") }))
}

/// How much the answer is to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Telling {
    Status,
    Summary,
    Details,
}

#[derive(Debug, PartialEq)]
struct Parameters {
    namespace: String,
    telling: Telling,
    partial: PartialWrites,
}

impl Parameters {
    fn parse(query: &str, default_namespace: &str) -> Result<Self, Refusal> {
        let mut parameters =
            Self { namespace: default_namespace.to_owned(), telling: Telling::Status, partial: PartialWrites::Accept };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match (&*name, &*value) {
                // OpenTSDB looks only whether they are there.
                ("summary", _) => parameters.telling = parameters.telling.max(Telling::Summary),
                ("details", _) => parameters.telling = Telling::Details,
                ("namespace", "") => {}
                ("namespace", namespace) => namespace.clone_into(&mut parameters.namespace),
                ("accept_partial", "" | "true") => parameters.partial = PartialWrites::Accept,
                ("accept_partial", "false") => parameters.partial = PartialWrites::Refuse,
                ("accept_partial", _) => {
                    return Err(Refusal::invalid("accept_partial is true or false".to_owned()));
                }
                _ => {}
            }
        }
        Ok(parameters)
    }
}

async fn put(State(http): State<WriteHttp>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    // A client that hangs up must not leave half a series or half a schema behind: the work goes on without it.
    let work = tokio::spawn(async move {
        let query = parts.uri.query().unwrap_or_default();
        match Parameters::parse(query, &http.namespace) {
            Ok(parameters) => handle(&http, &parameters, &parts.headers, body).await,
            Err(refusal) => Err(refusal),
        }
    });
    match work.await {
        Ok(Ok(response)) => response,
        Ok(Err(refusal)) => error(refusal.status, &refusal.message, ""),
        Err(error_of_work) => {
            tracing::error!(error = %error_of_work, "a put request failed unexpectedly");
            let refusal = Refusal::internal();
            error(refusal.status, &refusal.message, "")
        }
    }
}

async fn handle(
    http: &WriteHttp,
    parameters: &Parameters,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let Parameters { namespace, telling, partial } = parameters;
    let key = idempotency_key(headers)?;
    let mut room = http.ingest.open_room();
    let body = body::read(headers, body, http.limits, &mut room).await?;
    // The points are kept beside the body until they are rows.
    room.cover_rows(body.len())?;
    let points = match read_points(&body) {
        Ok(points) => points,
        Err(malformed) => {
            return Ok(error(StatusCode::BAD_REQUEST, "Unable to parse the given JSON", &malformed.to_string()));
        }
    };
    if points.lines.is_empty() && points.errors.is_empty() {
        return Ok(error(StatusCode::BAD_REQUEST, "No datapoints found in content", ""));
    }
    let partial_text = format!("{partial:?}");
    let body_hash = hash(&[namespace.as_bytes(), b"opentsdb", partial_text.as_bytes(), &body]);
    let request = WriteRequest {
        protocol: Protocol::OpenTsdbHttp,
        room,
        namespace,
        identity: identify(http.ingest.options(), namespace, key.as_deref(), body_hash),
        unreadable: points.errors.iter().map(|error| Refused::point(error, &body)).collect(),
        lines: points.lines,
        body: &body,
        partial: *partial,
        interval_us: None,
    };
    match http.ingest.write(request).await {
        Ok(written) => {
            let mut response = answer(*telling, written.written, written.refused_total, &written.refused, &body);
            tell_receipt(&mut response, &written);
            Ok(response)
        }
        Err(failed) => {
            let refusal = Refusal::from(failed);
            // All or nothing: the good ones were not written either.
            if refusal.lines.is_empty() {
                Err(refusal)
            } else {
                Ok(answer(*telling, 0, refusal.lines.len() as u64, &refusal.lines, &body))
            }
        }
    }
}

fn answer(telling: Telling, written: u64, total: u64, refused: &[Refused], body: &[u8]) -> Response {
    let status = if refused.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    match telling {
        Telling::Status if refused.is_empty() => StatusCode::NO_CONTENT.into_response(),
        Telling::Status => error(
            status,
            "One or more data points had errors",
            &format!(
                "{total} were refused, the first is number {}: {}. Append \"details\" to the put request to see them",
                refused[0].line, refused[0].reason
            ),
        ),
        Telling::Summary => {
            (status, [JSON], json!({ "success": written, "failed": total }).to_string()).into_response()
        }
        Telling::Details => {
            let named = &refused[..refused.len().min(MAX_NAMED)];
            let numbers: Vec<u32> = named.iter().map(|refused| refused.line).collect();
            let shown = show_points(body, &numbers).into_iter().chain(std::iter::repeat(Value::Null));
            let errors: Vec<Value> = named
                .iter()
                .zip(shown)
                .map(|(refused, point)| json!({ "datapoint": point, "error": refused.reason }))
                .collect();
            let body = json!({ "success": written, "failed": total, "errors": errors });
            (status, [JSON], body.to_string()).into_response()
        }
    }
}

fn error(status: StatusCode, message: &str, details: &str) -> Response {
    let body = json!({ "error": { "code": status.as_u16(), "message": message, "details": details } });
    let mut response = (status, [JSON], body.to_string()).into_response();
    tell_when_to_come_back(&mut response);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_tell_more_than_a_summary_whatever_their_order() {
        for (query, telling) in [
            ("", Telling::Status),
            ("sync&sync_timeout=60000", Telling::Status),
            ("summary", Telling::Summary),
            ("summary=true&details", Telling::Details),
            ("details&summary", Telling::Details),
        ] {
            assert_eq!(Parameters::parse(query, "public").unwrap().telling, telling, "{query}");
        }
        assert!(Parameters::parse("accept_partial=maybe", "public").is_err());
        let other = Parameters::parse("namespace=plant&accept_partial=false", "public").unwrap();
        assert_eq!((other.namespace.as_str(), other.partial), ("plant", PartialWrites::Refuse));
    }
}
