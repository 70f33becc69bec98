//! One route of the description, put together step by step; and the failures that routes have in common.

use serde_json::{Value, json};
use utoipa::openapi::{
    Content, ContentBuilder, HeaderBuilder, HttpMethod, Ref, RefOr, Required, Response, ResponseBuilder, Schema,
    path::{Operation, OperationBuilder, ParameterBuilder, ParameterIn},
    request_body::RequestBody,
};

use super::schema::{binary, named, text};
use crate::format::Format;

/// A method of a path.
pub(super) struct Route {
    pub(super) method: HttpMethod,
    pub(super) path: &'static str,
    pub(super) operation: Operation,
}

/// [`Route`] before it is complete.
pub(super) struct RouteBuilder {
    method: HttpMethod,
    path: &'static str,
    operation: OperationBuilder,
}

/// Begins a route; `id` is what generated clients call it.
pub(super) fn route(method: HttpMethod, path: &'static str, tag: &str, id: &str, summary: &str) -> RouteBuilder {
    let operation = OperationBuilder::new().tag(tag).operation_id(Some(id)).summary(Some(summary));
    RouteBuilder { method, path, operation }
}

impl RouteBuilder {
    fn map(self, change: impl FnOnce(OperationBuilder) -> OperationBuilder) -> Self {
        Self { operation: change(self.operation), ..self }
    }

    fn parameter(
        self,
        place: ParameterIn,
        required: Required,
        name: &str,
        schema: impl Into<RefOr<Schema>>,
        description: &str,
    ) -> Self {
        let parameter = ParameterBuilder::new()
            .name(name)
            .parameter_in(place)
            .required(required)
            .description(Some(description))
            .schema(Some(schema));
        self.map(|operation| operation.parameter(parameter))
    }

    pub(super) fn describe(self, text: &str) -> Self {
        self.map(|operation| operation.description(Some(text)))
    }

    /// A parameter of the URL that may be left out.
    pub(super) fn query(self, name: &str, schema: impl Into<RefOr<Schema>>, description: &str) -> Self {
        self.parameter(ParameterIn::Query, Required::False, name, schema, description)
    }

    /// A parameter of the URL that must be there.
    pub(super) fn required_query(self, name: &str, schema: impl Into<RefOr<Schema>>, description: &str) -> Self {
        self.parameter(ParameterIn::Query, Required::True, name, schema, description)
    }

    /// A part of the path.
    pub(super) fn path(self, name: &str, schema: impl Into<RefOr<Schema>>, description: &str) -> Self {
        self.parameter(ParameterIn::Path, Required::True, name, schema, description)
    }

    /// A header of the request.
    pub(super) fn header(self, name: &str, schema: impl Into<RefOr<Schema>>, description: &str) -> Self {
        self.parameter(ParameterIn::Header, Required::False, name, schema, description)
    }

    /// The namespace, on every GET.
    pub(super) fn namespace(self) -> Self {
        self.query("namespace", text().default(Some("public".into())), "The namespace.")
    }

    pub(super) fn takes(self, body: RequestBody) -> Self {
        self.map(|operation| operation.request_body(Some(body)))
    }

    pub(super) fn answers(self, status: u16, response: ResponseBuilder) -> Self {
        self.map(|operation| operation.response(status.to_string(), response.build()))
    }

    /// The failures, from those of [`failures`].
    pub(super) fn fails(self, statuses: &[u16]) -> Self {
        statuses.iter().fold(self, |route, status| {
            let name = failure_name(*status);
            route.map(|operation| operation.response(status.to_string(), Ref::from_response_name(name)))
        })
    }

    pub(super) fn build(self) -> Route {
        Route { method: self.method, path: self.path, operation: self.operation.build() }
    }
}

pub(super) fn response(description: &str) -> ResponseBuilder {
    ResponseBuilder::new().description(description)
}

/// A response with JSON of the schema registered under the name.
pub(super) fn json_response(description: &str, schema: &str) -> ResponseBuilder {
    response(description).content(Format::Json.media_type(), Content::new(Some(named(schema))))
}

