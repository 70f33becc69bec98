//! Answers while rows come and chunks go.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use chunkwise::{
    query::{QueryError, QueryLimits, Questions},
    question::WindowQuestion,
};
use serde_json::json;
use sqlx::{Connection, Executor, PgConnection};

use super::fixture::{DAY_US, Fixture, HOUR_US, Row, START_US, ask, text};
use crate::support::wait_until;

/// One row an hour for each of two series, in chunks of an hour.
async fn hourly(hours: i64) -> Fixture {
    let rows = (0..2 * hours)
        .map(|i| Row { time_us: START_US + i / 2 * HOUR_US, series_id: i % 2, price: i as f64 })
        .collect();
    Fixture::new(HOUR_US, 2, rows).await
}

fn count() -> WindowQuestion {
    ask(json!({
        "bucket": "1h", "aggregate": "count", "from": text(START_US - DAY_US), "to": text(START_US + 10 * DAY_US),
    }))
}

/// The database's clock, microseconds since 1970.
async fn clock(connection: &mut PgConnection) -> i64 {
    sqlx::query_scalar("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::int8")
        .fetch_one(connection)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_shows_half_a_transaction() {
    let fixture = hourly(24).await;
    let stop = Arc::new(AtomicBool::new(false));
    // Every transaction writes one row into each of the 24 chunks, in an order that no reader has.
    let writer = {
        let (stop, mut connection, id) = (Arc::clone(&stop), fixture.test.connect().await, fixture.ids[0]);
        tokio::spawn(async move {
            let mut commits = 0;
            while !stop.load(Ordering::Relaxed) {
                let mut transaction = connection.begin().await.unwrap();
                for hour in [23, 0, 12, 1, 22, 2, 21, 3, 20, 4, 19, 5, 18, 6, 17, 7, 16, 8, 15, 9, 14, 10, 13, 11] {
                    let time = text(START_US + hour * HOUR_US + 1);
                    let sql =
                        format!("INSERT INTO public_store.ticks (time, series_id, price) VALUES ('{time}', {id}, 1)");
                    transaction.execute(sql.as_str()).await.unwrap();
                }
                transaction.commit().await.unwrap();
                commits += 1;
            }
            commits
        })
    };
    let mut seen = Vec::new();
    for _ in 0..30 {
        let answer = fixture.questions.window(&count()).await.unwrap();
        let counts = answer.frame.values.row(0).to_vec();
        assert_eq!(counts.len(), 24);
        assert!(counts.iter().all(|count| *count == counts[0]), "{counts:?}");
        seen.push(counts[0]);
    }
    stop.store(true, Ordering::Relaxed);
    let commits: u32 = writer.await.unwrap();
    assert!(seen.is_sorted() && seen[29] > seen[0], "it was written meanwhile: {seen:?}");
    let last = fixture.questions.window(&count()).await.unwrap().frame.values[(0, 0)];
    assert_eq!(last, f64::from(commits) + 1.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_of_is_a_time_of_which_everything_is_in_the_answer() {
    let fixture = hourly(2).await;
    let mut connection = fixture.test.connect().await;
    let before = clock(&mut connection).await;
    let answer = fixture.questions.window(&count()).await.unwrap();
    let after = clock(&mut connection).await;
    assert!((before..=after).contains(&answer.as_of_us));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_has_all_chunks_of_its_moment_while_chunks_are_dropped() {
    let fixture = hourly(40).await;
    let dropper = {
        let mut connection = fixture.test.connect().await;
        tokio::spawn(async move {
            let mut dropped = Vec::new();
            // The newest first, so that a question has read others before it would come to them.
            for hour in (4..40).rev() {
                let began = clock(&mut connection).await;
                let newer = text(START_US + hour * HOUR_US);
                let sql = format!("SELECT drop_chunks('public_store.ticks', newer_than => '{newer}'::timestamptz)");
                connection.execute(sql.as_str()).await.unwrap();
                dropped.push((hour, began, clock(&mut connection).await));
            }
            dropped
        })
    };
    let mut watch = fixture.test.connect().await;
    let mut answers = Vec::new();
    while !dropper.is_finished() {
        match fixture.questions.window(&count()).await {
            Ok(answer) => answers.push((answer.as_of_us, clock(&mut watch).await, answer.frame.times_us)),
            // Every one of its attempts met a drop. No answer is right as well, a wrong one is not.
            Err(QueryError::Unavailable(_)) => {}
            Err(other) => panic!("{other}"),
        }
    }
    let last = fixture.questions.window(&count()).await.unwrap();
    answers.push((last.as_of_us, clock(&mut watch).await, last.frame.times_us));
    let dropped = dropper.await.unwrap();
    for (as_of_us, answered_us, times_us) in &answers {
        // Chunks go newest first, so whatever moment an answer is of, it has all hours up to one.
        let hours: Vec<i64> = times_us.iter().map(|us| (us - START_US) / HOUR_US).collect();
        assert_eq!(hours, (0..hours.len() as i64).collect::<Vec<_>>());
        assert!(hours.len() >= 4);
        for (hour, began_us, ended_us) in &dropped {
            let has = hours.contains(hour);
            assert!(has || answered_us >= began_us, "hour {hour} was still there");
            assert!(!has || as_of_us <= ended_us, "hour {hour} was gone");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_is_planned_again_if_a_chunk_goes_before_it_is_read() {
    let fixture = hourly(6).await;
    let mut admin = fixture.test.connect().await;
    let chunks: Vec<String> =
        sqlx::query_scalar("SELECT c::text FROM show_chunks('public_store.ticks') c ORDER BY c::text")
            .fetch_all(&mut admin)
            .await
            .unwrap();
    // The question waits for the first chunk, so that it has planned and not yet come to the last.
    let mut blocker = fixture.test.connect().await;
    blocker.execute(format!("BEGIN; LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", chunks[0]).as_str()).await.unwrap();
    let limits = QueryLimits { connections: 1, ..QueryLimits::default() };
    let questions = Questions::new(fixture.test.database.clone(), limits);
    let asking = tokio::spawn(async move { questions.window(&count()).await });
    wait_until("the question waits for the lock", async || {
        sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()
                 AND application_name = 'chunkwise-reader' AND wait_event_type = 'Lock')",
        )
        .fetch_one(&mut admin)
        .await
        .unwrap()
    })
    .await;
    let newer = text(START_US + 5 * HOUR_US);
    let sql = format!("SELECT drop_chunks('public_store.ticks', newer_than => '{newer}'::timestamptz)");
    admin.execute(sql.as_str()).await.unwrap();
    let dropped_us = clock(&mut admin).await;
    blocker.execute("ROLLBACK").await.unwrap();
    let answer = asking.await.unwrap().unwrap();
    assert_eq!((answer.receipt.chunks.total, answer.receipt.chunks.read), (5, 5));
    assert!(answer.as_of_us > dropped_us, "the answer is of a moment after the chunk went");
}
