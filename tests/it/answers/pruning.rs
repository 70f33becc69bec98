//! A question reads the chunks that it is about, and no others.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use sqlx::PgConnection;

use super::real::{Real, ask, correlation, loaded};
use crate::support::{run, scanned, wait_until};

/// The chunks of `prices` that overlap a range of time, as TimescaleDB's own view has them.
async fn overlapping(connection: &mut PgConnection, from: &str, to: &str) -> BTreeSet<String> {
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT chunk_name::text FROM timescaledb_information.chunks
         WHERE hypertable_name = 'prices' AND range_start < $2::timestamptz AND range_end > $1::timestamptz",
    )
    .bind(from)
    .bind(to)
    .fetch_all(connection)
    .await
    .unwrap();
    names.into_iter().collect()
}

/// How often each chunk of `prices`, or its part in the columnstore, was scanned since the server counts.
async fn scans(connection: &mut PgConnection) -> BTreeMap<String, i64> {
    let counts: Vec<(String, i64)> = sqlx::query_as(
        "SELECT r.relname::text, (SELECT sum(seq_scan + coalesce(idx_scan, 0))::int8 FROM pg_stat_user_tables t
                                  WHERE t.relid IN (k.chunk, k.compressed))
         FROM chunkwise.chunk_storage() k JOIN pg_class r ON r.oid = k.chunk
         WHERE r.relname IN (SELECT chunk_name FROM timescaledb_information.chunks WHERE hypertable_name = 'prices')",
    )
    .fetch_all(connection)
    .await
    .unwrap();
    counts.into_iter().collect()
}

/// The chunks that an answer is of: read for it, or for another test's correlation before.
fn touched(answer: &Value) -> u64 {
    let count = |what: &str| answer["receipt"]["chunks"][what].as_u64().unwrap();
    count("read") + count("cached")
}

#[tokio::test]
async fn thirty_three_years_of_daily_prices_are_a_few_dozen_chunks() {
    let real = Real::shared().await;
    let chunks = real.database.scalar::<i64>("SELECT count(*) FROM show_chunks('public_store.prices')").await;
    assert!((30..=40).contains(&chunks), "{chunks}");
}

#[tokio::test]
async fn a_receipt_counts_the_chunks_that_the_analysts_query_scans_and_the_bucket_before() {
    let real = Real::shared().await;
    let mut connection = real.database.connect().await;
    let sql = "SELECT time, close FROM prices WHERE symbol = 'AAPL' AND time >= '2020-01-01 00:00:00+00' \
               AND time < '2021-01-01 00:00:00+00'";
    let mut of_2020 = scanned(&mut connection, sql).await;
    assert!(of_2020.remove("prices__series"), "the view looks the symbol up");
    assert_eq!(of_2020, overlapping(&mut connection, "2020-01-01Z", "2021-01-01Z").await);

    let total = overlapping(&mut connection, "-infinity", "infinity").await.len();
    let year = json!({
        "series": {"symbol": "AAPL"}, "from": "2020-01-01T00:00:00Z", "to": "2021-01-01T00:00:00Z",
    });
    let answer = real.app.ask("/api/v1/window", &ask(year)).json();
    assert_eq!(answer["values"][0].as_array().unwrap().len(), 253);
    let chunks = &answer["receipt"]["chunks"];
    assert_eq!((&chunks["total"], &chunks["pruned"]), (&json!(total), &json!(total - of_2020.len())));
    assert_eq!(touched(&answer), of_2020.len() as u64);

    // Returns need the last day of 2019 too.
    let mut with_neighbour = overlapping(&mut connection, "2019-12-31Z", "2020-01-01Z").await;
    with_neighbour.extend(of_2020);
    let receipt = real.app.ask("/api/v1/correlate", &correlation(json!({}))).json()["receipt"].take();
    let count = |what: &str| usize::try_from(receipt["chunks"][what].as_u64().unwrap()).unwrap();
    // Blocks are of whole chunks, of which the first has a neighbour too.
    let touched = count("cached") + count("read");
    assert!((with_neighbour.len()..=with_neighbour.len() + 1).contains(&touched), "{receipt}");
    assert_eq!(count("pruned") + touched, total);
}

#[tokio::test]
async fn the_bucket_before_a_range_is_read_from_the_chunk_before() {
    let real = Real::shared().await;
    let mut connection = real.database.connect().await;
    // A range that begins where a chunk does, and ends within it.
    let (from, to): (String, String) = sqlx::query_as(
        r#"SELECT to_char(range_start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T00:00:00Z"'),
                  to_char(range_start AT TIME ZONE 'UTC' + interval '10 days', 'YYYY-MM-DD"T00:00:00Z"')
           FROM timescaledb_information.chunks
           WHERE hypertable_name = 'prices' AND range_start > '2010-01-01' ORDER BY range_start LIMIT 1"#,
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    assert_eq!(overlapping(&mut connection, &from, &to).await.len(), 1);
    let of = |transform: &str| {
        let question = json!({"series": {"symbol": "XOM"}, "from": from, "to": to, "transform": transform});
        real.app.ask("/api/v1/window", &ask(question)).json()
    };
    let (levels, returns) = (of("level"), of("log_return"));
    assert_eq!((touched(&levels), touched(&returns)), (1, 2));
    assert_eq!(levels["times"], returns["times"]);
    assert!(returns["values"][0][0].is_f64(), "the first return is from the chunk before");
}

#[tokio::test]
async fn the_server_touches_no_other_chunk() {
    let database = loaded().await;
    let mut connection = database.connect().await;
    let before = scans(&mut connection).await;
    let url = database.url();
    let line = "correlate prices close --bucket 1d --transform log_return --target symbol=AAPL --against symbol=MSFT \
                --range 2020-01-01..2021-01-01 --database-url";
    run(&line.split_whitespace().chain([url.as_str()]).collect::<Vec<_>>()).successful();

    let expected = overlapping(&mut connection, "2019-12-31Z", "2021-01-01Z").await;
    // The command's sessions report their counts as they end, which may be a moment after it.
    let mut touched = BTreeSet::new();
    wait_until("all chunks of 2020 are counted as scanned", async || {
        let after = scans(&mut connection).await;
        touched =
            after.into_iter().filter(|(name, scans)| before.get(name) != Some(scans)).map(|(name, _)| name).collect();
        touched.is_superset(&expected)
    })
    .await;
    assert_eq!(touched, expected);
}