/// Adds a header to a response.
pub(super) fn with_header(response: ResponseBuilder, name: &str, description: &str) -> ResponseBuilder {
    response.header(name, HeaderBuilder::new().schema(Some(text())).description(Some(description)).build())
}

/// Content with an example.
pub(super) fn content(schema: impl Into<RefOr<Schema>>, example: Value) -> Content {
    ContentBuilder::new().schema(Some(schema)).example(Some(example)).build()
}

/// Content that no schema describes, with what it holds.
pub(super) fn bytes(format: Format, holds: &str) -> Content {
    let schema = if format == Format::Csv { text() } else { binary() };
    Content::new(Some(schema.description(Some(holds))))
}

fn failure_name(status: u16) -> String {
    format!("Error{status}")
}

/// The failures that routes refer to, with their names.
pub(super) fn failures() -> impl Iterator<Item = (String, Response)> {
    let table: [(u16, &str, Value); 10] = [
        (
            400,
            "Malformed or invalid; `details.path` names the field.",
            json!({
                "code": "invalid_question", "message": "ranges[2].to: must be later than `from`, which is 2020-01-01T00:00:00Z",
                "details": {"path": "ranges[2].to", "reason": "must be later than `from`, which is 2020-01-01T00:00:00Z"}
            }),
        ),
        (
            403,
            "Without tokens: from a page of another site, or to a host that this server does not answer for.",
            json!({
                "code": "origin_not_allowed", "message": "pages of other sites may not use this server: see `allowed_hosts`",
                "details": {}
            }),
        ),
        (
            404,
            "Unknown measurement, field or series.",
            json!({
                "code": "unknown_measurement", "message": "there is no measurement `pricse`: did you mean `prices`?",
                "details": {"path": "measurement", "name": "pricse", "near": ["prices"]}
            }),
        ),
        (
            406,
            "The answer does not exist in the format asked for.",
            json!({
                "code": "not_acceptable",
                "message": "this answer does not exist in the format asked for: ask for json, arrow, csv",
                "details": {"formats": ["json", "arrow", "csv"],
                            "media_types": ["application/json", "application/vnd.apache.arrow.stream", "text/csv"]}
            }),
        ),
        (
            409,
            "Others use what is to go: views that depend on it, or a query that is under way.",
            json!({
                "code": "measurement_in_use",
                "message": "view public.my_ticks depend on the measurement `ticks`: drop them first, or ask for them to be \
                            dropped with it (?cascade=true)",
                "details": {}
            }),
        ),
        (
            413,
            "Too large, with the estimate and the limit.",
            json!({
                "code": "too_large",
                "message": "the question would take about 9000000000 bytes, more than the limit of 2000000000: ask for a \
                            shorter range, wider buckets or fewer series",
                "details": {"estimate_bytes": 9_000_000_000_u64, "limit_bytes": 2_000_000_000_u64}
            }),
        ),
        (
            422,
            "The idempotency key was used with another body.",
            json!({
                "code": "idempotency_mismatch",
                "message": "the key in `Idempotency-Key` was used with another body: use a fresh key for each request",
                "details": {}
            }),
        ),
        (
            500,
            "The server failed; its log says why.",
            json!({
                "code": "internal", "message": "the server failed to answer; its log says why", "details": {}
            }),
        ),
        (
            503,
            "Too busy, or the database is away; `Retry-After` says when to try again.",
            json!({
                "code": "overloaded", "message": "the server is busy: try again later", "details": {"retry_after_s": 1}
            }),
        ),
        (
            504,
            "Over the time limit.",
            json!({
                "code": "timeout",
                "message": "the question took longer than the limit of 30 s: ask for a shorter range or fewer series, or \
                            again: what a correlation over all series has read is kept",
                "details": {"limit_s": 30.0}
            }),
        ),
    ];
    table.into_iter().map(|(status, description, error)| {
        let body = content(named("Error"), json!({ "error": error }));
        let response = response(description).content(Format::Json.media_type(), body);
        let response = match status {
            503 => with_header(response, "Retry-After", "Seconds."),
            _ => response,
        };
        (failure_name(status), response.build())
    })
}
