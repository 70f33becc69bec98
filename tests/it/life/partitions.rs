//! Space partitions: a slice of time in several chunks, by hash of the series.

use sqlx::Executor;

use super::{DAY_S, EAGER, PATIENT, assert_sealed_once, chunks, count, wait_for_sealed, write};
use crate::support::{App, TestDatabase, run, scanned, wait_until};

const PARTITIONS: i64 = 4;

fn start(test: &TestDatabase, life: &[(&str, &str)]) -> App {
    let mut variables =
        vec![("CHUNKWISE_MEASUREMENT__M__CHUNK_INTERVAL", "1d"), ("CHUNKWISE_MEASUREMENT__M__SPACE_PARTITIONS", "4")];
    variables.extend(life);
    App::start_with(&["up", "--database-url", &test.url()], &variables)
}

/// Each of 20 series once an hour.
fn rows(days: i64) -> Vec<u8> {
    let line = |hour: i64| {
        let at = DAY_S + 3_600 * hour;
        (0..20).map(move |series| format!("m,s=s{series} v={hour} {at}\n")).collect::<String>()
    };
    (0..24 * days).map(line).collect::<String>().into_bytes()
}

#[tokio::test]
async fn questions_about_few_series_pass_over_the_other_partitions() {
    let test = TestDatabase::new().await;
    let app = start(&test, &PATIENT);
    write(&app, &rows(2));
    assert_eq!(count(&test, "chunkwise.chunks").await, 2 * PARTITIONS);
    let shown = app.get("/api/v1/measurements").json()["measurements"][0].take();
    assert_eq!(shown["space_partitions"], PARTITIONS);

    // All series are there, each from its own partition.
    let window = |series: &str| {
        let series = if series == "all" { serde_json::json!({}) } else { serde_json::json!({ "s": series }) };
        let question = serde_json::json!({
            "measurement": "m", "field": "v", "bucket": "1h", "series": series,
            "from": "2020-01-01T00:00:00Z", "to": "2020-01-03T00:00:00Z",
        });
        let answer = app.ask("/api/v1/window", &question);
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        answer.json()
    };
    let all = window("all");
    assert_eq!(all["receipt"]["chunks"]["read"], 2 * PARTITIONS, "{}", all["receipt"]);
    assert_eq!(all["receipt"]["rows_read"], 20 * 48);
    for series in ["s0", "s7", "s19"] {
        let one = window(series);
        let receipt = &one["receipt"];
        assert_eq!((&receipt["chunks"]["read"], &receipt["chunks"]["total"]), (&2.into(), &8.into()), "{receipt}");
        assert_eq!(receipt["rows_read"], 48, "{receipt}");
    }

    // The server's own plan says the same.
    let id: i64 = test.scalar("SELECT series_id FROM public_store.m__series WHERE s = 's7'").await;
    let select =
        format!("SELECT v FROM public_store.m WHERE series_id = {id} AND time >= '2020-01-01' AND time < '2020-01-03'");
    let scanned = scanned(&mut test.connect().await, &select).await;
    assert_eq!(scanned.len(), 2, "{scanned:?}");

    let url = test.url();
    let listed = run(&["chunks", "list", "m", "--database-url", &url]).successful();
    assert_eq!(listed.text().matches("3 of 4, by hash").count(), 2, "{}", listed.text());
    let explained = run(&["chunks", "explain", "m", "--database-url", &url]).successful();
    assert_eq!(explained.text().matches("series by hash, 1 of 4").count(), 2, "{}", explained.text());
    let listed = run(&["measurement", "list", "--database-url", &url]).successful();
    assert!(listed.text().contains("1d, by series in 4"), "{}", listed.text());
    let shown = app.get("/api/v1/chunks?measurement=m").json()["chunks"].take();
    let part = |chunk: &serde_json::Value| (chunk["partition"]["number"].as_i64(), chunk["partition"]["of"].as_i64());
    let mut parts: Vec<_> = shown.as_array().unwrap()[..4].iter().map(part).collect();
    parts.sort_unstable();
    assert_eq!(parts, [1, 2, 3, 4].map(|number| (Some(number), Some(PARTITIONS))));
}

#[tokio::test]
async fn partitions_are_sealed_one_by_one_and_dropped_together() {
    let test = TestDatabase::new().await;
    let app = start(&test, &EAGER);
    write(&app, &rows(2));
    let sealed = chunks(&test).await;
    assert_eq!(i64::try_from(sealed.len()), Ok(2 * PARTITIONS));
    wait_for_sealed(&test, 2 * PARTITIONS).await;
    for chunk in &sealed {
        assert_sealed_once(&test, chunk).await;
    }
    let hot = format!("m,s=s0 v=0 {}", chrono::Utc::now().timestamp());
    write(&app, hot.as_bytes());
    test.connect().await.execute("UPDATE chunkwise.measurement SET retention = '30 days'").await.unwrap();
    wait_until("the old chunks are dropped", async || count(&test, "m").await == 1).await;
    let dropped = "chunkwise.chunk_event WHERE event = 'dropped' AND bytes_before > 0";
    assert_eq!(count(&test, dropped).await, 2 * PARTITIONS, "each is told, with its size");
    assert_eq!(count(&test, "chunkwise.chunk").await, 0, "nothing is left of them");
}

#[tokio::test]
async fn partitions_are_chosen_once() {
    let test = TestDatabase::new().await;
    let app = App::start_with(&["up", "--database-url", &test.url()], &PATIENT);
    write(&app, &rows(1));
    drop(app);
    let app = start(&test, &PATIENT);
    write(&app, format!("m,s=s0 v=0 {}", DAY_S + 86_400 * 3).as_bytes());
    let shown = app.get("/api/v1/measurements").json()["measurements"][0].take();
    assert_eq!(shown["space_partitions"], serde_json::Value::Null, "it was made without");
}
