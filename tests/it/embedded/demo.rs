//! `chunkwise up --demo`

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{LOOK, STOP, alone, folder::DataFolder};
use crate::{faults::clients::block_until, support::run_within};

/// What `load --dry-run` counts in the demonstration's prices.
fn rows_in_the_file() -> i64 {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/sp500_prices.csv.gz");
    let counted = run_within(&["load", file, "--wide-tag", "symbol", "--field", "close", "--dry-run"], LOOK);
    let count = counted.text().split("would write ").nth(1).and_then(|rest| rest.split(' ').next());
    count.unwrap_or_else(|| panic!("{}", counted.stderr)).parse().unwrap()
}

#[tokio::test]
async fn the_demonstration_has_all_its_prices_once_and_a_feed_that_goes_on_and_ends_with_ctrl_c() {
    const COUNT_PRICES: &str = "SELECT count(*) FROM prices";
    const COUNT_TICKS: &str = "SELECT count(*) FROM ticks";
    let _turn = alone().await;
    let folder = DataFolder::new();
    let mut app = folder.up(&["--demo"]);
    let prices = rows_in_the_file();
    assert_eq!(folder.count(COUNT_PRICES).await, prices);
    let measurements = app.get("/api/v1/measurements").json();
    assert!(measurements["measurements"].as_array().unwrap().iter().any(|shown| shown["name"] == "prices"));
    block_until("the feed", LOOK, || app.get("/api/v1/stats").json()["ingest"]["committed"].as_u64().unwrap() > 0);
    let earlier = folder.count(COUNT_TICKS).await;
    let begun = Instant::now();
    while folder.count(COUNT_TICKS).await <= earlier {
        assert!(begun.elapsed() < LOOK, "the feed stands still");
    }

    app.signal(Signal::INT);
    assert_eq!(app.wait(STOP), 0);
    assert!(folder.db("status").text().starts_with("stopped"));

    let begun = Instant::now();
    let mut app = folder.up(&["--demo"]);
    assert!(begun.elapsed() < Duration::from_secs(20), "the second start took {:?}", begun.elapsed());
    assert_eq!(folder.count(COUNT_PRICES).await, prices);
    app.signal(Signal::INT);
    assert_eq!(app.wait(STOP), 0);
    assert!(folder.db("status").text().starts_with("stopped"));
}
