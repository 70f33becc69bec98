//! The plan of every query of docs/sql.md: the chunks of its own time and no others, each by the index from a series to its
//! rows. That the queries answer what the document says is tested beside rollups.

use std::collections::BTreeMap;

use chunkwise::{
    hypertable::{ColumnType, Growth, Perseverance, SchemaLimits, Wanted},
    rollup::{AllSettings, Rollups},
};
use serde_json::Value;
use sqlx::{Executor, PgConnection};

use crate::support::TestDatabase;

const DOCUMENT: &str = include_str!("../../../docs/sql.md");
const DAY_US: i64 = 86_400_000_000;

fn examples() -> Vec<&'static str> {
    DOCUMENT
        .split("```sql\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap().trim().trim_end_matches(';'))
        .collect()
}

/// Thirty days of ticks and quotes of two hundred symbols in chunks of a day, all sealed but the last.
async fn month() -> (TestDatabase, PgConnection) {
    let test = TestDatabase::new().await;
    let growth = Growth::new(test.database.clone(), SchemaLimits::default());
    let mut connection = test.connect().await;
    for (name, fields) in [
        ("ticks", [("price", ColumnType::Float8), ("size", ColumnType::Int8)]),
        ("quotes", [("bid", ColumnType::Float8), ("ask", ColumnType::Float8)]),
    ] {
        let wanted = Wanted {
            tags: vec!["symbol".to_owned()],
            fields: fields.map(|(field, kind)| (field.to_owned(), kind)).to_vec(),
            interval_us: DAY_US,
        };
        growth.ensure("public", name, &wanted, Perseverance::Persist).await.unwrap();
        let [(first, _), (second, _)] = fields;
        let fill = format!(
            "INSERT INTO public_store.{name}__series (tag_hash, symbol)
                 SELECT gen_random_uuid(), CASE n WHEN 1 THEN 'AAPL' WHEN 2 THEN 'MSFT' ELSE 'S' || n END
                 FROM generate_series(1, 200) AS n;
             INSERT INTO public_store.{name} (time, series_id, {first}, {second})
             SELECT t, series_id, 100, 10 FROM public_store.{name}__series,
                  generate_series('2023-12-10 14:30+00'::timestamptz, '2024-01-08 21:00+00', '10 minutes') AS t
             WHERE (t AT TIME ZONE 'UTC')::time BETWEEN '14:30' AND '21:00' ORDER BY t"
        );
        sqlx::raw_sql(&fill).execute(&mut connection).await.unwrap();
        let chunks: Vec<String> =
            sqlx::query_scalar(&format!("SELECT c::text FROM show_chunks('public_store.{name}') c"))
                .fetch_all(&mut connection)
                .await
                .unwrap();
        assert_eq!(chunks.len(), 30);
        for chunk in &chunks[..29] {
            connection.execute(format!("CREATE INDEX ON {chunk} (series_id, \"time\")").as_str()).await.unwrap();
        }
    }
    let mut rollups = Rollups::new(AllSettings::default()).of_young_ones_too();
    while rollups.round(&mut connection, &test.database).await.unwrap() {}
    // As on the embedded server, and any whose disk is no spinning one: by default a table of 200 series is read whole.
    connection.execute("ANALYZE; SET random_page_cost = 1.1").await.unwrap();
    (test, connection)
}

/// What a plan does with a table: the kinds of nodes that scan it, and the indexes that they go by.
#[derive(Debug, Default)]
struct Scan {
    kinds: Vec<String>,
    indexes: Vec<String>,
    /// Whether any of them was executed: chunks can also be excluded when a question begins to run.
    executed: bool,
}

/// Every table of a statement's plan.
async fn plan(connection: &mut PgConnection, sql: &str) -> BTreeMap<String, Scan> {
    let plan: Value = sqlx::query_scalar(&format!("EXPLAIN (ANALYZE, FORMAT json) {sql}"))
        .fetch_one(connection)
        .await
        .unwrap_or_else(|error| panic!("{error}: {sql}"));
    let mut scans = BTreeMap::new();
    gather(&plan, None, &mut scans);
    scans
}

fn gather<'p>(node: &'p Value, table: Option<&'p str>, scans: &mut BTreeMap<String, Scan>) {
    match node {
        Value::Object(fields) => {
            let text = |name: &str| fields.get(name).and_then(Value::as_str);
            let named = text("Relation Name");
            if let (Some(named), Some(kind)) = (named, text("Node Type")) {
                let scan = scans.entry(named.to_owned()).or_default();
                scan.kinds.push(kind.to_owned());
                scan.executed |= fields.get("Actual Loops").and_then(Value::as_f64).is_some_and(|loops| loops > 0.0);
            }
            // The index of a bitmap is named below the table's own node.
            if let (Some(table), Some(index)) = (named.or(table), text("Index Name")) {
                scans.entry(table.to_owned()).or_default().indexes.push(index.to_owned());
            }
            let below =
                if text("Node Type").is_some_and(|kind| kind.starts_with("Bitmap")) { named.or(table) } else { named };
            fields.values().for_each(|value| gather(value, below, scans));
        }
        Value::Array(values) => values.iter().for_each(|value| gather(value, table, scans)),
        _ => {}
    }
}

