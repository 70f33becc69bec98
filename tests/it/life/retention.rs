//! What is older than the retention: dropped where it is there, refused where it comes.

use std::time::{Duration, Instant};

use super::{EAGER, app, count, holding, lines, write};
use crate::support::{TestDatabase, wait_until};
use sqlx::Connection;

#[tokio::test]
async fn lines_older_than_the_retention_are_refused_with_the_reason() {
    let test = TestDatabase::new().await;
    let kept = [("CHUNKWISE_MEASUREMENT__M__RETENTION", "30d"), PATIENT];
    let app = app(&test, &kept);
    let now_s = chrono::Utc::now().timestamp();
    let body = format!("m,s=a v=1 {}\nm,s=a v=2 {}\nm,s=a v=3 {now_s}\n", now_s - 3_600, now_s - 31 * 86_400);
    // The first request makes the measurement; the second finds the series known.
    for _ in 0..2 {
        let answer = app.post_with("/write?precision=s", &[("idempotency-key", &uuid())], body.as_bytes());
        assert_eq!(answer.status, 400);
        let answer = answer.json();
        assert_eq!((&answer["written"], &answer["lines"][0]["line"]), (&2.into(), &2.into()), "{answer}");
        let reason = answer["lines"][0]["reason"].as_str().unwrap();
        assert!(reason.contains(" s older than the measurement's retention of 30d"), "{reason}");
        assert_eq!(answer["lines"][0]["column"], 11, "{answer}");
    }
    assert_eq!(count(&test, "m").await, 4);
    // Another measurement keeps what it gets.
    assert_eq!(app.post("/write?precision=s", b"other v=1 1").status, 204);
}

const PATIENT: (&str, &str) = ("CHUNKWISE_CHUNK__QUIET_PERIOD", "1h");

fn uuid() -> String {
    uuid::Uuid::new_v4().to_string()
}

#[tokio::test]
async fn a_chunk_that_somebody_reads_is_dropped_later_and_holds_up_no_writer() {
    let test = TestDatabase::new().await;
    let app = app(&test, &EAGER);
    write(&app, &lines(2));
    let reader = holding(&test, "SELECT count(*) FROM public_store.m").await;
    sqlx::query("UPDATE chunkwise.measurement SET retention = '30 days'")
        .execute(&mut test.connect().await)
        .await
        .unwrap();
    wait_until("dropping was tried", async || {
        String::from_utf8(app.get("/metrics").body)
            .unwrap()
            .contains("chunkwise_chunk_failures_total{event=\"dropped\"}")
    })
    .await;
    let begun = Instant::now();
    for value in 0..10 {
        write(&app, format!("m,s=b v={value} {}", chrono::Utc::now().timestamp()).as_bytes());
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(count(&test, "chunkwise.chunk_event WHERE event = 'dropped'").await == 0);
    reader.close().await.unwrap();
    wait_until("the old chunks are dropped", async || {
        count(&test, "chunkwise.chunk_event WHERE event = 'dropped'").await == 2
    })
    .await;
    assert_eq!(count(&test, "m").await, 10);
}
