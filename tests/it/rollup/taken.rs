//! What goes: rows older than bars are kept for, series that sleep, measurements, rollups that are not wanted any more.

use std::time::Duration;

use chunkwise::{
    removal::{Dependents, drop_measurement, drop_series, retire},
    rollup::{AllSettings, Level, RollupSettings, Rollups},
};
use rand::{SeedableRng, rngs::StdRng};

use super::support::{DAY_US, FIELDS, MINUTE_US, START_US, Ticks, grow, now_us, refresh};

fn settings(levels: &[Level]) -> AllSettings {
    let usual = RollupSettings { levels: levels.to_vec(), ..RollupSettings::default() };
    AllSettings { usual, ..AllSettings::default() }
}

const RELATIONS: &str = "SELECT coalesce(string_agg(relname, ' ' ORDER BY relname), '') FROM pg_class
    WHERE relkind IN ('r', 'v') AND (relname LIKE 'ticks%bars%' OR relname LIKE 'ticks%live%' OR relname LIKE 'ticks%latest%')";

#[tokio::test]
async fn without_rollups_there_are_no_last_values_either_unless_somebody_has_built_upon_them() {
    let mut ticks = Ticks::new().await;
    let (first, second) = (ticks.ids[0], ticks.ids[1]);
    ticks.write(&[(START_US, first, Some(1.0), Some(2)), (START_US, second, Some(3.0), None)]).await;
    ticks.refresh().await;
    ticks.execute("CREATE VIEW mine AS SELECT symbol, price FROM ticks_latest").await;
    ticks.rollups = Rollups::new(settings(&[])).of_young_ones_too();
    ticks.refresh().await;
    assert_eq!(ticks.scalar::<String>(RELATIONS).await, "ticks__latest ticks__live_latest ticks_latest");
    // What somebody reads is right for as long as it is there: newer rows, late ones, deletions.
    ticks.write(&[(START_US + MINUTE_US, first, Some(5.0), None)]).await;
    ticks.execute("DELETE FROM public_store.ticks WHERE price = 3").await;
    ticks.refresh().await;
    ticks.check_latest("kept for a view").await;
    assert_eq!(ticks.scalar::<f64>("SELECT sum(price) FROM mine").await, 5.0);

    ticks.execute("DROP VIEW mine").await;
    ticks.rollups = Rollups::new(settings(&[])).of_young_ones_too();
    ticks.refresh().await;
    assert_eq!(ticks.scalar::<String>(RELATIONS).await, "");
    assert_eq!(ticks.scalar::<i64>("SELECT count(*) FROM chunkwise.rollup_level").await, 0);
    ticks.write(&[(START_US + 2 * MINUTE_US, first, Some(6.0), None)]).await;
    ticks.refresh().await;
    assert_eq!(ticks.scalar::<String>(RELATIONS).await, "", "they do not come back by themselves");
    ticks.rollups = Rollups::new(settings(&Level::ALL)).of_young_ones_too();
    ticks.refresh().await;
    ticks.check("wanted again").await;
}

#[tokio::test]
async fn a_level_that_is_built_upon_is_kept_right_when_it_is_not_wanted_any_more() {
    let mut random = StdRng::seed_from_u64(12);
    let mut ticks = Ticks::new().await;
    let rows = ticks.random_rows(&mut random, START_US, DAY_US, 200);
    ticks.write(&rows).await;
    ticks.refresh().await;
    ticks.execute("CREATE VIEW mine AS SELECT * FROM ticks_bars_1h").await;
    ticks.rollups = Rollups::new(settings(&[Level::Minute, Level::Day])).of_young_ones_too();
    ticks.refresh().await;
    let relations: String = ticks.scalar(RELATIONS).await;
    assert!(relations.contains("ticks_bars_1h") && !relations.contains("ticks_bars_5m"), "{relations}");
    let late = ticks.random_rows(&mut random, START_US, DAY_US, 30);
    ticks.write(&late).await;
    ticks.refresh().await;
    let differing = "SELECT count(*) FROM (SELECT date_trunc('day', time, 'UTC') AS time, symbol, sum(count)::int8 FROM mine GROUP BY 1, 2
        EXCEPT SELECT time, symbol, count FROM ticks_bars_1d) d";
    assert_eq!(ticks.scalar::<i64>(differing).await, 0);
    let counted = "SELECT coalesce(sum(count), 0)::int8 FROM mine";
    let rows = "SELECT count(*) FROM ticks WHERE price > '-infinity' AND price < 'infinity'";
    assert_eq!(ticks.scalar::<i64>(counted).await, ticks.scalar::<i64>(rows).await);
}

