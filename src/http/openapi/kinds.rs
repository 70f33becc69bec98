//! `/api/v1/correlate/matrix`, `rolling`, `lag` and `ticks`.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use utoipa::{
    ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema},
};

use super::{
    operation::Route,
    questions::{FROM, Question, TO, closed, min_overlap, question, receipt_example},
    schema::{boolean, integer, named_as, text, word},
};
use crate::{
    format::Format,
    question::{MAX_ROLLING, MAX_TICKS},
};

/// A series of an answer.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only the shape is used, by the derived schema")]
struct NamedSeries {
    /// Never used twice in a database.
    series_id: i64,
    /// The tags that the series has.
    tags: BTreeMap<String, String>,
}

/// All pairs: `series`, `order`, `r` and `n`; with `top` only `pairs`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only the shape is used, by the derived schema")]
struct MatrixAnswer {
    /// The rows and columns, ascending by id.
    series: Option<Vec<NamedSeries>>,
    /// The rows in an order in which similar ones are neighbours, if `cluster` was asked for; else ascending.
    order: Option<Vec<i64>>,
    /// One array a row; null where undefined.
    r: Option<Vec<Vec<Option<f64>>>>,
    /// Common buckets, likewise.
    n: Option<Vec<Vec<i64>>>,
    /// The strongest pairs, best first.
    pairs: Option<Vec<MatrixPair>>,
    /// The database's clock when the snapshot was taken that the answer includes whole.
    #[schema(format = DateTime)]
    as_of: String,
    /// What the answer cost.
    receipt: Value,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "only the shape is used, by the derived schema")]
struct MatrixPair {
    a: NamedSeries,
    b: NamedSeries,
    r: f64,
    /// Common buckets.
    n: i64,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "only the shape is used, by the derived schema")]
struct RollingAnswer {
    target: NamedSeries,
    /// The start of each window's last bucket.
    #[schema(value_type = Vec<String>, format = DateTime)]
    times: Vec<String>,
    results: Vec<RollingResult>,
    /// The database's clock when the snapshot was taken that the answer includes whole.
    #[schema(format = DateTime)]
    as_of: String,
    /// What the answer cost.
    receipt: Value,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "only the shape is used, by the derived schema")]
struct RollingResult {
    series_id: i64,
    /// The tags that the series has.
    series: BTreeMap<String, String>,
    /// A value or null for each time.
    r: Vec<Option<f64>>,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "only the shape is used, by the derived schema")]
struct LagAnswer {
    target: NamedSeries,
    /// From `-max_lag` to `max_lag`, in buckets.
    lags: Vec<i64>,
    /// Ascending by id, or in rank order with `top`.
    results: Vec<LagResult>,
    /// The database's clock when the snapshot was taken that the answer includes whole.
    #[schema(format = DateTime)]
    as_of: String,
    /// What the answer cost.
    receipt: Value,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "only the shape is used, by the derived schema")]
struct LagResult {
    series_id: i64,
    /// The tags that the series has.
    series: BTreeMap<String, String>,
    /// A value or null for each lag.
    r: Vec<Option<f64>>,
    /// The lag of the greatest |r|.
    best: Option<BestLag>,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "only the shape is used, by the derived schema")]
struct BestLag {
    lag: i64,
    r: f64,
    /// Common buckets.
    n: i64,
}

fn matrix_example() -> Value {
    json!({
        "measurement": "prices", "field": "close", "bucket": "1d", "transform": "log_return",
        "series": {"symbol": ["AAPL", "MSFT"]}, "from": "2020-01-01T00:00:00Z", "to": "2021-01-01T00:00:00Z",
        "cluster": true
    })
}

fn rolling_example() -> Value {
    json!({
        "measurement": "prices", "field": "close", "bucket": "1d", "transform": "log_return",
        "target": {"symbol": "AAPL"}, "against": {"symbol": ["MSFT"]},
        "from": "2020-01-01T00:00:00Z", "to": "2021-01-01T00:00:00Z", "window": 60, "step": 5
    })
}

