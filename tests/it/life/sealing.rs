//! Chunks are finished once, by whoever; late rows are taken.

use chunkwise::{
    jobs,
    life::{LifeOptions, SealJob},
};
use sqlx::{Connection, Executor};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

use super::{
    EAGER, PATIENT, a_day_on_apache, app, assert_sealed_once, building_alone, chunks, count, end_state, holding,
    is_apache, lines, undisturbed, wait_for_sealed, wait_for_waiting, write,
};
use crate::support::{TestDatabase, wait_until};

#[tokio::test]
async fn a_chunk_goes_from_the_first_row_to_the_drop_and_each_step_is_told() {
    let test = TestDatabase::new().await;
    let app = app(&test, &EAGER);
    write(&app, &lines(3));
    let hot = format!("m,s=a v=0 {}", chrono::Utc::now().timestamp());
    write(&app, hot.as_bytes());
    wait_for_sealed(&test, 3).await;
    let chunks = chunks(&test).await;
    for chunk in &chunks[..3] {
        assert_sealed_once(&test, chunk).await;
    }
    assert_eq!(count(&test, "chunkwise.chunks WHERE state = 'hot'").await, 1, "what is written to now stays hot");
    let shown = app.get("/api/v1/chunks?measurement=m").json()["chunks"].take();
    let states: Vec<_> = shown.as_array().unwrap().iter().map(|chunk| chunk["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["sealed", "sealed", "sealed", "hot"]);
    let event = &shown[0]["events"][0];
    assert_eq!(event["event"], "sealed");
    assert!(event["bytes_before"].as_i64().unwrap() > 0 && event["bytes_after"].as_i64().unwrap() > 0, "{event}");
    let metrics = String::from_utf8(app.get("/metrics").body).unwrap();
    assert!(metrics.contains("chunkwise_chunks_total{event=\"sealed\"} 3"), "{metrics}");

    // Late rows are legal, also without a second sealing of the chunk.
    write(&app, format!("m,s=late v=1 {}", super::DAY_S + 5).as_bytes());
    assert_eq!(count(&test, "m WHERE s = 'late'").await, 1);

    test.connect().await.execute("UPDATE chunkwise.measurement SET retention = '30 days'").await.unwrap();
    wait_until("the old chunks are dropped", async || count(&test, "chunkwise.chunks").await == 1).await;
    assert_eq!(count(&test, "m").await, 1);
    let told: Vec<(String, i64)> = sqlx::query_as(
        "SELECT chunk, count(*) FROM chunkwise.chunk_event WHERE event = 'dropped' AND bytes_before > 0
         GROUP BY chunk ORDER BY chunk",
    )
    .fetch_all(&mut test.connect().await)
    .await
    .unwrap();
    assert_eq!(told, chunks[..3].iter().map(|chunk| (chunk.clone(), 1)).collect::<Vec<_>>());
    assert_eq!(count(&test, "chunkwise.chunk WHERE sealed_at IS NOT NULL").await, 0, "nothing is left of them");
}

#[tokio::test]
async fn two_runners_seal_each_chunk_once() {
    let test = TestDatabase::new().await;
    write(&app(&test, &PATIENT), &lines(6));
    let options = LifeOptions { quiet: Duration::from_millis(200), ..LifeOptions::default() };
    let stop = CancellationToken::new();
    let tasks = [(); 2].map(|()| {
        let (database, stop) = (test.database.clone(), stop.clone());
        tokio::spawn(async move { jobs::run(SealJob::new(options), &database, &stop).await })
    });
    wait_for_sealed(&test, 6).await;
    stop.cancel();
    for task in tasks {
        task.await.unwrap();
    }
    for chunk in chunks(&test).await {
        assert_sealed_once(&test, &chunk).await;
    }
    assert_eq!(end_state(&test).await, undisturbed(&[&lines(6)], 6).await);
}

#[tokio::test]
async fn when_nothing_comes_in_any_more_two_chunks_are_sealed_at_once() {
    let test = TestDatabase::new().await;
    if !is_apache(&test).await {
        return;
    }
    write(&app(&test, &PATIENT), &lines(2));
    // The indexes wait for it.
    let locks: Vec<String> =
        chunks(&test).await.iter().map(|chunk| format!("LOCK TABLE {chunk} IN SHARE UPDATE EXCLUSIVE MODE")).collect();
    let mut holder = holding(&test, &locks.join("; ")).await;
    // When the chunks are due it is over a second ago that something came in.
    let options = LifeOptions { quiet: Duration::from_secs(2), ..LifeOptions::default() };
    let stop = CancellationToken::new();
    let task = tokio::spawn({
        let (database, stop) = (test.database.clone(), stop.clone());
        async move { jobs::run(SealJob::new(options), &database, &stop).await }
    });
    let waiting = "pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
                   AND query LIKE 'CREATE INDEX CONCURRENTLY%'";
    wait_until("two indexes wait", async || count(&test, waiting).await == 2).await;
    holder.execute("COMMIT").await.unwrap();
    wait_for_sealed(&test, 2).await;
    stop.cancel();
    task.await.unwrap();
    for chunk in chunks(&test).await {
        assert_sealed_once(&test, &chunk).await;
    }
}

#[tokio::test]
async fn a_row_that_comes_while_its_chunk_is_sealed_is_taken_at_once() {
    let Some((test, chunk)) = a_day_on_apache().await else { return };
    // The index waits for the transactions that write.
    let mut writer = holding(&test, &format!("UPDATE {chunk} SET v = v WHERE v = 0")).await;
    let app = app(&test, &EAGER);
    let mut watcher = test.connect().await;
    wait_for_waiting(&mut watcher, "CREATE INDEX CONCURRENTLY").await;
    let late = format!("m,s=late v=1 {}", super::DAY_S + 5);
    write(&app, late.as_bytes());
    assert_eq!(count(&test, "m WHERE s = 'late'").await, 1);
    assert_eq!(count(&test, "chunkwise.chunk_event").await, 0);
    writer.execute("COMMIT").await.unwrap();
    wait_for_sealed(&test, 1).await;
    assert_sealed_once(&test, &chunk).await;
    assert_eq!(count(&test, "m").await, 25);
    assert_eq!(end_state(&test).await, undisturbed(&[&lines(1), late.as_bytes()], 1).await);
}

#[tokio::test]
async fn whoever_comes_while_the_index_is_built_for_a_chunk_that_is_left_alone_does_not_wait_for_it() {
    let Some((test, chunk)) = a_day_on_apache().await else { return };
    let (app, mut holder) = building_alone(&test, &chunk).await;
    let mut watcher = test.connect().await;
    let began = std::time::Instant::now();
    write(&app, format!("m,s=late v=1 {}", super::DAY_S + 5).as_bytes());
    let took = began.elapsed();
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert_eq!(count(&test, "m WHERE s = 'late'").await, 1);
    assert_eq!(count(&test, "chunkwise.chunk_event").await, 0);
    wait_for_waiting(&mut watcher, "CREATE INDEX CONCURRENTLY").await;
    holder.execute("COMMIT").await.unwrap();
    wait_for_sealed(&test, 1).await;
    assert_sealed_once(&test, &chunk).await;
    assert_eq!(count(&test, "m").await, 25);
    assert_eq!(count(&test, "chunkwise.chunk WHERE failures > 0").await, 0);
}

#[tokio::test]
async fn an_index_that_somebody_drops_makes_its_chunk_hot_until_it_is_sealed_again() {
    let test = TestDatabase::new().await;
    if !is_apache(&test).await {
        return;
    }
    let app = app(&test, &EAGER);
    write(&app, &lines(1));
    wait_for_sealed(&test, 1).await;
    let chunk = chunks(&test).await.remove(0);
    test.connect().await.execute(format!("DROP INDEX {chunk}_series_time").as_str()).await.unwrap();
    wait_until("it is sealed again", async || count(&test, "chunkwise.chunk_event").await == 2).await;
    assert_eq!(count(&test, "chunkwise.chunks WHERE state = 'sealed'").await, 1);
}

#[tokio::test]
async fn a_transaction_that_was_there_before_sees_the_rows_of_a_chunk_that_is_sealed_meanwhile() {
    let test = TestDatabase::new().await;
    write(&app(&test, &PATIENT), &lines(2));
    let snapshot = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM chunkwise.measurement";
    let mut reader = holding(&test, snapshot).await;
    // Sealing waits for no such transaction. (Beside rollups, which lock a chunk for a moment now and then, it might.)
    let app = app(&test, &[EAGER[0], EAGER[1], ("CHUNKWISE_ROLLUPS", "[]")]);
    wait_for_sealed(&test, 2).await;
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM m").fetch_one(&mut reader).await.unwrap();
    assert_eq!(rows, 48);
    reader.execute("COMMIT").await.unwrap();
    assert_eq!(app.get("/api/v1/chunks?measurement=m").json()["chunks"][0]["rows"], 24);
}

#[tokio::test]
async fn late_rows_are_folded_into_the_columnstore_once_it_is_quiet() {
    let test = TestDatabase::new().await;
    if test.scalar::<String>("SHOW timescaledb.license").await == "apache" {
        println!("SKIPPED: this server's TimescaleDB is the Apache edition, which has no columnstore");
        return;
    }
    let app = app(&test, &EAGER);
    write(&app, &lines(1));
    wait_for_sealed(&test, 1).await;
    let chunk = chunks(&test).await.remove(0);
    assert_eq!(count(&test, "chunkwise.chunks WHERE compressed").await, 1);
    for second in 1..4 {
        write(&app, format!("m,s=late v=1 {}", super::DAY_S + second).as_bytes());
    }
    wait_until("they are folded in", async || {
        count(&test, "chunkwise.chunk_event WHERE event = 'resealed'").await == 1
    })
    .await;
    assert_eq!(count(&test, "m").await, 27);
    let partial = format!("chunkwise.chunk_storage() WHERE chunk = '{chunk}'::regclass AND status & 10 <> 0");
    assert_eq!(count(&test, &partial).await, 0);
    // A DELETE is of unknown range there, and noted all the same.
    test.connect().await.execute("DELETE FROM public_store.m WHERE v = 1").await.unwrap();
    assert!(count(&test, "chunkwise.change WHERE lo IS NULL").await >= 1);
}

#[tokio::test]
async fn rows_are_rewritten_by_series_where_that_is_set() {
    let test = TestDatabase::new().await;
    if !is_apache(&test).await {
        return;
    }
    let by_series = [EAGER[0], EAGER[1], ("CHUNKWISE_MEASUREMENT__M__ROW_ORDER", "series")];
    let watching = app(&test, &PATIENT);
    // Hour by hour, so that the rows of each series are spread over the table.
    let hour = |hour: i64| {
        (0..50).map(|series| format!("m,s=s{series} v={hour} {}\n", super::DAY_S + 3_600 * hour)).collect::<String>()
    };
    for at in 0..24 {
        write(&watching, hour(at).as_bytes());
    }
    let question = serde_json::json!({
        "measurement": "m", "field": "v", "bucket": "1h", "series": {"s": ["s0", "s7", "s49"]},
        "from": "2020-01-01T00:00:00Z", "to": "2020-01-02T00:00:00Z",
    });
    let before = watching.ask("/api/v1/window?format=csv", &question).body;
    // It would go on to be the one that seals.
    drop(watching);
    let changes = count(&test, "chunkwise.change").await;
    let chunk = chunks(&test).await.remove(0);
    let oid: i64 = test.scalar(&format!("SELECT '{chunk}'::regclass::oid::int8")).await;

    // Somebody reads it: the chunk is indexed, and its rows wait to be rewritten.
    let reader = holding(&test, &format!("SELECT count(*) FROM {chunk}")).await;
    let app = app(&test, &by_series);
    let mut watcher = test.connect().await;
    wait_for_waiting(&mut watcher, "CLUSTER").await;
    let begun = std::time::Instant::now();
    write(&app, format!("m,s=late v=1 {}", super::DAY_S + 5).as_bytes());
    assert!(begun.elapsed() < Duration::from_secs(2), "a writer waits no longer than that: {:?}", begun.elapsed());
    reader.close().await.unwrap();
    wait_for_sealed(&test, 1).await;
    assert_sealed_once(&test, &chunk).await;
    assert_eq!(count(&test, &format!("pg_index WHERE indrelid = '{chunk}'::regclass AND indisclustered")).await, 1);
    let steps = format!("(SELECT series_id >= lag(series_id) OVER (ORDER BY ctid) AS up FROM {chunk}) t WHERE NOT up");
    assert_eq!(count(&test, &steps).await, 0, "the rows lie by series");
    assert_eq!(test.scalar::<i64>(&format!("SELECT '{chunk}'::regclass::oid::int8")).await, oid);
    assert_eq!(count(&test, "chunkwise.change").await, changes + 1, "the late row's entry alone");
    assert_eq!(count(&test, "m").await, 50 * 24 + 1);
    let after = app.ask("/api/v1/window?format=csv", &question).body;
    assert_eq!(after, before, "and are the same");
}

#[tokio::test]
async fn the_index_of_a_hot_chunk_learns_of_its_pages_without_rollups() {
    let database = TestDatabase::new().await;
    let app = app(
        &database,
        &[
            ("CHUNKWISE_CHUNK__QUIET_PERIOD", "1s"),
            // It stays hot.
            ("CHUNKWISE_CHUNK__SEAL_AFTER", "9000d"),
            ("CHUNKWISE_ROLLUPS", "[]"),
        ],
    );
    write(&app, &lines(1));
    let mut connection = database.connect().await;
    connection
        .execute(
            "INSERT INTO public_store.m (time, series_id, v)
             SELECT to_timestamp(1577836800) + n * interval '0.2 s', (SELECT min(series_id) FROM public_store.m__series), n
             FROM generate_series(1, 400000) n",
        )
        .await
        .unwrap();
    connection.execute("SET enable_seqscan = off; SET max_parallel_workers_per_gather = 0").await.unwrap();
    let watcher = tokio::sync::Mutex::new(connection);
    let explain = "EXPLAIN (ANALYZE, FORMAT json) SELECT count(*) FROM public_store.m
                   WHERE time >= '2020-01-01 12:00+00' AND time < '2020-01-01 12:01+00'";
    wait_until("a minute is found by few pages", async || {
        let plan: serde_json::Value = sqlx::query_scalar(explain).fetch_one(&mut *watcher.lock().await).await.unwrap();
        let text = plan.to_string();
        let lossy = text.split("\"Lossy Heap Blocks\":").nth(1).and_then(|rest| rest.split([',', '}']).next());
        lossy.and_then(|lossy| lossy.trim().parse::<u64>().ok()).is_some_and(|pages| pages < 200)
    })
    .await;
}

#[tokio::test]
async fn the_planner_soon_knows_how_many_series_there_are() {
    let database = TestDatabase::new().await;
    let app = app(&database, &EAGER);
    let lines: String = (0..500).map(|series| format!("m,name=S{series} v={series} 1577836800\n")).collect();
    write(&app, lines.as_bytes());
    // Not by the server's own autovacuum, which may come later.
    let analyzed = "SELECT pg_stat_get_analyze_count(oid) FROM pg_class
                    WHERE oid = 'public_store.m__series'::regclass AND reltuples = 500";
    let connection = tokio::sync::Mutex::new(database.connect().await);
    wait_until("the series table is analyzed", async || {
        let count: Option<i64> =
            sqlx::query_scalar(analyzed).fetch_optional(&mut *connection.lock().await).await.unwrap();
        count.is_some_and(|count| count > 0)
    })
    .await;
}
