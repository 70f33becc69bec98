//! Once per id, while the ledger keeps it.

use crate::support::{App, TestDatabase};

#[tokio::test]
async fn the_same_key_writes_once_and_gets_the_first_answer_again() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    let key = [("idempotency-key", "batch-1")];
    // No times: only the key can tell that the second request is the first again.
    let body = b"m,s=a v=1\nm,s=a v=\nm,s=b v=2\n";
    let first = app.post_with("/write", &key, body);
    let second = app.post_with("/write", &key, body);
    assert_eq!((first.status, first.header("chunkwise-duplicate")), (400, None));
    assert_eq!((second.status, second.header("chunkwise-duplicate")), (400, Some("true")));
    assert_eq!(first.json(), second.json());
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM m").await, 2);

    assert_eq!(app.post_with("/write", &key, b"m,s=a v=3\n").status, 422);
    // A key belongs to its namespace.
    assert_eq!(app.post_with("/write?db=other", &key, body).status, 400);
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM other.m").await, 2);
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM m").await, 2);
}

#[tokio::test]
async fn the_same_bytes_count_once_where_every_line_has_a_time() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    let timed = b"m v=1 1700000000000000000\nm v=2 1700000000000000000\n";
    assert_eq!(app.post("/write", timed).status, 204);
    let again = app.post("/write", timed);
    assert_eq!(
        (again.status, again.header("chunkwise-duplicate"), again.header("chunkwise-written")),
        (204, Some("true"), Some("2"))
    );
    // Two equal trades at the same microsecond within one request stay two.
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM m").await, 2);

    let untimed = b"m v=3\n";
    assert_eq!(app.post("/write", untimed).status, 204);
    assert_eq!(app.post("/write", untimed).status, 204);
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM m").await, 4);
}

#[tokio::test]
async fn the_setting_turns_counting_bytes_off() {
    let database = TestDatabase::new().await;
    let app =
        App::start_with(&["up", "--database-url", &database.url()], &[("CHUNKWISE_INGEST__SAME_BODY_WITHIN", "off")]);
    for _ in 0..2 {
        assert_eq!(app.post("/write", b"m v=1 1700000000000000000").status, 204);
    }
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM m").await, 2);
}

#[tokio::test]
async fn an_expired_id_is_new_again() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    let body = b"m v=1 1700000000000000000";
    assert_eq!(app.post("/write", body).status, 204);
    sqlx::query("UPDATE chunkwise.ledger SET expires_at = now() - interval '1 second'")
        .execute(&mut database.connect().await)
        .await
        .unwrap();
    assert_eq!(app.post("/write", body).header("chunkwise-duplicate"), None);
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM m").await, 2);
}

#[tokio::test]
async fn sixteen_clients_with_one_key_write_once() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..16)
            .map(|_| {
                scope.spawn(|| app.post_with("/write", &[("idempotency-key", "k")], b"m,s=a v=1\nm,s=b v=2\n").status)
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(statuses, [204; 16]);
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM m").await, 2);
}
