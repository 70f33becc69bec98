//! A measurement with rows, its rollups, and what SQL makes of the same rows.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use chunkwise::{
    db::Database,
    hypertable::{ColumnType, Growth, Measurement, Perseverance, SchemaLimits, Wanted},
    rollup::{AllSettings, Rollups},
};
use rand::{Rng, rngs::StdRng};
use sqlx::{Connection, Executor, PgConnection};

use crate::support::TestDatabase;

pub(super) const MINUTE_US: i64 = 60_000_000;
pub(super) const DAY_US: i64 = 1_440 * MINUTE_US;
/// 2024-01-01, a Monday.
pub(super) const START_US: i64 = 1_704_067_200_000_000;

/// A row: time, series, price, size.
pub(super) type Row = (i64, i64, Option<f64>, Option<i64>);

/// The measurement `ticks` in chunks of two hours, with the tag `symbol` and its series `S1` ... `S5`.
pub(super) struct Ticks {
    pub(super) test: TestDatabase,
    pub(super) measurement: Measurement,
    pub(super) ids: Vec<i64>,
    pub(super) rollups: Rollups,
    pub(super) connection: PgConnection,
}

pub(super) const FIELDS: [(&str, ColumnType); 4] = [
    ("price", ColumnType::Float8),
    ("size", ColumnType::Int8),
    ("open now", ColumnType::Bool),
    ("note", ColumnType::Text),
];

impl Ticks {
    pub(super) async fn new() -> Self {
        Self::with(AllSettings::default()).await
    }

    pub(super) async fn with(settings: AllSettings) -> Self {
        let test = TestDatabase::new().await;
        let measurement = grow(&test.database, &FIELDS).await;
        let mut connection = test.connect().await;
        let sql = "INSERT INTO public_store.ticks__series (tag_hash, symbol)
                   SELECT gen_random_uuid(), 'S' || n FROM generate_series(1, 5) n RETURNING series_id";
        let ids = sqlx::query_scalar(sql).fetch_all(&mut connection).await.unwrap();
        let rollups = Rollups::new(settings).of_young_ones_too();
        Self { test, measurement, ids, rollups, connection }
    }

    /// Makes all there is to make.
    pub(super) async fn refresh(&mut self) {
        refresh(&mut self.rollups, &mut self.connection, &self.test.database).await;
    }

    /// Commits rows as chunkwise's writers do.
    pub(super) async fn write(&mut self, rows: &[Row]) {
        let (Some(lo), Some(hi)) = (rows.iter().map(|row| row.0).min(), rows.iter().map(|row| row.0).max()) else {
            return;
        };
        let mut transaction = self.connection.begin().await.unwrap();
        transaction.execute("SELECT set_config('chunkwise.batch', 'on', true)").await.unwrap();
        sqlx::query("INSERT INTO chunkwise.change (measurement_id, lo, hi) VALUES ($1, $2, $3)")
            .bind(self.measurement.id)
            .bind(moment(lo))
            .bind(moment(hi))
            .execute(&mut *transaction)
            .await
            .unwrap();
        insert(&mut transaction, rows).await;
        transaction.commit().await.unwrap();
        self.execute("SELECT pg_stat_force_next_flush()").await;
    }

