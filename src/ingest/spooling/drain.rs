//! From the spool to the database, in order, beside live requests.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures_util::future::join_all;

use super::{
    super::{
        Ingest, IngestError, PartialWrites, Protocol, Refused, Written,
        dead_letter::keep_lines,
        prepare::off_the_async_threads,
        replaying::Replaying,
        request::{Identity, RequestId},
        scan::Source,
        service::{Seen, Work},
    },
    KEEP, Spooling,
};
use crate::{
    db::Database,
    protocol::Line,
    spool::{Frame, SpoolError, SpooledFrame},
};

/// Requests at once: enough for the writers to commit several together.
const AT_ONCE: usize = 8;
/// And their bytes, beside live requests' memory.
const AT_ONCE_BYTES: usize = 8 << 20;
/// After a failure, and to see whether the service has ended.
const PAUSE: Duration = Duration::from_millis(500);
/// A reason why a line of the spool cannot be written.
type Unfit<'l> = (Line<'l>, String);

/// Why reading the spool stops for now.
enum Halt {
    Spool(SpoolError),
    Database(IngestError),
    /// The service has ended.
    End,
}

/// Empties the spool whenever the database is there, until the service has ended.
pub(in super::super) async fn run(spooling: Arc<Spooling>, replaying: Replaying) {
    let database = replaying.database().clone();
    loop {
        if !replaying.goes_on() {
            return;
        }
        // Asked again now and then, whatever happens.
        drop(tokio::time::timeout(PAUSE, spooling.news.notified()).await);
        tokio::select! {
            () = spooling.until_back(&database) => {}
            () = replaying.ended() => return,
        }
        loop {
            match step(&spooling, &replaying).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(Halt::End) => return,
                Err(Halt::Spool(error)) => {
                    tracing::error!(error = %error, "the spool cannot be read; tried again");
                    spooling.spool.rewind();
                    break;
                }
                Err(Halt::Database(error)) => {
                    tracing::debug!(error = %error, "spooled requests wait on");
                    spooling.notes_away(&error);
                    spooling.spool.rewind();
                    break;
                }
            }
        }
    }
}

/// Commits the next requests of the spool; false if there are none.
async fn step(spooling: &Spooling, replaying: &Replaying) -> Result<bool, Halt> {
    let frames = off_the_async_threads(|| read_ahead(spooling)).map_err(Halt::Spool)?;
    let Some(ingest) = replaying.ingest() else { return Err(Halt::End) };
    renew(ingest.database(), &frames).await.map_err(|error| Halt::Database(IngestError::database(error)))?;
    let replays = frames.iter().map(|frame| replay(&ingest, frame));
    let (mut done, mut halt) = (Vec::new(), None);
    for result in join_all(replays).await {
        match result {
            Ok(replayed) => done.push(replayed),
            // Those behind it may be committed; read again, the ledger knows them.
            Err(error) => {
                halt = Some(Halt::Database(error));
                break;
            }
        }
    }
    if let Some(last) = done.len().checked_sub(1) {
        off_the_async_threads(|| spooling.spool.advance(frames[last].position())).map_err(Halt::Spool)?;
    }
    for Replayed { protocol, lines, written } in done {
        let left = spooling.inherited.load(Ordering::Relaxed);
        spooling.inherited.store(left.saturating_sub(1), Ordering::Relaxed);
        ingest.counters().replayed(protocol, lines, left > 0, &written);
    }
    halt.map_or(Ok(!frames.is_empty()), Err)
}

fn read_ahead(spooling: &Spooling) -> Result<Vec<SpooledFrame>, SpoolError> {
    let (mut frames, mut bytes) = (Vec::new(), 0);
    while frames.len() < AT_ONCE && bytes < AT_ONCE_BYTES {
        let Some(frame) = spooling.spool.next()? else { break };
        bytes += frame.frame().lines.len();
        frames.push(frame);
    }
    Ok(frames)
}

/// Makes the ledger keep what it knows of these frames.
///
/// A request that was spooled because its COMMIT got no answer may be in the ledger, for as long as its id is usually kept:
/// an hour, and the database may have been away for longer. What had not expired when the request was spooled counts.
async fn renew(database: &Database, frames: &[SpooledFrame]) -> Result<(), sqlx::Error> {
    let (ids, spooled_s): (Vec<_>, Vec<_>) = frames
        .iter()
        .map(SpooledFrame::frame)
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

/// What became of a frame.
struct Replayed {
    protocol: Protocol,
    lines: u64,
    written: Written,
}

/// Writes a frame as the request that it was. Fails only where it may work later.
async fn replay(ingest: &Ingest, spooled: &SpooledFrame) -> Result<Replayed, IngestError> {
    let frame = spooled.frame();
    let label = frame.protocol;
    let protocol = Protocol::ALL.into_iter().find(|protocol| protocol.label() == label).unwrap_or(Protocol::Source);
    let lines = match frame.decode_lines() {
        Ok(lines) => lines,
        Err(error) => {
            // Its checksum was right: another version wrote it.
            tracing::error!(id = %frame.id, error = %error, "a request in the spool cannot be read, and is given up");
            return Ok(Replayed { protocol, lines: 0, written: Written::default() });
        }
    };
    let count = lines.len() as u64;
    let mut seen = Seen { lines: count, unfit: Vec::new() };
    let (written, unfit) = match write(ingest, protocol, &frame, lines.clone(), &mut seen).await {
        Ok(written) => (written, unfit(&lines, &seen.unfit)),
        Err(error @ (IngestError::Unavailable(_) | IngestError::Overloaded | IngestError::Stale)) => return Err(error),
        Err(error) => {
            let all = lines.iter().map(|line| (line.clone(), error.to_string())).collect();
            (Written { refused_total: count, ..Written::default() }, all)
        }
    };
    if !unfit.is_empty() {
        tracing::warn!(lines = unfit.len(), reason = unfit[0].1, "lines of the spool are kept as dead letters");
        keep_lines(ingest.database(), frame.namespace, protocol, frame.id, &unfit)
            .await
            .map_err(IngestError::database)?;
    }
    Ok(Replayed { protocol, lines: count, written })
}

async fn write(
    ingest: &Ingest,
    protocol: Protocol,
    frame: &Frame<'_>,
    mut lines: Vec<Line<'_>>,
    seen: &mut Seen,
) -> Result<Written, IngestError> {
    let room = ingest.reserve(frame.lines.len()).await?;
    let id = RequestId { id: frame.id, body_hash: frame.body_hash, keep: Duration::from_secs(frame.keep_s) };
    let mut work = Work {
        protocol,
        room,
        namespace: frame.namespace,
        source: Source::Lines(&mut lines),
        body: &[],
        unreadable: Vec::new(),
        identity: Identity::Fixed(id),
        partial: PartialWrites::Accept,
        interval_us: None,
    };
    ingest.write_once(&mut work, seen).await
}

/// Lines that do not fit their measurement, with the reason.
fn unfit<'l>(lines: &[Line<'l>], refused: &[Refused]) -> Vec<Unfit<'l>> {
    let by_number = |number: u32| lines.iter().find(|line| line.number == number).cloned();
    refused.iter().filter_map(|refused| Some((by_number(refused.line)?, refused.reason.clone()))).collect()
}
