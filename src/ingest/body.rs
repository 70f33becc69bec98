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
    #[error("Content-Encoding {0:?} is not known: send gzip, or nothing")]
    Encoding(String),
    /// 400.
    #[error("the body is not the gzip that Content-Encoding says: {0}")]
    Gzip(String),
    /// The client went away or sent nonsense.
    #[error("the body could not be read: {0}")]
    Read(String),
}

/// Reads and inflates a body.
pub(super) async fn read(headers: &HeaderMap, body: Body, limits: BodyLimits) -> Result<Bytes, BodyError> {
    let encoding = headers.get(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap_or("?").trim());
    let gzip = match encoding {
        None | Some("" | "identity") => false,
        Some(name) if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") => true,
        Some(other) => return Err(BodyError::Encoding(other.chars().take(40).collect())),
    };
    let limit = if gzip { limits.sent_bytes } else { limits.inflated_bytes };
    // A client that says beforehand how much it has need not send it in vain.
    if body.size_hint().lower() > limit as u64 {
        return Err(BodyError::TooLarge(limit));
    }
    let sent = match Limited::new(body, limit).collect().await {
        Ok(sent) => sent.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return Err(BodyError::TooLarge(limit)),
        Err(error) => return Err(BodyError::Read(error.to_string())),
    };
    if !gzip {
        return Ok(sent);
    }
    let inflate = move || inflate(&sent, limits.inflated_bytes);
    // Some milliseconds of work for a large body: not on the threads that serve everybody.
    tokio::task::spawn_blocking(inflate).await.map_err(|error| BodyError::Read(error.to_string()))?
}

fn inflate(sent: &[u8], limit: usize) -> Result<Bytes, BodyError> {
    let mut inflated = Vec::with_capacity(sent.len().saturating_mul(4).min(limit));
    let read = MultiGzDecoder::new(sent)
        .take(limit as u64 + 1)
        .read_to_end(&mut inflated)
        .map_err(|error| BodyError::Gzip(error.to_string()))?;
    if read > limit { Err(BodyError::TooLarge(limit)) } else { Ok(inflated.into()) }
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

    #[test]
    fn a_bomb_stops_at_the_limit() {
        let bomb = gzip(&vec![b' '; 1 << 20]);
        assert!(bomb.len() < 4096);
        assert!(matches!(inflate(&bomb, 1 << 16), Err(BodyError::TooLarge(65_536))));
        assert_eq!(inflate(&bomb, 1 << 20).unwrap().len(), 1 << 20);
    }

    #[test]
    fn members_follow_each_other_and_a_cut_one_is_refused() {
        let mut two = gzip(b"m f=1\n");
        two.extend(gzip(b"m f=2\n"));
        assert_eq!(inflate(&two, 100).unwrap(), "m f=1\nm f=2\n");
        two.truncate(two.len() - 3);
        assert!(matches!(inflate(&two, 100), Err(BodyError::Gzip(_))));
    }
}
