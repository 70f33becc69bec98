//! What a load of years costs that goes on behind the last rows.

use rand::{SeedableRng, rngs::StdRng};

use super::support::{DAY_US, MINUTE_US, START_US, Ticks};

#[tokio::test]
async fn a_load_that_goes_on_makes_new_bars_and_none_anew() {
    let mut random = StdRng::seed_from_u64(7);
    let mut ticks = Ticks::new().await;
    // The first look knows of chunks alone, and takes the last one's end for the newest time.
    let id = ticks.ids[0];
    ticks.write(&[(START_US, id, Some(0.0), None)]).await;
    ticks.refresh().await;
    for day in 1..4 {
        let rows = ticks.random_rows(&mut random, START_US + day * DAY_US, DAY_US, 2_000);
        ticks.write(&rows).await;
        ticks.refresh().await;
        let newest_us: i64 = ticks.scalar("SELECT (extract(epoch FROM max(time)) * 1000000)::int8 FROM ticks").await;
        let made_to_us: i64 = ticks
            .scalar(
                "SELECT (extract(epoch FROM watermark) * 1000000)::int8 FROM chunkwise.rollup_level WHERE level = '1m'",
            )
            .await;
        assert!((newest_us + 1..=newest_us + 5 * MINUTE_US).contains(&made_to_us), "{newest_us} {made_to_us}");
        ticks.check("while a load goes on").await;
        ticks.check_latest("while a load goes on").await;
    }
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
