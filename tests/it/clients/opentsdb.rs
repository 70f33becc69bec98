//! A client of OpenTSDB for Python: `opentsdb-py`.

use super::{columns, rows};
use crate::support::{App, TestDatabase, run_python, wait_until};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/clients/write_opentsdb.py");

#[tokio::test]
async fn opentsdb_py_writes_over_http_and_telnet_and_is_told_of_bad_points() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    let address = app.said("listening for OpenTSDB on ");
    let (host, port) = address.trim().rsplit_once(':').unwrap();
    run_python(SCRIPT, &[host, port]);

    // Over telnet there is no answer, and the client has hung up.
    wait_until("the points over telnet are there", async || {
        database.scalar::<bool>("SELECT to_regclass('\"tsdb.telnet\"') IS NOT NULL").await
            && database.scalar::<i64>("SELECT count(*) FROM \"tsdb.telnet\"").await == 4
    })
    .await;
    for transport in ["http", "gzip", "telnet"] {
        let view = format!("\"tsdb.{transport}\"");
        assert_eq!(
            columns(&database, &view).await,
            "host text, site text, time timestamp with time zone, value double precision"
        );
        assert_eq!(
            rows(&database, &format!("SELECT time, host, site, value FROM {view} ORDER BY time")).await,
            [
                r#"{"time":"2023-11-14T22:13:20+00:00","host":"h0","site":"x","value":42}"#,
                r#"{"time":"2023-11-14T22:13:20.001+00:00","host":"ms","site":"x","value":0.125}"#,
                r#"{"time":"2023-11-14T22:13:21+00:00","host":"h1","site":"x","value":42.5}"#,
                r#"{"time":"2023-11-14T22:13:22+00:00","host":"h0","site":"x","value":-0.001}"#,
            ]
        );
    }
    let partial = "SELECT value FROM \"tsdb.partial\" ORDER BY value";
    assert_eq!(rows(&database, partial).await, [r#"{"value":0.125}"#, r#"{"value":1}"#, r#"{"value":3}"#]);
    let counted = "SELECT count(*) AS rows, count(DISTINCT time) AS times, sum(value) AS sum FROM \"tsdb.batches\"";
    assert_eq!(rows(&database, counted).await, [r#"{"rows":501,"times":501,"sum":124750.125}"#]);
}
