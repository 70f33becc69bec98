//! The program with a server of its own, in a data folder of the test's own. One test at a time: each has a whole
//! PostgreSQL.

mod commands;
mod crashes;
mod demo;
mod folder;

use std::{sync::MutexGuard, time::Duration};

/// A command that has to start a server, on a machine that may have to fetch it first.
const START: Duration = Duration::from_secs(300);
/// A command that only looks.
const LOOK: Duration = Duration::from_secs(20);
/// SIGTERM or SIGINT, with the server's checkpoint.
const STOP: Duration = Duration::from_secs(15);

/// Keeps other tests of this module waiting.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());
    // A test that failed has left nothing that the next could stumble over.
    TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
