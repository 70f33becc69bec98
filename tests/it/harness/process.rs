//! The service ends, one way or the other, and is started where it was.

use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng, rngs::StdRng};

use super::{Harness, UNDER_WAY, rounds};
use crate::support::TestDatabase;

/// Ten seconds for requests under way, and a little for a busy machine.
const STOP: Duration = Duration::from_secs(12);

#[tokio::test]
async fn f01_a_service_that_is_killed_at_any_moment_goes_on_where_it_was() {
    let database = TestDatabase::new().await;
    let mut harness = Harness::on(&database, "F01").under_load();
    let mut random = StdRng::seed_from_u64(1);
    let rounds = rounds(3);
    for _ in 0..rounds {
        // At any moment of a batch: one takes some ten milliseconds.
        tokio::time::sleep(Duration::from_millis(random.random_range(0..300))).await;
        let killed = Instant::now();
        harness.kill();
        harness.start();
        harness.recover(killed);
    }
    let proven = harness.prove();
    assert!(proven.doubts >= u64::from(rounds), "nobody was interrupted: {proven:?}");
}

#[tokio::test]
async fn f01_the_first_requests_of_all_can_be_interrupted_too() {
    let database = TestDatabase::new().await;
    let mut harness = Harness::on(&database, "F01, from nothing");
    // While measurements, columns and series are made.
    let mut random = StdRng::seed_from_u64(2);
    harness.kill();
    let mut harness = harness.under_way();
    let rounds = rounds(3);
    for _ in 0..rounds {
        harness.start();
        tokio::time::sleep(Duration::from_millis(random.random_range(0..200))).await;
        harness.kill();
    }
    let killed = Instant::now();
    harness.start();
    harness.recover(killed);
    harness.wait_for_more(UNDER_WAY);
    let proven = harness.prove();
    assert!(proven.doubts >= u64::from(rounds), "nobody was interrupted: {proven:?}");
}

#[tokio::test]
async fn f14_sigterm_under_load_ends_in_order_and_what_was_not_answered_is_settled_later() {
    let database = TestDatabase::new().await;
    let mut harness = Harness::on(&database, "F14").under_load();
    let rounds = rounds(5);
    let mut longest = Duration::ZERO;
    for _ in 0..rounds {
        let told = Instant::now();
        longest = longest.max(harness.terminate(STOP));
        harness.start();
        harness.recover(told);
    }
    let proven = harness.prove();
    eprintln!("F14: the longest stop took {:.1} s", longest.as_secs_f64());
    // The feeds went on sending to nobody, or were turned away.
    assert!(proven.doubts >= u64::from(rounds), "nobody was interrupted: {proven:?}");
}
