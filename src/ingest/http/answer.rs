//! Answers of the write routes, as each generation's clients expect them.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::JSON;
use crate::{
    db::Failure,
    ingest::{IngestError, Refused, Written, body::BodyError, identity::BadKey},
};

/// So many refused lines are named; the count is always whole.
pub(super) const MAX_NAMED: usize = 10_000;

/// Whose client asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// InfluxDB 1: `/write`.
    V1,
    /// InfluxDB 2: `/api/v2/write`.
    V2,
    /// InfluxDB 3: `/api/v3/write_lp`.
    V3,
}

impl Dialect {
    pub(super) fn namespace_parameter(self) -> &'static str {
        match self {
            Self::V1 | Self::V3 => "db",
            Self::V2 => "bucket",
        }
    }

    pub(super) fn default_precision(self) -> &'static str {
        match self {
            Self::V1 | Self::V2 => "ns",
            Self::V3 => "auto",
        }
    }

    pub(super) fn precisions(self) -> &'static [&'static str] {
        match self {
            Self::V1 => &["ns", "n", "us", "u", "ms", "s", "m", "h"],
            Self::V2 => &["ns", "us", "ms", "s"],
            Self::V3 => {
                &["auto", "nanosecond", "microsecond", "millisecond", "second", "ns", "n", "us", "u", "ms", "s"]
            }
        }
    }

    /// Part of what makes two bodies the same request.
    pub(super) fn kind(self) -> &'static str {
        "line protocol"
    }
}

/// Why a request is not answered with what it wrote.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) message: String,
    pub(super) lines: Vec<Refused>,
}

impl Refusal {
    pub(super) fn invalid(message: String) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message, lines: Vec::new() }
    }

    pub(super) fn internal() -> Self {
        let message = "the request failed for a reason that the server's log names".to_owned();
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, message, lines: Vec::new() }
    }
}

impl From<BadKey> for Refusal {
    fn from(error: BadKey) -> Self {
        Self::invalid(error.to_string())
    }
}

impl From<BodyError> for Refusal {
    fn from(error: BodyError) -> Self {
        let status = match error {
            BodyError::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            BodyError::Encoding(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            BodyError::Corrupt { .. } | BodyError::Read(_) => StatusCode::BAD_REQUEST,
            BodyError::NoRoom(error) => return error.into(),
        };
        Self { status, message: error.to_string(), lines: Vec::new() }
    }
}

impl From<IngestError> for Refusal {
    fn from(error: IngestError) -> Self {
        let message = error.to_string();
        let status = match &error {
            IngestError::AllOrNothing(_) | IngestError::Namespace(_) | IngestError::TooManyChunks { .. } => {
                StatusCode::BAD_REQUEST
            }
            IngestError::KeyMismatch => StatusCode::UNPROCESSABLE_ENTITY,
            IngestError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            IngestError::Overloaded | IngestError::Stale => StatusCode::SERVICE_UNAVAILABLE,
            IngestError::Unavailable(source) => {
                if let Some(source) = source {
                    tracing::warn!(error = %source, "a write request was sent back: the database is unavailable");
                }
                StatusCode::SERVICE_UNAVAILABLE
            }
            IngestError::Database(source) => {
                tracing::error!(error = %source, "the database refused a write request");
                StatusCode::INTERNAL_SERVER_ERROR
            }
        };
        let lines = match error {
            IngestError::AllOrNothing(lines) => lines,
            _ => Vec::new(),
        };
        Self { status, message, lines }
    }
}

/// 204 where every line was written, 400 where some were not.
pub(super) fn written(dialect: Dialect, written: &Written) -> Response {
    let mut response = if written.refused.is_empty() {
        StatusCode::NO_CONTENT.into_response()
    } else {
        let refused = written.refused_total;
        let first = &written.refused[0];
        let message = format!(
            "partial write: {refused} of {} lines were refused, the first is line {}, column {}: {}",
            refused + written.written,
            first.line,
            first.column,
            first.reason
        );
        let body = match dialect {
            Dialect::V1 => lines_body(&written.refused, written, json!({ "error": message })),
            Dialect::V2 => lines_body(
                &written.refused,
                written,
                json!({ "code": "invalid", "message": message, "error": message }),
            ),
            Dialect::V3 => lines_body(
                &written.refused,
                written,
                json!({ "error": "partial write of line protocol occurred", "data": v3_lines(&written.refused) }),
            ),
        };
        (StatusCode::BAD_REQUEST, [JSON], body.to_string()).into_response()
    };
    tell_receipt(&mut response, written);
    response
}

/// The headers that say what was written.
pub(super) fn tell_receipt(response: &mut Response, written: &Written) {
    let headers = response.headers_mut();
    headers.insert("chunkwise-ack", HeaderValue::from_static(written.ack.label()));
    headers.insert("chunkwise-written", HeaderValue::from(written.written));
    if written.duplicate {
        headers.insert("chunkwise-duplicate", HeaderValue::from_static("true"));
    }
}

/// Nothing was written.
pub(super) fn refusal(dialect: Dialect, refusal: &Refusal) -> Response {
    let Refusal { status, message, lines } = refusal;
    let code = match *status {
        StatusCode::PAYLOAD_TOO_LARGE => "request too large",
        StatusCode::UNPROCESSABLE_ENTITY => "unprocessable entity",
        StatusCode::SERVICE_UNAVAILABLE => "unavailable",
        StatusCode::INTERNAL_SERVER_ERROR => "internal error",
        _ => "invalid",
    };
    let mut body = match dialect {
        Dialect::V1 => json!({ "error": message }),
        Dialect::V2 => json!({ "code": code, "message": message, "error": message }),
        Dialect::V3 => match lines.as_slice() {
            [] => json!({ "error": message }),
            [first, ..] => json!({ "error": "parsing failed for write_lp endpoint", "data": v3_line(first) }),
        },
    };
    if !lines.is_empty() {
        body = lines_body(lines, &Written { refused_total: lines.len() as u64, ..Written::default() }, body);
    }
    let mut response = (*status, [JSON], body.to_string()).into_response();
    tell_when_to_come_back(&mut response);
    response
}

/// `Retry-After` on a 503.
pub(super) fn tell_when_to_come_back(response: &mut Response) {
    if response.status() == StatusCode::SERVICE_UNAVAILABLE {
        let seconds = HeaderValue::from(Failure::RETRY_AFTER.as_secs());
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
}

fn lines_body(refused: &[Refused], written: &Written, mut body: Value) -> Value {
    let named: Vec<Value> = refused
        .iter()
        .take(MAX_NAMED)
        .map(|refused| json!({ "line": refused.line, "column": refused.column, "reason": refused.reason }))
        .collect();
    body["lines"] = Value::Array(named);
    body["refused"] = json!(written.refused_total);
    body["written"] = json!(written.written);
    body["dead_lettered"] = json!(written.dead_lettered);
    body
}

fn v3_line(refused: &Refused) -> Value {
    let Refused { line, column, reason, original } = refused;
    json!({ "original_line": original, "line_number": line, "error_message": format!("column {column}: {reason}") })
}

fn v3_lines(refused: &[Refused]) -> Vec<Value> {
    refused.iter().take(MAX_NAMED).map(v3_line).collect()
}
