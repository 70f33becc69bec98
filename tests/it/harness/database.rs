//! The database's processes are ended: sessions, one backend, all of the server.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::{Harness, rounds};
use crate::{
    embedded::{
        alone,
        folder::{DataFolder, kill_9},
    },
    support::TestDatabase,
};

#[tokio::test]
async fn f02_a_backend_that_is_killed_takes_all_sessions_along_and_they_come_back() {
    let _turn = alone().await;
    let folder = DataFolder::new();
    let mut harness = Harness::embedded(&folder, "F02", &[]).under_load();
    let server = folder.server();
    for _ in 0..rounds(2) {
        // One that has just written, or writes.
        let backend = folder
            .count(
                "SELECT pid::int8 FROM pg_stat_activity WHERE application_name = 'chunkwise-writer'
                 ORDER BY state_change DESC LIMIT 1",
            )
            .await;
        let killed = Instant::now();
        kill_9(Pid::from_raw(i32::try_from(backend).unwrap()).unwrap());
        harness.recover(killed);
        let left = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {backend}");
        assert_eq!(folder.count(&left).await, 0);
    }
    // The server has recovered by itself: it is the same one.
    assert_eq!(folder.server(), server);
    harness.prove();
}

#[tokio::test]
async fn f03_a_server_that_is_killed_or_stops_at_once_is_started_again() {
    let _turn = alone().await;
    let folder = DataFolder::new();
    let mut harness = Harness::embedded(&folder, "F03", &[]).under_load();
    // SIGQUIT is what `pg_ctl stop -m immediate` sends.
    for signal in [Signal::KILL, Signal::QUIT].into_iter().cycle().take(rounds(2) as usize) {
        let server = folder.server().unwrap();
        let ended = Instant::now();
        kill_process(server, signal).unwrap();
        harness.recover(ended);
        assert_ne!(folder.server(), Some(server));
    }
    harness.prove();
}

#[tokio::test]
async fn f06_sessions_that_are_terminated_all_the_time_are_replaced() {
    const ROUND: Duration = Duration::from_secs(3);
    let database = TestDatabase::new().await;
    let mut harness = Harness::on(&database, "F06").under_load();
    let mut administrator = database.connect().await;
    let rounds = rounds(1);
    let mut ended = 0;
    for _ in 0..rounds {
        let begun = Instant::now();
        while begun.elapsed() < ROUND {
            let sessions: Vec<bool> = sqlx::query_scalar(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE datname = current_database() AND application_name LIKE 'chunkwise-%'",
            )
            .fetch_all(&mut administrator)
            .await
            .unwrap();
            ended += sessions.len();
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        harness.recover(Instant::now());
    }
    let proven = harness.prove();
    assert!(ended >= 10 * rounds as usize, "only {ended} sessions were there to be ended: {proven:?}");
}
