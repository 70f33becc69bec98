//! Whatever is written, changed and deleted, by whomever: the views say what SQL says of the rows.

use rand::{Rng, SeedableRng, rngs::StdRng};

use super::support::{DAY_US, MINUTE_US, START_US, Ticks, insert, moment, now_us};

#[tokio::test]
async fn bars_and_last_values_are_those_of_the_rows_after_whatever_was_done_to_these() {
    let mut random = StdRng::seed_from_u64(7);
    let mut ticks = Ticks::new().await;
    // Old rows, and a live edge that is partly made and partly computed by the views.
    let old = ticks.random_rows(&mut random, START_US, 2 * DAY_US, 800);
    ticks.write(&old).await;
    let live = ticks.random_rows(&mut random, now_us() - 20 * MINUTE_US, 20 * MINUTE_US, 400);
    ticks.write(&live).await;
    // One that is too young to be made, at whatever second of a minute this runs.
    ticks.write(&[(now_us(), ticks.ids[0], Some(1.0), Some(1))]).await;
    ticks.refresh().await;
    ticks.check("first").await;
    let made: i64 = ticks.scalar("SELECT count(*) FROM public_store.ticks__bars_1m").await;
    let all: i64 = ticks.scalar("SELECT count(*) FROM ticks_bars_1m").await;
    assert!(0 < made && made < all, "some bars are made, and the newest computed: {made} of {all}");

    for round in 0..4 {
        let context = format!("round {round}");
        let late = ticks.random_rows(&mut random, START_US - DAY_US, 4 * DAY_US, 60);
        ticks.write(&late).await;
        let live = ticks.random_rows(&mut random, now_us() - 5 * MINUTE_US, 5 * MINUTE_US, 60);
        ticks.write(&live).await;
        // Corrections go to the storage table.
        let from = moment(START_US + random.random_range(0..DAY_US)).to_rfc3339();
        ticks
            .execute(&format!(
                "UPDATE public_store.ticks SET price = price + 1, time = time + interval '1 microsecond'
                 WHERE time >= '{from}' AND time < '{from}'::timestamptz + interval '2 hours' AND size % 3 = 0"
            ))
            .await;
        ticks
            .execute("DELETE FROM public_store.ticks WHERE size % 7 = 1 AND time < now() - interval '8 minutes'")
            .await;
        ticks.refresh().await;
        ticks.check(&context).await;
    }
    // The last rows of a series go: the value before them is its last again.
    ticks.execute("DELETE FROM public_store.ticks WHERE time > '2024-02-01' AND series_id = (SELECT min(series_id) FROM public_store.ticks)").await;
    ticks.refresh().await;
    ticks.check("the last rows were deleted").await;
    ticks
        .execute("DELETE FROM public_store.ticks WHERE series_id = (SELECT min(series_id) FROM public_store.ticks)")
        .await;
    ticks.refresh().await;
    ticks.check("all rows of a series were deleted").await;
}

#[tokio::test]
async fn an_insert_by_another_client_shows_at_once_and_its_chunk_is_made_anew_when_the_server_has_counted_it() {
    let mut random = StdRng::seed_from_u64(8);
    let mut ticks = Ticks::new().await;
    let rows = ticks.random_rows(&mut random, START_US, DAY_US, 300);
    ticks.write(&rows).await;
    ticks.refresh().await;
    // In the fifth chunk of two hours.
    let rows = ticks.random_rows(&mut random, START_US + 9 * 60 * MINUTE_US, 30 * MINUTE_US, 20);
    insert(&mut ticks.connection, &rows).await;
    ticks.refresh().await;
    assert_eq!(ticks.scalar::<i64>("SELECT count(*) FROM chunkwise.rollup_pending WHERE xid IS NOT NULL").await, 2);
    ticks.check("looked for").await;
    ticks.let_counters_settle().await;
    ticks.refresh().await;
    ticks.check("narrowed").await;
    assert_eq!(ticks.scalar::<i64>("SELECT count(*) FROM chunkwise.rollup_pending").await, 0);
    let narrowed: (String, String) = sqlx::query_as(
        "SELECT to_char(lo AT TIME ZONE 'UTC', 'DD HH24:MI'), to_char(hi AT TIME ZONE 'UTC', 'DD HH24:MI')
         FROM chunkwise.change ORDER BY id DESC LIMIT 1",
    )
    .fetch_one(&mut ticks.connection)
    .await
    .unwrap();
    assert_eq!(narrowed, ("01 08:00".to_owned(), "01 09:59".to_owned()));

    ticks.execute("TRUNCATE public_store.ticks").await;
    ticks.refresh().await;
    ticks.check("truncated").await;
    let rows = ticks.random_rows(&mut random, START_US, DAY_US, 50);
    ticks.write(&rows).await;
    ticks.refresh().await;
    ticks.check("written again").await;
}

#[tokio::test]
async fn bars_outlive_rows_that_were_dropped_whatever_is_written_there_later() {
    let mut random = StdRng::seed_from_u64(9);
    let mut ticks = Ticks::new().await;
    let rows = ticks.random_rows(&mut random, START_US, 2 * DAY_US, 300);
    ticks.write(&rows).await;
    ticks.refresh().await;
    let sums = "SELECT string_agg(d || ' ' || c, ',' ORDER BY d) FROM (
                    SELECT time::date AS d, sum(count) AS c FROM ticks_bars_1d GROUP BY 1) AS days";
    let before: String = ticks.scalar(sums).await;
    // In the middle of the second day.
    ticks.execute("SELECT drop_chunks('public_store.ticks', older_than => '2024-01-02 12:00+00'::timestamptz)").await;
    let late = ticks.random_rows(&mut random, START_US + DAY_US, 6 * 60 * MINUTE_US, 5);
    ticks.write(&late).await;
    ticks.refresh().await;
    assert_eq!(ticks.scalar::<String>(sums).await, before, "neither lost nor made anew from what is left");
    // Behind the dropped time all goes on, also for the day that was cut.
    let (day, id) = (START_US + DAY_US, ticks.ids[0]);
    ticks.write(&[(day + 13 * 60 * MINUTE_US, id, Some(1.0), Some(1)), (day + DAY_US, id, Some(1.0), None)]).await;
    ticks.refresh().await;
    let counted: i64 = ticks.scalar("SELECT sum(count)::int8 FROM ticks_bars_1d").await;
    let counted_before: i64 = before.split(',').map(|day| day.split_once(' ').unwrap().1.parse::<i64>().unwrap()).sum();
    assert_eq!(counted, counted_before + 2);
}
