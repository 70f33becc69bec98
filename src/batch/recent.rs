//! Batches that were written a moment ago, for whoever would read their rows from the database again.
//!
//! ```text
//! writer: COPY -> put -> COMMIT -> committed        dropped without it: the batch is forgotten
//! reader: follow -> looks at the change log -> take the batches of transactions that it sees there
//! ```
//!
//! A batch is put before its transaction commits, so that nobody sees the transaction and finds no batch. Nothing depends on
//! what is here: a reader that finds no batch reads the database.

use std::{
    borrow::Cow,
    collections::HashMap,
    ops::Deref,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use super::Batch;

/// A part of the room that is a lot.
const FILLING: usize = 32;
/// A reader that has not been here for so long has gone.
const FOLLOWED_WITHIN: Duration = Duration::from_secs(20);
/// A batch that nobody has taken after so long is not going to be: its measurement has gone, or was looked at for the first
/// time, when it is read as a whole.
const TAKEN_WITHIN: Duration = Duration::from_secs(60);

/// Where writers leave batches for one reader in the same process; by default without room for any. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Recent(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    room_bytes: usize,
    waiting: Mutex<Waiting>,
    /// Of batches that wait, and of those that the reader has taken and still holds.
    bytes: AtomicUsize,
}

#[derive(Debug, Default)]
struct Waiting {
    /// By a measurement's id and a transaction's number.
    batches: HashMap<(i32, u64), RecentBatch>,
    followed: Option<Instant>,
}

impl Recent {
    /// With room for so many bytes of batches, those included that the reader has taken and still holds.
    #[must_use]
    pub fn new(room_bytes: usize) -> Self {
        Self(Arc::new(Shared { room_bytes, ..Shared::default() }))
    }

    /// Whether what waits for the reader takes a good part of the room.
    #[must_use]
    pub fn is_filling(&self) -> bool {
        let waiting: usize = self.waiting().batches.values().map(|batch| batch.bytes).sum();
        waiting > self.0.room_bytes / FILLING
    }

    /// Lets writers know that there is a reader; to be called every few seconds.
    pub fn follow(&self) {
        let mut waiting = self.waiting();
        waiting.followed = Some(Instant::now());
        waiting.batches.retain(|_, batch| batch.came.elapsed() < TAKEN_WITHIN);
    }

    /// Forgets what waits.
    pub fn forget(&self) {
        self.waiting().batches.clear();
    }

    /// Leaves the batch that the transaction `xid` has copied into a measurement's storage. `None` if nobody follows, or if
    /// there is no room.
    pub fn put(&self, measurement_id: i32, xid: u64, batch: Cow<'_, Batch>) -> Option<Put> {
        let Shared { room_bytes, bytes: taken, .. } = &*self.0;
        let mut waiting = self.waiting();
        if waiting.followed.is_none_or(|at| at.elapsed() > FOLLOWED_WITHIN) {
            waiting.batches.clear();
            return None;
        }
        drop(waiting);
        let bytes = batch.bytes();
        if taken.load(Ordering::Relaxed).saturating_add(bytes) > *room_bytes {
            return None;
        }
        let mut batch = batch.into_owned();
        batch.shrink_to_fit();
        let bytes = batch.bytes();
        taken.fetch_add(bytes, Ordering::Relaxed);
        let batch = RecentBatch { batch, bytes, came: Instant::now(), room: Arc::clone(&self.0) };
        self.waiting().batches.insert((measurement_id, xid), batch);
        Some(Put { recent: self.clone(), of: Some((measurement_id, xid)) })
    }

    /// Takes the batch that a transaction has left.
    #[must_use]
    pub fn take(&self, measurement_id: i32, xid: u64) -> Option<RecentBatch> {
        self.waiting().batches.remove(&(measurement_id, xid))
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Whoever panicked while he had it left a map as good as before.
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A batch whose transaction may not be committed yet. Dropped, it is forgotten, unless the reader has taken it: who saw the
/// transaction knows that it was committed.
#[derive(Debug)]
#[must_use]
pub struct Put {
    recent: Recent,
    of: Option<(i32, u64)>,
}

impl Put {
    /// COMMIT has returned: the batch stays.
    pub fn committed(mut self) {
        self.of = None;
    }
}

impl Drop for Put {
    fn drop(&mut self) {
        if let Some((measurement_id, xid)) = self.of {
            drop(self.recent.take(measurement_id, xid));
        }
    }
}

/// A batch that was written a moment ago; its room is free again when it is dropped.
#[derive(Debug)]
pub struct RecentBatch {
    batch: Batch,
    bytes: usize,
    came: Instant,
    room: Arc<Shared>,
}

impl RecentBatch {
    /// How long ago it was written.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.came.elapsed()
    }
}

impl Deref for RecentBatch {
    type Target = Batch;

    fn deref(&self) -> &Batch {
        &self.batch
    }
}

impl Drop for RecentBatch {
    fn drop(&mut self) {
        self.room.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        batch::{BatchColumn, Value},
        hypertable::ColumnType,
    };

    use super::*;

    fn batch(rows: i64) -> Batch {
        let mut batch = Batch::new(vec![BatchColumn { name: "price".to_owned(), kind: ColumnType::Float8 }]);
        for row in 0..rows {
            batch.push_row(row, 7, &[(0, Value::Float8(1.5))]).unwrap();
        }
        batch
    }

    #[test]
    fn nothing_is_kept_for_nobody() {
        let recent = Recent::new(100 << 20);
        assert!(recent.put(1, 10, Cow::Owned(batch(3))).is_none());
        assert!(recent.take(1, 10).is_none());
        assert_eq!(recent.0.bytes.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_batch_is_there_from_before_its_commit_and_goes_with_an_attempt_that_failed() {
        let recent = Recent::new(100 << 20);
        recent.follow();
        let failed = recent.put(1, 10, Cow::Owned(batch(3))).unwrap();
        let committed = recent.put(1, 11, Cow::Borrowed(&batch(4))).unwrap();
        let seen_before_its_answer = recent.put(2, 11, Cow::Owned(batch(5))).unwrap();
        assert_eq!(recent.take(2, 11).map(|batch| batch.len()), Some(5));
        drop(failed);
        committed.committed();
        drop(seen_before_its_answer);
        assert!(recent.take(1, 10).is_none());
        assert_eq!(recent.take(1, 11).map(|batch| batch.len()), Some(4));
        assert!(recent.take(1, 11).is_none());
        assert_eq!(recent.0.bytes.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn there_is_room_for_so_much_and_what_is_dropped_makes_room() {
        let recent = Recent::new(100 << 20);
        recent.follow();
        let large = batch(1_000_000);
        let mut puts = Vec::new();
        for xid in 0.. {
            match recent.put(1, xid, Cow::Borrowed(&large)) {
                Some(put) => puts.push(put),
                None => break,
            }
        }
        let fit = (100 << 20) / large.bytes();
        assert_eq!(puts.len(), fit);
        assert!(recent.is_filling());
        let taken = recent.take(1, 0).unwrap();
        assert!(recent.put(1, 100, Cow::Borrowed(&large)).is_none(), "what is taken and held takes room");
        drop(taken);
        assert!(recent.put(1, 101, Cow::Borrowed(&large)).is_some());
        drop(puts);
        assert!(!recent.is_filling());
        assert_eq!(recent.0.bytes.load(Ordering::Relaxed), 0);
    }
}