fn lag_example() -> Value {
    json!({
        "measurement": "ticks", "field": "price", "bucket": "1s", "transform": "log_return",
        "target": {"symbol": "AAPL"}, "from": "2024-01-02T14:30:00Z", "to": "2024-01-02T21:00:00Z", "max_lag": 1, "top": 10
    })
}

fn ticks_example() -> Value {
    json!({
        "measurement": "ticks", "field": "price", "target": {"symbol": "AAPL"}, "against": {"symbol": ["MSFT", "XOM"]},
        "from": "2024-01-02T14:30:00Z", "to": "2024-01-02T21:00:00Z", "method": "hayashi_yoshida", "transform": "log_return"
    })
}

fn kinds() -> [Question; 4] {
    let as_of = "2024-01-03T09:30:00.123456Z";
    let aapl = json!({"series_id": 1, "tags": {"symbol": "AAPL"}});
    [
        Question {
            path: "/api/v1/correlate/matrix",
            id: "matrix",
            summary: "All pairs of some series over one range",
            description: "r is within 1e-5 of float64's. With `top` only the strongest pairs, in bounded memory; they exist as \
                          JSON, Arrow and CSV, a matrix as JSON, npy and npz. Spearman's r of a pair with gaps takes much \
                          longer than Pearson's."
                .to_owned(),
            schema: "MatrixQuestion",
            example: matrix_example(),
            answer: "MatrixAnswer",
            answer_example: json!({
                "series": [aapl, {"series_id": 13, "tags": {"symbol": "MSFT"}}], "order": [0, 1],
                "r": [[1.0, 0.8442], [0.8442, 1.0]], "n": [[253, 253], [253, 253]],
                "as_of": as_of, "receipt": receipt_example()
            }),
            arrays: &[
                (Format::Npy, "float64 (series, series): r; without `top`"),
                (Format::Npz, "`r`, `n`, `series_id`, `order`; without `top`"),
                (Format::Arrow, "`a_series_id, a_<tags>, b_series_id, b_<tags>, r, n`; with `top`"),
                (Format::Csv, "The same columns as Arrow; with `top`"),
            ],
        },
        Question {
            path: "/api/v1/correlate/rolling",
            id: "rolling",
            summary: "One series against some, over a window that moves through one range",
            description: format!("Of buckets on the grid; against at most {MAX_ROLLING} series."),
            schema: "RollingQuestion",
            example: rolling_example(),
            answer: "RollingAnswer",
            answer_example: json!({
                "target": aapl, "times": ["2020-03-27T00:00:00Z", "2020-04-03T00:00:00Z"],
                "results": [{"series_id": 13, "series": {"symbol": "MSFT"}, "r": [0.91, null]}],
                "as_of": as_of, "receipt": receipt_example()
            }),
            arrays: &[
                (Format::Npy, "float64 (series, windows): r"),
                (Format::Npz, "`r`, `series_id`, and `times` in microseconds since 1970 UTC"),
            ],
        },
        Question {
            path: "/api/v1/correlate/lag",
            id: "lag",
            summary: "One series against others that are moved by some buckets",
            description: "With the lag k, target(t) is paired with other(t + k), both within the range. With `top` the best \
                          series by the greatest |r| over the lags, without the target."
                .to_owned(),
            schema: "LagQuestion",
            example: lag_example(),
            answer: "LagAnswer",
            answer_example: json!({
                "target": aapl, "lags": [-1, 0, 1],
                "results": [{"series_id": 13, "series": {"symbol": "MSFT"}, "r": [0.02, 0.61, null],
                             "best": {"lag": 0, "r": 0.61, "n": 23_000}}],
                "as_of": as_of, "receipt": receipt_example()
            }),
            arrays: &[
                (Format::Npy, "float64 (series, lags): r"),
                (Format::Npz, "`r`, `n`, `series_id`, and `lags` in buckets"),
            ],
        },
        Question {
            path: "/api/v1/correlate/ticks",
            id: "ticks",
            summary: "One series against some, by their raw rows",
            description: format!(
                "No buckets: rows need not come at the same times. Of changes, which are of logarithms with the transform \
                 `log_return`, else of values; no means are taken off. Against at most {MAX_TICKS} series. n counts pairs of \
                 changes. By Hayashi and Yoshida r may be beyond 1 where rows are few. The answer is that of `correlate` with \
                 one range."
            ),
            schema: "TicksQuestion",
            example: ticks_example(),
            answer: "CorrelateAnswer",
            answer_example: json!({
                "target": aapl, "as_of": as_of,
                "ranges": [{
                    "from": "2024-01-02T14:30:00Z", "to": "2024-01-02T21:00:00Z",
                    "results": [{"series_id": 13, "series": {"symbol": "MSFT"}, "r": 0.58, "n": 41_200}]
                }],
                "receipt": receipt_example()
            }),
            arrays: &[
                (Format::Npy, "float64 (1, series): r"),
                (Format::Npz, "`r`, `n`, `series_id`, and `ranges` (1, 2) in microseconds since 1970 UTC"),
                (Format::Arrow, "`range, series_id, <tags>, r, n`"),
                (Format::Csv, "The same columns as Arrow"),
            ],
        },
    ]
}

