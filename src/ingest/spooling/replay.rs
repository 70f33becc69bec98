//! Spooled requests as entries of a transaction, and what became of them.

use std::{collections::HashSet, sync::Arc, time::Duration};

use tokio::sync::oneshot;

use super::super::{
    Ingest, IngestError, PartialWrites, Protocol, Refused, Room, Written,
    dead_letter::keep_lines,
    prepare::Prepared,
    queue::Job,
    request::RequestId,
    scan::Source,
    transaction::{Entry, Outcome},
};
use super::KEEP;
use crate::{
    db::{Database, Failure, classify},
    hypertable::Measurement,
    protocol::Line,
    spool::{Frame, Place, SpooledFrame, count_lines},
};

/// A request that is ready to be committed.
#[derive(Debug)]
pub(super) struct Replay {
    frame: SpooledFrame,
    pub(super) protocol: Protocol,
    made: Made,
    /// What its rows take of the memory.
    _room: Room,
}

/// What became of a request's lines.
#[derive(Debug, Default)]
struct Made {
    lines: u64,
    /// None if there is no row to be written.
    entry: Option<Entry>,
    /// Lines that do not fit their measurement; of very many, the first.
    refused: Vec<Refused>,
    refused_total: u64,
    /// The numbers of the lines that fit, where some do not.
    fitting: HashSet<u32>,
}

/// Why a request was not written.
#[derive(Debug)]
pub(super) enum Later {
    /// The database is away, and others need not try.
    Away(IngestError),
    /// Another session holds this measurement; none where a request before it is what has to wait.
    Held(Option<Arc<Measurement>>),
    /// Something is in the way of this request, or of its measurements.
    Blocked(IngestError),
}

impl From<IngestError> for Later {
    fn from(error: IngestError) -> Self {
        match &error {
            IngestError::Unavailable(source) if source.as_ref().is_none_or(|e| classify(e) == Failure::Unavailable) => {
                Self::Away(error)
            }
            _ => Self::Blocked(error),
        }
    }
}

pub(super) fn protocol_of(frame: &Frame<'_>) -> Protocol {
    Protocol::ALL.into_iter().find(|protocol| protocol.label() == frame.protocol).unwrap_or(Protocol::Source)
}

impl Made {
    async fn of(ingest: &Ingest, protocol: Protocol, request: &Frame<'_>, room: &mut Room) -> Result<Self, Later> {
        let count = count_lines(request.lines);
        // Whoever read the frame has looked through its lines too.
        let mut source = Source::Spooled(request.lines);
        let prepared = match ingest.core.prepare(request.namespace, &mut source, &[], None, room).await {
            Ok(prepared) => prepared,
            Err(IngestError::Stale) => {
                ingest.core.forget_all(request.namespace);
                return Err(Later::Blocked(IngestError::Stale));
            }
            Err(error @ (IngestError::Unavailable(_) | IngestError::Overloaded)) => return Err(error.into()),
            Err(error) => {
                give_up(ingest, protocol, request, &error).await?;
                return Ok(Self { lines: count, refused_total: count, ..Self::default() });
            }
        };
        let Prepared { parts, refusals, rows, .. } = prepared;
        let refused_total = refusals.count();
        let fitting = match refused_total {
            0 => HashSet::new(),
            _ => parts.iter().flat_map(|part| &part.lines).copied().collect(),
        };
        let refused = refusals.into_named();
        let id = RequestId { id: request.id, body_hash: request.body_hash, keep: Duration::from_secs(request.keep_s) };
        let entry = (rows > 0).then(|| Entry {
            id,
            parts,
            rows,
            refused: refused.clone(),
            source: protocol,
            partial: PartialWrites::Accept,
        });
        Ok(Self { lines: count, entry, refused, refused_total, fitting })
    }

    /// Lines that do not fit their measurement, each with its reason; of very many, those behind the first share one.
    fn unfit<'l>(&self, lines: &[Line<'l>]) -> Vec<(Line<'l>, String)> {
        const LIKE_OTHERS: &str = "does not fit its measurement, like many lines of its request";
        let unfit = lines.iter().filter(|line| !self.fitting.contains(&line.number));
        unfit
            .map(|line| {
                let named = self.refused.binary_search_by_key(&line.number, |refused| refused.line);
                let reason = named.map_or(LIKE_OTHERS, |at| &self.refused[at].reason);
                (line.clone(), reason.to_owned())
            })
            .collect()
    }
}

impl Replay {
    /// Makes rows of a request's lines. A measurement that they need is made, and series.
    pub(super) async fn prepare(ingest: &Ingest, frame: SpooledFrame, mut room: Room) -> Result<Self, Later> {
        let protocol = protocol_of(&frame.frame());
        let made = Made::of(ingest, protocol, &frame.frame(), &mut room).await?;
        Ok(Self { frame, protocol, made, _room: room })
    }

    pub(super) fn lines(&self) -> u64 {
        self.made.lines
    }

    pub(super) fn place(&self) -> Place {
        self.frame.place()
    }

