//! Lanes: one for everybody, one for measurements that somebody else holds locked, one for what comes from the spool.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::queue::{Job, Queue};

/// Where requests wait for a writer.
///
/// A write transaction that runs into a lock of somebody's (an analyst's `LOCK TABLE`, a long `ALTER`) is given up soon;
/// those of its requests that touch the locked measurement go to the slow lane and wait there, and so do further ones.
/// All others go on as if nothing was.
///
/// What comes from the spool has a lane and a writer of its own, which keeps its order; where a measurement is locked, its
/// reader is told and puts the requests off itself.
#[derive(Debug)]
pub(super) struct Lanes {
    pub(super) quick: Queue,
    pub(super) slow: Queue,
    pub(super) spooled: Queue,
    /// Measurements that were found locked and have not been written to since.
    locked: Mutex<HashSet<i32>>,
}

impl Lanes {
    pub(super) fn new() -> Self {
        Self {
            quick: Queue::new("quick"),
            slow: Queue::new("slow"),
            spooled: Queue::new("spooled"),
            locked: Mutex::default(),
        }
    }

    /// Adds a request to its lane.
    pub(super) fn push(&self, job: Job) {
        let slow = {
            let locked = self.locked();
            !locked.is_empty() && job.measurements().any(|measurement| locked.contains(&measurement))
        };
        if slow { self.slow.push(job) } else { self.quick.push(job) }
    }

    /// Notes that a measurement is locked.
    pub(super) fn found_locked(&self, measurement: i32) {
        if self.locked().insert(measurement) {
            tracing::info!(
                measurement,
                "a measurement is locked by another session: its writes wait apart from others"
            );
        }
    }

    /// Notes that these measurements could be written to, or that it is not a lock that is in the way.
    pub(super) fn found_free(&self, jobs: &[Job]) {
        let mut locked = self.locked();
        for measurement in jobs.iter().flat_map(Job::measurements) {
            locked.remove(&measurement);
        }
    }

    fn locked(&self) -> MutexGuard<'_, HashSet<i32>> {
        self.locked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes the quick lane, and the spool's, when whoever sends to them has gone.
#[derive(Debug)]
pub(super) struct Sender(pub(super) Arc<Lanes>);

impl Drop for Sender {
    fn drop(&mut self) {
        self.0.quick.close();
        self.0.spooled.close();
    }
}

/// Closes the slow lane when the quick one's writers have ended: until then they may send to it.
#[derive(Debug)]
pub(super) struct QuickWriter(pub(super) Arc<Lanes>);

impl Drop for QuickWriter {
    fn drop(&mut self) {
        self.0.slow.close();
    }
}
