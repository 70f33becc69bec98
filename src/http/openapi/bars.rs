//! `/api/v1/bars` and `/api/v1/latest`.

use serde_json::{Value, json};
use utoipa::openapi::{
    HttpMethod, ObjectBuilder, RefOr, Required, ResponseBuilder, Schema, Type, request_body::RequestBodyBuilder,
    schema::AdditionalProperties,
};

use super::{
    operation::{Route, RouteBuilder, bytes, content, response, route, with_header},
    questions::{self, closed},
    schema::{integer, list, named, named_as, text, word},
};
use crate::format::Format;

const HOLDS: &str = "`series_id, <tags>, time`, then `open, high, low, close, count, volume, vwap` and \
                     `<field>_mean, _min, _max, _last, _count`, as the view has them";

pub(super) fn example() -> Value {
    json!({
        "measurement": "ticks", "series": {"symbol": "AAPL"}, "bucket": "5m",
        "from": "2024-01-02T00:00:00Z", "to": "2024-01-03T00:00:00Z"
    })
}

fn answer_example() -> Value {
    json!({
        "bars": [{"series_id": 1, "series": {"symbol": "AAPL"}, "time": "2024-01-02T14:30:00Z", "open": 187.15,
                  "high": 188.4, "low": 187.0, "close": 188.1, "count": 412, "volume": 61_200.0, "vwap": 187.71}],
        "as_of": "2024-01-03T09:30:00.123456Z",
        "receipt": {"chunks": {"total": 0, "pruned": 0, "cached": 0, "read": 0}, "rows_read": 288, "bytes_read": 0,
                    "ms": {"queue": 0.0, "plan": 1.2, "read": 3.1, "align": 0.0, "compute": 0.0, "encode": 0.0}}
    })
}

pub(super) fn routes() -> Vec<Route> {
    let body = RequestBodyBuilder::new()
        .required(Some(Required::True))
        .content(Format::Json.media_type(), content(named("BarsQuestion"), example()))
        .build();
    let by_body = shared(HttpMethod::Post, "bars").takes(body).answers(200, answer()).build();
    let q = text().content_media_type(Format::Json.media_type()).examples([example().to_string()]);
    let by_url = shared(HttpMethod::Get, "bars_by_url")
        .required_query("q", q, "The question of the POST as JSON, URL-encoded.")
        .namespace()
        .header("If-None-Match", text(), "The `ETag` of an answer: 304 if it is still the same.")
        .answers(200, with_header(answer(), "ETag", "Changes with the question and with the data."))
        .answers(304, response("The answer is the one whose `ETag` was sent."))
        .build();
    vec![by_body, by_url, latest()]
}

fn shared(method: HttpMethod, id: &str) -> RouteBuilder {
    route(method, "/api/v1/bars", questions::TAG, id, "Open, high, low, close and the like of some series")
        .describe(
            "From the rollups of the widest level that fits, and the newest rows; what has changed a moment ago is read \
             from the rows. Bars of any width, with or without rollups. A bar without values is left out. Values are \
             float64.",
        )
        .query("format", word(&["json", "arrow", "csv"]), "The format; wins over `Accept`.")
        .fails(&[400, 403, 404, 406, 413, 500, 503, 504])
}

fn answer() -> ResponseBuilder {
    let answer = response("The bars, by series and time.")
        .content(Format::Json.media_type(), content(named("BarsAnswer"), answer_example()))
        .content(Format::Arrow.media_type(), bytes(Format::Arrow, HOLDS))
        .content(Format::Csv.media_type(), bytes(Format::Csv, HOLDS));
    let answer = with_header(answer, "Chunkwise-Receipt", "What the answer cost, as JSON; on array answers.");
    with_header(answer, "Chunkwise-Series-Version", "Equal values mean equal series in equal order.")
}

fn latest() -> Route {
    let example = json!({
        "latest": [{"series_id": 1, "series": {"symbol": "AAPL"}, "time": "2024-01-02T20:59:59.913Z", "value": 188.1}]
    });
    let holds = "`series_id, <tags>, time, value`";
    let answer = response("The last values, ascending by series.")
        .content(Format::Json.media_type(), content(named("LatestAnswer"), example))
        .content(Format::Arrow.media_type(), bytes(Format::Arrow, holds))
        .content(Format::Csv.media_type(), bytes(Format::Csv, holds));
    route(HttpMethod::Get, "/api/v1/latest", questions::TAG, "latest", "The last value of each series")
        .describe("Of two values at the same time the greater one. Of any field, text too.")
        .namespace()
        .required_query("measurement", text(), "The measurement.")
        .required_query("field", text(), "The field.")
        .query("format", word(&["json", "arrow", "csv"]), "The format; wins over `Accept`.")
        .answers(200, with_header(answer, "Chunkwise-Series-Version", "Equal values mean equal series in equal order."))
        .fails(&[400, 403, 404, 406, 500, 503, 504])
        .build()
}

/// Adds the schemas, by name.
pub(super) fn register(schemas: &mut Vec<(String, RefOr<Schema>)>) {
    let question = closed(ObjectBuilder::new())
        .property("namespace", text().default(Some("public".into())))
        .property("measurement", text())
        .property("series", named_as("Selector", "Which series; all by default."))
        .property("from", named_as("Time", "The first moment; a bar belongs to the range if its start does."))
        .property("to", named_as("Time", "The first moment after."))
        .property("bucket", named_as("Duration", "The width of a bar."))
        .property("timezone", text().default(Some("UTC".into())))
        .property("limit_bytes", integer().minimum(Some(0)));
    let question = ["measurement", "from", "to", "bucket"].into_iter().fold(question, ObjectBuilder::required);
    let series = || {
        ObjectBuilder::new()
            .property("series_id", integer())
            .property("series", ObjectBuilder::new().description(Some("The tags that the series has.")))
            .property("time", named("Time"))
    };
    let number = || ObjectBuilder::new().schema_type(Type::Number);
    let bar = ["open", "high", "low", "close", "volume", "vwap"]
        .into_iter()
        .fold(series(), |bar, name| bar.property(name, number()))
        .property("count", integer())
        .additional_properties(Some(AdditionalProperties::RefOr(number().into())))
        .description(Some("Where there is a price, and size; `<field>_mean` and so on of other fields."));
    let bars = ObjectBuilder::new()
        .property("bars", list(bar))
        .property("as_of", named("Time"))
        .property("receipt", named("Receipt"));
    let value = ObjectBuilder::new().description(Some("A number, a text or a time, as the field has it."));
    let latest = ObjectBuilder::new().property("latest", list(series().property("value", value)));
    for (name, schema) in [("BarsQuestion", question), ("BarsAnswer", bars), ("LatestAnswer", latest)] {
        schemas.push((name.to_owned(), schema.into()));
    }
}
