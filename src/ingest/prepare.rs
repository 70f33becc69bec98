//! A request -> batches: measurements and series are looked up, and made where they are new.

use std::{sync::Arc, time::Duration};

use tokio::runtime::{Handle, RuntimeFlavor};

use super::{
    IngestError, RowFault,
    draft::{Draft, Standing, placeholder_of},
    new_series::Barred,
    refusals::Refusals,
    room::Room,
    row::{Clock, Expired},
    scan::{Scan, Scanned, Settled, Source},
    service::Core,
};
use crate::{
    batch::Batch,
    hypertable::{GrowthError, Measurement, Perseverance},
};

/// Rows of one measurement.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) measurement: Arc<Measurement>,
    pub(super) batch: Batch,
    /// The number of each row's line in its request, in the order in which rows arrived in the batch.
    pub(super) lines: Vec<u32>,
}

/// A request's rows.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    pub(super) parts: Vec<Part>,
    pub(super) refusals: Refusals,
    pub(super) rows: usize,
    /// Lines, the refused ones too.
    pub(super) lines: u64,
    /// Every line that could be read has a time.
    pub(super) all_timed: bool,
}

/// A server that does not answer must not hold a request for ever.
const MAKE_SERIES: Duration = Duration::from_secs(15);

/// Reading so much takes long enough for others to notice.
const LONG_WORK_BYTES: usize = 64 << 10;
const LONG_WORK_LINES: usize = 512;

impl Core {
    /// Makes batches of lines. Lines that do not fit are refused, each with its reason.
    pub(super) async fn prepare(
        &self,
        namespace: &str,
        source: &mut Source<'_, '_>,
        body: &[u8],
        interval_us: Option<i64>,
        room: &mut Room,
    ) -> Result<Prepared, IngestError> {
        let mut settled = Settled::new();
        let mut barred = Barred::default();
        loop {
            let scanned = self.scan(namespace, source, body, (&settled, &barred), room).await?;
            if !scanned.must_grow {
                match self.finish(scanned, body, &mut barred).await? {
                    Some(prepared) => return Ok(prepared),
                    None => continue,
                }
            }
            // What does not suffice after this is the lines' fault, so there is no third pass.
            // What comes from the spool has no client that waits, but other requests behind it.
            let perseverance = match source {
                Source::Body(_) | Source::Lines(_) => Perseverance::Persist,
                Source::Spooled(_) => Perseverance::GiveUp,
            };
            for draft in &scanned.drafts {
                let standing = self.grow(namespace, draft, interval_us, perseverance).await?;
                settled.insert(draft.name.clone(), standing);
            }
        }
    }

    /// One pass. A long one leaves the thread to those who wait, and takes turns with others of its kind.
    async fn scan(
        &self,
        namespace: &str,
        source: &mut Source<'_, '_>,
        body: &[u8],
        (settled, barred): (&Settled, &Barred),
        room: &mut Room,
    ) -> Result<Scanned, IngestError> {
        let expired = if matches!(source, Source::Spooled(_)) { Expired::Taken } else { Expired::Refused };
        let clock = Clock { now_us: chrono::Utc::now().timestamp_micros(), ahead_us: self.options.ahead_us, expired };
        let long = match source {
            Source::Body(_) => body.len() >= LONG_WORK_BYTES,
            Source::Lines(lines) => lines.len() >= LONG_WORK_LINES,
            Source::Spooled(bytes) => bytes.len() >= LONG_WORK_BYTES,
        };
        let scan = Scan { core: self, namespace, body, settled, barred, clock, room };
        if !long {
            return scan.run(source);
        }
        // The semaphore is never closed.
        let _turn = self.long_work.acquire().await.map_err(|_| IngestError::Overloaded)?;
        off_the_async_threads(|| scan.run(source))
    }

    /// Makes or grows a draft's measurement.
    async fn grow(
        &self,
        namespace: &str,
        draft: &Draft,
        interval_us: Option<i64>,
        perseverance: Perseverance,
    ) -> Result<Standing, IngestError> {
        let mut wanted = draft.wanted.clone();
        match &draft.standing {
            Standing::Known(known) if wanted.tags.is_empty() && wanted.fields.is_empty() => {
                return Ok(Standing::Grown(Arc::clone(known)));
            }
            Standing::Known(_) | Standing::New => {}
            Standing::Grown(_) | Standing::Refused(_) => return Ok(draft.standing.clone()),
        }
        wanted.interval_us = interval_us.unwrap_or_else(|| draft.interval_us());
        match self.growth.ensure(namespace, &draft.name, &wanted, perseverance).await {
            Ok(measurement) => Ok(Standing::Grown(measurement)),
            Err(GrowthError::Database(error)) => Err(IngestError::database(error)),
            Err(GrowthError::ForeignNamespace(name)) => {
                Err(IngestError::Namespace(GrowthError::ForeignNamespace(name).to_string()))
            }
            Err(error) => Ok(Standing::Refused(RowFault::Measurement(error.to_string()))),
        }
    }

    /// Makes the new series and puts their ids in; none if some cannot be made, which are then among the barred: the lines
    /// are to be read again without theirs.
    async fn finish(
        &self,
        scanned: Scanned,
        body: &[u8],
        barred: &mut Barred,
    ) -> Result<Option<Prepared>, IngestError> {
        let Scanned { drafts, refusals, lines, all_timed, must_grow: _ } = scanned;
        let mut complete = true;
        let mut prepared = Prepared { refusals, lines, all_timed, ..Prepared::default() };
        for mut draft in drafts {
            let Some(measurement) = draft.measurement().cloned() else { continue };
            if !draft.new_series.is_empty() {
                let made = tokio::time::timeout(MAKE_SERIES, self.make_series(&measurement, &draft));
                let refused = made.await.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map_err(IngestError::database)?;
                if !refused.is_empty() {
                    barred.add(&draft.name, refused);
                    complete = false;
                    continue;
                }
                let ids: Option<Vec<i64>> = draft.new_series.iter().map(|series| draft.ids.get(series.key)).collect();
                let ids = ids.ok_or(IngestError::Stale)?;
                draft.batch.replace_series(|id| placeholder_of(id).map_or(id, |new| ids[new]));
                let parts = draft.new_parts.iter().map(|(new, part)| (&body[part.clone()], ids[*new]));
                self.parts.put(&measurement, parts);
            }
            if !draft.batch.is_empty() {
                self.check_chunks(&measurement, &draft.batch).await?;
                prepared.rows += draft.batch.len();
                prepared.parts.push(Part { measurement, batch: draft.batch, lines: draft.lines });
            }
        }
        Ok(complete.then_some(prepared))
    }
}

/// Runs long work so that the runtime's other threads serve those who wait; where there are none, it runs as it is.
pub(super) fn off_the_async_threads<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}
