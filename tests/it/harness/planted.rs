//! Faults of the service itself, each planted from outside: the proof must find them, or it proves nothing.

use std::{fs, time::Instant};

use sqlx::Executor;

use super::{Harness, feeds::Proven};
use crate::support::{Proxy, TestDatabase};

const LINES: u64 = 100;

/// A feed whose requests go to the spool, one after the other; the service is killed when so many are in it.
fn killed_with_a_spool(database: &TestDatabase, proxy: &Proxy, fault: &'static str) -> Harness {
    let mut harness = Harness::spooling(database, proxy, fault, &[]);
    harness.feed(&[
        ["--measurement", "planted"],
        ["--lines-per-request", "100"],
        ["--rate", "5000"],
        ["--in-flight", "1"],
        ["--duration", "1h"],
    ]);
    harness.wait_for_more(5);
    proxy.cut();
    harness.wait_for_spooled(20);
    // The last answer is heard before the service is gone.
    harness.feeds[0].stop();
    harness.feeds[0].finish();
    harness.kill();
    harness
}

/// Starts the service again with the database there, and compares.
fn drained(mut harness: Harness, proxy: &Proxy) -> Proven {
    let healed = Instant::now();
    proxy.heal();
    harness.start();
    harness.wait_for_drain(healed);
    harness.judge()
}

#[tokio::test]
async fn an_acknowledgement_before_the_sync_is_found_when_the_power_goes() {
    let database = TestDatabase::new().await;
    let proxy = Proxy::before(&database.options());
    let harness = killed_with_a_spool(&database, &proxy, "planted, acknowledged before the sync");
    // What was not synced yet when the power went: the end of the last frame.
    let segment = fs::OpenOptions::new().write(true).open(harness.segment()).unwrap();
    segment.set_len(segment.metadata().unwrap().len() - 100).unwrap();
    let proven = drained(harness, &proxy);
    assert_eq!((proven.lost, proven.faults()), (LINES, LINES), "{proven:?}");
}

#[tokio::test]
async fn a_segment_that_is_removed_before_its_rows_are_committed_is_found() {
    let database = TestDatabase::new().await;
    let proxy = Proxy::before(&database.options());
    let harness = killed_with_a_spool(&database, &proxy, "planted, removed before the commit");
    fs::remove_file(harness.segment()).unwrap();
    let proven = drained(harness, &proxy);
    assert_eq!((proven.lost, proven.faults()), (proven.spooled_rows, proven.spooled_rows), "{proven:?}");
    assert!(proven.lost >= 20 * LINES, "{proven:?}");
}

#[tokio::test]
async fn rows_without_a_lasting_entry_in_the_ledger_are_found_twice() {
    let database = TestDatabase::new().await;
    let proxy = Proxy::before(&database.options());
    // The ledger forgets each request before its transaction is over.
    database
        .connect()
        .await
        .execute(
            "CREATE FUNCTION public.forget() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN DELETE FROM chunkwise.ledger WHERE id = NEW.id; RETURN NULL; END $$;
             CREATE CONSTRAINT TRIGGER forget AFTER INSERT ON chunkwise.ledger DEFERRABLE INITIALLY DEFERRED
                 FOR EACH ROW EXECUTE FUNCTION public.forget()",
        )
        .await
        .unwrap();
    let mut harness = killed_with_a_spool(&database, &proxy, "planted, without a ledger");
    // As after a crash between COMMIT and the cursor's move: the same segments are read twice.
    let (spool, copy) = (harness.data().join("spool"), harness.data().join("copy"));
    fs::create_dir(&copy).unwrap();
    let segment = harness.segment();
    let name = segment.file_name().unwrap();
    fs::copy(&segment, copy.join(name)).unwrap();
    let healed = Instant::now();
    proxy.heal();
    harness.start();
    harness.wait_for_drain(healed);
    harness.kill();
    fs::remove_dir_all(&spool).unwrap();
    fs::rename(&copy, &spool).unwrap();
    let proven = drained(harness, &proxy);
    assert_eq!((proven.twice, proven.faults()), (proven.spooled_rows, proven.spooled_rows), "{proven:?}");
    assert!(proven.twice >= 20 * LINES, "{proven:?}");
}
