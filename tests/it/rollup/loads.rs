//! What a load of years costs that goes on behind the last rows.

use rand::{SeedableRng, rngs::StdRng};

use chrono::Utc;

use super::support::{DAY_US, MINUTE_US, START_US, Ticks, insert};

/// The newest row, and where the watermark of the narrowest bars is.
async fn edge(ticks: &mut Ticks) -> [i64; 2] {
    let us = |time: &str| format!("SELECT (extract(epoch FROM {time}) * 1000000)::int8 FROM");
    let newest = ticks.scalar(&format!("{} ticks", us("max(time)"))).await;
    let made_to = ticks.scalar(&format!("{} chunkwise.rollup_level WHERE level = '1m'", us("watermark"))).await;
    [newest, made_to]
}

#[tokio::test]
async fn a_load_that_goes_on_makes_new_bars_and_none_anew() {
    let mut random = StdRng::seed_from_u64(7);
    let mut ticks = Ticks::new().await;
    // The first look knows of chunks alone, and takes the last one's end for the newest time.
    let id = ticks.ids[0];
    ticks.write(&[(START_US, id, Some(0.0), None)]).await;
    ticks.refresh().await;
    for part in 0..6 {
        let rows = ticks.random_rows(&mut random, START_US + DAY_US + part * 7 * MINUTE_US, 7 * MINUTE_US, 500);
        ticks.write(&rows).await;
        ticks.let_the_load_go_on().await;
        ticks.refresh().await;
        let [newest_us, made_to_us] = edge(&mut ticks).await;
        assert_eq!(made_to_us, newest_us - newest_us.rem_euclid(5 * MINUTE_US));
        ticks.check("while a load goes on").await;
    }
    ticks.let_the_load_end().await;
    ticks.refresh().await;
    let [newest_us, made_to_us] = edge(&mut ticks).await;
    assert!((newest_us + 1..=newest_us + 5 * MINUTE_US).contains(&made_to_us), "{newest_us} {made_to_us}");
    ticks.check("when it is over").await;
    ticks.execute("SELECT pg_stat_force_next_flush()").await;
    let deleted = "SELECT coalesce(sum(pg_stat_get_tuples_deleted(c.inhrelid)), 0)::int8 FROM pg_inherits c
                   WHERE c.inhparent IN ('public_store.ticks__bars_1m'::regclass, 'public_store.ticks__bars_5m'::regclass)";
    assert_eq!(ticks.scalar::<i64>(deleted).await, 0);

    // A row among those that are there already is another matter.
    ticks.write(&[(START_US + DAY_US + MINUTE_US / 2, id, Some(1e6), None)]).await;
    ticks.refresh().await;
    ticks.check("a late row").await;
    ticks.execute("SELECT pg_stat_force_next_flush()").await;
    assert!(ticks.scalar::<i64>(deleted).await > 0);
}

/// So that a step's rows are found by their time, and not by reading the chunk.
#[tokio::test]
async fn the_planner_knows_how_time_lies_in_a_chunk_that_rollups_read() {
    let mut random = StdRng::seed_from_u64(8);
    let mut ticks = Ticks::new().await;
    let rows = ticks.random_rows(&mut random, START_US, 60 * MINUTE_US, 40_000);
    ticks.write(&rows).await;
    let known = "SELECT bool_and(c.reltuples > 0) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                 WHERE i.inhparent = 'public_store.ticks'::regclass";
    ticks.refresh().await;
    assert!(ticks.scalar::<bool>(known).await);
    ticks.check("analyzed").await;
}

/// So that what a feed brings next lies behind it, and need not be read.
#[tokio::test]
async fn of_a_feed_of_this_moment_the_newest_row_is_known_and_not_only_its_chunk() {
    let mut ticks = Ticks::new().await;
    let id = ticks.ids[0];
    let ahead_s = "SELECT extract(epoch FROM newest - clock_timestamp())::float8 FROM chunkwise.rollup";
    let now_us = Utc::now().timestamp_micros();
    ticks.write(&[(now_us, id, Some(1.0), None)]).await;
    ticks.refresh().await;
    let now = ticks.scalar::<f64>(ahead_s).await;
    assert!(now <= 0.0, "{now}");

    // Somebody else's, nobody knows of which time.
    insert(&mut ticks.connection, &[(now_us + 90 * MINUTE_US, id, Some(1.0), None)]).await;
    ticks.refresh().await;
    let later = ticks.scalar::<f64>(ahead_s).await;
    assert!(later > 80.0 * 60.0, "{later}");
}
