//! `/api/v1/asof`.

use serde_json::{Value, json};
use utoipa::{
    ToSchema,
    openapi::{HttpMethod, ObjectBuilder, RefOr, Required, ResponseBuilder, Schema, request_body::RequestBodyBuilder},
};

use super::{
    operation::{Route, RouteBuilder, bytes, content, response, route, with_header},
    questions::{TAG, closed, receipt_example},
    schema::{integer, list, named, named_as, text, word},
};
use crate::{format::Format, question::MAX_ASOF_FIELDS};

const PATH: &str = "/api/v1/asof";
const SUMMARY: &str = "For each row of one measurement the last row of another at or before its time";
const DESCRIPTION: &str = "\
Trades with the quote of their moment: raw rows, no buckets. A left row and a right row pair where the tags in `on` are equal; \
a series that lacks one of them pairs with nothing, and an empty `on` pairs every row with every other. A row counts if it has \
any of the fields asked for. Of right rows with equal times the one with the greater values counts. The answer has the left \
rows of all pairs, by pair and then by time. Fields are numeric or bool; bool counts as 0 and 1.";
const HOLDS: &str = "`<tags of on>, time, <left fields>, right_<field>, right_time, age_us`";

/// What an answer holds. The rows' columns depend on the question.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only the shape is used, by the derived schema")]
struct AsofAnswer {
    /// An object a row: the tags in `on`, `time`, the left fields, `right_<field>`, `right_time`, `age_us`.
    rows: Vec<Value>,
    /// The database's clock when the snapshot was taken that the answer includes whole.
    #[schema(format = DateTime)]
    as_of: String,
    /// What the answer cost; chunks are those of both measurements.
    receipt: Value,
}

fn example() -> Value {
    json!({
        "left": {"measurement": "trades", "fields": ["price", "size"], "series": {"symbol": ["AAPL", "MSFT"]}},
        "right": {"measurement": "quotes", "fields": ["bid", "ask"]},
        "on": ["symbol"], "from": "2024-05-01T13:30:00Z", "to": "2024-05-01T20:00:00Z", "tolerance": "10s"
    })
}

fn answer_example() -> Value {
    json!({
        "rows": [{"symbol": "AAPL", "time": "2024-05-01T13:30:00.250Z", "price": 169.58, "size": 100.0, "right_bid": 169.57,
                  "right_ask": 169.59, "right_time": "2024-05-01T13:30:00.249Z", "age_us": 1000}],
        "as_of": "2024-05-01T20:00:01.123456Z", "receipt": receipt_example()
    })
}

pub(super) fn routes() -> Vec<Route> {
    let body = RequestBodyBuilder::new()
        .required(Some(Required::True))
        .content(Format::Json.media_type(), content(named("AsofQuestion"), example()))
        .build();
    let by_body = shared(route(HttpMethod::Post, PATH, TAG, "asof", SUMMARY).describe(DESCRIPTION).takes(body));
    let q = text().content_media_type(Format::Json.media_type()).examples([example().to_string()]);
    let by_url = route(HttpMethod::Get, PATH, TAG, "asof_by_url", SUMMARY)
        .describe(&format!("{DESCRIPTION} As a GET the answer can be cached."))
        .required_query("q", q, "The question of the POST as JSON, URL-encoded.")
        .namespace()
        .header("If-None-Match", text(), "The `ETag` of an answer: 304 if it is still the same.");
    let tagged = with_header(answer(), "ETag", "Changes with the question and with the data of either side.");
    vec![
        by_body.answers(200, answer()).build(),
        shared(by_url)
            .answers(200, tagged)
            .answers(304, response("The answer is the one whose `ETag` was sent."))
            .build(),
    ]
}

fn shared(route: RouteBuilder) -> RouteBuilder {
    route
        .query("format", word(&["json", "arrow", "csv"]), "The format; wins over `Accept`.")
        .fails(&[400, 403, 404, 406, 413, 500, 503, 504])
}

fn answer() -> ResponseBuilder {
    let answer = response("The joined rows.")
        .content(Format::Json.media_type(), content(named("AsofAnswer"), answer_example()))
        .content(Format::Arrow.media_type(), bytes(Format::Arrow, HOLDS))
        .content(Format::Csv.media_type(), bytes(Format::Csv, HOLDS));
    with_header(answer, "Chunkwise-Receipt", "What the answer cost, as JSON; on Arrow and CSV.")
}

/// Adds the schemas, by name.
pub(super) fn register(schemas: &mut Vec<(String, RefOr<Schema>)>) {
    schemas.push(("AsofAnswer".to_owned(), <AsofAnswer as utoipa::PartialSchema>::schema()));
    let fields = list(text()).min_items(Some(1)).max_items(Some(MAX_ASOF_FIELDS));
    let side = closed(ObjectBuilder::new())
        .property("measurement", text().description(Some("Its name; see /api/v1/measurements.")))
        .property("fields", fields.description(Some("Numeric or bool fields; a row counts if it has any of them.")))
        .property("series", named_as("Selector", "Which series; all by default."))
        .required("measurement")
        .required("fields");
    schemas.push(("AsofSide".to_owned(), side.into()));
    let namespace = text().default(Some("public".into()));
    let question = closed(ObjectBuilder::new())
        .property("namespace", namespace.description(Some("The namespace of both sides.")))
        .property("left", named_as("AsofSide", "The rows that are answered."))
        .property("right", named_as("AsofSide", "The rows that are looked up."))
        .property("on", list(text()).description(Some("Tags of both sides that pair their rows; may be empty.")))
        .property("from", named_as("Time", "The first moment of left rows."))
        .property("to", named_as("Time", "The first moment after."))
        .property("tolerance", named_as("Duration", "How old a right row may be; not in months."))
        .property(
            "join",
            word(&["left", "inner"])
                .description(Some("Whether a left row without a right one stays, with nulls, or is left out.")),
        )
        .property(
            "limit_bytes",
            integer().minimum(Some(0)).description(Some("The most memory; by default the server's limit.")),
        );
    let question =
        ["left", "right", "on", "from", "to", "tolerance"].into_iter().fold(question, ObjectBuilder::required);
    schemas.push(("AsofQuestion".to_owned(), question.into()));
}
