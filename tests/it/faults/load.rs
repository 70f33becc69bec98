//! A load is killed, and started again.

use std::{
    fmt::Write,
    process::Stdio,
    time::{Duration, Instant},
};

use sqlx::PgConnection;

use crate::support::{Process, Proxy, TestDatabase, command, run_within};

/// Seven parts.
const ROWS: u64 = 320_000;
const SENSORS: u64 = 16;
const LIMIT: Duration = Duration::from_secs(120);

/// Values whose sums are exact in any order.
fn value(row: u64) -> f64 {
    f64::from(u16::try_from(row % 4_001).unwrap()) / 8.0
}

fn csv(rows: u64) -> String {
    let mut text = String::from("time,sensor,v\n");
    for row in 0..rows {
        writeln!(text, "{},s{},{}", 1_600_000_000 + row, row % SENSORS, value(row)).unwrap();
    }
    text
}

/// Kills a load as soon as a query counts so many, which must be before its end.
async fn kill_load_at(arguments: &[&str], connection: &mut PgConnection, query: &str, at_least: i64) {
    let begun = Instant::now();
    let mut load = Process::spawn(command(arguments).stdout(Stdio::null()).stderr(Stdio::null()));
    while count(connection, query).await < at_least {
        assert!(!load.has_ended(), "the load ended before {query} came to {at_least}");
        assert!(begun.elapsed() < LIMIT, "{query} does not come to {at_least}");
    }
    assert!(!load.has_ended(), "the load ended before it could be killed");
    load.kill();
}

#[tokio::test]
async fn a_load_that_is_killed_again_and_again_ends_as_if_nothing_had_happened() {
    let database = TestDatabase::new().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("readings.csv");
    std::fs::write(&file, csv(ROWS)).unwrap();
    let url = database.url();
    let arguments = ["load", file.to_str().unwrap(), "--database-url", &url];

    let mut connection = database.connect().await;
    // Before the first part is committed, while the measurement is made, and later and later.
    kill_load_at(&arguments, &mut connection, "SELECT count(*) FROM chunkwise.measurement", 1).await;
    for parts in [1, 3, 5] {
        kill_load_at(&arguments, &mut connection, "SELECT count(*) FROM chunkwise.ledger", parts).await;
    }
    let there = count(&mut connection, "SELECT count(*) FROM readings").await;
    let ledger = count(&mut connection, "SELECT coalesce(sum(written), 0) FROM chunkwise.ledger").await;
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
    let times = count(&mut connection, "SELECT count(DISTINCT time) FROM readings").await;
    assert_eq!(times.unsigned_abs(), ROWS);

    let again = run_within(&arguments, LIMIT);
    assert!(
        again.text().contains(&format!("0 rows written, 0 left out as bad, {ROWS} were there")),
        "{}",
        again.text()
    );
}

#[tokio::test]
async fn two_loads_of_one_file_at_once_write_each_row_once() {
    let database = TestDatabase::new().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("readings.csv");
    std::fs::write(&file, csv(ROWS)).unwrap();
    let arguments = ["load", file.to_str().unwrap(), "--database-url", &database.url()];
    let written = std::thread::scope(|scope| {
        let loads = [(); 2].map(|()| scope.spawn(|| run_within(&arguments, LIMIT).successful()));
        loads.map(|load| {
            let ended = load.join().unwrap();
            let report = ended.text().lines().find_map(|line| line.split_once(" rows written")).unwrap().0.to_owned();
            report.split_whitespace().last().unwrap().parse::<u64>().unwrap()
        })
    });
    assert_eq!(written.iter().sum::<u64>(), ROWS, "{written:?}");
    let mut connection = database.connect().await;
    assert_eq!(count(&mut connection, "SELECT count(*) FROM readings").await.unsigned_abs(), ROWS);
    assert_eq!(count(&mut connection, "SELECT count(DISTINCT time) FROM readings").await.unsigned_abs(), ROWS);
}

#[tokio::test]
async fn a_load_whose_database_goes_away_says_so_and_what_to_do_and_that_works() {
    const SOME: u64 = 160_000;
    let database = TestDatabase::new().await;
    let proxy = Proxy::before(&database.options());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("readings.csv");
    std::fs::write(&file, csv(SOME)).unwrap();
    let arguments = ["load", file.to_str().unwrap(), "--database-url", proxy.url()];
    let mut connection = database.connect().await;
    let load = tokio::task::spawn_blocking({
        let arguments = arguments.map(str::to_owned);
        move || run_within(&arguments.each_ref().map(String::as_str), LIMIT)
    });
    let begun = Instant::now();
    while count(&mut connection, "SELECT count(*) FROM chunkwise.ledger").await == 0 {
        assert!(begun.elapsed() < LIMIT);
    }
    proxy.cut();
    let ended = load.await.unwrap();
    assert_eq!(ended.code, 3, "{}", ended.stderr);
    assert!(ended.stderr.contains("start the same load again"), "{}", ended.stderr);

    proxy.heal();
    run_within(&arguments, LIMIT).successful();
    assert_eq!(count(&mut connection, "SELECT count(*) FROM readings").await.unsigned_abs(), SOME);
    assert_eq!(count(&mut connection, "SELECT count(DISTINCT time) FROM readings").await.unsigned_abs(), SOME);
}

async fn count(connection: &mut PgConnection, query: &str) -> i64 {
    sqlx::query_scalar(query).fetch_one(connection).await.unwrap_or_else(|error| panic!("{query}: {error}"))
}
