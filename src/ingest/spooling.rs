//! Requests on this machine's disk while the database is away, and on their way to it when it is back.
//!
//! ```text
//! a request that could not be committed, or came while the database was known to be away
//!   -> select: its good lines, with times; what contradicts a known measurement is refused now
//!   -> spool: on disk, answered `spooled`
//!   -> drain: each frame a request with its old id, in order for each measurement, beside live ones
//!      -> what the database or its measurement refuses then: dead letters, for nobody waits for an answer any more
//! ```
//!
//! Only a request that takes partial writes goes to the spool: all or nothing is for the database to promise.

mod backlog;
mod drain;
mod replay;
mod select;
mod show;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use serde::Serialize;
use tokio::sync::Notify;

use self::{
    replay::protocol_of,
    select::{Selection, select},
};
use super::{
    Ack, Counters, IngestError, Written, metric,
    prepare::off_the_async_threads,
    row::{Clock, Expired},
    service::{Core, Seen, Work},
};
use crate::{
    db::{Database, Failure, Role, classify},
    spool::{Frame, Limit, LinesError, Spool, SpoolError, SpooledFrame, count_lines},
};

pub(super) use self::{drain::run, show::show};

/// With a spool a request need not wait for the database longer than this.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
/// The ledger keeps what came from the spool for so long, whatever the request's own time was: a frame that is read twice
/// must be known.
const KEEP: Duration = Duration::from_secs(7 * 86_400);
/// How often a database that is away is tried.
const PROBE: Duration = Duration::from_millis(500);
/// One that does not answer within this is away still.
const PROBE_LIMIT: Duration = Duration::from_secs(2);

/// The spool, and whether it is needed.
#[derive(Debug)]
pub(super) struct Spooling {
    spool: Spool,
    /// Set by failures, cleared when the database answers.
    away: AtomicBool,
    /// The first so many frames are an earlier process's.
    inherited: u64,
    /// Requests that the spool did not take.
    refused: AtomicU64,
    /// The last request was refused.
    refuses: AtomicBool,
    /// Something was spooled, or the database went away.
    news: Notify,
}

/// What the spool holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SpoolFigures {
    /// Whether requests go to the spool now.
    pub database_away: bool,
    /// Requests that wait for the database.
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
    /// When the oldest of them was spooled: microseconds since 1970 UTC.
    pub oldest_us: Option<i64>,
    /// Bytes of the spool's files.
    pub disk_bytes: u64,
    /// Files that were set aside: with damage, or with a request that cannot be understood.
    pub quarantined_segments: u64,
    /// Damaged bytes in the files that are there.
    pub damaged_bytes: u64,
    /// Requests that were sent back since the process started, because the spool was full or its disk failed.
    pub refused_requests: u64,
}

/// Shows what the spool holds. It does not keep the service alive, but its folder locked.
#[derive(Debug, Clone)]
pub struct SpoolWatch(pub(super) Arc<Spooling>);

impl SpoolWatch {
    /// What it holds. Looks at the disk.
    #[must_use]
    pub fn figures(&self) -> SpoolFigures {
        self.0.figures()
    }
}

impl Spooling {
    /// `inherited` frames are in the spool already.
    pub(super) fn new(spool: Spool, inherited: u64) -> Self {
        Self {
            spool,
            away: AtomicBool::new(false),
            inherited,
            refused: AtomicU64::new(0),
            refuses: AtomicBool::new(false),
            news: Notify::new(),
        }
    }

    pub(super) fn is_away(&self) -> bool {
        self.away.load(Ordering::Relaxed)
    }

    /// Whether an error says that the database is away, rather than that something is in a request's way. If so, further
    /// requests need not find out by themselves.
    pub(super) fn notes_away(&self, error: &IngestError) -> bool {
        let IngestError::Unavailable(source) = error else { return false };
        let away = source.as_ref().is_none_or(|error| classify(error) == Failure::Unavailable);
        if away && !self.away.swap(true, Ordering::Relaxed) {
            tracing::warn!("the database is away: requests go to the spool until it is back");
            self.news.notify_one();
        }
        away
    }

