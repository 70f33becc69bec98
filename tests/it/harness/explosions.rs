//! Requests that would make far too many chunks or measurements.

use std::time::Instant;

use super::{
    Harness,
    feeds::{SILENCE, longest_silence},
    rounds,
};
use crate::{
    embedded::{alone, folder::DataFolder},
    support::App,
};

/// How many times; each that is past makes a chunk of its own.
const TIMES: i64 = 500;
/// The first moment of the year 1.
const YEAR_1_S: i64 = -62_135_596_800;
/// What a namespace may have here.
const MEASUREMENTS: i64 = 20;

/// Times over five thousand years; those to come are refused in any case.
fn ages(round: u32) -> String {
    let step_s = 5_000 * 365 * 86_400 / TIMES;
    (0..TIMES).map(|n| format!("dense,tag=x v={n} {}\n", YEAR_1_S + n * step_s + i64::from(round))).collect()
}

/// A row each of more new measurements than there may be.
fn many_measurements(round: u32) -> String {
    (0..2 * MEASUREMENTS).map(|n| format!("made_{round}_{n} v=1 1700000000\n")).collect()
}

/// A request of which a part is refused for one reason; gives how many lines were written.
fn post(service: &App, body: &str, reason: &str) -> i64 {
    let begun = Instant::now();
    let answer = service.post("/write?precision=s", body.as_bytes());
    let said = answer.json();
    eprintln!("F15: {} after {:.1} s: {}", answer.status, begun.elapsed().as_secs_f64(), said["error"]);
    assert_eq!(answer.status, 400, "{said:#}");
    let lines = said["lines"].as_array().unwrap();
    assert!(lines.iter().all(|line| line["reason"].as_str().unwrap().contains(reason)), "{said:#}");
    said["written"].as_i64().unwrap()
}

#[tokio::test]
async fn f15_explosions_are_refused_in_words_and_the_load_goes_on() {
    let _turn = alone().await;
    let folder = DataFolder::new();
    let variables = [("CHUNKWISE_INGEST__MAX_MEASUREMENTS", "20")];
    let mut harness = Harness::embedded(&folder, "F15", &variables).under_load();
    // Of dense rows, so that its chunks are short.
    let now_s = chrono::Utc::now().timestamp();
    let dense: String = (0..2_000).map(|n| format!("dense,tag=x v={n} {}\n", now_s - n)).collect();
    assert_eq!(harness.service().post("/write?precision=s", dense.as_bytes()).status, 204);
    let mut written = 2_000;
    for round in 0..rounds(1) {
        let (service, feeds) = (harness.service.as_ref().unwrap(), &mut harness.feeds);
        std::thread::scope(|scope| {
            let exploding = scope.spawn(move || {
                let ages_written = post(service, &ages(round), "ahead of the server's clock");
                assert!((TIMES / 3..TIMES / 2).contains(&ages_written), "{ages_written}");
                let made = post(service, &many_measurements(round), "measurements already");
                assert_eq!(made, if round == 0 { MEASUREMENTS - 3 } else { 0 });
                ages_written
            });
            let silence = longest_silence(feeds, || !exploding.is_finished());
            eprintln!("F15: the longest silence was {:.1} s", silence.as_secs_f64());
            assert!(silence < SILENCE, "{silence:?}");
            written += exploding.join().unwrap();
        });
        assert_eq!(harness.service().get("/health").status, 200);
        harness.recover(Instant::now());
    }
    assert_eq!(folder.count("SELECT count(*) FROM dense").await, written);
    assert_eq!(folder.count("SELECT count(*) FROM chunkwise.measurement").await, MEASUREMENTS);
    let proven = harness.prove();
    assert_eq!(proven.doubts, 0, "the load was disturbed: {proven:?}");
}
