//! InfluxDB's own clients for Python: `influxdb-client` of version 2, `influxdb` of version 1.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
    time::Duration,
};

use super::{columns, rows};
use crate::support::{App, Process, Proxy, TestDatabase, python_command, run_python};

const V1: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/clients/write_influxdb1.py");
const V2: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/clients/write_influxdb2.py");
const V2_RETRIES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/clients/write_influxdb2_retries.py");

/// Every type, and what line protocol escapes.
const EVERY_TYPE: &str = r#"{"time":"2023-11-14T22:13:20.123456+00:00","host":"a b,c=d","f":0.1,"i":-9223372036854775808,"b":@,"s":"say \"x\"\\, twice"}"#;
const BATCHES: &str = r#"{"rows":1050,"numbers":1050,"from":"2023-11-14T22:13:20+00:00","to":"@"}"#;

async fn precisions(database: &TestDatabase, view: &str, names: [&str; 4]) {
    let nanoseconds = "2023-11-14T22:13:20+00:00";
    let times =
        [nanoseconds, "2023-11-14T22:13:20.000001+00:00", "2023-11-14T22:13:20.001+00:00", "2023-11-14T22:13:20+00:00"];
    let expected: Vec<String> = names
        .iter()
        .zip(times)
        .enumerate()
        .map(|(n, (name, time))| format!(r#"{{"precision":"{name}","n":{n},"time":"{time}"}}"#))
        .collect();
    let sql = format!("SELECT precision, n, time FROM {view} ORDER BY n");
    assert_eq!(rows(database, &sql).await, expected);
}

async fn batches(database: &TestDatabase, view: &str, to: &str) {
    let sql = format!(
        "SELECT count(*) AS rows, count(DISTINCT n) AS numbers, min(time) AS from, max(time) AS to FROM {view}"
    );
    assert_eq!(rows(database, &sql).await, [BATCHES.replace('@', to)]);
}

#[tokio::test]
async fn influxdb_client_2_writes_points_frames_and_batches_and_is_told_of_bad_lines() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    run_python(V2, &[&app.base]);

    let view = "\"v2 points\"";
    assert_eq!(
        columns(&database, view).await,
        "b boolean, f double precision, host text, i bigint, s text, time timestamp with time zone"
    );
    let found = rows(&database, &format!("SELECT time, host, f, i, b, s FROM {view}")).await;
    assert_eq!(found, [EVERY_TYPE.replace('@', "true")]);
    precisions(&database, "v2_precision", ["ns", "us", "ms", "s"]).await;
    assert_eq!(
        rows(&database, "SELECT time, host, f FROM other.v2_elsewhere").await,
        [r#"{"time":"2023-11-14T22:13:20+00:00","host":"a","f":1.5}"#]
    );
    assert_eq!(
        rows(&database, "SELECT time, symbol, price, size FROM v2_frame ORDER BY time").await,
        [
            r#"{"time":"2023-11-14T22:13:20+00:00","symbol":"A","price":1.25,"size":1}"#,
            r#"{"time":"2023-11-14T22:13:21+00:00","symbol":"A","price":null,"size":2}"#,
            r#"{"time":"2023-11-14T22:13:22+00:00","symbol":"B","price":3.5,"size":3}"#,
        ]
    );
    let partial = "SELECT time, n FROM v2_partial ORDER BY time";
    assert_eq!(
        rows(&database, partial).await,
        [r#"{"time":"2023-11-14T22:13:20+00:00","n":0}"#, r#"{"time":"2023-11-14T22:13:22+00:00","n":2}"#]
    );
    batches(&database, "v2_batches", "2023-11-14T22:13:20.001049+00:00").await;
}

#[tokio::test]
async fn influxdb_client_2_writes_each_batch_once_when_it_was_sent_back() {
    let database = TestDatabase::new().await;
    let proxy = Proxy::before(&database.options());
    let app = App::start(&["up", "--database-url", proxy.url()]);
    assert_eq!(app.post("/write", b"warm n=1 1700000000000000000").status, 204);
    proxy.cut();
    let mut script = Process::spawn(python_command(V2_RETRIES, &[&app.base]).stdout(Stdio::piped()));
    let mut said = String::new();
    BufReader::new(script.stdout()).read_line(&mut said).unwrap();
    proxy.heal();
    assert_eq!(said, "sent back\n");
    assert!(script.wait(Duration::from_secs(90)).success());
    let counted =
        "SELECT count(*) AS rows, count(DISTINCT n) AS numbers, count(DISTINCT host) AS hosts FROM v2_retries";
    assert_eq!(rows(&database, counted).await, [r#"{"rows":200,"numbers":200,"hosts":3}"#]);
}

#[tokio::test]
async fn influxdb_1_makes_a_database_writes_to_it_and_is_told_of_bad_lines() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    let (host, port) = app.host_and_port();
    run_python(V1, &[host, port]);

    assert_eq!(
        rows(&database, "SELECT time, host, f FROM feeds.v1_made").await,
        [r#"{"time":"2023-11-14T22:13:20+00:00","host":"a","f":1.5}"#]
    );
    let found = rows(&database, "SELECT time, host, f, i, b, s FROM \"v1 points\"").await;
    assert_eq!(found, [EVERY_TYPE.replace('@', "false")]);
    precisions(&database, "v1_precision", ["n", "u", "ms", "s"]).await;
    batches(&database, "v1_batches", "2023-11-14T22:13:21.049+00:00").await;
    assert_eq!(rows(&database, "SELECT DISTINCT host FROM v1_batches").await, [r#"{"host":"all"}"#]);
    assert_eq!(
        rows(&database, "SELECT time, n FROM v1_lines ORDER BY time").await,
        [r#"{"time":"2023-11-14T22:13:20+00:00","n":1}"#, r#"{"time":"2023-11-14T22:13:21+00:00","n":2}"#]
    );
    assert_eq!(rows(&database, "SELECT n FROM v1_partial ORDER BY n").await, [r#"{"n":0}"#, r#"{"n":2}"#]);
    assert_eq!(
        rows(&database, "SELECT time, symbol, price, size FROM v1_frame ORDER BY time").await,
        [
            r#"{"time":"2023-11-14T22:13:20+00:00","symbol":"A","price":1.25,"size":1}"#,
            r#"{"time":"2023-11-14T22:13:21+00:00","symbol":"B","price":3.5,"size":2}"#,
        ]
    );
}