pub(super) fn routes() -> Vec<Route> {
    kinds().iter().flat_map(Question::routes).collect()
}

/// Adds the schemas, by name.
pub(super) fn register(schemas: &mut Vec<(String, RefOr<Schema>)>) {
    fn add<T: ToSchema>(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(schemas);
    }
    add::<MatrixAnswer>(schemas);
    add::<RollingAnswer>(schemas);
    add::<LagAnswer>(schemas);

    let in_range = |object: ObjectBuilder| {
        let object = object.property("from", named_as("Time", FROM)).property("to", named_as("Time", TO));
        object.property("min_overlap", min_overlap()).required("from").required("to")
    };
    let against = |object: ObjectBuilder| {
        object
            .property("target", named_as("Selector", "Must match exactly one series."))
            .property("against", named_as("Selector", "Which series; all by default."))
            .required("target")
    };
    let top = || integer().minimum(Some(1)).description(Some("Only the best so many; default all."));
    let order = || word(&["abs", "desc", "asc"]).description(Some("The score is |r|, r or -r."));
    let matrix = in_range(question())
        .property("series", named_as("Selector", "Which series; all by default."))
        .property("method", word(&["pearson", "spearman"]).description(Some("The measure.")))
        .property("cluster", boolean(false).description(Some("Whether `order` puts similar series together.")))
        .property("top", top())
        .property("order", order());
    let rolling = against(in_range(question()))
        .property("window", integer().minimum(Some(2)).description(Some("Buckets of a window.")))
        .property("step", integer().minimum(Some(1)).default(Some(1.into())).description(Some("Buckets it moves by.")))
        .required("window");
    let lag = against(in_range(question()))
        .property(
            "max_lag",
            integer().minimum(Some(0)).description(Some("Buckets that others are moved by, both ways.")),
        )
        .property("top", top())
        .required("max_lag");
    let ticks = against(in_range(closed(ObjectBuilder::new())))
        .property("namespace", text().default(Some("public".into())).description(Some("The namespace.")))
        .property("measurement", text().description(Some("Its name; see /api/v1/measurements.")))
        .property("field", text().description(Some("A numeric or bool field.")))
        .property("method", word(&["hayashi_yoshida", "refresh_time"]).description(Some("How rows are compared.")))
        .property("transform", word(&["level", "diff", "log_return"]).description(Some("What changes are of.")))
        .property("top", top())
        .property("order", order())
        .property("limit_bytes", integer().minimum(Some(0)).description(Some("The most memory.")))
        .required("measurement")
        .required("field");
    let built =
        [("MatrixQuestion", matrix), ("RollingQuestion", rolling), ("LagQuestion", lag), ("TicksQuestion", ticks)];
    schemas.extend(built.map(|(name, schema)| (name.to_owned(), schema.into())));
}
