//! The database goes away, and comes back.

use std::time::{Duration, Instant};

use serde_json::json;

use super::clients::{Batch, assert_each_once};
use crate::support::{Answer, App, Proxy, TestDatabase, run_within};

/// A write is tried for five seconds before its client hears of it.
const TOLD_WITHIN: Duration = Duration::from_secs(15);
const HEALTH_WITHIN: Duration = Duration::from_millis(2_500);
const BACK_WITHIN: Duration = Duration::from_secs(20);

fn timed<T>(limit: Duration, what: &str, work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let result = work();
    assert!(begun.elapsed() < limit, "{what} took {:?}", begun.elapsed());
    result
}

fn assert_sent_back(answer: &Answer) {
    assert_eq!(answer.status, 503, "{}", String::from_utf8_lossy(&answer.body));
    let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds));
}

fn assert_health_and_ping(app: &App, health: u16) {
    let answer = timed(HEALTH_WITHIN, "/health", || app.get("/health"));
    assert_eq!(answer.status, health);
    assert_eq!(answer.json()["status"], if health == 200 { "pass" } else { "fail" });
    assert_eq!(timed(HEALTH_WITHIN, "/ping", || app.get("/ping")).status, 204);
}

fn window(app: &App) -> Answer {
    let question = json!({ "measurement": "w", "field": "n", "bucket": "1s", "aggregate": "count",
                           "from": "2023-11-14T00:00:00Z", "to": "2023-11-15T00:00:00Z" });
    app.ask("/api/v1/window", &question)
}

#[tokio::test]
async fn everything_says_503_while_the_database_is_away_and_works_again_when_it_is_back() {
    let database = TestDatabase::new().await;
    let proxy = Proxy::before(&database.options());
    let app = App::start(&["up", "--database-url", proxy.url()]);
    let batch = |ordinal| Batch::new(ordinal, 20);
    assert_eq!(batch(0).send(&app), Some(204));
    assert_eq!(window(&app).status, 200);
    assert_health_and_ping(&app, 200);

    for round in 0..2 {
        proxy.cut();
        std::thread::scope(|scope| {
            scope.spawn(|| assert_eq!(timed(TOLD_WITHIN, "a write", || batch(1 + round).send(&app)), Some(503)));
            scope.spawn(|| {
                let new = timed(TOLD_WITHIN, "a write to a new measurement", || app.post("/write", b"new,tag=x v=1"));
                assert_sent_back(&new);
            });
            for path in ["/api/v1/measurements", "/api/v1/series?measurement=w", "/api/v1/chunks"] {
                let app = &app;
                scope.spawn(move || {
                    let answer = timed(TOLD_WITHIN, path, || app.get(path));
                    assert_sent_back(&answer);
                    assert_eq!(answer.json()["error"]["code"], "database_unavailable", "{path}");
                });
            }
            scope.spawn(|| {
                let answer = timed(TOLD_WITHIN, "a question", || window(&app));
                assert_sent_back(&answer);
                assert_eq!(answer.json()["error"]["code"], "database_unavailable");
            });
            for _ in 0..20 {
                assert_health_and_ping(&app, 503);
            }
        });

        proxy.heal();
        app.wait_for("/health", 200, BACK_WITHIN);
        app.wait_for("/ready", 200, BACK_WITHIN);
        timed(BACK_WITHIN, "a write", || batch(1 + round).send_until_committed(&app));
        assert_eq!(window(&app).status, 200);
        assert_eq!(app.get("/api/v1/measurements").status, 200);
    }
    assert_eq!(app.post("/write", b"new,tag=x v=1").status, 204);
    assert_each_once(&database, &[batch(0), batch(1), batch(2)]).await;
}

#[tokio::test]
async fn a_short_silence_of_the_database_only_delays() {
    let database = TestDatabase::new().await;
    let proxy = Proxy::before(&database.options());
    let app = App::start(&["up", "--database-url", proxy.url()]);
    Batch::new(0, 20).send_until_committed(&app);
    proxy.pause();
    std::thread::scope(|scope| {
        let write = scope.spawn(|| Batch::new(1, 20).send(&app));
        // More often than there are connections: a health check that is given up must not keep one.
        for _ in 0..3 {
            let checks: Vec<_> = (0..8).map(|_| scope.spawn(|| assert_health_and_ping(&app, 503))).collect();
            checks.into_iter().for_each(|check| check.join().unwrap());
        }
        assert!(!write.is_finished());
        proxy.heal();
        assert_eq!(write.join().unwrap(), Some(204));
    });
    app.wait_for("/health", 200, BACK_WITHIN);
    assert_eq!(window(&app).status, 200);
    assert_each_once(&database, &[Batch::new(0, 20), Batch::new(1, 20)]).await;
}

#[tokio::test]
async fn connections_that_nobody_ends_are_replaced() {
    let database = TestDatabase::new().await;
    let proxy = Proxy::before(&database.options());
    let app = App::start(&["up", "--database-url", proxy.url()]);
    Batch::new(0, 20).send_until_committed(&app);
    std::thread::scope(|scope| {
        let questions: Vec<_> = (0..12).map(|_| scope.spawn(|| window(&app).status)).collect();
        questions.into_iter().for_each(|question| assert_eq!(question.join().unwrap(), 200));
    });
    proxy.strand();
    // Each that is given up must give its connection up too.
    app.wait_for("/health", 200, BACK_WITHIN);
    for _ in 0..20 {
        assert_eq!(timed(TOLD_WITHIN, "/health", || app.get("/health")).status, 200);
    }
    assert_eq!(window(&app).status, 200);
}

#[tokio::test]
async fn a_service_that_starts_before_its_database_says_so_and_ends() {
    let database = TestDatabase::new().await;
    let proxy = Proxy::before(&database.options());
    proxy.cut();
    let ended = run_within(&["up", "--listen", "127.0.0.1:0", "--database-url", proxy.url()], TOLD_WITHIN);
    assert_eq!(ended.code, 3, "{}", ended.stderr);
    assert!(ended.stderr.contains("connecting to the database"), "{}", ended.stderr);
}
