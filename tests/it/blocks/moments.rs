//! An answer is of one moment, while rows change and others ask.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use chunkwise::{hypertable::load_measurement, question::CorrelateQuestion};
use serde_json::json;
use sqlx::Executor;

use super::{ask_both, blocks_of, without_blocks};
use crate::read::fixture::{DAY_US, Fixture, HOUR_US, MINUTE_US, Row, START_US, ask, text};

/// The first hour and the last of the day.
fn two_hours() -> CorrelateQuestion {
    let range =
        |hour: i64| json!({"from": text(START_US + hour * HOUR_US), "to": text(START_US + (hour + 1) * HOUR_US)});
    ask(json!({
        "bucket": "1m", "target": {"symbol": "S0"}, "min_overlap": 2, "ranges": [range(0), range(23)],
    }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_shows_half_a_transaction() {
    let rows = |hour: i64| {
        (0..2).map(move |series_id| Row { time_us: START_US + hour * HOUR_US, series_id, price: series_id as f64 })
    };
    let fixture = Fixture::new(6 * HOUR_US, 2, rows(0).chain(rows(23)).collect()).await;
    let (questions, _) = blocks_of(without_blocks(&fixture.test.database));
    let (questions, stop) = (Arc::new(questions), Arc::new(AtomicBool::new(false)));
    let writer = {
        let (stop, mut connection) = (Arc::clone(&stop), fixture.test.connect().await);
        let (first, second) = (fixture.ids[0], fixture.ids[1]);
        tokio::spawn(async move {
            let mut minute = 1;
            while minute < 60 && !stop.load(Ordering::Relaxed) {
                // One transaction: the same minute of both hours, of both series.
                connection.execute("BEGIN").await.unwrap();
                for hour in [0, 23] {
                    let at = text(START_US + hour * HOUR_US + minute * MINUTE_US);
                    let sql = format!(
                        "INSERT INTO public_store.ticks (time, series_id, price)
                         VALUES ('{at}', {first}, {minute}), ('{at}', {second}, {minute} % 5)"
                    );
                    connection.execute(sql.as_str()).await.unwrap();
                }
                connection.execute("COMMIT").await.unwrap();
                minute += 1;
            }
            minute
        })
    };
    let asking: Vec<_> = (0..3)
        .map(|_| {
            let questions = Arc::clone(&questions);
            tokio::spawn(async move {
                let mut counts = Vec::new();
                for _ in 0..25 {
                    let answer = questions.correlate(&two_hours()).await.unwrap();
                    assert_eq!(answer.n[(0, 1)], answer.n[(1, 1)], "both hours are of one moment");
                    counts.push(answer.n[(0, 1)]);
                }
                counts
            })
        })
        .collect();
    for asking in asking {
        let counts = asking.await.unwrap();
        assert!(counts.is_sorted(), "{counts:?}");
    }
    stop.store(true, Ordering::Relaxed);
    let minutes = writer.await.unwrap();
    let last = ask_both(&questions, &without_blocks(&fixture.test.database), &two_hours()).await;
    assert_eq!(last.n[(0, 1)], minutes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_was_under_way_counts_when_it_commits() {
    let fixture = Fixture::random(31, 6 * HOUR_US, 4, DAY_US, 800).await;
    let plain = without_blocks(&fixture.test.database);
    let mut slow = fixture.test.connect().await;
    let mut quick = fixture.test.connect().await;
    let id = fixture.ids[0];
    let change = |hour: i64| {
        let at = text(START_US + hour * HOUR_US);
        format!("INSERT INTO public_store.ticks (time, series_id, price) VALUES ('{at}', {id}, 5)")
    };
    slow.execute("BEGIN").await.unwrap();
    slow.execute(change(0).as_str()).await.unwrap();
    let before = ask_both(&fixture.questions, &plain, &two_hours()).await;
    // Later ones commit first.
    for hour in [1, 2, 23] {
        quick.execute(change(hour).as_str()).await.unwrap();
        ask_both(&fixture.questions, &plain, &two_hours()).await;
    }
    slow.execute("COMMIT").await.unwrap();
    let after = ask_both(&fixture.questions, &plain, &two_hours()).await;
    assert!(after.n[(0, 0)] >= before.n[(0, 0)]);
    assert!(after.as_of_us > before.as_of_us);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_measurement_that_is_made_anew_begins_anew() {
    let fixture = Fixture::random(32, 6 * HOUR_US, 4, DAY_US, 800).await;
    let plain = without_blocks(&fixture.test.database);
    ask_both(&fixture.questions, &plain, &two_hours()).await;
    let mut connection = fixture.test.connect().await;
    let measurement = load_measurement(&mut connection, "public", "ticks").await.unwrap().unwrap();
    // What deleting a measurement's meaning does: another epoch, and rows that no trigger tells of.
    connection.execute("UPDATE chunkwise.measurement SET epoch = epoch + 1").await.unwrap();
    connection.execute("SET session_replication_role = replica").await.unwrap();
    let sql = format!("UPDATE {} SET price = price + 1 WHERE price > 50", measurement.storage());
    connection.execute(sql.as_str()).await.unwrap();
    let answer = ask_both(&fixture.questions, &plain, &two_hours()).await;
    assert!(answer.receipt.chunks.read > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_column_that_is_made_anew_by_hand_is_another() {
    let fixture = Fixture::random(33, 6 * HOUR_US, 4, DAY_US, 800).await;
    let plain = without_blocks(&fixture.test.database);
    let before = ask_both(&fixture.questions, &plain, &two_hours()).await;
    assert!(before.n.sum() > 0);
    let mut connection = fixture.test.connect().await;
    connection.execute("ALTER TABLE public_store.ticks DROP COLUMN price CASCADE").await.unwrap();
    connection.execute("ALTER TABLE public_store.ticks ADD COLUMN price float8").await.unwrap();
    let after = ask_both(&fixture.questions, &plain, &two_hours()).await;
    assert_eq!(after.n.sum(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_at_once_make_each_panel_once() {
    let fixture = Fixture::random(34, HOUR_US, 30, DAY_US, 3_000).await;
    let day: CorrelateQuestion = ask(json!({
        "bucket": "1m", "target": {"symbol": "S0"}, "min_overlap": 2,
        "ranges": [{"from": text(START_US), "to": text(START_US + DAY_US)}],
    }));
    let (alone, _) = blocks_of(without_blocks(&fixture.test.database));
    let read_alone = alone.correlate(&day).await.unwrap().receipt.rows_read;
    let (questions, _) = blocks_of(without_blocks(&fixture.test.database));
    let questions = Arc::new(questions);
    let asking: Vec<_> = (0..4)
        .map(|_| {
            let (questions, day) = (Arc::clone(&questions), day.clone());
            tokio::spawn(async move { questions.correlate(&day).await.unwrap().receipt.rows_read })
        })
        .collect();
    let mut read = 0;
    for asking in asking {
        read += asking.await.unwrap();
    }
    assert_eq!(read, read_alone);
}
