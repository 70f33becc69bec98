//! A measurement with rows that a test knows.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use chunkwise::{
    block::{BlockOptions, Blocks},
    db::Database,
    hypertable::{ColumnType, Growth, Measurement, Perseverance, SchemaLimits, Wanted},
    query::{QueryLimits, Questions},
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use sqlx::PgConnection;

use crate::support::TestDatabase;

pub(crate) const MINUTE_US: i64 = 60_000_000;
pub(crate) const HOUR_US: i64 = 60 * MINUTE_US;
pub(crate) const DAY_US: i64 = 24 * HOUR_US;

/// A row as a test knows it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Row {
    pub(crate) time_us: i64,
    pub(crate) series_id: i64,
    /// NaN is stored as such.
    pub(crate) price: f64,
}

/// The measurement `ticks` with its rows.
pub(crate) struct Fixture {
    pub(crate) test: TestDatabase,
    pub(crate) questions: Questions,
    pub(crate) ids: Vec<i64>,
    pub(crate) rows: Vec<Row>,
}

impl Fixture {
    /// Series `S0`, `S1`, ... with these rows, in chunks of `interval_us`. A row's `series_id` is the series' number,
    /// counted from 0; in [`Fixture::rows`] it is the id.
    pub(crate) async fn new(interval_us: i64, series: usize, rows: Vec<Row>) -> Self {
        let test = TestDatabase::new().await;
        let measurement = ticks(&test.database, interval_us).await;
        let mut connection = test.connect().await;
        let ids = add_series(&mut connection, &measurement, 0..series).await;
        let numbered = |row: &Row| Row { series_id: ids[usize::try_from(row.series_id).unwrap()], ..*row };
        let rows: Vec<Row> = rows.iter().map(numbered).collect();
        insert(&mut connection, &measurement, &rows).await;
        let blocks = Arc::new(Blocks::new(block_options(1 << 30)));
        let questions = Questions::new(test.database.clone(), several_connections()).with_blocks(blocks);
        Self { test, questions, ids, rows }
    }

    /// `span_us` of rows of random series at random times, a few of them at equal times, a few of them not numbers.
    pub(crate) async fn random(seed: u64, interval_us: i64, series: usize, span_us: i64, rows: usize) -> Self {
        Self::new(interval_us, series, random_rows(seed, series, span_us, rows)).await
    }
}

/// Blocks of so much memory, which compute as with many series.
pub(crate) fn block_options(memory_bytes: u64) -> BlockOptions {
    BlockOptions { memory_bytes, disk_bytes: 1 << 30, exact_cells: 0 }
}

/// Limits under which a question about few rows is read over several connections too.
pub(crate) fn several_connections() -> QueryLimits {
    QueryLimits { connections: 3, bytes_a_connection: 1, ..QueryLimits::default() }
}

/// 2024-01-01, a Monday.
pub(crate) const START_US: i64 = 1_704_067_200_000_000;

fn random_rows(seed: u64, series: usize, span_us: i64, count: usize) -> Vec<Row> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut rows: Vec<Row> = Vec::with_capacity(count);
    while rows.len() < count {
        let time_us = match rows.last() {
            Some(last) if random.random_ratio(1, 10) => last.time_us,
            _ => START_US + random.random_range(0..span_us),
        };
        // Quiet times: nobody has a row in the second quarter of the span but its very middle.
        let place = (time_us - START_US) * 16 / span_us;
        if (4..8).contains(&place) && place != 5 {
            continue;
        }
        let series_id = random.random_range(0..i64::try_from(series).unwrap());
        let price = match random.random_range(0..40) {
            0 => f64::NAN,
            1 => 0.0,
            2 => -5.0,
            3 => f64::INFINITY,
            _ => random.random_range(1.0..100.0),
        };
        rows.push(Row { time_us, series_id, price });
    }
    rows
}

/// The measurement `ticks`: tags `symbol` and `exchange`, a field of every type.
pub(crate) async fn ticks(database: &Database, interval_us: i64) -> Arc<Measurement> {
    let fields = [
        ("price", ColumnType::Float8),
        ("size", ColumnType::Int8),
        ("buy", ColumnType::Bool),
        ("note", ColumnType::Text),
        ("seen", ColumnType::Timestamptz),
    ];
    let wanted = Wanted {
        tags: vec!["symbol".to_owned(), "exchange".to_owned()],
        fields: fields.map(|(name, kind)| (name.to_owned(), kind)).to_vec(),
        interval_us,
    };
    let growth = Growth::new(database.clone(), SchemaLimits::default());
    growth.ensure("public", "ticks", &wanted, Perseverance::Persist).await.unwrap()
}

/// Series `S<n>`, of exchange `even` or `odd`.
pub(crate) async fn add_series(
    connection: &mut PgConnection,
    measurement: &Measurement,
    numbers: std::ops::Range<usize>,
) -> Vec<i64> {
    let sql = format!(
        "INSERT INTO {} (tag_hash, symbol, exchange)
         SELECT gen_random_uuid(), 'S' || n, CASE n % 2 WHEN 0 THEN 'even' ELSE 'odd' END
         FROM generate_series($1, $2) n ORDER BY n RETURNING series_id",
        measurement.series_table()
    );
    let (from, to) = (i64::try_from(numbers.start).unwrap(), i64::try_from(numbers.end).unwrap() - 1);
    sqlx::query_scalar(&sql).bind(from).bind(to).fetch_all(connection).await.unwrap()
}

/// `size` is the price's whole number and `buy` whether it is even, where it is a number.
pub(crate) async fn insert(connection: &mut PgConnection, measurement: &Measurement, rows: &[Row]) {
    let sql = format!(
        "INSERT INTO {} (time, series_id, price, size, buy, note)
         SELECT t, s, p, n, n % 2 = 0, 'x' FROM
         (SELECT *, CASE WHEN p BETWEEN -1e9 AND 1e9 THEN floor(p)::int8 END AS n
          FROM unnest($1::timestamptz[], $2::int8[], $3::float8[]) AS r (t, s, p)) AS rows",
        measurement.storage()
    );
    for rows in rows.chunks(10_000) {
        sqlx::query(&sql)
            .bind(rows.iter().map(|row| moment(row.time_us)).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.series_id).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.price).collect::<Vec<_>>())
            .execute(&mut *connection)
            .await
            .unwrap();
    }
}

pub(crate) fn moment(us: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(us).unwrap()
}

pub(crate) fn text(us: i64) -> String {
    moment(us).to_rfc3339()
}

/// A question about `price` of `ticks`, with these fields over its own.
pub(crate) fn ask<Q: serde::de::DeserializeOwned>(fields: Value) -> Q {
    let mut question = json!({ "measurement": "ticks", "field": "price" });
    if let (Some(question), Value::Object(fields)) = (question.as_object_mut(), fields) {
        question.extend(fields);
    }
    serde_json::from_value(question).unwrap()
}
