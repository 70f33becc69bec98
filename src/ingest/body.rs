//! A request's body: read within limits, inflated within limits.

use std::io::Read;

use axum::{
    body::{Body, HttpBody},
    http::{HeaderMap, header},
};
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http_body_util::{BodyExt, LengthLimitError, Limited};

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
    /// The client went away or sent nonsense.
    #[error("the body could not be read: {0}")]
    Read(String),
}

/// Reads and inflates a body.
pub(super) async fn read(headers: &HeaderMap, body: Body, limits: BodyLimits) -> Result<Bytes, BodyError> {
    let encoding = Encoding::of(headers)?;
    let limit = if encoding.is_some() { limits.sent_bytes } else { limits.inflated_bytes };
    // A client that says beforehand how much it has need not send it in vain.
    if body.size_hint().lower() > limit as u64 {
        return Err(BodyError::TooLarge(limit));
    }
    let sent = match Limited::new(body, limit).collect().await {
        Ok(sent) => sent.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return Err(BodyError::TooLarge(limit)),
        Err(error) => return Err(BodyError::Read(error.to_string())),
    };
    let Some(encoding) = encoding else { return Ok(sent) };
    let inflate = move || encoding.inflate(&sent, limits.inflated_bytes);
    // Some milliseconds of work for a large body: not on the threads that serve everybody.
    tokio::task::spawn_blocking(inflate).await.map_err(|error| BodyError::Read(error.to_string()))?
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
    fn inflate(self, sent: &[u8], limit: usize) -> Result<Bytes, BodyError> {
        let mut inflated = Vec::with_capacity(sent.len().saturating_mul(4).min(limit));
        let most = limit as u64 + 1;
        let read = match self {
            Self::Gzip => MultiGzDecoder::new(sent).take(most).read_to_end(&mut inflated),
            Self::Zstd => zstd_decoder(sent).and_then(|decoder| decoder.take(most).read_to_end(&mut inflated)),
        };
        let read = read.map_err(|error| BodyError::Corrupt { encoding: self.name(), reason: error.to_string() })?;
        if read > limit { Err(BodyError::TooLarge(limit)) } else { Ok(inflated.into()) }
    }
}

fn zstd_decoder(sent: &[u8]) -> std::io::Result<zstd::Decoder<'static, &[u8]>> {
    let mut decoder = zstd::Decoder::with_buffer(sent)?;
    decoder.window_log_max(Encoding::ZSTD_WINDOW_LOG_MAX)?;
    Ok(decoder)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

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

    #[test]
    fn a_bomb_stops_at_the_limit() {
        for (encoding, compress) in ALL {
            let bomb = compress(&vec![b' '; 1 << 20]);
            assert!(bomb.len() < 4096);
            assert!(matches!(encoding.inflate(&bomb, 1 << 16), Err(BodyError::TooLarge(65_536))));
            assert_eq!(encoding.inflate(&bomb, 1 << 20).unwrap().len(), 1 << 20);
        }
    }

    #[test]
    fn members_follow_each_other_and_a_cut_one_is_refused() {
        for (encoding, compress) in ALL {
            let mut two = compress(b"m f=1\n");
            two.extend(compress(b"m f=2\n"));
            assert_eq!(encoding.inflate(&two, 100).unwrap(), "m f=1\nm f=2\n");
            two.truncate(two.len() - 3);
            assert!(matches!(encoding.inflate(&two, 100), Err(BodyError::Corrupt { .. })), "{encoding:?}");
            assert!(matches!(encoding.inflate(b"m f=1\n", 100), Err(BodyError::Corrupt { .. })), "{encoding:?}");
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
        assert!(matches!(Encoding::Zstd.inflate(&frame, 1 << 30), Err(BodyError::Corrupt { .. })));
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
