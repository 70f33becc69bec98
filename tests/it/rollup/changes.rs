//! The change log's readers.

use chunkwise::hypertable::changes::{self, Stretch};
use sqlx::{Connection, Executor};

use super::support::{MINUTE_US, Row, START_US, Ticks, insert};

#[tokio::test]
async fn an_analysts_long_transaction_delays_nobody_and_loses_nothing() {
    let mut ticks = Ticks::new().await;
    let (id, series) = (ticks.measurement.id, ticks.ids[0]);
    let first = changes::look(&mut ticks.connection, id, None).await.unwrap();
    assert!(first.anew && first.dirty.is_empty());
    ticks.write(&[(START_US, series, Some(1.0), None), (START_US + MINUTE_US, series, Some(1.0), None)]).await;

    // An UPDATE that is not committed for long; meanwhile others write, and are seen.
    let mut analyst = ticks.test.connect().await;
    let mut transaction = analyst.begin().await.unwrap();
    transaction.execute("UPDATE public_store.ticks SET price = 2 WHERE time = '2024-01-01 00:00+00'").await.unwrap();
    ticks.write(&[(START_US + 10 * MINUTE_US, series, Some(1.0), None)]).await;
    let second = changes::look(&mut ticks.connection, id, Some(&first.seen)).await.unwrap();
    let at = |minute: i64| Stretch { from_us: START_US + minute * MINUTE_US, to_us: START_US + minute * MINUTE_US + 1 };
    let written = Stretch { from_us: START_US, to_us: START_US + MINUTE_US + 1 };
    assert_eq!((second.anew, second.dirty.as_slice()), (false, &[written, at(10)][..]));
    let third = changes::look(&mut ticks.connection, id, Some(&second.seen)).await.unwrap();
    assert_eq!(third.dirty, []);
    transaction.commit().await.unwrap();
    let fourth = changes::look(&mut ticks.connection, id, Some(&third.seen)).await.unwrap();
    assert_eq!(fourth.dirty, [at(0)], "it was begun before the last two looks, and is committed since");

    // A copy of the database elsewhere counts its transactions anew; and a look that is too old means nothing either.
    let mut foreign = fourth.seen.clone();
    foreign.system += 1;
    assert!(changes::look(&mut ticks.connection, id, Some(&foreign)).await.unwrap().anew);
    let mut old = fourth.seen.clone();
    old.looked_us -= 25 * 60 * MINUTE_US;
    assert!(changes::look(&mut ticks.connection, id, Some(&old)).await.unwrap().anew);
}

#[tokio::test]
async fn an_unknown_range_is_known_once_for_all_readers_and_old_entries_go() {
    let mut ticks = Ticks::new().await;
    let (id, series) = (ticks.measurement.id, ticks.ids[0]);
    ticks.write(&[(START_US, series, Some(1.0), None), (START_US + 600 * MINUTE_US, series, Some(1.0), None)]).await;
    ticks.refresh().await;
    let seen = changes::look(&mut ticks.connection, id, None).await.unwrap().seen;
    insert(
        &mut ticks.connection,
        &[(START_US + 5, series, Some(3.0), None), (START_US + 601 * MINUTE_US, series, None, Some(1))],
    )
    .await;
    let early = changes::look(&mut ticks.connection, id, Some(&seen)).await.unwrap();
    assert_eq!((early.dirty.len(), early.unknown.len()), (0, 1));
    assert_eq!(changes::resolve(&mut ticks.connection, id, &early.unknown[0]).await.unwrap(), None);
    ticks.refresh().await;
    ticks.let_counters_settle().await;
    ticks.refresh().await;
    let hours = |from: i64, to: i64| Stretch {
        from_us: START_US + from * 60 * MINUTE_US,
        to_us: START_US + to * 60 * MINUTE_US,
    };
    let chunks = vec![hours(0, 2), hours(10, 12)];
    assert_eq!(changes::resolve(&mut ticks.connection, id, &early.unknown[0]).await.unwrap(), Some(chunks.clone()));
    let late = changes::look(&mut ticks.connection, id, Some(&seen)).await.unwrap();
    assert_eq!((late.dirty, late.unknown.len()), (chunks, 0));
    let after = changes::look(&mut ticks.connection, id, Some(&early.seen)).await.unwrap();
    assert_eq!(after.dirty, [], "who has seen it before sees it once");

    // Only what a snapshot of more than a day ago sees, and never the newest.
    let entries = "SELECT count(*) FROM chunkwise.change";
    let all: i64 = ticks.scalar(entries).await;
    ticks.execute("UPDATE chunkwise.change SET noted_at = now() - interval '3 days'").await;
    changes::prune(&mut ticks.connection, 100).await.unwrap();
    assert_eq!(
        ticks.scalar::<i64>(entries).await,
        all,
        "a transaction that took three days is not forgotten at its end"
    );
    ticks.execute("INSERT INTO chunkwise.change_mark (taken_at) VALUES (now() - interval '2 days')").await;
    changes::prune(&mut ticks.connection, 100).await.unwrap();
    assert_eq!(ticks.scalar::<i64>(entries).await, 1);
}

/// Chunks with time between them, more than a step is about: the rows of the next one are read while one is written.
#[tokio::test]
async fn what_takes_several_steps_is_made_whole() {
    let mut ticks = Ticks::new().await;
    let rows: Vec<Row> = (0..150)
        .zip(ticks.ids.iter().cycle())
        .map(|(n, series_id)| (START_US + n * 7 * 60 * MINUTE_US, *series_id, Some(n as f64), Some(n % 90)))
        .collect();
    ticks.write(&rows).await;
    ticks.refresh().await;
    ticks.check("step by step").await;
    ticks.check_latest("step by step").await;
    assert_eq!(ticks.scalar::<i64>("SELECT count(*) FROM public_store.ticks__bars_1m").await, 150);
}
