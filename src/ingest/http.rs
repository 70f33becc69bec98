//! The write routes: InfluxDB's three generations of line protocol over HTTP, and the few routes that their clients ask
//! before they write.
//!
//! All three do the same; they differ in the names of parameters and in what an error looks like, which is `answer`'s.

mod answer;
mod parameters;

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, header},
    response::Response,
    routing::{get, post},
};

use self::{
    answer::{Dialect, Refusal},
    parameters::Parameters,
};
use super::{
    BodyLimits, BodyRequest, Identity, Ingest, Protocol, Repetition, RequestId, Written, body, influxql, request::hash,
};

/// What the write routes need.
#[derive(Debug, Clone)]
pub struct WriteHttp {
    /// The service.
    pub ingest: Ingest,
    /// How large bodies may be.
    pub limits: BodyLimits,
    /// The namespace of requests that name none.
    pub namespace: Arc<str>,
}

/// The write routes.
pub fn router(write: WriteHttp) -> Router {
    Router::new()
        .route("/write", post(write_v1))
        .route("/api/v2/write", post(write_v2))
        .route("/api/v3/write_lp", post(write_v3))
        .route("/query", get(influxql::query).post(influxql::query))
        .route("/settings", get(influxql::settings))
        .with_state(write)
}

async fn write_v1(State(http): State<WriteHttp>, request: Request) -> Response {
    write(http, Dialect::V1, request).await
}

async fn write_v2(State(http): State<WriteHttp>, request: Request) -> Response {
    write(http, Dialect::V2, request).await
}

async fn write_v3(State(http): State<WriteHttp>, request: Request) -> Response {
    write(http, Dialect::V3, request).await
}

async fn write(http: WriteHttp, dialect: Dialect, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let query = parts.uri.query().unwrap_or_default().to_owned();
    // A client that hangs up must not leave half a series or half a schema behind: the work goes on without it.
    let work = tokio::spawn(async move { handle(&http, dialect, &query, &parts.headers, body).await });
    let result = match work.await {
        Ok(result) => result,
        Err(error) => {
            tracing::error!(error = %error, "a write request failed unexpectedly");
            Err(Refusal::internal())
        }
    };
    match result {
        Ok(written) => answer::written(dialect, &written),
        Err(refusal) => answer::refusal(dialect, &refusal),
    }
}

async fn handle(
    http: &WriteHttp,
    dialect: Dialect,
    query: &str,
    headers: &HeaderMap,
    body: Body,
) -> Result<Written, Refusal> {
    let parameters = Parameters::parse(dialect, query, &http.namespace)?;
    let key = idempotency_key(headers)?;
    let mut room = http.ingest.open_room();
    let body = body::read(headers, body, http.limits, &mut room).await?;
    let body_hash = hash(&[
        parameters.namespace.as_bytes(),
        dialect.kind().as_bytes(),
        format!("{:?} {:?}", parameters.precision, parameters.partial).as_bytes(),
        &body,
    ]);
    let options = http.ingest.options();
    let identity = match (&key, options.repetition) {
        (Some(key), _) => Identity::Fixed(RequestId::from_key(&parameters.namespace, key, body_hash, options.key_keep)),
        (None, Repetition::SameBody { within }) => Identity::BodyIfTimed { body_hash, within },
        (None, Repetition::KeyOnly) => Identity::Fixed(RequestId::fresh(body_hash)),
    };
    let request = BodyRequest {
        protocol: Protocol::LineProtocolHttp,
        room,
        namespace: &parameters.namespace,
        body: &body,
        precision: parameters.precision,
        identity,
        partial: parameters.partial,
        interval_us: None,
    };
    Ok(http.ingest.write_body(request).await?)
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<Vec<u8>>, Refusal> {
    const MAX_BYTES: usize = 255;
    let mut keys = headers.get_all("idempotency-key").iter();
    let Some(key) = keys.next() else { return Ok(None) };
    if keys.next().is_some() || key.is_empty() || key.len() > MAX_BYTES {
        return Err(Refusal::invalid(format!(
            "Idempotency-Key must be given once and have 1 to {MAX_BYTES} characters"
        )));
    }
    Ok(Some(key.as_bytes().to_vec()))
}

/// The content type of every JSON answer here.
const JSON: (header::HeaderName, &str) = (header::CONTENT_TYPE, "application/json");
