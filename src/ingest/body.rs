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
    #[error("Content-Encoding {0:?} is not known: send gzip or zstd, one of them, or nothing")]
    Encoding(String),
    /// 400.
    #[error("the body is not the {encoding} that Content-Encoding says: {reason}")]
    Corrupt {
        /// What it should be.
        encoding: &'static str,
        /// What the decoder says.
        reason: String,
    },
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
    let encoding = Encoding::of(headers)?;
    let limit = if encoding.is_some() { limits.sent_bytes } else { limits.inflated_bytes };
    // A client that says beforehand how much it has need not send it in vain.
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > limit {
        return Err(BodyError::TooLarge(limit));
    }
    let sent = collect(body, announced, limit, room).await?;
    let Some(encoding) = encoding else { return Ok(sent.into()) };
    // Some milliseconds of work for a large body: not on the threads that serve everybody.
    off_the_async_threads(|| encoding.inflate(&sent, limits.inflated_bytes, room))
}

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Gzip,
    Zstd,
}

impl Encoding {
    /// zstd's window is memory of ours: HTTP allows 8 MiB (RFC 9659), and a frame that wants more is refused.
    const ZSTD_WINDOW_LOG_MAX: u32 = 23;

    /// `None` for a body that is sent plain. Several encodings, one upon the other, are refused: no client does that.
    fn of(headers: &HeaderMap) -> Result<Option<Self>, BodyError> {
        let mut names = headers.get_all(header::CONTENT_ENCODING).iter();
        let Some(name) = names.next() else { return Ok(None) };
        let name = name.to_str().unwrap_or("?").trim();
        if names.next().is_some() {
            return Err(BodyError::Encoding(format!("{name}, ...")));
        }
        match name.to_ascii_lowercase().as_str() {
            "" | "identity" => Ok(None),
            "gzip" | "x-gzip" => Ok(Some(Self::Gzip)),
            "zstd" => Ok(Some(Self::Zstd)),
            _ => Err(BodyError::Encoding(name.chars().take(40).collect())),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// Several members or frames are read as one body.
    fn inflate(self, sent: &[u8], limit: usize, room: &mut Room) -> Result<Bytes, BodyError> {
        let corrupt = |error: std::io::Error| BodyError::Corrupt { encoding: self.name(), reason: error.to_string() };
        match self {
            Self::Gzip => drain(MultiGzDecoder::new(sent), sent.len(), limit, room, corrupt),
            Self::Zstd => drain(zstd_decoder(sent).map_err(corrupt)?, sent.len(), limit, room, corrupt),
        }
    }
}

fn zstd_decoder(sent: &[u8]) -> std::io::Result<zstd::Decoder<'static, &[u8]>> {
    let mut decoder = zstd::Decoder::with_buffer(sent)?;
    decoder.window_log_max(Encoding::ZSTD_WINDOW_LOG_MAX)?;
    Ok(decoder)
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

/// Reads a decoder out; of a body that becomes too large no more than a step beyond the limit.
fn drain(
    decoder: impl Read,
    sent_bytes: usize,
    limit: usize,
    room: &mut Room,
    corrupt: impl Fn(std::io::Error) -> BodyError,
) -> Result<Bytes, BodyError> {
    let mut decoder = decoder.take(limit as u64 + 1);
    let mut inflated = Vec::new();
    loop {
        room.cover(sent_bytes + inflated.len() + STEP_BYTES)?;
        match (&mut decoder).take(STEP_BYTES as u64).read_to_end(&mut inflated).map_err(&corrupt)? {
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

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        zstd::encode_all(bytes, 19).unwrap()
    }

    type Compress = fn(&[u8]) -> Vec<u8>;
    const ALL: [(Encoding, Compress); 2] = [(Encoding::Gzip, gzip), (Encoding::Zstd, zstd)];

    fn room() -> Room {
        Rooms::new(1 << 30).open()
    }

    #[test]
    fn what_is_inflated_needs_room() {
        for (encoding, compress) in ALL {
            let bomb = compress(&vec![b' '; 1 << 20]);
            let mut room = Rooms::new(1 << 19).open();
            let inflated = encoding.inflate(&bomb, 1 << 30, &mut room);
            assert!(matches!(inflated, Err(BodyError::NoRoom(IngestError::TooLarge { .. }))));
        }
    }

    #[test]
    fn a_bomb_stops_at_the_limit() {
        for (encoding, compress) in ALL {
            let bomb = compress(&vec![b' '; 1 << 20]);
            assert!(bomb.len() < 4096);
            assert!(matches!(encoding.inflate(&bomb, 1 << 16, &mut room()), Err(BodyError::TooLarge(65_536))));
            assert_eq!(encoding.inflate(&bomb, 1 << 20, &mut room()).unwrap().len(), 1 << 20);
        }
    }

    #[test]
    fn members_follow_each_other_and_a_cut_one_is_refused() {
        for (encoding, compress) in ALL {
            let mut two = compress(b"m f=1\n");
            two.extend(compress(b"m f=2\n"));
            assert_eq!(encoding.inflate(&two, 100, &mut room()).unwrap(), "m f=1\nm f=2\n");
            two.truncate(two.len() - 3);
            assert!(matches!(encoding.inflate(&two, 100, &mut room()), Err(BodyError::Corrupt { .. })), "{encoding:?}");
            assert!(
                matches!(encoding.inflate(b"m f=1\n", 100, &mut room()), Err(BodyError::Corrupt { .. })),
                "{encoding:?}"
            );
        }
    }

    #[test]
    fn a_zstd_frame_with_a_huge_window_is_refused() {
        // Longer than the window, or the encoder would make it smaller.
        let bytes = vec![b'x'; (8 << 20) + 1];
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(24).unwrap();
        encoder.write_all(&bytes).unwrap();
        let frame = encoder.finish().unwrap();
        assert!(matches!(Encoding::Zstd.inflate(&frame, 1 << 30, &mut room()), Err(BodyError::Corrupt { .. })));
    }

    #[test]
    fn encodings_are_known_by_name_and_one_at_a_time() {
        let of = |names: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for name in names {
                headers.append(header::CONTENT_ENCODING, name.parse().unwrap());
            }
            Encoding::of(&headers).ok()
        };
        assert_eq!(of(&[]), Some(None));
        assert_eq!(of(&["identity"]), Some(None));
        assert_eq!(of(&["GZIP"]), Some(Some(Encoding::Gzip)));
        assert_eq!(of(&[" zstd"]), Some(Some(Encoding::Zstd)));
        for unknown in [&["br"][..], &["gzip, zstd"], &["gzip", "zstd"], &["gzip", "gzip"], &["zstd;q=1"]] {
            assert_eq!(of(unknown), None, "{unknown:?}");
        }
    }
}
