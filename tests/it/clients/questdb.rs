//! QuestDB's own client for Python.

use super::{columns, rows};
use crate::support::{App, TestDatabase, run_python, wait_until};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/clients/write_questdb.py");

#[tokio::test]
async fn questdb_writes_rows_and_frames_over_http_and_tcp_and_is_told_of_bad_rows() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    let tcp = app.said("listening for line protocol on tcp://");
    let (host, port) = app.host_and_port();
    run_python(SCRIPT, &[format!("{host}:{port}").as_str(), tcp.trim()]);

    wait_until("the last rows over TCP are there", async || {
        database.scalar::<bool>("SELECT to_regclass('qdb_frame_tcp') IS NOT NULL").await
            && database.scalar::<i64>("SELECT count(*) FROM qdb_frame_tcp").await == 3
    })
    .await;
    for transport in ["http", "tcp"] {
        let view = format!("qdb_{transport}");
        assert_eq!(
            columns(&database, &view).await,
            "b boolean, f double precision, host text, i bigint, micros timestamp with time zone, \
             moment timestamp with time zone, s text, time timestamp with time zone"
        );
        assert_eq!(
            rows(&database, &format!("SELECT time, host, f, i, b, s, micros, moment FROM {view} ORDER BY time")).await,
            [
                // Nanoseconds are rounded down.
                r#"{"time":"2023-11-14T22:13:20.000001+00:00","host":"a b,c=d","f":0.1,"i":-9223372036854775808,"b":true,"s":"say \"x\"\\,\ntwice","micros":"2023-11-14T22:13:20.000001+00:00","moment":"2023-11-14T22:13:20.123456+00:00"}"#,
                r#"{"time":"2023-11-14T22:13:21+00:00","host":"b","f":2,"i":null,"b":null,"s":null,"micros":null,"moment":null}"#,
            ]
        );
        assert_eq!(
            rows(&database, &format!("SELECT time, symbol, price, size FROM qdb_frame_{transport} ORDER BY time"))
                .await,
            [
                r#"{"time":"2023-11-14T22:13:20+00:00","symbol":"A","price":1.25,"size":1}"#,
                r#"{"time":"2023-11-14T22:13:21+00:00","symbol":"B","price":2,"size":2}"#,
                r#"{"time":"2023-11-14T22:13:22+00:00","symbol":"A","price":3.5,"size":3}"#,
            ]
        );
    }
    assert_eq!(rows(&database, "SELECT n FROM qdb_partial ORDER BY n").await, [r#"{"n":0}"#, r#"{"n":2}"#]);
    let gap = rows(&database, "SELECT price FROM qdb_gap ORDER BY price").await;
    assert_eq!(gap, [r#"{"price":1.25}"#, r#"{"price":3.5}"#]);
    let counted =
        "SELECT count(*) AS rows, count(DISTINCT n) AS numbers, count(DISTINCT host) AS hosts FROM qdb_batches";
    assert_eq!(rows(&database, counted).await, [r#"{"rows":1050,"numbers":1050,"hosts":7}"#]);
}
