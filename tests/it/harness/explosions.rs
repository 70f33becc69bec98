//! Requests that would make far too many chunks or measurements.

use std::time::Instant;

use super::{Harness, rounds};
use crate::{
    embedded::{alone, folder::DataFolder},
    support::App,
};

const TIMES: i64 = 10_000;
/// From the year 1 of our era to 5001.
const YEAR_1_S: i64 = -62_135_596_800;
const MEASUREMENTS: usize = 40;

/// Ten thousand times over five thousand years; those to come are refused in any case.
fn ages(measurement: &str, round: u32) -> String {
    let step_s = 5_000 * 365 * 86_400 / TIMES;
    (0..TIMES).map(|n| format!("{measurement},tag=x v={n} {}\n", YEAR_1_S + n * step_s + i64::from(round))).collect()
}

/// One row of each of so many new measurements.
fn many_measurements(count: usize, round: u32) -> String {
    (0..count).map(|n| format!("made_{round}_{n} v=1 1700000000\n")).collect()
}

fn post(app: &App, body: &str) -> (u16, String) {
    let answer = app.post("/write?precision=s", body.as_bytes());
    (answer.status, String::from_utf8_lossy(&answer.body).into_owned())
}

#[tokio::test]
async fn f15_explosions_are_refused_in_words_and_the_load_does_not_notice() {
    let _turn = alone().await;
    let folder = DataFolder::new();
    let variables = [("CHUNKWISE_INGEST__MAX_MEASUREMENTS", "40")];
    let mut harness = Harness::embedded(&folder, "F15", &variables).under_load();
    // Of dense rows, so that its chunks are short.
    let now_s = chrono::Utc::now().timestamp();
    let dense: String = (0..2_000).map(|n| format!("dense,tag=x v={n} {}\n", now_s - n)).collect();
    assert_eq!(post(harness.service(), &dense).0, 204);
    for round in 0..rounds(1) {
        let begun = Instant::now();
        let (status, body) = post(harness.service(), &ages("dense", round));
        eprintln!("ages, dense: {status} after {:?}: {:.600}", begun.elapsed(), body);
        let (status, body) = post(harness.service(), &ages("ages", round));
        eprintln!("ages, new: {status} after {:?}: {:.600}", begun.elapsed(), body);
        let (status, body) = post(harness.service(), &many_measurements(2 * MEASUREMENTS, round));
        eprintln!("measurements: {status} after {:?}: {:.600}", begun.elapsed(), body);
        harness.recover(begun);
    }
    eprintln!("chunks {}", folder.count("SELECT count(*) FROM timescaledb_information.chunks").await);
    eprintln!("measurements {}", folder.count("SELECT count(*) FROM chunkwise.measurement").await);
    harness.prove();
}
