//! A body on its way: read, and written until it is.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::sleep;

use super::{
    TcpWrite,
    dialect::{Dialect, End, Parsed},
    replies,
};
use crate::ingest::{IngestError, PartialWrites, Refused, RequestId, Room, WriteRequest, request::hash};

/// Between two attempts; doubled up to the second.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// A measurement that is dropped again and again while it is written to is somebody's script.
const MOST_STALE: u32 = 20;

/// What became of a body.
#[derive(Debug, Default)]
pub(super) struct Delivered {
    pub(super) replies: String,
    pub(super) end: Option<End>,
    /// Lines that were not written, and the first of them.
    pub(super) refused: u64,
    pub(super) first_refused: Option<Refused>,
}

/// Writes a body of whole lines. Returns when that is done, however long the database is away; only what would never
/// succeed is given up. To be spawned: cancelled, the body is lost.
pub(super) async fn deliver(write: TcpWrite, dialect: Dialect, body: Bytes, room: Room) -> Delivered {
    // Fixed before the first attempt: one whose COMMIT got no answer is tried again harmlessly.
    let id = RequestId::fresh(hash(&[&body]));
    let mut first_room = Some(room);
    let mut pause = PAUSE;
    let mut attempt = 0;
    loop {
        attempt += 1;
        let room = match first_room.take() {
            Some(room) => room,
            None => match write.ingest.reserve(body.len()).await {
                Ok(room) => room,
                Err(error) => return lost(dialect, &body, &error),
            },
        };
        let Parsed { lines, unreadable, reasons, replies, end } = dialect.parse(&body, write.ingest.counters());
        let unreadable_lines: Vec<u32> = unreadable.iter().map(|refused| refused.line).collect();
        let request = WriteRequest {
            protocol: dialect.protocol(),
            room,
            namespace: &write.namespace,
            lines,
            body: &body,
            unreadable,
            id,
            partial: PartialWrites::Accept,
            interval_us: None,
        };
        let error = match write.ingest.write(request).await {
            Ok(written) => {
                reasons.into_iter().for_each(|(reason, lines)| dialect.count_refused(reason, lines));
                return delivered(dialect, written.refused, &unreadable_lines, replies, end);
            }
            Err(error) => error,
        };
        match error {
            IngestError::Unavailable(_) | IngestError::Overloaded => {}
            IngestError::Stale if attempt < MOST_STALE => {}
            error => return lost(dialect, &body, &error),
        }
        if attempt == 1 {
            tracing::warn!(protocol = dialect.protocol().label(), error = %error,
                "lines wait until they can be written, and their connection is not read meanwhile");
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn delivered(
    dialect: Dialect,
    refused: Vec<Refused>,
    unreadable_lines: &[u32],
    mut replies: String,
    end: Option<End>,
) -> Delivered {
    let unfit = refused.iter().filter(|refused| unreadable_lines.binary_search(&refused.line).is_err());
    let mut unfit_lines = 0;
    for refused in unfit {
        unfit_lines += 1;
        replies::refused(&mut replies, "illegal argument", &refused.reason);
    }
    if unfit_lines > 0 {
        dialect.count_refused("unfit", unfit_lines);
    }
    Delivered { replies, end, refused: refused.len() as u64, first_refused: refused.into_iter().next() }
}

/// Nothing of the body can be written, ever.
fn lost(dialect: Dialect, body: &[u8], error: &IngestError) -> Delivered {
    let lines = memchr::memchr_iter(b'\n', body).count() as u64;
    dialect.count_refused("request_refused", lines);
    let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    tracing::error!(protocol = dialect.protocol().label(), lines, error = %error, cause, "lines could not be written");
    let reason = error.to_string();
    let mut replies = String::new();
    replies::refused(&mut replies, "illegal argument", &reason);
    let first = Refused::unfit_for(1, 1, &reason, body);
    Delivered { replies, end: None, refused: lines, first_refused: Some(first) }
}
