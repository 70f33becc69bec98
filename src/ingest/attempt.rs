//! Attempts to commit: how long one may take, and whether there is another.

use std::time::Duration;

use sqlx::{Executor, PgConnection};
use tokio::time::Instant;

use super::{back_off::BackOff, metric};
use crate::db::{Database, Failure, Role, STALLED_AFTER, classify};

/// A request that cannot be committed is tried again for so long before its client is told to come back.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// Errors that nobody knows are tried again so often.
const UNKNOWN_TRIES: u32 = 3;

/// The longest that an attempt may take besides sending its rows; longer than a wait for a lock.
const STILL: Duration = Duration::from_secs(10);
/// Rows go to the server far faster than this, unless something is wrong.
const SLOWEST_BYTES_PER_SECOND: usize = 1 << 20;
/// However many bytes: the reaper must be able to tell a COPY that somebody still sends from one that nobody does.
const LONGEST: Duration = STALLED_AFTER.saturating_sub(Duration::from_secs(30));

/// How long an attempt with so many bytes may take. A COPY that does not end ignores every timeout of the server; only its
/// client can end it.
pub(super) fn limit(bytes: usize) -> Duration {
    let seconds = bytes.div_ceil(SLOWEST_BYTES_PER_SECOND) as u64;
    (STILL + Duration::from_secs(seconds)).min(LONGEST)
}

/// Whether an attempt that failed so may have been committed all the same: not where the server itself said that something
/// was in the way, and rolled it back. What the ledger then has of the same request is somebody else's.
pub(super) fn leaves_doubt(error: &sqlx::Error) -> bool {
    !matches!(classify(error), Failure::Contention | Failure::Data | Failure::Stale)
}

/// Where and how attempts are made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attempt<'d> {
    pub(super) database: &'d Database,
    /// The statement that says how long to wait for a lock.
    pub(super) lock_timeout: &'static str,
    /// How long it may take.
    pub(super) limit: Duration,
}

impl Attempt<'_> {
    /// Does `work` on the connection, which is made if there is none.
    ///
    /// The connection is given back only after a whole attempt: an interrupted one would hand on half a COPY. Dropped, it
    /// is closed, and the server rolls back.
    pub(super) async fn make<T, E: From<sqlx::Error>>(
        self,
        connection: &mut Option<PgConnection>,
        work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut own = match connection.take() {
            Some(own) => own,
            None => {
                let mut own = self.database.connect(Role::Writer).await?;
                own.execute(self.lock_timeout).await?;
                own
            }
        };
        let done = match tokio::time::timeout(self.limit, work(&mut own)).await {
            Ok(done) => done?,
            Err(_) => return Err(sqlx::Error::PoolTimedOut.into()),
        };
        *connection = Some(own);
        Ok(done)
    }
}

/// Attempts until patience ends, with pauses between them.
#[derive(Debug)]
pub(super) struct Retry {
    until: Instant,
    pauses: BackOff,
    unknown: u32,
}

impl Retry {
    /// Until patience ends.
    pub(super) fn until(end: Instant) -> Self {
        Self { until: end, pauses: BackOff::new(FIRST_PAUSE, LONGEST_PAUSE), unknown: 0 }
    }

    /// Waits, and says whether to try again: not if the error is the rows' own, or patience is at its end.
    pub(super) async fn again(&mut self, error: &sqlx::Error) -> bool {
        let Some(pause) = self.next_pause(classify(error), Instant::now()) else { return false };
        tracing::debug!(error = %error, "a write transaction is tried again");
        metrics::counter!(metric::RETRIES).increment(1);
        tokio::time::sleep(pause).await;
        true
    }

    /// The next pause; none if there is no further attempt.
    fn next_pause(&mut self, failure: Failure, now: Instant) -> Option<Duration> {
        match failure {
            Failure::Stale | Failure::Data => return None,
            Failure::Defect if self.unknown == UNKNOWN_TRIES => return None,
            Failure::Defect => self.unknown += 1,
            Failure::Unavailable | Failure::Contention | Failure::Timeout => {}
        }
        let pause = self.pauses.pause();
        (now + pause <= self.until).then_some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_may_take_longer_the_more_it_carries_and_always_ends_before_the_reaper_comes() {
        assert_eq!(limit(0), Duration::from_secs(10));
        assert_eq!(limit(5 << 20), Duration::from_secs(15));
        assert_eq!(limit(usize::MAX), Duration::from_secs(60));
    }

    #[test]
    fn an_attempt_that_got_no_answer_leaves_doubt() {
        assert!(leaves_doubt(&sqlx::Error::PoolTimedOut));
        assert!(leaves_doubt(&sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into())));
        assert!(!leaves_doubt(&sqlx::Error::Encode("the row's own fault".into())));
    }

    #[test]
    fn patience_ends_and_no_pause_goes_beyond_it() {
        let mut retry = Retry::until(Instant::now() + PATIENCE);
        let mut now = retry.until - PATIENCE;
        while let Some(pause) = retry.next_pause(Failure::Unavailable, now) {
            now += pause;
        }
        let unused = retry.until - now;
        assert!(unused <= LONGEST_PAUSE, "{unused:?}");
    }

    #[test]
    fn what_nobody_knows_is_tried_a_few_times_and_what_is_the_rows_own_never() {
        let now = Instant::now();
        let tries = |failure| {
            let mut retry = Retry::until(Instant::now() + PATIENCE);
            (0..10).take_while(|_| retry.next_pause(failure, now).is_some()).count()
        };
        assert_eq!(tries(Failure::Defect), 3);
        assert_eq!((tries(Failure::Data), tries(Failure::Stale)), (0, 0));
        assert_eq!(tries(Failure::Contention), 10);
    }
}
