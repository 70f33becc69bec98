//! `/api/v1/window` and `/api/v1/correlate`, and the schemas of their questions.

use serde_json::{Value, json};
use utoipa::openapi::{
    HttpMethod, ObjectBuilder, RefOr, Required, ResponseBuilder, Schema, request_body::RequestBodyBuilder,
    schema::AdditionalProperties,
};

use super::{
    operation::{Route, RouteBuilder, bytes, content, response, route, with_header},
    schema::{choice, date_time, integer, list, named, named_as, number, one_of, text, word},
};
use crate::{
    format::{Format, MAX_RANKED_ARRAY},
    question::{Aggregate, MAX_RANGES},
};

pub(super) const TAG: &str = "Questions";

pub(super) const FROM: &str = "The first moment; a bucket belongs to the range if its start does.";
pub(super) const TO: &str = "The first moment after.";

pub(super) fn window_example() -> Value {
    json!({
        "measurement": "prices", "field": "close", "bucket": "1d", "transform": "log_return",
        "series": {"symbol": ["AAPL", "MSFT"]}, "from": "2020-01-01T00:00:00Z", "to": "2021-01-01T00:00:00Z"
    })
}

pub(super) fn correlate_example() -> Value {
    json!({
        "measurement": "prices", "field": "close", "bucket": "1d", "transform": "log_return",
        "target": {"symbol": "AAPL"}, "against": {"symbol": ["MSFT", "XOM"]},
        "ranges": [
            {"from": "2020-01-01T00:00:00Z", "to": "2021-01-01T00:00:00Z"},
            {"from": "2021-01-01T00:00:00Z", "to": "2022-01-01T00:00:00Z"}
        ],
        "top": 50
    })
}

pub(super) fn receipt_example() -> Value {
    json!({
        "chunks": {"total": 120, "pruned": 98, "cached": 20, "read": 2}, "rows_read": 4032, "bytes_read": 185_472,
        "ms": {"queue": 0.0, "plan": 0.2, "read": 3.1, "align": 0.4, "compute": 1.9, "encode": 0.1}
    })
}

fn window_answer_example() -> Value {
    json!({
        "times": ["2020-01-02T00:00:00Z", "2020-01-03T00:00:00Z"],
        "series": [{"series_id": 1, "tags": {"symbol": "AAPL"}}, {"series_id": 13, "tags": {"symbol": "MSFT"}}],
        "values": [[0.0226, -0.0098], [0.0184, null]],
        "as_of": "2022-12-28T09:30:00.123456Z", "receipt": receipt_example()
    })
}

fn correlate_answer_example() -> Value {
    json!({
        "target": {"series_id": 1, "tags": {"symbol": "AAPL"}}, "as_of": "2022-12-28T09:30:00.123456Z",
        "ranges": [{
            "from": "2020-01-01T00:00:00Z", "to": "2021-01-01T00:00:00Z",
            "results": [{"series_id": 13, "series": {"symbol": "MSFT"}, "r": 0.7432, "n": 252, "p_value": 1.2e-45,
                         "ci95": [0.68, 0.79]}]
        }],
        "receipt": receipt_example()
    })
}

/// A question's names, texts and examples; each is asked by POST and by GET.
pub(super) struct Question {
    pub(super) path: &'static str,
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    pub(super) description: String,
    pub(super) schema: &'static str,
    pub(super) example: Value,
    pub(super) answer: &'static str,
    pub(super) answer_example: Value,
    /// What the formats besides JSON hold.
    pub(super) arrays: &'static [(Format, &'static str)],
}

impl Question {
    /// Its routes, by POST and by GET.
    pub(super) fn routes(&self) -> [Route; 2] {
        [by_body(self), by_url(self)]
    }
}

pub(super) fn routes() -> Vec<Route> {
    let window = Question {
        path: "/api/v1/window",
        id: "window",
        summary: "The values of some series over one range, on common buckets",
        description: "Array answers have a row for every series that the selector matches, ascending by `series_id`; \
                      NaN where it has no data. `layout` matters to Arrow and CSV only."
            .to_owned(),
        schema: "WindowQuestion",
        example: window_example(),
        answer: "WindowAnswer",
        answer_example: window_answer_example(),
        arrays: &[
            (Format::Npy, "float64 (series, buckets)"),
            (Format::Npz, "`values`, `series_id`, and `times` in microseconds since 1970 UTC"),
            (
                Format::Arrow,
                "`series_id, <tags>, time, value`, missing left out; with `layout=wide` `time` and one column a series",
            ),
            (Format::Csv, "The same columns as Arrow"),
        ],
    };
    let correlate = Question {
        path: "/api/v1/correlate",
        id: "correlate",
        summary: "One series against many, over one or several ranges",
        description: format!(
            "The target is a row like any other (r = 1) where it is among `against`, as it is by default; with `top` it \
             is left out, and every range lists the same series, in rank order. npy and npz take a `top` of at most \
             {MAX_RANKED_ARRAY}."
        ),
        schema: "CorrelateQuestion",
        example: correlate_example(),
        answer: "CorrelateAnswer",
        answer_example: correlate_answer_example(),
        arrays: &[
            (Format::Npy, "float64 (ranges, series): r"),
            (Format::Npz, "`r`, `n`, `series_id`, and `ranges` (ranges, 2) in microseconds since 1970 UTC"),
            (Format::Arrow, "`range, series_id, <tags>, r, n` and the stats asked for"),
            (Format::Csv, "The same columns as Arrow"),
        ],
    };
    [window, correlate].iter().flat_map(Question::routes).collect()
}

