//! The shapes of benchmark reports; see `answers`.

#![expect(dead_code, reason = "only the shapes are used, by the derived schemas")]

use serde_json::{Map, Value};
use utoipa::{
    ToSchema,
    openapi::{RefOr, Schema},
};

/// Adds the schemas.
pub(super) fn register(schemas: &mut Vec<(String, RefOr<Schema>)>) {
    fn add<T: ToSchema>(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(schemas);
    }
    add::<Reports>(schemas);
    add::<Report>(schemas);
}

#[derive(ToSchema)]
struct Reports {
    reports: Vec<ListedReport>,
}

#[derive(ToSchema)]
struct ListedReport {
    /// The benchmark and when it began: `queries-20261127T051233Z`.
    name: String,
    /// `ingest`, `steadiness`, `queries`, `correlation`, `computing`, `window`, `storage`, `tsbs` or `all`.
    benchmark: String,
    /// When it began.
    #[schema(format = DateTime)]
    date: String,
    /// Of the report.
    bytes: u64,
    /// How many figures it has.
    figures: u64,
    /// The version of chunkwise that was measured.
    chunkwise: String,
    /// The revision of its source, with `-dirty` behind it where that differed; may be empty.
    revision: String,
    /// `release` or `debug`.
    build: String,
    cpu: String,
    cores: u64,
}

/// All figures of a benchmark, and where they were measured.
#[derive(ToSchema)]
struct Report {
    /// Machine, server and settings, by name.
    environment: Map<String, Value>,
    /// The figures, ratios first; of all benchmarks together each name begins with its benchmark's and a dot.
    metrics: Vec<Figure>,
    /// How questions were answered: `{"name", "plan"}` each.
    #[schema(required = false)]
    plans: Vec<Map<String, Value>>,
    /// What others have published of the same kind, on other machines.
    published: Option<Map<String, Value>>,
    /// Where each benchmark of several was measured.
    #[schema(required = false)]
    parts: Map<String, Value>,
}

#[derive(ToSchema)]
struct Figure {
    name: String,
    /// Of several samples their median, unless the name says otherwise.
    value: f64,
    #[schema(example = "ratio")]
    unit: String,
    better: Better,
    /// The single measurements, in order.
    samples: Vec<f64>,
}

/// Which way a figure should move.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
enum Better {
    Higher,
    Lower,
}
