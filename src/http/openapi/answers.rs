//! The shapes of answers. The types exist for their schemas only: answers are written elsewhere, without them.

#![expect(dead_code, reason = "only the shapes are used, by the derived schemas")]

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use utoipa::{
    ToSchema,
    openapi::{RefOr, Schema},
};

use super::chunks::Chunks;

/// Adds every schema of an answer, by name.
pub(super) fn register(schemas: &mut Vec<(String, RefOr<Schema>)>) {
    fn add<T: ToSchema>(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(schemas);
    }
    add::<WindowAnswer>(schemas);
    add::<CorrelateAnswer>(schemas);
    add::<Measurements>(schemas);
    add::<SeriesListing>(schemas);
    add::<Chunks>(schemas);
    add::<DeadLetters>(schemas);
    add::<Error>(schemas);
    add::<PartialWrite>(schemas);
    add::<PartialWrite2>(schemas);
    add::<PartialWrite3>(schemas);
    add::<DataPoint>(schemas);
    add::<PutError>(schemas);
    add::<PutSummary>(schemas);
    add::<Health>(schemas);
    add::<Influx1Results>(schemas);
    add::<QuestdbSettings>(schemas);
}

/// An error of any route but those of other protocols.
#[derive(ToSchema)]
struct Error {
    error: ErrorBody,
}

#[derive(ToSchema)]
struct ErrorBody {
    /// The kind of failure, for programs: `unknown_measurement`.
    code: String,
    /// What is wrong and what to do.
    message: String,
    /// Depends on the code.
    details: Map<String, Value>,
}

/// A series of an answer.
#[derive(ToSchema)]
struct Series {
    /// Never used twice in a database.
    series_id: i64,
    /// The tags that the series has.
    tags: BTreeMap<String, String>,
}

#[derive(ToSchema)]
struct WindowAnswer {
    /// The start of each bucket.
    #[schema(value_type = Vec<String>, format = DateTime)]
    times: Vec<String>,
    /// Every series that the selector matches, ascending by id.
    series: Vec<Series>,
    /// One array a series, with a value or null for each time.
    values: Vec<Vec<Option<f64>>>,
    /// The same for each further aggregate, by its name; where some were asked for.
    #[schema(required = false)]
    also: BTreeMap<String, Vec<Vec<Option<f64>>>>,
    /// The database's clock when the snapshot was taken that the answer includes whole.
    #[schema(format = DateTime)]
    as_of: String,
    receipt: Receipt,
}

#[derive(ToSchema)]
struct CorrelateAnswer {
    target: Series,
    /// The database's clock when the snapshot was taken that the answer includes whole.
    #[schema(format = DateTime)]
    as_of: String,
    /// The ranges as asked.
    ranges: Vec<CorrelateRange>,
    receipt: Receipt,
}

#[derive(ToSchema)]
struct CorrelateRange {
    #[schema(format = DateTime)]
    from: String,
    #[schema(format = DateTime)]
    to: String,
    /// The same series in every range: ascending by id, or in rank order with `top`.
    results: Vec<CorrelateResult>,
}

#[derive(ToSchema)]
struct CorrelateResult {
    series_id: i64,
    /// The tags that the series has.
    series: BTreeMap<String, String>,
    /// Null with fewer than `min_overlap` common buckets, or where either side is constant in them.
    #[schema(required)]
    r: Option<f64>,
    /// Common buckets.
    n: i64,
    /// Two-sided, Student's t with n - 2 degrees of freedom; where asked for.
    p_value: Option<f64>,
    /// Lower and upper bound by Fisher's z, null for n < 4 or |r| = 1; where asked for.
    ci95: Option<[f64; 2]>,
    /// Benjamini-Hochberg over the range; where asked for.
    q_value: Option<f64>,
}

/// What an answer cost.
#[derive(ToSchema)]
struct Receipt {
    chunks: ReceiptChunks,
    /// Rows that came from the database.
    rows_read: u64,
    /// Bytes of them.
    bytes_read: u64,
    ms: ReceiptMs,
}

/// Chunks of the measurement, by what the question did with them.
#[derive(ToSchema)]
struct ReceiptChunks {
    total: u64,
    /// Not touched.
    pruned: u64,
    /// Answered from blocks.
    cached: u64,
    /// Read from the database.
    read: u64,
}

/// Milliseconds by stage.
#[derive(ToSchema)]
struct ReceiptMs {
    queue: f64,
    plan: f64,
    read: f64,
    align: f64,
    compute: f64,
    encode: f64,
}

#[derive(ToSchema)]
struct Measurements {
    measurements: Vec<Measurement>,
}

