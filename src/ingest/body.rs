//! A request's body: read within limits, inflated within limits.

use std::io::Read;

use axum::{
    body::{Body, HttpBody},
    http::{HeaderMap, header},
};
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http_body_util::BodyExt;

use super::{IngestError, Room, prepare::off_the_async_threads};

/// How large a body may be.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimits {
    /// As it is sent.
    pub sent_bytes: usize,
    /// Inflated; counted while inflating, so a bomb stops here.
    pub inflated_bytes: usize,
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self { sent_bytes: 16 << 20, inflated_bytes: 64 << 20 }
    }
}

/// Why a body cannot be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    /// 413.
    #[error("the body is larger than {0} bytes: send it in several requests")]
    TooLarge(usize),
    /// 415.
    #[error("Content-Encoding {0:?} is not known: send gzip, or nothing")]
    Encoding(String),
    /// 400.
    #[error("the body is not the gzip that Content-Encoding says: {0}")]
    Gzip(String),
    /// 503, or 413.
    #[error(transparent)]
    NoRoom(#[from] IngestError),
    /// The client went away or sent nonsense.
    #[error("the body could not be read: {0}")]
    Read(String),
}

/// So many bytes more are read or inflated before there must be room for them.
const STEP_BYTES: usize = 64 << 10;

/// Reads and inflates a body. Its room grows with it, so that what clients only announce takes no memory, and what they
/// send slowly no more than they have sent.
pub(super) async fn read(
    headers: &HeaderMap,
    body: Body,
    limits: BodyLimits,
    room: &mut Room,
) -> Result<Bytes, BodyError> {
    let encoding = headers.get(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap_or("?").trim());
    let gzip = match encoding {
        None | Some("" | "identity") => false,
        Some(name) if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") => true,
        Some(other) => return Err(BodyError::Encoding(other.chars().take(40).collect())),
    };
    let limit = if gzip { limits.sent_bytes } else { limits.inflated_bytes };
    // A client that says beforehand how much it has need not send it in vain.
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > limit {
        return Err(BodyError::TooLarge(limit));
    }
    let sent = collect(body, announced, limit, room).await?;
    if !gzip {
        return Ok(sent.into());
    }
    // Some milliseconds of work for a large body: not on the threads that serve everybody.
    off_the_async_threads(|| inflate(&sent, limits.inflated_bytes, room))
}

async fn collect(mut body: Body, announced: usize, limit: usize, room: &mut Room) -> Result<Vec<u8>, BodyError> {
    let mut sent = Vec::with_capacity(announced.min(STEP_BYTES));
    let mut covered = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| BodyError::Read(error.to_string()))?;
        let Ok(data) = frame.into_data() else { continue };
        if sent.len() + data.len() > limit {
            return Err(BodyError::TooLarge(limit));
        }
        if sent.len() + data.len() > covered {
            covered = (sent.len() + data.len()).next_multiple_of(STEP_BYTES).min(limit);
            room.cover(covered)?;
            // What the client says is as good as a guess, one step ahead; else the buffer doubles.
            sent.reserve(announced.min(covered).saturating_sub(sent.len()));
        }
        sent.extend_from_slice(&data);
    }
    room.cover(sent.len())?;
    Ok(sent)
}

fn inflate(sent: &[u8], limit: usize, room: &mut Room) -> Result<Bytes, BodyError> {
    let mut decoder = MultiGzDecoder::new(sent).take(limit as u64 + 1);
    let mut inflated = Vec::new();
    loop {
        let covered = sent.len() + inflated.len() + STEP_BYTES;
        room.cover(covered)?;
        let step = (&mut decoder).take(STEP_BYTES as u64).read_to_end(&mut inflated);
        match step.map_err(|error| BodyError::Gzip(error.to_string()))? {
            0 => return Ok(inflated.into()),
            _ if inflated.len() > limit => return Err(BodyError::TooLarge(limit)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;
    use crate::ingest::room::Rooms;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn room() -> Room {
        Rooms::new(1 << 30).open()
    }

    #[test]
    fn what_is_inflated_needs_room() {
        let bomb = gzip(&vec![b' '; 1 << 20]);
        let mut room = Rooms::new(1 << 19).open();
        assert!(matches!(inflate(&bomb, 1 << 30, &mut room), Err(BodyError::NoRoom(IngestError::TooLarge { .. }))));
    }

    #[test]
    fn a_bomb_stops_at_the_limit() {
        let bomb = gzip(&vec![b' '; 1 << 20]);
        assert!(bomb.len() < 4096);
        assert!(matches!(inflate(&bomb, 1 << 16, &mut room()), Err(BodyError::TooLarge(65_536))));
        assert_eq!(inflate(&bomb, 1 << 20, &mut room()).unwrap().len(), 1 << 20);
    }

    #[test]
    fn members_follow_each_other_and_a_cut_one_is_refused() {
        let mut two = gzip(b"m f=1\n");
        two.extend(gzip(b"m f=2\n"));
        assert_eq!(inflate(&two, 100, &mut room()).unwrap(), "m f=1\nm f=2\n");
        two.truncate(two.len() - 3);
        assert!(matches!(inflate(&two, 100, &mut room()), Err(BodyError::Gzip(_))));
    }
}
