//! One error for all routes, in one envelope: `{"error": {"code", "message", "details"}}`.
//!
//! The policy, in one place:
//!
//! - Each variant of [`ApiError`] is one kind of failure that a client can act on; its documentation begins with its
//!   HTTP status. `code` is stable and meant for programs, `message` says what is wrong and what to do, `details` is an
//!   object that depends on the code.
//! - A client never sees the text of the database or of an unexpected failure. Such a cause travels with the response
//!   as an extension and is logged once, by [`log_causes`] at the boundary; nothing else logs it.
//! - What passes by itself (503) carries `Retry-After`.

mod boundary;
mod near;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::{Value, json};

pub use boundary::{Cause, log_causes, with_fallbacks};
pub(super) use near::hint as near_hint;
pub use near::near_matches;

use crate::{
    format::{Format, FormatError},
    question::{Invalid, Selector},
};

/// A cause of any type.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The most series that [`ApiError::AmbiguousTarget`] names.
pub const MAX_NAMED_MATCHES: usize = 10;

/// Why a request is not answered as asked.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// 400: malformed or invalid in a way that has no variant of its own.
    #[error("{message}")]
    BadRequest {
        /// For programs, in snake_case.
        code: &'static str,
        /// What is wrong and what to do.
        message: String,
        /// An object.
        details: Value,
    },
    /// 400: a question that is well-formed but makes no sense; `details.path` is the field.
    #[error("{0}")]
    InvalidQuestion(#[from] Invalid),
    /// 400: `target` matches several series, of which the details name up to [`MAX_NAMED_MATCHES`].
    #[error("`target` matches {total} series and must match exactly one: add tags, or give a series_id")]
    AmbiguousTarget {
        /// Some of the series.
        matches: Vec<SeriesMatch>,
        /// How many match.
        total: usize,
    },
    /// 403: not allowed from this origin or to this host.
    #[error("{message}")]
    Forbidden {
        /// For programs, in snake_case.
        code: &'static str,
        /// What is not allowed and how to allow it.
        message: String,
    },
    /// 404: there is no such measurement in the namespace.
    #[error("there is no measurement `{name}`{}", near::hint(near))]
    UnknownMeasurement {
        /// As asked.
        name: String,
        /// Names that there are and that resemble it; see [`near_matches`].
        near: Vec<String>,
    },
    /// 404: the measurement has no such field.
    #[error("the measurement `{measurement}` has no field `{name}`{}", near::hint(near))]
    UnknownField {
        /// The measurement.
        measurement: String,
        /// As asked.
        name: String,
        /// Fields that there are and that resemble it.
        near: Vec<String>,
    },
    /// 404: no series of the measurement matches a selector that must match one.
    #[error("no series of `{measurement}` matches `{path}`: see /api/v1/series for what there is")]
    UnknownSeries {
        /// The measurement.
        measurement: String,
        /// Where the selector stands in the question.
        path: &'static str,
        /// The selector.
        selector: Selector,
    },
    /// 404: no benchmark's report has this name.
    #[error("there is no report `{name}`: see /api/v1/reports for those there are")]
    UnknownReport {
        /// As asked.
        name: String,
    },
    /// 404: there is no such route.
    #[error("there is no route {path}: see /api/docs for those there are")]
    NotFound {
        /// The path asked for.
        path: String,
    },
    /// 405: the route exists, but not with this method; `Allow` lists those that it has.
    #[error("{path} does not take {method}")]
    MethodNotAllowed {
        /// The method.
        method: String,
        /// The path.
        path: String,
    },
    /// 406: the answer does not exist in the format asked for.
    #[error("this answer does not exist in the format asked for: ask for {}", names(offered))]
    NotAcceptable {
        /// The formats that there are.
        offered: &'static [Format],
    },
    /// 409: what is there contradicts the request.
    #[error("{message}")]
    Conflict {
        /// For programs, in snake_case.
        code: &'static str,
        /// What contradicts what, and what to do.
        message: String,
    },
    /// 413: the question would take more memory than its limit.
    #[error(
        "the question would take about {estimate_bytes} bytes, more than the limit of {limit_bytes}: ask for a shorter \
         range, wider buckets or fewer series"
    )]
    TooLarge {
        /// What it would take.
        estimate_bytes: u64,
        /// The lower of the question's and the server's limit.
        limit_bytes: u64,
    },
    /// 413: the request's body is longer than the server takes.
    #[error("the body of the request is too long")]
    BodyTooLarge,
    /// 500: anything else; the cause is logged and never shown.
    #[error("the server failed to answer; its log says why")]
    Internal(#[source] BoxError),
    /// 503: too much to do; nothing was done.
    #[error("the server is busy: try again later")]
    Overloaded {
        /// When to try again.
        retry_after: Duration,
    },
    /// 503: the database is away or takes no more connections; the cause is logged and never shown.
    #[error("the database is not available: try again later")]
    DatabaseUnavailable {
        /// When to try again.
        retry_after: Duration,
        /// What the driver said.
        #[source]
        cause: BoxError,
    },
    /// 504: the question ran into the time limit and was cancelled.
    #[error(
        "the question took longer than the limit of {} s: ask for a shorter range or fewer series, or again: what a \
         correlation over all series has read is kept",
        limit.as_secs_f64()
    )]
    Timeout {
        /// The limit.
        limit: Duration,
    },
}

