//! A body on its way: read, and written until it is.

use bytes::Bytes;
use tokio::time::sleep;

use super::{
    TcpWrite,
    dialect::{Dialect, End, Parsed, before_binary, parse_commands},
    replies,
};
use crate::{
    ingest::{
        BodyRequest, Identity, IngestError, PartialWrites, Refused, RequestId, Room, WriteRequest, Written,
        back_off::Delivering, request::hash,
    },
    protocol::Precision,
};

/// What became of a body.
#[derive(Debug, Default)]
pub(super) struct Delivered {
    pub(super) replies: String,
    pub(super) end: Option<End>,
    /// The connection's lines before this body.
    pub(super) lines_before: u64,
    /// Lines that were not written, and the first of them.
    pub(super) refused: u64,
    pub(super) first_refused: Option<Refused>,
}

/// Writes a body of whole lines. Returns when that is done, however long the database is away; only what would never
/// succeed is given up. To be spawned: cancelled, the body is lost.
pub(super) async fn deliver(
    write: TcpWrite,
    dialect: Dialect,
    mut body: Bytes,
    lines_before: u64,
    room: Room,
) -> Delivered {
    let mut end = None;
    if dialect == Dialect::LineProtocol
        && let Some(readable_bytes) = before_binary(&body)
    {
        body.truncate(readable_bytes);
        end = Some(End::Binary);
    }
    // Fixed before the first attempt: one whose COMMIT got no answer is tried again harmlessly.
    let identity = Identity::Fixed(RequestId::fresh(hash(&[&body])));
    let mut first_room = Some(room);
    let mut delivering = Delivering::begin();
    let mut waits = false;
    loop {
        let room = match first_room.take() {
            Some(room) => Ok(room),
            None => write.ingest.reserve(body.len()).await,
        };
        let result = match room {
            Ok(room) => try_once(&write, dialect, &body, identity, room).await,
            Err(error) => Err(error),
        };
        let error = match result {
            Ok(delivered) => return Delivered { end: end.or(delivered.end), lines_before, ..delivered },
            Err(error) => error,
        };
        let Some(pause) = delivering.pause_after(&error) else {
            return Delivered { lines_before, ..lost(dialect, &body, &error) };
        };
        if !std::mem::replace(&mut waits, true) {
            tracing::warn!(protocol = dialect.protocol().label(), error = %error,
                "lines wait until they can be written, and their connection is not read meanwhile");
        }
        sleep(pause).await;
    }
}

async fn try_once(
    write: &TcpWrite,
    dialect: Dialect,
    body: &[u8],
    identity: Identity,
    room: Room,
) -> Result<Delivered, IngestError> {
    let (protocol, namespace) = (dialect.protocol(), &*write.namespace);
    let (partial, interval_us) = (PartialWrites::Accept, None);
    if dialect == Dialect::LineProtocol {
        let precision = Precision::Nanoseconds;
        let request = BodyRequest { protocol, room, namespace, body, precision, identity, partial, interval_us };
        return Ok(Delivered::of(write.ingest.write_body(request).await?));
    }
    let Parsed { lines, unreadable, mut replies, exit } = parse_commands(body, write.ingest.counters());
    // What could not be read was told the client when it was.
    let told: Vec<u32> = unreadable.iter().map(|refused| refused.line).collect();
    let request = WriteRequest { protocol, room, namespace, lines, body, unreadable, identity, partial, interval_us };
    let written = write.ingest.write(request).await?;
    for refused in written.refused.iter().filter(|refused| told.binary_search(&refused.line).is_err()) {
        replies::refused(&mut replies, "illegal argument", &refused.reason);
    }
    Ok(Delivered { replies, end: exit.then_some(End::Asked), ..Delivered::of(written) })
}

impl Delivered {
    fn of(written: Written) -> Self {
        Self { refused: written.refused_total, first_refused: written.refused.into_iter().next(), ..Self::default() }
    }
}

/// Nothing of the body can be written, ever.
fn lost(dialect: Dialect, body: &[u8], error: &IngestError) -> Delivered {
    let lines = memchr::memchr_iter(b'\n', body).count() as u64;
    let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    tracing::error!(protocol = dialect.protocol().label(), lines, error = %error, cause, "lines could not be written");
    let reason = error.to_string();
    let mut replies = String::new();
    replies::refused(&mut replies, "illegal argument", &reason);
    let first = Refused::unfit(1, 1, &reason, body);
    Delivered { replies, refused: lines, first_refused: Some(first), ..Delivered::default() }
}
