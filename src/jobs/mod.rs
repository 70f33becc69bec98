//! Work that one process at a time does again and again: the life of chunks, rollups.
//!
//! Each job has a session of its own that holds an advisory lock of its own, so that two processes do no harm and one
//! suffices. The lock is the session's: a crash frees it, and whoever waits for it takes over. A job remembers nothing that
//! is not also in the database: it may be dropped at any await, and another process goes on from what is there.
//!
//! Nobody waits for sealing and rollups, so they wait for everybody else: their threads and sessions have the lowest
//! [priority](Priority), and while rows come in they have half of the [cores](SharedCores).
//!
//! ```text
//! connect -> lock, or wait for it -> run -> Again: run
//!    ^                                |--> After(time): wait, run
//!    '---- a longer and longer pause <--- an error: the session is given up, and its lock with it
//! ```

mod cores;
mod error;
mod metric;
mod priority;
mod runner;

use std::{future::Future, time::Duration};

use sqlx::PgConnection;

use crate::db::Database;

pub use cores::{Core, SharedCores};
pub use error::JobError;
pub use priority::{Priority, lower_own_thread};
pub use runner::run;
pub(crate) use runner::session;

/// A piece of work that one process at a time does again and again.
pub trait Job: Send + 'static {
    /// For the log, metrics, and the advisory lock's key.
    const NAME: &'static str;
    /// What its session has of a busy machine. One whose locks others may have to wait for should not take long.
    const PRIORITY: Priority = Priority::Lowest;

    /// Does a part of what there is to do, a few seconds' worth where it can be cut, and says when to come back.
    ///
    /// It is dropped at whatever it awaits when the process is to end, so each step must be one that can be repeated. An
    /// error ends the session; the job is run again on a new one, after a pause.
    fn run(&mut self, turn: &mut Turn<'_>) -> impl Future<Output = Result<Next, JobError>> + Send;
}

/// When a job wants to run again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// There is more to do now.
    Again,
    /// Nothing is left; look again after this time.
    After(Duration),
}

/// What a job works with while it is its turn.
#[derive(Debug)]
pub struct Turn<'a> {
    /// The owner's session that holds the job's lock. What is done on it is done by one process at a time; what is done on
    /// another may, for a moment after this session was lost, meet another process's.
    pub connection: &'a mut PgConnection,
    /// For sessions of other roles, or beside this one.
    pub database: &'a Database,
}