/// A series that an ambiguous selector matches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SeriesMatch {
    /// Its id.
    pub series_id: i64,
    /// The tags that it has.
    pub tags: BTreeMap<String, String>,
}

impl ApiError {
    /// A failure that nothing was expected to cause: 500.
    pub fn internal(cause: impl Into<BoxError>) -> Self {
        Self::Internal(cause.into())
    }

    /// A 400 without details.
    pub fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self::BadRequest { code, message: message.into(), details: json!({}) }
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest { .. } | Self::InvalidQuestion(_) | Self::AmbiguousTarget { .. } => {
                StatusCode::BAD_REQUEST
            }
            Self::Forbidden { .. } => StatusCode::FORBIDDEN,
            Self::UnknownMeasurement { .. }
            | Self::UnknownField { .. }
            | Self::UnknownSeries { .. }
            | Self::UnknownReport { .. }
            | Self::NotFound { .. } => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotAcceptable { .. } => StatusCode::NOT_ACCEPTABLE,
            Self::Conflict { .. } => StatusCode::CONFLICT,
            Self::TooLarge { .. } | Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Overloaded { .. } | Self::DatabaseUnavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Timeout { .. } => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// The stable name of this kind of failure.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::BadRequest { code, .. } | Self::Forbidden { code, .. } | Self::Conflict { code, .. } => code,
            Self::InvalidQuestion(_) => "invalid_question",
            Self::AmbiguousTarget { .. } => "ambiguous_target",
            Self::UnknownMeasurement { .. } => "unknown_measurement",
            Self::UnknownField { .. } => "unknown_field",
            Self::UnknownSeries { .. } => "unknown_series",
            Self::UnknownReport { .. } => "unknown_report",
            Self::NotFound { .. } => "not_found",
            Self::MethodNotAllowed { .. } => "method_not_allowed",
            Self::NotAcceptable { .. } => "not_acceptable",
            Self::TooLarge { .. } => "too_large",
            Self::BodyTooLarge => "body_too_large",
            Self::Internal(_) => "internal",
            Self::Overloaded { .. } => "overloaded",
            Self::DatabaseUnavailable { .. } => "database_unavailable",
            Self::Timeout { .. } => "timeout",
        }
    }

    fn details(&self) -> Value {
        match self {
            Self::BadRequest { details, .. } => details.clone(),
            Self::InvalidQuestion(Invalid { path, reason }) => json!({ "path": path, "reason": reason }),
            Self::AmbiguousTarget { matches, total } => json!({
                "path": "target",
                "matches": matches.iter().take(MAX_NAMED_MATCHES).collect::<Vec<_>>(),
                "total": total,
            }),
            Self::UnknownMeasurement { name, near } => json!({ "path": "measurement", "name": name, "near": near }),
            Self::UnknownField { measurement, name, near } => {
                json!({ "path": "field", "measurement": measurement, "name": name, "near": near })
            }
            Self::UnknownSeries { measurement, path, selector } => {
                json!({ "path": path, "measurement": measurement, "selector": selector })
            }
            Self::UnknownReport { name } => json!({ "path": "name", "name": name }),
            Self::NotFound { path } => json!({ "path": path }),
            Self::MethodNotAllowed { method, path } => json!({ "method": method, "path": path }),
            Self::NotAcceptable { offered } => json!({
                "formats": offered.iter().map(|format| format.name()).collect::<Vec<_>>(),
                "media_types": offered.iter().map(|format| format.media_type()).collect::<Vec<_>>(),
            }),
            Self::TooLarge { estimate_bytes, limit_bytes } => {
                json!({ "estimate_bytes": estimate_bytes, "limit_bytes": limit_bytes })
            }
            Self::Overloaded { retry_after } | Self::DatabaseUnavailable { retry_after, .. } => {
                json!({ "retry_after_s": whole_seconds(*retry_after) })
            }
            Self::Timeout { limit } => json!({ "limit_s": limit.as_secs_f64() }),
            Self::Forbidden { .. } | Self::Conflict { .. } | Self::BodyTooLarge | Self::Internal(_) => json!({}),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Overloaded { retry_after } | Self::DatabaseUnavailable { retry_after, .. } => Some(*retry_after),
            _ => None,
        }
    }
}

impl From<FormatError> for ApiError {
    /// A `top` that the format does not have is the client's affair; all else is a bug.
    fn from(error: FormatError) -> Self {
        match error {
            FormatError::TooManyRanked { .. } => Self::InvalidQuestion(Invalid::new("top", error.to_string())),
            error => Self::internal(error),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = json!({ "error": { "code": self.code(), "message": self.to_string(), "details": self.details() } });
        let mut response = (self.status(), Json(body)).into_response();
        if let Some(retry_after) = self.retry_after() {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(whole_seconds(retry_after)));
        }
        if let Self::Internal(cause) | Self::DatabaseUnavailable { cause, .. } = self {
            response.extensions_mut().insert(Cause(Arc::from(cause)));
        }
        response
    }
}

/// Seconds rounded up, and at least one: a client that is told 0 comes back at once.
fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0)).max(1)
}

fn names(formats: &[Format]) -> String {
    formats.iter().map(|format| format.name()).collect::<Vec<_>>().join(", ")
}