fn by_body(question: &Question) -> Route {
    let body = RequestBodyBuilder::new()
        .required(Some(Required::True))
        .content(Format::Json.media_type(), content(named(question.schema), question.example.clone()))
        .build();
    let route = route(HttpMethod::Post, question.path, TAG, question.id, question.summary)
        .describe(&question.description)
        .takes(body);
    shared(route, question).answers(200, answer(question)).build()
}

fn by_url(question: &Question) -> Route {
    let id = format!("{}_by_url", question.id);
    let q = text().content_media_type(Format::Json.media_type()).examples([question.example.to_string()]);
    let route = route(HttpMethod::Get, question.path, TAG, &id, question.summary)
        .describe(&format!("{} As a GET the answer can be cached.", question.description))
        .required_query("q", q, "The question of the POST as JSON, URL-encoded.")
        .namespace()
        .header("If-None-Match", text(), "The `ETag` of an answer: 304 if it is still the same.");
    let answer = with_header(answer(question), "ETag", "Changes with the question and with the data.");
    shared(route, question)
        .answers(200, answer)
        .answers(304, response("The answer is the one whose `ETag` was sent."))
        .build()
}

fn shared(route: RouteBuilder, question: &Question) -> RouteBuilder {
    let others = question.arrays.iter().map(|(format, _)| format.name());
    let formats: Vec<&str> = std::iter::once(Format::Json.name()).chain(others).collect();
    let route = route.query("format", word(&formats), "The format; wins over `Accept`.");
    let route = match question.id {
        "window" => route.query("layout", word(&["long", "wide"]), "How Arrow and CSV are laid out."),
        _ => route,
    };
    route.fails(&[400, 403, 404, 406, 413, 500, 503, 504])
}

fn answer(question: &Question) -> ResponseBuilder {
    let json = content(named(question.answer), question.answer_example.clone());
    let mut response = response("The answer.").content(Format::Json.media_type(), json);
    for (format, holds) in question.arrays {
        response = response.content(format.media_type(), bytes(*format, holds));
    }
    let response = with_header(response, "Chunkwise-Receipt", "What the answer cost, as JSON; on array answers.");
    with_header(
        response,
        "Chunkwise-Series-Version",
        "Equal values mean equal series in equal order; on array answers.",
    )
}

/// Adds the schemas of questions, by name.
pub(super) fn register(schemas: &mut Vec<(String, RefOr<Schema>)>) {
    let mut add = |name: &str, schema: RefOr<Schema>| schemas.push((name.to_owned(), schema));
    let time = one_of([date_time().into(), integer().into()])
        .description(Some("RFC 3339 with a zone, or integer milliseconds since 1970 UTC."));
    add("Time", time.into());
    let duration = text().pattern(Some("^[0-9]+(ms|s|m|h|d|w|mo)$"));
    add("Duration", duration.description(Some("A whole number and a unit.")).examples(["1d"]).into());
    add("Selector", selector().into());
    let range =
        closed(ObjectBuilder::new().property("from", named_as("Time", FROM)).property("to", named_as("Time", TO)));
    add("TimeRange", range.required("from").required("to").description(Some("Half-open: [from, to).")).into());

    let also = list(word(&Aggregate::NAMES))
        .description(Some("Further aggregates of the same buckets, from the same reading of the rows; not as npy."));
    let window = question()
        .property("series", named_as("Selector", "Which series; all by default."))
        .property("from", named_as("Time", FROM))
        .property("to", named_as("Time", TO))
        .property("also", also);
    add("WindowQuestion", window.required("from").required("to").into());
    add("CorrelateQuestion", correlate().into());
}

/// An object that refuses fields it does not know.
pub(super) fn closed(object: ObjectBuilder) -> ObjectBuilder {
    object.additional_properties(Some(AdditionalProperties::FreeForm(false)))
}

