//! The examples of docs/sql.md: each runs, answers what it says, and opens no chunk that it need not.

use std::collections::BTreeSet;

use chunkwise::{
    hypertable::{ColumnType, Growth, Perseverance, SchemaLimits, Wanted},
    rollup::{AllSettings, Rollups},
};
use serde_json::Value;
use sqlx::{Executor, PgConnection};

use super::support::{MINUTE_US, refresh};
use crate::support::TestDatabase;

const DOCUMENT: &str = include_str!("../../../docs/sql.md");

fn examples() -> Vec<&'static str> {
    DOCUMENT.split("```sql\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

/// Four days of ticks and quotes of three symbols, every 20 seconds from 14:30 to 21:00, in chunks of two hours that are
/// all sealed.
async fn market() -> (TestDatabase, PgConnection) {
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
            interval_us: 120 * MINUTE_US,
        };
        growth.ensure("public", name, &wanted, Perseverance::Persist).await.unwrap();
        let fill = format!(
            "INSERT INTO public_store.{name}__series (tag_hash, symbol)
                 SELECT gen_random_uuid(), unnest(ARRAY['AAPL', 'MSFT', 'XOM']);
             INSERT INTO public_store.{name} (time, series_id, {first}, {second})
             SELECT t - interval '1 second' * {before}, series_id, 100 + sin(extract(epoch FROM t)::float8 / 500), 10
             FROM public_store.{name}__series,
                  generate_series('2024-01-01 14:30+00'::timestamptz, '2024-01-04 21:00+00', '20 seconds') AS t
             WHERE (t AT TIME ZONE 'UTC')::time BETWEEN '14:30' AND '21:00'
                 AND t NOT BETWEEN '2024-01-02 15:20+00' AND '2024-01-02 15:40+00'",
            first = fields[0].0,
            second = fields[1].0,
            before = i32::from(name == "quotes"),
        );
        sqlx::raw_sql(&fill).execute(&mut connection).await.unwrap();
        let chunks: Vec<String> =
            sqlx::query_scalar(&format!("SELECT c::text FROM show_chunks('public_store.{name}') c"))
                .fetch_all(&mut connection)
                .await
                .unwrap();
        for chunk in chunks {
            connection.execute(format!("CREATE INDEX ON {chunk} (series_id, \"time\")").as_str()).await.unwrap();
        }
        connection.execute(format!("ANALYZE public_store.{name}").as_str()).await.unwrap();
    }
    let mut rollups = Rollups::new(AllSettings::default()).of_young_ones_too();
    refresh(&mut rollups, &mut connection, &test.database).await;
    connection.execute("ANALYZE").await.unwrap();
    (test, connection)
}

/// The chunks that a statement opened, whether it found rows there or not, and its plan.
async fn opened(connection: &mut PgConnection, sql: &str) -> (BTreeSet<String>, String) {
    let sql = format!("EXPLAIN (ANALYZE, FORMAT json) {}", sql.trim_end().trim_end_matches(';'));
    let plan: Value = sqlx::query_scalar(&sql).fetch_one(connection).await.unwrap();
    let mut found = BTreeSet::new();
    executed(&plan, &mut found);
    (found, plan.to_string())
}