    /// Waits until a database that is away answers.
    async fn until_back(&self, database: &Database) {
        while self.is_away() {
            let probe = async {
                let mut connection = database.connect(Role::Writer).await?;
                sqlx::query("SELECT 1").execute(&mut connection).await
            };
            match tokio::time::timeout(PROBE_LIMIT, probe).await {
                Ok(Ok(_)) => {
                    self.away.store(false, Ordering::Relaxed);
                    tracing::info!("the database is back");
                }
                Ok(Err(error)) => {
                    tracing::debug!(error = %error, "the database is still away");
                    tokio::time::sleep(PROBE).await;
                }
                Err(_) => {}
            }
        }
    }

    /// Puts a request's good lines on disk. They are counted as received, unless they were before.
    pub(super) async fn take(
        &self,
        core: &Core,
        counters: &Counters,
        work: &mut Work<'_, '_>,
        seen: &mut Seen,
    ) -> Result<Written, IngestError> {
        let now_us = chrono::Utc::now().timestamp_micros();
        let clock = Clock { now_us, ahead_us: core.options.ahead_us, expired: Expired::Refused };
        // The lines of a body, taken apart, and their bytes in the spool.
        work.room.cover_rows(work.body.len())?;
        let Selection { bytes, good: written, refusals, read, all_timed } = {
            let _turn = core.long_work.acquire().await.map_err(|_| IngestError::Overloaded)?;
            off_the_async_threads(|| select(core, work, clock))?
        };
        if seen.lines == 0 {
            seen.lines = read;
            counters.received(work.protocol, read);
            Counters::refused(work.protocol, &refusals);
        }
        if written > 0 {
            let id = work.identity.id(all_timed);
            let frame = Frame {
                id: id.id,
                body_hash: id.body_hash,
                keep_s: id.keep.max(KEEP).as_secs(),
                spooled_us: now_us,
                protocol: work.protocol.label(),
                namespace: work.namespace,
                lines: &bytes,
            };
            // Requests that come meanwhile share a sync of the disk, so these do not take turns.
            off_the_async_threads(|| self.spool.append(&frame)).map_err(|error| self.refuse(&error))?;
            if self.refuses.swap(false, Ordering::Relaxed) {
                tracing::info!("the spool takes requests again");
            }
            self.news.notify_one();
        }
        let refused_total = refusals.count();
        let refused = refusals.into_named();
        Ok(Written { ack: Ack::Spooled, written, refused, refused_total, ..Written::default() })
    }

    /// What the spool holds. Looks at the disk.
    pub(super) fn figures(&self) -> SpoolFigures {
        let stats = off_the_async_threads(|| self.spool.stats());
        SpoolFigures {
            database_away: self.is_away(),
            frames: stats.frames,
            bytes: stats.bytes,
            oldest_us: stats.oldest_us,
            disk_bytes: stats.disk_bytes,
            quarantined_segments: stats.quarantined_segments,
            damaged_bytes: stats.damaged_bytes,
            refused_requests: self.refused.load(Ordering::Relaxed),
        }
    }

    /// Keeps a frame whose lines cannot be read: it is whole, so another version wrote it.
    fn set_aside(
        &self,
        counters: &Counters,
        frame: &SpooledFrame,
        inherited: bool,
        error: &LinesError,
    ) -> Result<(), SpoolError> {
        let path = off_the_async_threads(|| self.spool.set_aside(frame))?;
        let request = frame.frame();
        tracing::error!(
            id = %request.id, error = %error, file = %path.display(),
            "a request in the spool cannot be read, and is set aside: to have it written, give the file to the version of \
             chunkwise that wrote it (docs/configuration.md says how)"
        );
        if !inherited {
            let lines = count_lines(request.lines);
            let kept = Written { refused_total: lines, ..Written::default() };
            counters.replayed(protocol_of(&request), lines, inherited, &kept);
        }
        Ok(())
    }

    /// The database is away and the spool does not take the request either: its client keeps it.
    fn refuse(&self, error: &SpoolError) -> IngestError {
        self.refused.fetch_add(1, Ordering::Relaxed);
        let reason = match error {
            SpoolError::Full(Limit::Size) => "limit",
            SpoolError::Full(Limit::Reserve | Limit::Disk) => "disk_full",
            _ => "failure",
        };
        metrics::counter!(metric::SPOOL_REFUSED, "reason" => reason).increment(1);
        // Once, not for every request of a full hour.
        if !self.refuses.swap(true, Ordering::Relaxed) {
            tracing::warn!(error = %error, "requests are sent back: the database is away, and the spool does not take them");
        }
        IngestError::Unavailable(None)
    }
}
