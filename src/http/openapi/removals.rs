//! The routes that take away.

use serde_json::json;
use utoipa::{
    ToSchema,
    openapi::{HttpMethod, RefOr, ResponseBuilder, Schema},
};

use super::{
    operation::{Route, content, response, route},
    schema::{boolean, date_time, named, text},
};
use crate::format::Format;

pub(super) const TAG: &str = "Taking away";

/// What was taken away.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only the shape is used, by the derived schema")]
struct Deleted {
    deleted_rows: u64,
}

/// The most that any of these routes fails with.
const FAILURES: [u16; 6] = [400, 403, 404, 409, 500, 503];

const SELECTS: &str = "Tags select as in questions: `tag.symbol=MSFT&tag.symbol=XOM`, or `series_id=3`. ";

pub(super) fn routes() -> Vec<Route> {
    let measurement = route(
        HttpMethod::Delete,
        "/api/v1/measurements/{name}",
        TAG,
        "drop_measurement",
        "Drop a measurement with all its rows",
    )
    .describe(
        "Refused where views that chunkwise has not made depend on it, unless `cascade=true`. A line that is written \
         afterwards makes it anew, and requests that wrote to it may be sent again.",
    )
    .path("name", text(), "The measurement.")
    .namespace()
    .query("cascade", boolean(false), "Drop the views that depend on it too.");
    let series = route(HttpMethod::Delete, "/api/v1/series", TAG, "drop_series", "Drop series with their rows")
        .describe(&format!("{SELECTS}At least one is needed. A series that is written again gets another id."))
        .namespace()
        .required_query("measurement", text(), "The measurement.");
    let rows = route(HttpMethod::Delete, "/api/v1/rows", TAG, "delete_rows", "Delete the rows of a range of time")
        .describe(&format!("{SELECTS}All series by default; then chunks within the range are dropped as they are."))
        .namespace()
        .required_query("measurement", text(), "The measurement.")
        .required_query("from", date_time(), "The first moment.")
        .required_query("to", date_time(), "The first moment after.");
    [measurement, series, rows].map(|route| route.answers(200, answer()).fails(&FAILURES).build()).into()
}

fn answer() -> ResponseBuilder {
    response("It is gone.")
        .content(Format::Json.media_type(), content(named("Deleted"), json!({"deleted_rows": 9_997})))
}

/// Adds the schema of the answer.
pub(super) fn register(schemas: &mut Vec<(String, RefOr<Schema>)>) {
    schemas.push(("Deleted".to_owned(), <Deleted as utoipa::PartialSchema>::schema()));
}