fn executed(node: &Value, found: &mut BTreeSet<String>) {
    match node {
        Value::Object(fields) => {
            let was_run = fields.get("Actual Loops").and_then(Value::as_f64).is_some_and(|loops| loops > 0.0);
            if let (true, Some(Value::String(name))) = (was_run, fields.get("Relation Name")) {
                found.insert(name.clone());
            }
            fields.values().for_each(|value| executed(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| executed(value, found)),
        _ => {}
    }
}

#[tokio::test]
async fn every_example_runs_and_opens_only_the_chunks_that_it_needs() {
    let (_test, mut connection) = market().await;
    // How many rows each gives, how many chunks of all tables it opens at most, and the index of chunks that it goes by.
    let expected: [(usize, usize, Option<&str>); 8] = [
        (119, 1, Some("series_id_time_idx")),
        (2, 1, None),
        (74, 2, None),
        (27, 2, None),
        (12, 2, None),
        (12, 2, None),
        (15, 2, Some("series_id_time_idx")),
        (1, 2, None),
    ];
    let examples = examples();
    assert_eq!(examples.len(), expected.len(), "an example without an expectation");
    for (example, (rows, chunks, index)) in examples.into_iter().zip(expected) {
        let found = sqlx::raw_sql(example)
            .fetch_all(&mut connection)
            .await
            .unwrap_or_else(|error| panic!("{example}: {error}"));
        let (tables, plan) = opened(&mut connection, example).await;
        let read: Vec<_> = tables.iter().filter(|name| name.starts_with("_hyper")).collect();
        assert!(read.len() <= chunks, "{example}\nopens {read:?}");
        if let Some(index) = index {
            assert!(plan.contains(index), "{example}\n{plan}");
        }
        assert_eq!(found.len(), rows, "{example}");
    }
}

#[tokio::test]
async fn what_is_not_made_yet_is_computed_from_the_chunks_that_hold_it_and_no_others_are_opened() {
    let (test, mut connection) = market().await;
    // The series of one symbol go on until now: three days of chunks, the newest of which no level has made all of.
    let fill = "INSERT INTO public_store.ticks (time, series_id, price, size)
        SELECT t, series_id, 100, 1 FROM public_store.ticks__series,
            generate_series(now() - interval '3 days', now(), '1 minute') AS t";
    sqlx::raw_sql(fill).execute(&mut connection).await.unwrap();
    let mut rollups = Rollups::new(AllSettings::default()).of_young_ones_too();
    refresh(&mut rollups, &mut connection, &test.database).await;
    connection.execute("ANALYZE").await.unwrap();
    let raw: BTreeSet<String> = sqlx::query_scalar(
        "SELECT relname::text FROM pg_class WHERE oid IN (SELECT show_chunks('public_store.ticks'))",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap()
    .into_iter()
    .collect();
    let (from, to): (String, String) = sqlx::query_as(
        "SELECT (day - interval '2 days')::text, (day - interval '1 day')::text FROM date_trunc('day', now(), 'UTC') day",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    for (level, narrower) in [("1m", 0), ("5m", 1), ("1h", 2), ("1d", 3)] {
        let of = |bounds: &str| {
            format!("SELECT time, close, count FROM ticks_bars_{level} WHERE symbol = 'AAPL' AND {bounds}")
        };
        // Both as constants, and by the clock: bars that are made; and where the rest begins, if a chunk of narrower bars holds
        // both, the index of that.
        for bounds in [
            format!("time >= '{from}' AND time < '{to}'"),
            "time >= now() - interval '50 hours' AND time < now() - interval '26 hours'".to_owned(),
        ] {
            let (tables, plan) = opened(&mut connection, &of(&bounds)).await;
            assert_eq!(tables.intersection(&raw).count(), 0, "{level}, {bounds}\n{plan}");
            let bars = tables.iter().filter(|name| name.starts_with("_hyper")).count();
            assert!(bars <= 2 + narrower, "{level}, {bounds}: {bars}\n{plan}");
        }
        // Until now: of the rows the newest chunk, or two where one has just begun.
        let (tables, plan) = opened(&mut connection, &of("time >= now() - interval '26 hours'")).await;
        assert!((1..=2).contains(&tables.intersection(&raw).count()), "{level}\n{plan}");
        let counted: (i64, i64) = sqlx::query_as(&format!(
            "SELECT (SELECT sum(count)::int8 FROM ticks_bars_{level} WHERE time >= now() - interval '5 days'),
                    (SELECT count(*) FROM ticks WHERE time >= now() - interval '5 days')"
        ))
        .fetch_one(&mut connection)
        .await
        .unwrap();
        assert_eq!(counted.0, counted.1, "{level}");
    }
}

#[tokio::test]
async fn a_plan_that_is_kept_is_right_with_the_watermarks_that_it_was_made_with() {
    let (test, mut connection) = market().await;
    async fn asked(connection: &mut PgConnection, of: &str) -> (i64, i64) {
        sqlx::query_as(&format!("EXECUTE {of}")).persistent(false).fetch_one(connection).await.unwrap()
    }
    let fill = "INSERT INTO public_store.ticks (time, series_id, price, size)
        SELECT date_trunc('day', now(), 'UTC') - n * interval '1 hour', series_id, 100, 77
        FROM public_store.ticks__series, generate_series(1, 24) n";
    // The chunks are there: one that comes would make all plans anew.
    let mut rollups = Rollups::new(AllSettings::default()).of_young_ones_too();
    sqlx::raw_sql(fill).execute(&mut connection).await.unwrap();
    refresh(&mut rollups, &mut connection, &test.database).await;
    // As three days ago, when everything was made that is older.
    sqlx::raw_sql(
        "UPDATE chunkwise.rollup_level SET watermark = watermark - interval '3 days';
         SET plan_cache_mode = force_generic_plan;
         PREPARE days AS SELECT count(*)::int8, sum(count)::int8 FROM ticks_bars_1d WHERE symbol = 'AAPL';
         PREPARE minutes AS SELECT count(*)::int8, sum(count)::int8 FROM ticks_bars_1m
             WHERE symbol = 'AAPL' AND time >= '2024-01-01';
         PREPARE latest AS SELECT size, extract(epoch FROM time)::int8 FROM ticks_latest WHERE symbol = 'AAPL'",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    let before = (asked(&mut connection, "days").await, asked(&mut connection, "minutes").await);
    asked(&mut connection, "latest").await;
    sqlx::raw_sql(fill).execute(&mut connection).await.unwrap();
    refresh(&mut rollups, &mut connection, &test.database).await;
    let ((days, rows), (minutes, _)) = before;
    assert_eq!(asked(&mut connection, "days").await, (days, rows + 24));
    assert_eq!(asked(&mut connection, "minutes").await, (minutes, rows + 24));
    assert_eq!(asked(&mut connection, "latest").await.0, 77);
}

#[tokio::test]
async fn carried_values_and_correlations_are_what_the_document_says() {
    let (_test, mut connection) = market().await;
    let examples = examples();
    let carried: Vec<(chrono::DateTime<chrono::Utc>, Option<f64>)> =
        sqlx::query_as(examples[5].trim().trim_end_matches(';')).fetch_all(&mut connection).await.unwrap();
    assert!(carried.iter().all(|(_, close)| close.is_some()), "the gap of 20 minutes is filled: {carried:?}");
    let gaps: Vec<(chrono::DateTime<chrono::Utc>, Option<f64>, f64)> =
        sqlx::query_as(examples[4].trim().trim_end_matches(';')).fetch_all(&mut connection).await.unwrap();
    assert_eq!(gaps.iter().filter(|(_, close, _)| close.is_none()).count(), 4, "{gaps:?}");
    let (r, n): (f64, i64) =
        sqlx::query_as(examples[7].trim().trim_end_matches(';')).fetch_one(&mut connection).await.unwrap();
    assert!((r - 1.0).abs() < 1e-9 && n > 60, "{r} {n}");
    let asof: Vec<(f64, Option<f64>)> = sqlx::query_as(&format!(
        "SELECT price, extract(epoch FROM age)::float8 FROM ({}) AS asof",
        examples[6].trim().trim_end_matches(';')
    ))
    .fetch_all(&mut connection)
    .await
    .unwrap();
    assert!(asof.iter().all(|(_, age)| *age == Some(1.0)), "{asof:?}");
}
