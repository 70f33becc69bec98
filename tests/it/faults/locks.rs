//! Somebody else holds a measurement, or the same request.

use std::time::{Duration, Instant};

use sqlx::{Connection, Executor, PgConnection};

use super::clients::{Batch, assert_each_once};
use crate::support::{App, TestDatabase};

/// Waits until so many of the writers' sessions wait for a lock.
pub(super) async fn wait_for_waiting_writers(connection: &mut PgConnection, sessions: i64) {
    let begun = Instant::now();
    loop {
        // (The view is the same throughout a transaction, unless it is told to look again.)
        let waiting: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_clear_snapshot(), pg_stat_activity WHERE datname = current_database()
             AND application_name = 'chunkwise-writer' AND wait_event_type = 'Lock'",
        )
        .fetch_one(&mut *connection)
        .await
        .unwrap();
        if waiting >= sessions {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{waiting} sessions wait");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A transaction that keeps everybody from the measurement `w`.
pub(super) async fn lock(connection: &mut PgConnection) {
    connection.execute("BEGIN; LOCK TABLE public_store.w IN ACCESS EXCLUSIVE MODE").await.unwrap();
}

#[tokio::test]
async fn writes_wait_for_a_locked_measurement_and_others_do_not() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    Batch::new(0, 20).send_until_committed(&app);
    assert_eq!(app.post("/write", b"other v=0").status, 204);
    let (mut locker, mut watcher) = (database.connect().await, database.connect().await);
    lock(&mut locker).await;
    let begun = Instant::now();

    let app = std::sync::Arc::new(app);
    let send = |ordinal: u64| {
        let app = std::sync::Arc::clone(&app);
        tokio::task::spawn_blocking(move || Batch::new(ordinal, 20).send(&app))
    };
    let first = send(1);
    wait_for_waiting_writers(&mut watcher, 1).await;
    let others: Vec<_> = (2..5).map(send).collect();
    wait_for_waiting_writers(&mut watcher, 2).await;
    // A writer is left for everybody else.
    let other = std::sync::Arc::clone(&app);
    let status = tokio::task::spawn_blocking(move || other.post("/write", b"other v=1").status);
    assert_eq!(app.get("/ping").status, 204);
    tokio::time::sleep(Duration::from_secs(3).saturating_sub(begun.elapsed())).await;
    assert!(!first.is_finished());
    locker.execute("ROLLBACK").await.unwrap();

    for write in others.into_iter().chain([first]) {
        assert_eq!(write.await.unwrap(), Some(204));
    }
    assert_eq!(status.await.unwrap(), 204);
    let batches: Vec<_> = (0..5).map(|ordinal| Batch::new(ordinal, 20)).collect();
    assert_each_once(&database, &batches).await;
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM other").await, 2);
    watcher.close().await.unwrap();
}

#[tokio::test]
async fn a_locked_measurement_holds_up_only_the_requests_that_touch_it() {
    let database = TestDatabase::new().await;
    let app = std::sync::Arc::new(App::start(&["up", "--database-url", &database.url()]));
    Batch::new(0, 20).send_until_committed(&app);
    assert_eq!(app.post("/write", b"other v=0").status, 204);
    let (mut locker, mut watcher) = (database.connect().await, database.connect().await);
    lock(&mut locker).await;
    // More of them than there are writers.
    let held: Vec<_> = (1..9)
        .map(|ordinal| {
            let app = std::sync::Arc::clone(&app);
            tokio::task::spawn_blocking(move || Batch::new(ordinal, 20).send(&app))
        })
        .collect();
    wait_for_waiting_writers(&mut watcher, 1).await;
    for value in 1..20 {
        let (app, begun) = (std::sync::Arc::clone(&app), Instant::now());
        let body = format!("other v={value}");
        let status = tokio::task::spawn_blocking(move || app.post("/write", body.as_bytes()).status).await.unwrap();
        assert_eq!(status, 204);
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    }
    assert!(held.iter().all(|write| !write.is_finished()), "nobody can have written to a locked measurement");
    locker.execute("ROLLBACK").await.unwrap();
    for write in held {
        assert_eq!(write.await.unwrap(), Some(204));
    }
    let batches: Vec<_> = (0..9).map(|ordinal| Batch::new(ordinal, 20)).collect();
    assert_each_once(&database, &batches).await;
    // And it is as quick as any other again.
    assert_eq!(Batch::new(9, 20).send(&app), Some(204));
    watcher.close().await.unwrap();
}

#[tokio::test]
async fn a_locked_measurement_that_is_to_grow_holds_up_no_other_that_grows() {
    let database = TestDatabase::new().await;
    let app = std::sync::Arc::new(App::start(&["up", "--database-url", &database.url()]));
    assert_eq!(app.post("/write", b"w v=0\nother v=0").status, 204);
    let mut locker = database.connect().await;
    lock(&mut locker).await;
    let held = std::sync::Arc::clone(&app);
    let held = tokio::task::spawn_blocking(move || held.post("/write", b"w v=1,more=1").status);
    for value in 1..6 {
        let (app, begun) = (std::sync::Arc::clone(&app), Instant::now());
        let body = format!("other v={value},more{value}=1\nnew{value} v=1");
        let status = tokio::task::spawn_blocking(move || app.post("/write", body.as_bytes()).status).await.unwrap();
        assert_eq!(status, 204);
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    }
    assert!(!held.is_finished(), "nobody can have altered a locked table");
    locker.execute("ROLLBACK").await.unwrap();
    assert_eq!(held.await.unwrap(), 204);
    assert_eq!(database.scalar::<i64>("SELECT count(more) FROM w").await, 1);
}

#[tokio::test]
async fn the_same_body_to_two_processes_at_once_is_written_once() {
    let database = TestDatabase::new().await;
    let apps = [(); 2].map(|()| App::start(&["up", "--database-url", &database.url()]));
    // Without a key: the bytes are the request's name.
    let send = |app: &App, ordinal: u64| app.post("/write?precision=us", &Batch::new(ordinal, 50).body());
    assert_eq!(send(&apps[0], 0).status, 204);
    let mut duplicates = 0;
    for ordinal in 1..21 {
        let answers = std::thread::scope(|scope| {
            let sent = apps.each_ref().map(|app| scope.spawn(move || send(app, ordinal)));
            sent.map(|sent| sent.join().unwrap())
        });
        for answer in &answers {
            assert_eq!((answer.status, answer.header("chunkwise-written")), (204, Some("50")));
        }
        duplicates += answers.iter().filter(|answer| answer.header("chunkwise-duplicate").is_some()).count();
    }
    assert_eq!(duplicates, 20);
    let batches: Vec<_> = (0..21).map(|ordinal| Batch::new(ordinal, 50)).collect();
    assert_each_once(&database, &batches).await;
}