/// The chunks of a hypertable, and whether each overlaps `[from, to)`.
async fn chunks(connection: &mut PgConnection, hypertable: &str, from: &str, to: &str) -> BTreeMap<String, bool> {
    let rows: Vec<(String, bool)> = sqlx::query_as(
        "SELECT chunk_name::text, range_start < $3::timestamptz AND range_end > $2::timestamptz
         FROM timescaledb_information.chunks WHERE hypertable_schema = 'public_store' AND hypertable_name = $1",
    )
    .bind(hypertable)
    .bind(from)
    .bind(to)
    .fetch_all(connection)
    .await
    .unwrap();
    rows.into_iter().collect()
}

/// What an example is about: the tables whose chunks it scans, and its time, all bounds together.
struct About {
    tables: &'static [&'static str],
    from: &'static str,
    to: &'static str,
}

const EXAMPLES: [About; 8] = [
    About { tables: &["ticks"], from: "2024-01-02 15:00Z", to: "2024-01-02 16:00Z" },
    // The last values are in one table. Rows that are newer than it are looked for in the chunks of their time, and here are
    // none: which those are is known when the question begins to run.
    About { tables: &[], from: "infinity", to: "infinity" },
    About { tables: &["ticks__bars_5m"], from: "2024-01-02 14:30Z", to: "2024-01-02 21:00Z" },
    About { tables: &["ticks__bars_5m"], from: "2024-01-02 00:00Z", to: "2024-01-03 00:00Z" },
    About { tables: &["ticks__bars_5m"], from: "2024-01-02 15:00Z", to: "2024-01-02 16:00Z" },
    About { tables: &["ticks__bars_5m"], from: "2024-01-02 15:00Z", to: "2024-01-02 16:00Z" },
    About { tables: &["ticks", "quotes"], from: "2024-01-02 14:59:58Z", to: "2024-01-02 15:05Z" },
    About { tables: &["ticks__bars_5m"], from: "2024-01-02 00:00Z", to: "2024-01-03 00:00Z" },
];

#[tokio::test]
async fn every_documented_query_scans_the_chunks_of_its_own_time_by_the_index_of_their_series() {
    let (_test, mut connection) = month().await;
    let examples = examples();
    assert_eq!(examples.len(), EXAMPLES.len(), "an example of docs/sql.md without an expectation of its plan");
    for (sql, About { tables, from, to }) in examples.into_iter().zip(EXAMPLES) {
        let scans = plan(&mut connection, sql).await;
        let told = format!("{sql}\n{scans:#?}");
        for hypertable in ["ticks", "quotes", "ticks__bars_1m", "ticks__bars_5m", "ticks__bars_1h", "ticks__bars_1d"] {
            let chunks = chunks(&mut connection, hypertable, from, to).await;
            let is_latest = tables.is_empty();
            let scanned =
                scans.iter().filter(|(table, scan)| chunks.contains_key(*table) && (scan.executed || !is_latest));
            let scanned: Vec<_> = scanned.collect();
            assert!(!(tables.contains(&hypertable) && scanned.is_empty()), "{hypertable} is not scanned: {told}");
            for (chunk, Scan { kinds, indexes, executed }) in scanned {
                assert!(chunks[chunk], "{chunk} of {hypertable} is of another time: {told}");
                if !tables.contains(&hypertable) {
                    // Where what is newer than the bars would be, and is not.
                    assert!(!executed, "{chunk} of {hypertable} is read for nothing: {told}");
                    continue;
                }
                assert!(kinds.iter().all(|kind| kind != "Seq Scan"), "{chunk} of {hypertable} is read whole: {told}");
                let by_series = |index: &String| index.ends_with("series_id_time_idx");
                assert!(indexes.iter().all(by_series), "{chunk} goes by {indexes:?}: {told}");
            }
        }
        // From a tag to its series, and from a series to its last values.
        for (table, index) in [
            ("ticks__series", "ticks__series_symbol_idx"),
            ("quotes__series", "quotes__series_symbol_idx"),
            ("ticks__latest", "ticks__latest_pkey"),
        ] {
            if let Some(Scan { indexes, .. }) = scans.get(table) {
                assert!(indexes.iter().any(|other| other == index), "{table} goes by {indexes:?}: {told}");
            }
        }
        assert!(scans.contains_key("ticks__series"), "{told}");
    }
}

#[tokio::test]
async fn bounds_that_are_parameters_and_lower_bounds_of_now_exclude_chunks_too() {
    let (_test, mut connection) = month().await;
    // As drivers and Grafana send it: planned anew for the values of each execution.
    sqlx::raw_sql(
        "PREPARE day (text, timestamptz, timestamptz) AS
             SELECT time, price FROM ticks WHERE symbol = $1 AND time >= $2 AND time < $3 ORDER BY time;
         INSERT INTO public_store.ticks SELECT now(), series_id, 1, 1 FROM public_store.ticks__series",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    let of = |scans: BTreeMap<String, Scan>| {
        scans.into_keys().filter(|table| table.starts_with("_hyper")).collect::<Vec<_>>()
    };
    for _ in 0..7 {
        let scans = plan(&mut connection, "EXECUTE day ('AAPL', '2024-01-02', '2024-01-03')").await;
        assert_eq!(of(scans).len(), 1);
    }
    let recent = "SELECT time, price FROM ticks WHERE symbol = 'AAPL' AND time >= now() - interval '1 hour'";
    assert_eq!(of(plan(&mut connection, recent).await).len(), 1, "of 31 chunks");
}