#[derive(ToSchema)]
struct Measurement {
    name: String,
    fields: Vec<Field>,
    /// Tag names.
    tags: Vec<String>,
    series: u64,
    /// An estimate.
    rows: u64,
    bytes: u64,
    /// The first row's time; null without rows.
    #[schema(format = DateTime, required)]
    from: Option<String>,
    /// The last row's time; null without rows.
    #[schema(format = DateTime, required)]
    to: Option<String>,
    /// A duration.
    chunk_interval: String,
    /// Chunks of a slice of time, by hash of the series; null: one.
    #[schema(required)]
    space_partitions: Option<i32>,
    /// A duration; null keeps rows for ever.
    #[schema(required)]
    retention: Option<String>,
    /// A duration: how long after its end a chunk is sealed; null as the service's settings say.
    #[schema(required)]
    seal_after: Option<String>,
    on_duplicate: OnDuplicate,
}

#[derive(ToSchema)]
struct Field {
    name: String,
    #[schema(rename = "type", example = "float8")]
    kind: String,
}

/// What becomes of a row with the series and time of another.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
enum OnDuplicate {
    Keep,
    Replace,
}

#[derive(ToSchema)]
struct SeriesListing {
    series: Vec<ListedSeries>,
    /// The `after` of the next page; null on the last.
    #[schema(required)]
    next: Option<i64>,
    /// How many series match over all pages.
    total: u64,
}

#[derive(ToSchema)]
struct ListedSeries {
    series_id: i64,
    /// The tags that the series has.
    tags: BTreeMap<String, String>,
    /// The first row's time; null without rows.
    #[schema(format = DateTime, required)]
    first: Option<String>,
    /// The last row's time; null without rows.
    #[schema(format = DateTime, required)]
    last: Option<String>,
}

#[derive(ToSchema)]
struct DeadLetters {
    rows: Vec<DeadLetter>,
    /// The `after` of the next page; null on the last.
    #[schema(required)]
    next: Option<i64>,
}

#[derive(ToSchema)]
struct DeadLetter {
    id: i64,
    /// When the row was refused; its own time is in `line`.
    #[schema(format = DateTime)]
    time: String,
    measurement: String,
    /// The protocol that it came by.
    source: String,
    reason: String,
    /// The row in line protocol, its time in microseconds.
    line: String,
}

/// A write of which some lines, or all, were refused.
#[derive(ToSchema)]
struct PartialWrite {
    /// `partial write: ...`
    error: String,
    lines: Vec<RefusedLine>,
    /// Lines written.
    written: u64,
    /// How many of the refused lines are kept as dead letters.
    #[schema(required = false)]
    dead_lettered: u64,
}

#[derive(ToSchema)]
struct RefusedLine {
    /// Counted from 1.
    line: u64,
    /// Counted from 1.
    column: u64,
    reason: String,
}

/// As [`PartialWrite`], with what InfluxDB 2's clients read.
#[derive(ToSchema)]
struct PartialWrite2 {
    code: String,
    message: String,
    error: String,
    lines: Vec<RefusedLine>,
    written: u64,
    /// As in [`PartialWrite`].
    #[schema(required = false)]
    dead_lettered: u64,
}

/// As [`PartialWrite`], with what InfluxDB 3's clients read.
#[derive(ToSchema)]
struct PartialWrite3 {
    error: String,
    /// A list for a partial write, an object for a request that fails whole.
    data: Vec<RefusedLine3>,
    lines: Vec<RefusedLine>,
    written: u64,
    /// As in [`PartialWrite`].
    #[schema(required = false)]
    dead_lettered: u64,
}

#[derive(ToSchema)]
struct RefusedLine3 {
    original_line: String,
    line_number: u64,
    error_message: String,
}

/// A data point of OpenTSDB.
#[derive(ToSchema)]
struct DataPoint {
    metric: String,
    /// Seconds (up to 10 digits) or milliseconds (up to 13) since 1970.
    timestamp: i64,
    /// Also as text.
    value: f64,
    /// At least one.
    tags: BTreeMap<String, String>,
}

/// What OpenTSDB answers without `summary` and `details`.
#[derive(ToSchema)]
struct PutError {
    error: PutErrorBody,
}

#[derive(ToSchema)]
struct PutErrorBody {
    /// The status.
    code: u16,
    message: String,
    details: String,
}

/// What OpenTSDB answers with `summary` or `details`.
#[derive(ToSchema)]
struct PutSummary {
    success: u64,
    failed: u64,
    /// With `details`.
    errors: Option<Vec<RefusedPoint>>,
}

#[derive(ToSchema)]
struct RefusedPoint {
    datapoint: DataPoint,
    error: String,
}

#[derive(ToSchema)]
struct Health {
    #[schema(example = "chunkwise")]
    name: String,
    /// `pass` (of `/ready`: `ready`) or `fail`
    #[schema(example = "pass")]
    status: String,
}

/// Results as InfluxDB 1 writes them.
#[derive(ToSchema)]
struct Influx1Results {
    results: Vec<Value>,
}

/// What QuestDB's clients read before they write.
#[derive(ToSchema)]
struct QuestdbSettings {
    config: QuestdbConfig,
}

#[derive(ToSchema)]
struct QuestdbConfig {
    /// Versions of line protocol: 1, the text.
    #[schema(rename = "line.proto.support.versions", example = json!([1]))]
    versions: Vec<u8>,
}