fn selector() -> ObjectBuilder {
    let value =
        one_of([text().into(), list(text()).min_items(Some(1)).into(), list(integer()).min_items(Some(1)).into()]);
    ObjectBuilder::new()
        .additional_properties(Some(AdditionalProperties::RefOr(value.into())))
        .description(Some(
            "Tags and the value, or the list of values, that each may have; or `series_id` and a list of ids. `{}` is \
             every series.",
        ))
        .examples([json!({"symbol": ["MSFT", "XOM"]})])
}

/// The fields that all questions share.
pub(super) fn question() -> ObjectBuilder {
    let locf = closed(
        ObjectBuilder::new()
            .property("max_age", named_as("Duration", "How old a value may be that is carried on."))
            .required("max_age"),
    );
    let fill =
        one_of([choice(&["none"]).into(), closed(ObjectBuilder::new().property("locf", locf)).required("locf").into()]);
    let fields: [(&str, RefOr<Schema>); 10] = [
        (
            "namespace",
            text().default(Some("public".into())).description(Some("What InfluxDB calls a database or bucket.")).into(),
        ),
        ("measurement", text().description(Some("Its name; see /api/v1/measurements.")).into()),
        ("field", text().description(Some("A numeric or bool field; bool counts as 0 and 1.")).into()),
        ("bucket", named_as("Duration", "The width of a bucket.")),
        (
            "timezone",
            text()
                .default(Some("UTC".into()))
                .description(Some("An IANA name: buckets of a day or more are cut at local midnight."))
                .into(),
        ),
        (
            "aggregate",
            word(&Aggregate::NAMES)
                .description(Some("What is made of a bucket's values; an empty bucket is missing."))
                .into(),
        ),
        (
            "grid",
            word(&["observed", "regular", "own"])
                .description(Some(
                    "`observed`: the buckets in which any series of the measurement has the field; `regular`: all; \
                     `own`: each series' neighbour is its own previous observation.",
                ))
                .into(),
        ),
        (
            "fill",
            fill.default(Some("none".into())).description(Some("What missing cells get, before the transform.")).into(),
        ),
        (
            "transform",
            word(&["level", "diff", "pct", "log_return"])
                .description(Some(
                    "What is made of neighbouring buckets a, then b: b, b - a, b / a - 1, or ln(b / a); missing where \
                     either is, or where it is not finite.",
                ))
                .into(),
        ),
        (
            "limit_bytes",
            integer().minimum(Some(0)).description(Some("The most memory; by default the server's limit.")).into(),
        ),
    ];
    let object =
        fields.into_iter().fold(closed(ObjectBuilder::new()), |object, (name, schema)| object.property(name, schema));
    ["measurement", "field", "bucket"].into_iter().fold(object, ObjectBuilder::required)
}

pub(super) fn min_overlap() -> RefOr<Schema> {
    let described = integer().minimum(Some(2)).default(Some(10.into()));
    described.description(Some("With fewer common buckets r is null.")).into()
}

fn correlate() -> ObjectBuilder {
    let ranges = list(named("TimeRange")).min_items(Some(1)).max_items(Some(MAX_RANGES));
    let ranges = ranges.description(Some("Each is correlated for itself."));
    let rank_by = one_of([choice(&["max"]).into(), integer().minimum(Some(0)).into()])
        .default(Some("max".into()))
        .description(Some("The index of a range, or the greatest score over all ranges."));
    let stats = list(choice(&["p_value", "ci95", "q_value"]))
        .description(Some("Default: `p_value` and `ci95` where `top` is given, else none."));
    let half_life = number().exclusive_minimum(Some(0)).description(Some("After so many buckets a pair weighs half."));
    let ewma = closed(ObjectBuilder::new().property("half_life", half_life)).required("half_life");
    let method = one_of([
        choice(&["pearson", "spearman"]).into(),
        closed(ObjectBuilder::new().property("ewma", ewma)).required("ewma").into(),
    ])
    .default(Some("pearson".into()))
    .description(Some(
        "Pearson's r over the buckets that both series have, of their ranks there, or with weights that fall with age, as \
         pandas' `ewm(halflife).corr` at the range's last bucket; the last has no p-value and no interval.",
    ));
    let fields: [(&str, RefOr<Schema>); 9] = [
        ("target", named_as("Selector", "Must match exactly one series.")),
        ("against", named_as("Selector", "Which series; all by default.")),
        ("ranges", ranges.into()),
        ("method", method.into()),
        ("min_overlap", min_overlap()),
        ("top", integer().minimum(Some(1)).description(Some("Only the best so many; default all.")).into()),
        ("order", word(&["abs", "desc", "asc"]).description(Some("The score is |r|, r or -r.")).into()),
        ("rank_by", rank_by.into()),
        ("stats", stats.into()),
    ];
    let object = fields.into_iter().fold(question(), |object, (name, schema)| object.property(name, schema));
    object.required("target").required("ranges")
}
