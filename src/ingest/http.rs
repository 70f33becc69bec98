//! The write routes: InfluxDB's three generations of line protocol over HTTP, and the few routes that their clients ask
//! before they write; OpenTSDB's JSON, which is `opentsdb`'s.
//!
//! All three do the same; they differ in the names of parameters and in what an error looks like, which is `answer`'s.

mod answer;
mod opentsdb;
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
use tokio_util::sync::CancellationToken;

pub use self::opentsdb::opentsdb_router;
use self::{
    answer::{Dialect, Refusal},
    parameters::Parameters,
};
use super::{
    BodyLimits, BodyRequest, Ingest, Protocol, Written, body,
    identity::{idempotency_key, identify},
    influxql,
    request::hash,
    ws,
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
    /// Cancelled to end open WebSockets: what they have sent is answered first.
    pub stop: CancellationToken,
}

/// The write routes.
pub fn router(write: WriteHttp) -> Router {
    Router::new()
        .route("/write", post(write_v1))
        .route("/api/v2/write", post(write_v2))
        .route("/api/v3/write_lp", post(write_v3))
        .route("/query", get(influxql::query).post(influxql::query))
        .route("/settings", get(influxql::settings))
        .route("/api/v1/ws/write", get(ws::upgrade))
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
    let request = BodyRequest {
        protocol: Protocol::LineProtocolHttp,
        room,
        namespace: &parameters.namespace,
        body: &body,
        precision: parameters.precision,
        identity: identify(http.ingest.options(), &parameters.namespace, key.as_deref(), body_hash),
        partial: parameters.partial,
        interval_us: None,
    };
    Ok(http.ingest.write_body(request).await?)
}

/// The content type of every JSON answer here.
const JSON: (header::HeaderName, &str) = (header::CONTENT_TYPE, "application/json");
