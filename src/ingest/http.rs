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
use bytes::Bytes;
use tokio_util::sync::CancellationToken;

pub use self::opentsdb::opentsdb_router;
use self::{
    answer::{Dialect, Refusal},
    parameters::Parameters,
};
use super::{
    BodyLimits, Ingest, Protocol, Refused, Room, WriteRequest, Written, body,
    identity::{idempotency_key, request_id},
    influxql,
    request::hash,
    ws,
};
use crate::protocol;

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
    let body = body::read(headers, body, http.limits).await?;

    let body_hash = hash(&[
        parameters.namespace.as_bytes(),
        dialect.kind().as_bytes(),
        format!("{:?} {:?}", parameters.precision, parameters.partial).as_bytes(),
        &body,
    ]);
    let started = std::time::Instant::now();
    let room = http.ingest.try_reserve(body.len())?;
    let request = read_lines(http, &parameters, &body, key.as_deref(), body_hash, room);
    let written = http.ingest.write(request).await?;
    metrics::histogram!("chunkwise_ingest_acknowledge_seconds", "protocol" => "http").record(started.elapsed());
    Ok(written)
}

fn read_lines<'b>(
    http: &WriteHttp,
    parameters: &'b Parameters,
    body: &'b Bytes,
    key: Option<&[u8]>,
    body_hash: uuid::Uuid,
    room: Room,
) -> WriteRequest<'b> {
    let mut lines = Vec::new();
    let mut unreadable = Vec::new();
    for line in protocol::parse(body, parameters.precision) {
        match line {
            Ok(line) => lines.push(line),
            Err(error) => unreadable.push(Refused::unreadable(&error, body)),
        }
    }
    let id = request_id(http.ingest.options(), &parameters.namespace, key, body_hash, &lines);
    WriteRequest {
        protocol: Protocol::LineProtocolHttp,
        room,
        namespace: &parameters.namespace,
        lines,
        body,
        unreadable,
        id,
        partial: parameters.partial,
        interval_us: None,
    }
}

/// The content type of every JSON answer here.
const JSON: (header::HeaderName, &str) = (header::CONTENT_TYPE, "application/json");
