//! What is set of a measurement, and the interval that follows the rate where nothing is.

use chunkwise::{
    hypertable::{Change, SettingsChange, change_settings},
    jobs,
    life::IntervalJob,
};
use tokio_util::sync::CancellationToken;

use super::{DAY_S, PATIENT, count, lines, write};
use crate::support::{App, TestDatabase, wait_until};

const INTERVAL: &str = "SELECT extract(epoch FROM time_interval)::int8 FROM timescaledb_information.dimensions
                        WHERE hypertable_name = 'm' AND column_name = 'time'";

#[tokio::test]
async fn a_measurement_begins_with_what_the_settings_say_and_those_that_exist_are_changed() {
    let test = TestDatabase::new().await;
    let start = |variables: &[(&str, &str)]| App::start_with(&["up", "--database-url", &test.url()], variables);
    let app = start(&[
        ("CHUNKWISE_MEASUREMENT__M__RETENTION", "40000d"),
        ("CHUNKWISE_MEASUREMENT__M__SEAL_AFTER", "2h"),
        ("CHUNKWISE_MEASUREMENT__M__CHUNK_INTERVAL", "6h"),
    ]);
    write(&app, &lines(1));
    let shown = |app: &App| app.get("/api/v1/measurements").json()["measurements"][0].take();
    let measurement = shown(&app);
    assert_eq!(measurement["chunk_interval"], "6h");
    assert_eq!(measurement["seal_after"], "2h");
    assert_eq!(measurement["retention"], "40000d");
    assert_eq!(count(&test, "chunkwise.chunks").await, 4);
    drop(app);
    let measurement =
        shown(&start(&[("CHUNKWISE_MEASUREMENT__M__RETENTION", "none"), ("CHUNKWISE_CHUNK__QUIET_PERIOD", "1h")]));
    assert_eq!(measurement["retention"], serde_json::Value::Null);
    assert_eq!(measurement["seal_after"], "2h", "what is not named stays");
}

#[tokio::test]
async fn the_interval_follows_the_rate_unless_it_is_set() {
    let test = TestDatabase::new().await;
    let app = App::start_with(&["up", "--database-url", &test.url()], &PATIENT);
    // Three chunks of an hour, with a few rows each.
    let hour = |hour: i64| format!("m v={hour} {}\n", DAY_S + 3_600 * hour);
    write(&app, format!("{}{}{}", hour(0), hour(1), hour(2)).as_bytes());
    drop(app);
    let mut connection = test.connect().await;
    let change = async |connection: &mut sqlx::PgConnection, chunk_interval: Change| {
        let change = SettingsChange { chunk_interval, ..SettingsChange::default() };
        assert!(change_settings(connection, "public", "m", &change).await.unwrap());
    };
    let run_once = async || {
        let stop = CancellationToken::new();
        let (database, stopped) = (test.database.clone(), stop.clone());
        let task = tokio::spawn(async move { jobs::run(IntervalJob, &database, &stopped).await });
        wait_until("the job has looked", async || {
            count(
                &test,
                "pg_stat_activity WHERE datname = current_database() AND application_name = 'chunkwise-owner'
                          AND state = 'idle' AND query NOT LIKE '%advisory%' AND query NOT LIKE 'SET%'",
            )
            .await
                > 0
        })
        .await;
        stop.cancel();
        task.await.unwrap();
    };
    change(&mut connection, Change::Set(3_600_000_000)).await;
    sqlx::query("DELETE FROM public_store.m").execute(&mut connection).await.unwrap();
    let insert = "INSERT INTO public_store.m (time, series_id)
                  SELECT '2020-02-01'::timestamptz + n * interval '30 minutes', 1 FROM generate_series(0, 7) n";
    sqlx::query(insert).execute(&mut connection).await.unwrap();
    sqlx::query("ANALYZE public_store.m").execute(&mut connection).await.unwrap();
    run_once().await;
    assert_eq!(test.scalar::<i64>(INTERVAL).await, 3_600, "it was set");
    assert_eq!(count(&test, "chunkwise.chunk_event").await, 0);

    change(&mut connection, Change::Unset).await;
    run_once().await;
    assert_eq!(test.scalar::<i64>(INTERVAL).await, 364 * 86_400, "a few rows a day");
    let note: String = test.scalar("SELECT note FROM chunkwise.chunk_event WHERE event = 'interval'").await;
    assert_eq!(note, "1h -> 52w");
    run_once().await;
    assert_eq!(count(&test, "chunkwise.chunk_event").await, 1, "and stays so");
    assert!(!change_settings(&mut connection, "public", "nothing", &SettingsChange::default()).await.unwrap());
}
