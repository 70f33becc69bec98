//! Connections end when nobody can know whether a COMMIT was done.

use std::{sync::Arc, time::Duration};

use rand::{Rng, SeedableRng, rngs::StdRng};
use sqlx::Connection;

use super::clients::{Batch, Log, Otherwise, PATIENCE, assert_each_once, block_until, clients, join};
use crate::support::{App, At, Proxy, TestDatabase};

#[tokio::test]
async fn a_commit_without_an_answer_is_found_in_the_ledger_and_one_that_did_not_arrive_is_sent_again() {
    let database = TestDatabase::new().await;
    let proxy = Proxy::before(&database.options());
    let app = App::start(&["up", "--database-url", proxy.url()]);
    // The first ones befall the making of the measurement and of the series.
    let traps = [At::AfterCommit, At::BeforeCommit].repeat(6);
    let mut batches = Vec::new();
    for (ordinal, trap) in (0..).zip(traps) {
        proxy.trap(trap);
        let batch = Batch::new(ordinal, 3);
        batch.send_until_committed(&app);
        assert!(!proxy.is_trapped(), "{trap:?} was not reached");
        batches.push(batch);
    }
    assert_each_once(&database, &batches).await;
}

#[tokio::test]
async fn without_a_key_too_a_lost_answer_of_the_database_writes_nothing_twice() {
    let database = TestDatabase::new().await;
    let proxy = Proxy::before(&database.options());
    let app = App::start(&["up", "--database-url", proxy.url()]);
    assert_eq!(app.post("/write", b"m v=0").status, 204);
    for _ in 0..5 {
        proxy.trap(At::AfterCommit);
        // No time and no key: the service's own id must do.
        assert_eq!(app.post("/write", b"m v=1").status, 204);
        assert!(!proxy.is_trapped());
    }
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM m").await, 6);
}

#[tokio::test]
async fn thirty_cuts_at_any_moment_lose_nothing_and_double_nothing() {
    let database = TestDatabase::new().await;
    let proxy = Proxy::before(&database.options());
    let app = Arc::new(App::start(&["up", "--database-url", proxy.url()]));
    let log = Arc::new(Log::default());
    let writing = clients(4, &app, &log, Otherwise::Again);
    let mut random = StdRng::seed_from_u64(1);
    for _ in 0..30 {
        let before = log.acknowledged().len();
        block_until("batches between cuts", PATIENCE, || log.acknowledged().len() > before);
        // Within the few milliseconds of a transaction.
        tokio::time::sleep(Duration::from_micros(random.random_range(0..20_000))).await;
        proxy.reset();
    }
    log.stop();
    join(writing);
    assert_eq!(log.begun().len(), log.acknowledged().len());
    assert_each_once(&database, &log.begun()).await;
}

#[tokio::test]
async fn sessions_that_an_administrator_ends_lose_nothing_and_double_nothing() {
    let database = TestDatabase::new().await;
    let app = Arc::new(App::start(&["up", "--database-url", &database.url()]));
    let log = Arc::new(Log::default());
    let writing = clients(4, &app, &log, Otherwise::Again);
    let mut administrator = database.connect().await;
    let mut ended = 0;
    for _ in 0..30 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let sessions: Vec<bool> = sqlx::query_scalar(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND application_name IN ('chunkwise-writer', 'chunkwise-reader')",
        )
        .fetch_all(&mut administrator)
        .await
        .unwrap();
        ended += sessions.len();
        let answer = app.get("/health");
        assert!(matches!(answer.status, 200 | 503), "{}", answer.status);
    }
    log.stop();
    join(writing);
    administrator.close().await.unwrap();
    assert!(ended >= 30, "only {ended} sessions were there to be ended");
    assert_each_once(&database, &log.begun()).await;
    app.wait_for("/health", 200, Duration::from_secs(10));
}
