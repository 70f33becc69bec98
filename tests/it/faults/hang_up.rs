//! Clients that hang up.

use std::{net::Shutdown, time::Duration};

use super::{
    clients::{Batch, assert_each_once, block_until},
    raw,
};
use crate::support::{App, TestDatabase};

const LIMIT: Duration = Duration::from_secs(20);

fn is_quiet(app: &App, requests: u64) -> bool {
    let figures = app.get("/api/v1/stats").json();
    let ingest = &figures["ingest"];
    ingest["requests"].as_u64().unwrap() >= requests && ingest["in_flight"] == 0
}

#[tokio::test]
async fn half_a_body_writes_nothing() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    let whole = Batch::new(0, 100).body();
    for round in 0..40 {
        let mut stream = raw::connect(&app, LIMIT);
        let half = &whole[..whole.len() * (round % 8) / 8];
        if round % 2 == 0 {
            raw::send(&mut stream, &raw::post("/write?precision=us", whole.len() as u64));
            raw::send(&mut stream, half);
        } else {
            raw::send(
                &mut stream,
                b"POST /write?precision=us HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
            );
            raw::send(&mut stream, format!("{:x}\r\n", half.len().max(1)).as_bytes());
            raw::send(&mut stream, half);
        }
        if round % 4 < 2 {
            // Hangs up politely: whatever is answered, it is no success.
            stream.shutdown(Shutdown::Write).unwrap();
            assert!(!raw::read_to_end(&mut stream).contains(" 204 "));
        }
    }
    let tables: i64 = database.scalar("SELECT count(*) FROM chunkwise.measurement").await;
    assert_eq!(tables, 0);
    Batch::new(0, 100).send_until_committed(&app);
    assert_each_once(&database, &[Batch::new(0, 100)]).await;
}

#[tokio::test]
async fn a_client_that_does_not_wait_for_its_answer_has_all_its_rows_or_none_and_one_once_it_asks_again() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    let batches: Vec<_> = (0..40).map(|ordinal| Batch::new(ordinal, 50)).collect();
    for (index, batch) in batches.iter().enumerate() {
        let body = batch.body();
        let mut stream = raw::connect(&app, LIMIT);
        let key = format!("Idempotency-Key: {}\r\n\r\n", batch.key());
        let head = String::from_utf8(raw::post("/write?precision=us", body.len() as u64)).unwrap();
        raw::send(&mut stream, head.replace("\r\n\r\n", &format!("\r\n{key}")).as_bytes());
        raw::send(&mut stream, &body);
        if index % 2 == 0 {
            stream.shutdown(Shutdown::Both).unwrap();
        }
    }
    block_until("the service is at rest", LIMIT, || is_quiet(&app, 0));
    let mut connection = database.connect().await;
    let parts: Vec<(i64, i64)> = sqlx::query_as("SELECT n / 50, count(*) FROM w GROUP BY 1")
        .fetch_all(&mut connection)
        .await
        .unwrap_or_default();
    assert!(parts.iter().all(|(_, rows)| *rows == 50), "{parts:?}");

    batches.iter().for_each(|batch| batch.send_until_committed(&app));
    assert_each_once(&database, &batches).await;
}
