//! How many series may be made within a minute.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

const MINUTE: Duration = Duration::from_secs(60);

/// Counts new series over minutes that begin with the first one in each.
#[derive(Debug)]
pub(super) struct SeriesQuota {
    limit: u64,
    minute: Mutex<Option<(Instant, u64)>>,
}

impl SeriesQuota {
    pub(super) fn new(limit: u64) -> Self {
        Self { limit, minute: Mutex::new(None) }
    }

    pub(super) fn limit(&self) -> u64 {
        self.limit
    }

    /// How many more may be made now.
    pub(super) fn left(&self) -> u64 {
        let minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        match *minute {
            Some((begun, made)) if begun.elapsed() < MINUTE => self.limit.saturating_sub(made),
            _ => self.limit,
        }
    }

    /// Counts series that were made.
    pub(super) fn made(&self, series: u64) {
        let mut minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *minute {
            Some((begun, made)) if begun.elapsed() < MINUTE => *made += series,
            other => *other = Some((Instant::now(), series)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_is_taken_from_the_minute() {
        let quota = SeriesQuota::new(10);
        assert_eq!(quota.left(), 10);
        quota.made(4);
        assert_eq!(quota.left(), 6);
        quota.made(9);
        assert_eq!(quota.left(), 0);
        let old = Instant::now().checked_sub(MINUTE).unwrap();
        *quota.minute.lock().unwrap() = Some((old, 10));
        assert_eq!(quota.left(), 10);
        quota.made(1);
        assert_eq!(quota.left(), 9);
    }
}