    /// What a transaction's answer means for the request. Lines that cannot be written become dead letters.
    async fn settle(&self, ingest: &Ingest, answer: Answer) -> Result<Written, Later> {
        let request = self.frame.frame();
        let refused_total = self.made.refused_total;
        let outcome = answer.outcome.map_err(|error| failed(ingest, &answer.measurements, error))?;
        let written = match outcome {
            None => Written { refused_total, ..Written::default() },
            Some(Outcome::Committed) => Written { written: answer.rows, refused_total, ..Written::default() },
            Some(Outcome::Partial { written, dead_lettered, .. }) => {
                let refused_total = refused_total + dead_lettered;
                Written { written, refused_total, dead_lettered, ..Written::default() }
            }
            Some(Outcome::Held { measurement }) => {
                return Err(Later::Held(answer.measurements.into_iter().find(|known| known.id == measurement)));
            }
            Some(Outcome::Duplicate { body_hash, .. }) if body_hash != request.body_hash => {
                give_up(ingest, self.protocol, &request, &IngestError::KeyMismatch).await?;
                return Ok(Written { refused_total: self.made.lines, ..Written::default() });
            }
            Some(Outcome::Duplicate { written, .. }) => Written { written, duplicate: true, ..Written::default() },
            // Only requests that ask for all or nothing are refused whole, and the spool takes none.
            Some(Outcome::Refused(_)) => return Err(Later::Blocked(IngestError::Unavailable(None))),
        };
        if !self.made.refused.is_empty() {
            let lines = request.decode_lines().unwrap_or_default();
            keep(ingest, self.protocol, &request, &self.made.unfit(&lines)).await?;
        }
        Ok(written)
    }
}

fn failed(ingest: &Ingest, measurements: &[Arc<Measurement>], error: IngestError) -> Later {
    if matches!(error, IngestError::Stale) {
        for measurement in measurements {
            ingest.core.forget(&measurement.namespace, &measurement.name);
        }
    }
    error.into()
}

/// What a transaction says of a request.
struct Answer {
    /// None where there was nothing to be written.
    outcome: Result<Option<Outcome>, IngestError>,
    rows: u64,
    measurements: Vec<Arc<Measurement>>,
}

/// Commits requests together, in their order; the ledger must have been [renewed](renew) for them.
pub(super) async fn commit(ingest: &Ingest, mut replays: Vec<Replay>) -> Vec<(Replay, Result<Written, Later>)> {
    let mut jobs = Vec::new();
    let mut waiting = Vec::new();
    for replay in &mut replays {
        let Some(entry) = replay.made.entry.take() else {
            waiting.push((0, Vec::new(), None));
            continue;
        };
        let measurements = entry.parts.iter().map(|part| Arc::clone(&part.measurement)).collect();
        let (reply, answer) = oneshot::channel();
        waiting.push((entry.rows as u64, measurements, Some(answer)));
        jobs.push(Job::new(entry, reply));
    }
    ingest.queue.0.spooled.push_all(jobs);
    let mut settled = Vec::with_capacity(replays.len());
    for (replay, (rows, measurements, answer)) in replays.into_iter().zip(waiting) {
        let outcome = match answer {
            None => Ok(None),
            Some(answer) => answer.await.unwrap_or(Err(IngestError::Unavailable(None))).map(Some),
        };
        let written = replay.settle(ingest, Answer { outcome, rows, measurements }).await;
        settled.push((replay, written));
    }
    settled
}

/// Makes the ledger keep what it knows of these requests.
///
/// A request that was spooled because its COMMIT got no answer may be in the ledger, for as long as its id is usually kept:
/// an hour, and the database may have been away for longer. What had not expired when the request was spooled counts.
pub(super) async fn renew(database: &Database, replays: &[Replay]) -> Result<(), sqlx::Error> {
    if replays.is_empty() {
        return Ok(());
    }
    let (ids, spooled_s): (Vec<_>, Vec<_>) = replays
        .iter()
        .map(|replay| replay.frame.frame())
        .map(|frame| (frame.id, Duration::from_micros(frame.spooled_us.try_into().unwrap_or(0)).as_secs_f64()))
        .unzip();
    sqlx::query(
        "UPDATE chunkwise.ledger AS known SET expires_at = now() + make_interval(secs => $3)
         FROM unnest($1::uuid[], $2::float8[]) AS frame (id, spooled_s)
         WHERE known.id = frame.id AND known.expires_at >= to_timestamp(frame.spooled_s)",
    )
    .bind(ids)
    .bind(spooled_s)
    .bind(KEEP.as_secs_f64())
    .execute(database.owner())
    .await?;
    Ok(())
}

/// A request that as a whole can never be written: each line is kept.
async fn give_up(ingest: &Ingest, protocol: Protocol, request: &Frame<'_>, error: &IngestError) -> Result<(), Later> {
    let lines = request.decode_lines().unwrap_or_default();
    let all: Vec<_> = lines.into_iter().map(|line| (line, error.to_string())).collect();
    keep(ingest, protocol, request, &all).await
}

async fn keep(
    ingest: &Ingest,
    protocol: Protocol,
    request: &Frame<'_>,
    lines: &[(Line<'_>, String)],
) -> Result<(), Later> {
    let Some((_, reason)) = lines.first() else { return Ok(()) };
    tracing::warn!(lines = lines.len(), reason, "lines of the spool are kept as dead letters");
    keep_lines(ingest.database(), request.namespace, protocol, request.id, lines)
        .await
        .map_err(|error| IngestError::database(error).into())
}