#[tokio::test]
async fn bars_go_when_they_are_older_than_they_are_kept_and_rows_do_not() {
    let mut usual = RollupSettings { retention: Some(Duration::from_secs(10 * 86_400)), ..RollupSettings::default() };
    let settings = AllSettings { usual: usual.clone(), ..AllSettings::default() };
    let mut ticks = Ticks::with(settings.clone()).await;
    let (now, id) = (now_us(), ticks.ids[0]);
    let rows: Vec<_> = (0..40).map(|day| (now - day * DAY_US, id, Some(1.0), None)).collect();
    ticks.write(&rows).await;
    ticks.refresh().await;
    let bars = "SELECT count(*) FROM public_store.ticks__bars_1m WHERE time < now() - interval '12 days'";
    assert!(ticks.scalar::<i64>(bars).await > 20);
    // Whoever takes over looks at once.
    ticks.rollups = Rollups::new(settings.clone()).of_young_ones_too();
    ticks.refresh().await;
    assert_eq!(ticks.scalar::<i64>(bars).await, 0);
    assert_eq!(ticks.scalar::<i64>("SELECT count(*) FROM ticks").await, 40);
    let kept = "SELECT count(*) FROM ticks_bars_1m WHERE time >= now() - interval '10 days'";
    assert!(ticks.scalar::<i64>(kept).await >= 10);
    // A measurement may have one of its own, or none.
    usual.retention = None;
    let own = [(("public".to_owned(), "ticks".to_owned()), usual)].into();
    ticks.write(&[(now - 30 * DAY_US, id, Some(2.0), None)]).await;
    for _ in 0..2 {
        ticks.rollups = Rollups::new(AllSettings { own: Clone::clone(&own), ..settings.clone() }).of_young_ones_too();
        ticks.refresh().await;
    }
    assert_eq!(ticks.scalar::<i64>(bars).await, 1);
}

#[tokio::test]
async fn series_that_sleep_are_in_no_last_values_until_they_wake() {
    let mut ticks = Ticks::new().await;
    let (quiet, busy) = (ticks.ids[0], ticks.ids[1]);
    ticks.write(&[(START_US, quiet, Some(1.0), Some(2)), (now_us(), busy, Some(3.0), None)]).await;
    ticks.refresh().await;
    let listed = "SELECT string_agg(symbol, ' ' ORDER BY symbol) FROM ticks_latest";
    assert_eq!(ticks.scalar::<String>(listed).await, "S1 S2");
    ticks.execute("UPDATE chunkwise.measurement SET retention = interval '30 days'").await;
    let measurement = ticks.measurement.clone();
    retire(&mut ticks.connection, &measurement).await.unwrap();
    assert_eq!(ticks.scalar::<String>(listed).await, "S2");
    ticks.execute(&format!("DELETE FROM chunkwise.retired_series WHERE series_id = {quiet}")).await;
    assert_eq!(ticks.scalar::<String>(listed).await, "S1 S2");
}

#[tokio::test]
async fn dropped_series_and_dropped_measurements_leave_nothing_in_rollups() {
    let mut random = StdRng::seed_from_u64(13);
    let mut ticks = Ticks::new().await;
    let rows = ticks.random_rows(&mut random, START_US, DAY_US, 200);
    ticks.write(&rows).await;
    let rows = ticks.random_rows(&mut random, now_us() - 5 * MINUTE_US, 5 * MINUTE_US, 50);
    ticks.write(&rows).await;
    ticks.refresh().await;
    let selector = |symbol: &str| chunkwise::question::Selector {
        tags: [("symbol".to_owned(), vec![symbol.to_owned()])].into(),
        ..Default::default()
    };
    drop_series(&ticks.test.database, "public", "ticks", &selector("S2")).await.unwrap();
    ticks.refresh().await;
    ticks.check("a series was dropped").await;
    let left = format!(
        "SELECT (SELECT count(*) FROM public_store.ticks__bars_1m WHERE series_id = {id})
              + (SELECT count(*) FROM public_store.ticks__latest WHERE series_id = {id})",
        id = ticks.ids[1]
    );
    assert_eq!(ticks.scalar::<i64>(&left).await, 0);

    // A round that has begun with a measurement that goes does not fail, and makes nothing of it anew.
    drop_measurement(&ticks.test.database, "public", "ticks", Dependents::Keep).await.unwrap();
    ticks.refresh().await;
    assert_eq!(ticks.scalar::<String>(RELATIONS).await, "");
    assert_eq!(ticks.scalar::<i64>("SELECT count(*) FROM chunkwise.rollup").await, 0);
    ticks.measurement = grow(&ticks.test.database, &FIELDS).await;
    let sql =
        "INSERT INTO public_store.ticks__series (tag_hash, symbol) VALUES (gen_random_uuid(), 'T') RETURNING series_id";
    let id: i64 = ticks.scalar(sql).await;
    ticks.write(&[(START_US, id, Some(1.0), Some(2))]).await;
    refresh(&mut ticks.rollups, &mut ticks.connection, &ticks.test.database).await;
    ticks.check("made anew").await;
}
