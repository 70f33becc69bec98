//! A load is killed, and started again.

use std::{
    fmt::Write,
    process::Stdio,
    time::{Duration, Instant},
};

use sqlx::PgConnection;

use crate::support::{Process, TestDatabase, command, run_within};

/// Seven parts.
const ROWS: u64 = 320_000;
const SENSORS: u64 = 16;
const LIMIT: Duration = Duration::from_secs(120);

/// Values whose sums are exact in any order.
fn value(row: u64) -> f64 {
    f64::from(u16::try_from(row % 4_001).unwrap()) / 8.0
}

fn csv() -> String {
    let mut text = String::from("time,sensor,v\n");
    for row in 0..ROWS {
        writeln!(text, "{},s{},{}", 1_600_000_000 + row, row % SENSORS, value(row)).unwrap();
    }
    text
}

/// Kills a load as soon as a query counts so many, which must be before its end.
async fn kill_load_at(arguments: &[&str], connection: &mut PgConnection, query: &str, count: i64) {
    let begun = Instant::now();
    let mut load = Process::spawn(command(arguments).stdout(Stdio::null()).stderr(Stdio::null()));
    while sqlx::query_scalar::<_, i64>(query).fetch_one(&mut *connection).await.unwrap() < count {
        assert!(!load.has_ended(), "the load ended before {query} came to {count}");
        assert!(begun.elapsed() < LIMIT, "{query} does not come to {count}");
    }
    assert!(!load.has_ended(), "the load ended before it could be killed");
    load.kill();
}

#[tokio::test]
async fn a_load_that_is_killed_again_and_again_ends_as_if_nothing_had_happened() {
    let database = TestDatabase::new().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("readings.csv");
    std::fs::write(&file, csv()).unwrap();
    let url = database.url();
    let arguments = ["load", file.to_str().unwrap(), "--database-url", &url];

    let mut connection = database.connect().await;
    // Before the first part is committed, while the measurement is made, and later and later.
    kill_load_at(&arguments, &mut connection, "SELECT count(*) FROM chunkwise.measurement", 1).await;
    for parts in [1, 3, 5] {
        kill_load_at(&arguments, &mut connection, "SELECT count(*) FROM chunkwise.ledger", parts).await;
    }
    let there: i64 = sqlx::query_scalar("SELECT count(*) FROM readings").fetch_one(&mut connection).await.unwrap();
    let ledger: i64 = sqlx::query_scalar("SELECT coalesce(sum(written), 0) FROM chunkwise.ledger")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(there, ledger, "rows and the ledger are committed together");

    let ended = run_within(&arguments, LIMIT).successful();
    let written = ROWS - there.unsigned_abs();
    let report = format!("{written} rows written, 0 left out as bad, {there} were there already");
    assert!(ended.text().contains(&report), "{report:?} is not in {:?}", ended.text());

    let sensors: Vec<(String, i64, f64)> =
        sqlx::query_as("SELECT sensor, count(*), sum(v) FROM readings GROUP BY sensor ORDER BY sensor")
            .fetch_all(&mut connection)
            .await
            .unwrap();
    let mut expected: Vec<(String, i64, f64)> = (0..SENSORS)
        .map(|sensor| {
            let rows = (0..ROWS).filter(|row| row % SENSORS == sensor);
            let count = i64::try_from(rows.clone().count()).unwrap();
            (format!("s{sensor}"), count, rows.map(value).sum())
        })
        .collect();
    expected.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(sensors, expected);
    let times: i64 =
        sqlx::query_scalar("SELECT count(DISTINCT time) FROM readings").fetch_one(&mut connection).await.unwrap();
    assert_eq!(times.unsigned_abs(), ROWS);

    let again = run_within(&arguments, LIMIT);
    assert!(
        again.text().contains(&format!("0 rows written, 0 left out as bad, {ROWS} were there")),
        "{}",
        again.text()
    );
}
