//! The program with a server of its own, in a data folder of the test's own. One test at a time: each has a whole
//! PostgreSQL.

mod backup;
mod commands;
mod crashes;
mod demo;
pub(crate) mod folder;
mod sharing;

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

/// A command that has to start a server, on a machine that may have to fetch it first.
const START: Duration = Duration::from_secs(300);
/// A command that only looks.
const LOOK: Duration = Duration::from_secs(20);
/// SIGTERM or SIGINT, with the server's checkpoint.
const STOP: Duration = Duration::from_secs(15);

/// Keeps other tests with a server of their own waiting.
pub(crate) async fn alone() -> SemaphorePermit<'static> {
    static TURN: Semaphore = Semaphore::const_new(1);
    TURN.acquire().await.unwrap()
}