    /// What analysts do.
    pub(super) async fn execute(&mut self, sql: &str) {
        self.connection.execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    pub(super) async fn scalar<T>(&mut self, sql: &str) -> T
    where
        T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
    {
        sqlx::query_scalar(sql).fetch_one(&mut self.connection).await.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Lets no time pass: a load goes on, however slow the machine is.
    pub(super) async fn let_the_load_go_on(&mut self) {
        self.execute("UPDATE chunkwise.change SET noted_at = clock_timestamp() + interval '1 minute'").await;
    }

    /// Lets the time pass after which a load is over.
    pub(super) async fn let_the_load_end(&mut self) {
        self.execute("UPDATE chunkwise.change SET noted_at = clock_timestamp() - interval '1 minute'").await;
    }

    /// Lets the time pass after which the server has told its counters.
    pub(super) async fn let_counters_settle(&mut self) {
        self.execute("SELECT pg_stat_force_next_flush()").await;
        self.execute("UPDATE chunkwise.change SET seen_at = seen_at - interval '1 minute' WHERE lo IS NULL").await;
        self.execute(
            "UPDATE chunkwise.chunk_counted SET next_read_at = next_read_at - interval '1 minute'
             WHERE next_read_at > '-infinity'",
        )
        .await;
    }

    /// `count` rows of random series within a stretch, many of them at equal times and with equal values.
    pub(super) fn random_rows(&self, random: &mut StdRng, from_us: i64, span_us: i64, count: usize) -> Vec<Row> {
        let mut rows: Vec<Row> = Vec::with_capacity(count);
        while rows.len() < count {
            let time_us = match rows.last() {
                Some(last) if random.random_ratio(1, 4) => last.0,
                _ => from_us + random.random_range(0..span_us),
            };
            let price = match random.random_range(0..12) {
                0 => None,
                1 => Some(f64::NAN),
                2 => Some(-0.0),
                3..6 => Some(f64::from(random.random_range(-3_i32..4))),
                _ => Some(random.random_range(-1e3..1e3)),
            };
            let size = random.random_ratio(4, 5).then(|| random.random_range(0..100));
            rows.push((time_us, self.ids[random.random_range(0..self.ids.len())], price, size));
        }
        rows
    }

    /// Holds every view and table of the rollups against the rows.
    pub(super) async fn check(&mut self, context: &str) {
        for (level, width) in [("1m", "1 minute"), ("5m", "5 minutes"), ("1h", "1 hour"), ("1d", "1 day")] {
            let expected = format!(
                "SELECT time_bucket('{width}', time) AS time, s.symbol,
                    (array_agg(price + 0 ORDER BY time, price DESC) FILTER (WHERE {P}))[1] AS open,
                    max(price + 0) FILTER (WHERE {P}) AS high, min(price + 0) FILTER (WHERE {P}) AS low,
                    (array_agg(price + 0 ORDER BY time DESC, price DESC) FILTER (WHERE {P}))[1] AS close,
                    count(*) FILTER (WHERE {P}) AS count, sum(size)::float8 AS volume,
                    (array_agg(size ORDER BY time DESC, size DESC) FILTER (WHERE size IS NOT NULL))[1] AS last_size
                 FROM public_store.ticks JOIN public_store.ticks__series s USING (series_id)
                 WHERE {P} OR size IS NOT NULL OR \"open now\" IS NOT NULL GROUP BY 1, 2"
            );
            let found = format!(
                "SELECT v.time, v.symbol, open, high, low, close, count, volume, l.size__last
                 FROM ticks_bars_{level} v JOIN public_store.ticks__series s USING (symbol)
                 JOIN public_store.ticks__live_{level} l ON l.series_id = s.series_id AND l.time = v.time"
            );
            let differing: i64 = self
                .scalar(&format!(
                    "SELECT count(*) FROM (({expected} EXCEPT ALL {found}) UNION ALL ({found} EXCEPT ALL {expected})) d"
                ))
                .await;
            assert_eq!(differing, 0, "{context}: bars of {level}");
            let off: i64 = self
                .scalar(&format!(
                    "WITH expected AS (
                        SELECT time_bucket('{width}', time) AS time, series_id, sum(price) AS sum, sum(abs(price)) AS scale,
                               sum(price * size) / nullif(sum(size), 0) AS vwap,
                               sum(abs(price) * size) / nullif(sum(size), 0) AS vwap_scale,
                               sum(price * size) AS product
                        FROM public_store.ticks WHERE {P} AND size IS NOT NULL GROUP BY 1, 2),
                     sums AS (
                        SELECT time_bucket('{width}', time) AS time, series_id, sum(price) AS sum, sum(abs(price)) AS scale
                        FROM public_store.ticks WHERE {P} GROUP BY 1, 2)
                     SELECT (SELECT count(*) FROM sums e LEFT JOIN public_store.ticks__live_{level} l USING (time, series_id)
                             WHERE abs(e.sum - l.price__sum) > e.scale * 1e-12 OR l.price__sum IS NULL)
                          + (SELECT count(*) FROM expected e JOIN public_store.ticks__series s USING (series_id)
                             LEFT JOIN ticks_bars_{level} v ON v.time = e.time AND v.symbol = s.symbol
                             WHERE abs(e.vwap - v.vwap) > e.vwap_scale * 1e-12 + 1e-12
                                OR (v.vwap IS NULL AND e.vwap IS NOT NULL))"
                ))
                .await;
            assert_eq!(off, 0, "{context}: sums of {level}");
        }
        self.check_latest(context).await;
    }

    /// Holds last values against the rows.
    pub(super) async fn check_latest(&mut self, context: &str) {
        let expected = format!(
            "SELECT s.symbol, max(time) FILTER (WHERE {P} OR size IS NOT NULL OR note IS NOT NULL OR \"open now\" IS NOT NULL),
                (array_agg(price + 0 ORDER BY time DESC, price DESC) FILTER (WHERE {P}))[1],
                (array_agg(size ORDER BY time DESC, size DESC) FILTER (WHERE size IS NOT NULL))[1],
                (array_agg(note ORDER BY time DESC, note COLLATE \"C\" DESC) FILTER (WHERE note IS NOT NULL))[1]
             FROM public_store.ticks JOIN public_store.ticks__series s USING (series_id)
             WHERE {P} OR size IS NOT NULL OR note IS NOT NULL OR \"open now\" IS NOT NULL GROUP BY 1"
        );
        let found = "SELECT symbol, time, price + 0, size, note FROM ticks_latest";
        let differing: i64 = self
            .scalar(&format!(
                "SELECT count(*) FROM (({expected} EXCEPT ALL {found}) UNION ALL ({found} EXCEPT ALL {expected})) d"
            ))
            .await;
        assert_eq!(differing, 0, "{context}: last values");
    }
}

/// Whether a price is a number.
pub(super) const P: &str = "(price > '-infinity' AND price < 'infinity')";

pub(super) async fn grow(database: &Database, fields: &[(&str, ColumnType)]) -> Measurement {
    let wanted = Wanted {
        tags: vec!["symbol".to_owned()],
        fields: fields.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect(),
        interval_us: 120 * MINUTE_US,
    };
    let growth = Growth::new(database.clone(), SchemaLimits::default());
    let measurement = growth.ensure("public", "ticks", &wanted, Perseverance::Persist).await.unwrap();
    Measurement::clone(&measurement)
}

pub(super) async fn refresh(rollups: &mut Rollups, connection: &mut PgConnection, database: &Database) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while rollups.round(connection, database).await.unwrap() {
        assert!(Instant::now() < deadline, "the rollups come to no end");
    }
}

/// As another client inserts; `note` says how large the size is.
pub(super) async fn insert(connection: &mut PgConnection, rows: &[Row]) {
    sqlx::query(
        "INSERT INTO public_store.ticks (time, series_id, price, size, \"open now\", note)
         SELECT t, i, p, s, s % 2 = 0, CASE WHEN s > 90 THEN 'size ' || s END
         FROM unnest($1::timestamptz[], $2::int8[], $3::float8[], $4::int8[]) AS r (t, i, p, s)",
    )
    .bind(rows.iter().map(|row| moment(row.0)).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.1).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.2).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.3).collect::<Vec<_>>())
    .execute(connection)
    .await
    .unwrap();
}

pub(super) fn moment(us: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(us).unwrap()
}

pub(super) fn now_us() -> i64 {
    Utc::now().timestamp_micros()
}
