//! The same requests again and again.

use std::time::Duration;

use chrono::{SecondsFormat, TimeDelta, Utc};

use super::Harness;
use crate::support::TestDatabase;

#[tokio::test]
async fn f10_requests_that_come_twice_at_once_and_again_later_are_written_once() {
    let database = TestDatabase::new().await;
    let mut harness = Harness::on(&database, "F10");
    let start = (Utc::now() - TimeDelta::hours(1)).to_rfc3339_opts(SecondsFormat::Secs, true);
    // Equal flags give equal requests under equal ids.
    let twin = [
        ["--measurement", "twins"],
        ["--start", &start],
        ["--connections", "4"],
        ["--lines-per-request", "250"],
        ["--lines", "30000"],
    ];
    harness.feed(&twin);
    harness.feed(&twin);
    harness.feeds.iter_mut().for_each(|feed| drop(feed.finish()));
    // What decides is in the database, not in the process that has seen them.
    harness.terminate(Duration::from_secs(12));
    harness.start();
    harness.feed(&twin);
    let last = harness.feeds.last_mut().unwrap().finish();
    assert_eq!(last["duplicates"], last["requests"], "{last:#}");

    let proven = harness.prove();
    // Each of the three journals is about the same rows, and one of three attempts has written them.
    assert_eq!((proven.acknowledged_rows, proven.doubts), (90_000, 0));
    assert_eq!((proven.requests, proven.duplicates), (3 * 120, 2 * 120));
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM twins").await, 30_000);
}
