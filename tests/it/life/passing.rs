//! A bulk load of history seals each chunk as soon as it has passed it.

use std::{
    fmt::Write,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::process::Signal;

use super::{DAY_S, PATIENT, app, assert_sealed_once, chunks, count, wait_for_sealed, write};
use crate::support::{Process, TestDatabase, command, run_within};

/// A part of a load has 50,000 rows; each day is one.
const DAYS: i64 = 6;
const DAY_ROWS: i64 = 50_000;
const LIMIT: Duration = Duration::from_secs(180);

/// Days in order, and at the end a row of the first one.
fn history(folder: &Path) -> PathBuf {
    let mut text = "time,s,v\n".to_owned();
    for row in 0..DAYS * DAY_ROWS {
        let at = DAY_S * 1_000 + row * 86_400_000 / DAY_ROWS;
        let time = chrono::DateTime::from_timestamp_millis(at).unwrap().format("%Y-%m-%dT%H:%M:%S%.3fZ");
        writeln!(text, "{time},s{},{row}", row % 10).unwrap();
    }
    text.push_str("2020-01-01T00:00:01Z,late,1\n");
    let file = folder.join("m.csv");
    std::fs::write(&file, text).unwrap();
    file
}

async fn assert_all_sealed(test: &TestDatabase) {
    assert_eq!(count(test, "m").await, DAYS * DAY_ROWS + 1);
    let chunks = chunks(test).await;
    assert_eq!(i64::try_from(chunks.len()), Ok(DAYS));
    for chunk in chunks {
        assert_sealed_once(test, &chunk).await;
    }
    assert_eq!(count(test, "chunkwise.chunks WHERE state <> 'sealed'").await, 0);
    let estimate: i64 = test.scalar("SELECT sum(rows)::int8 FROM chunkwise.chunks").await;
    // VACUUM tells of pages that it passes over as if they were like the others.
    assert!((estimate - DAYS * DAY_ROWS).abs() < DAYS * DAY_ROWS / 20, "{estimate} rows are told of");
}

/// Chunks were sealed before the last part was committed.
async fn assert_sealed_on_the_way(test: &TestDatabase) {
    let on_the_way = "chunkwise.chunk_event WHERE event = 'sealed' AND
                      began < (SELECT max(noted_at) FROM chunkwise.change)";
    assert!(count(test, on_the_way).await >= 1, "all were sealed at the end");
}

#[tokio::test]
async fn chunks_are_sealed_on_the_way_and_a_late_row_goes_into_one_that_is_sealed() {
    let test = TestDatabase::new().await;
    let folder = tempfile::tempdir().unwrap();
    let file = history(folder.path());
    // It says how long chunks are, and goes before anything is loaded.
    drop(app(&test, &PATIENT));
    run_within(&["load", file.to_str().unwrap(), "--database-url", &test.url()], LIMIT).successful();
    assert_all_sealed(&test).await;
    assert_sealed_on_the_way(&test).await;
    assert_eq!(count(&test, "m WHERE s = 'late'").await, 1);
}

#[tokio::test]
async fn a_service_beside_the_load_does_no_harm_and_its_late_rows_are_taken() {
    let test = TestDatabase::new().await;
    let folder = tempfile::tempdir().unwrap();
    let file = history(folder.path());
    // It seals too, as soon as it may.
    let eager = [("CHUNKWISE_CHUNK__QUIET_PERIOD", "200ms"), ("CHUNKWISE_CHUNK__SEAL_AFTER", "1s")];
    let app = app(&test, &eager);
    let mut load = Process::spawn(&mut command(&["load", file.to_str().unwrap(), "--database-url", &test.url()]));
    let begun = Instant::now();
    let mut late = 0;
    while !load.has_ended() {
        assert!(begun.elapsed() < LIMIT, "the load does not end");
        if count(&test, "chunkwise.chunk_event WHERE event = 'sealed'").await > late {
            write(&app, format!("m,s=later v=1 {}", DAY_S + late).as_bytes());
            late += 1;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(load.wait(LIMIT).success());
    assert!(late > 0, "nothing was sealed while the load went on");
    assert_eq!(count(&test, "m WHERE s <> 'later'").await, DAYS * DAY_ROWS + 1);
    assert_eq!(count(&test, "m WHERE s = 'later'").await, late);
    // It may be at one that the load has passed over for that.
    wait_for_sealed(&test, DAYS).await;
    for chunk in chunks(&test).await {
        let sealed = format!("chunkwise.chunk_event WHERE event = 'sealed' AND chunk = '{chunk}'");
        assert_eq!(count(&test, &sealed).await, 1, "{chunk}");
    }
    assert_eq!(count(&test, "pg_index WHERE NOT indisvalid").await, 0);
}

#[tokio::test]
async fn a_load_that_is_killed_and_started_again_ends_as_if_nothing_had_been() {
    let test = TestDatabase::new().await;
    let folder = tempfile::tempdir().unwrap();
    let file = history(folder.path());
    drop(app(&test, &PATIENT));
    let url = test.url();
    let arguments = ["load", file.to_str().unwrap(), "--database-url", &url];
    for _ in 0..2 {
        let mut load = Process::spawn(&mut command(&arguments));
        let before = count(&test, "chunkwise.chunk_event").await;
        let begun = Instant::now();
        // In the middle of what comes after a chunk was sealed: of the next one, mostly.
        while count(&test, "chunkwise.chunk_event").await == before && !load.has_ended() {
            assert!(begun.elapsed() < LIMIT, "nothing is sealed");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        if !load.has_ended() {
            load.signal(Signal::KILL);
            load.wait(LIMIT);
        }
    }
    run_within(&arguments, LIMIT).successful();
    assert_all_sealed(&test).await;
}
