//! The database is slow: another measurement is locked, and the line to it is thin.

use std::{
    num::NonZeroU32,
    sync::mpsc,
    time::{Duration, Instant},
};

use sqlx::Executor;

use super::{
    Harness,
    feeds::{SILENCE, longest_silence},
    rounds,
};
use crate::{
    faults::clients::{Batch, assert_each_once},
    support::{Proxy, TestDatabase},
};

const ROUND: Duration = Duration::from_secs(5);
/// A megabit a second, which is less than the load needs.
const THIN: NonZeroU32 = NonZeroU32::new(125_000).unwrap();
/// What the service may take at its peak: bounded queues, buffers of 12 requests, connections.
const PEAK_BYTES: u64 = 512 << 20;

/// Locks the measurement `w`; a message, or its sender's end, unlocks it.
async fn lock(database: &TestDatabase) -> mpsc::Sender<()> {
    let mut locker = database.connect().await;
    locker.execute("BEGIN; LOCK TABLE public_store.w IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let (unlock, unlocked) = mpsc::channel();
    // The session ends with its connection, and the transaction with the session.
    std::thread::spawn(move || drop((unlocked.recv(), locker)));
    unlock
}

/// What a round writes to the locked measurement.
fn batches(round: u32) -> impl Iterator<Item = Batch> {
    let first = 1 + u64::from(round) * 8;
    (first..first + 8).map(|ordinal| Batch::new(ordinal, 20))
}

#[tokio::test]
async fn f16_a_locked_measurement_holds_up_no_other() {
    let database = TestDatabase::new().await;
    let mut harness = Harness::on(&database, "F16, locked").under_load();
    Batch::new(0, 20).send_until_committed(harness.service());
    let rounds = rounds(1);
    let mut silence = Duration::ZERO;
    for round in 0..rounds {
        let unlock = lock(&database).await;
        let begun = Instant::now();
        let (service, feeds) = (harness.service.as_ref().unwrap(), &mut harness.feeds);
        std::thread::scope(|scope| {
            // More than there are writers.
            let waiting: Vec<_> =
                batches(round).map(|batch| scope.spawn(move || batch.send_until_committed(service))).collect();
            silence = silence.max(longest_silence(feeds, || begun.elapsed() < ROUND));
            assert!(waiting.iter().all(|write| !write.is_finished()), "nobody waited for the lock");
            unlock.send(()).unwrap();
        });
        harness.recover(begun + ROUND);
    }
    let all: Vec<Batch> = [Batch::new(0, 20)].into_iter().chain((0..rounds).flat_map(batches)).collect();
    assert_each_once(&database, &all).await;
    harness.prove();
    eprintln!("F16: the longest silence while others waited for a lock was {:.1} s", silence.as_secs_f64());
    assert!(silence < SILENCE, "{silence:?}");
}

#[tokio::test]
async fn f16_a_thin_line_to_the_database_delays_and_loses_nothing() {
    let database = TestDatabase::new().await;
    let proxy = Proxy::before(&database.options());
    let mut harness = Harness::at(["--database-url".to_owned(), proxy.url().to_owned()], "F16, thin", &[]).under_load();
    for _ in 0..rounds(1) {
        let begun = Instant::now();
        proxy.slow_down(THIN);
        tokio::time::sleep(ROUND).await;
        if let Some(peak) = harness.service().memory_bytes("VmHWM") {
            eprintln!("F16: at most {} MiB in memory", peak >> 20);
            assert!(peak < PEAK_BYTES, "{peak}");
        }
        assert_eq!(harness.service().get("/ping").status, 204);
        assert!(begun.elapsed() < ROUND * 2);
        let healed = Instant::now();
        proxy.heal();
        harness.recover(healed);
    }
    harness.prove();
}
