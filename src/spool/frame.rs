//! A request's accepted lines as a frame.
//!
//! ```text
//! 0     4        8       24          40        48           56
//! +-----+--------+-------+-----------+---------+------------+--------------+---------------+-------+
//! | len | crc32c | id    | body hash | keep, s | spooled_us | protocol     | namespace     | lines |
//! | u32 | u32    | 16 B  | 16 B      | u64     | i64        | u8 len, text | u16 len, text |       |
//! +-----+--------+-------+-----------+---------+------------+--------------+---------------+-------+
//!                |<------------------------------ payload: len bytes ------------------------------>|
//! ```
//!
//! Numbers are little-endian; the checksum is over the length and the payload.

use uuid::Uuid;

use super::lines::{LinesError, decode_lines};
use crate::protocol::Line;

/// A frame's bytes at most, the eight of length and checksum not counted. A reader believes no greater length.
pub const MAX_PAYLOAD_BYTES: usize = 256 << 20;

/// Length and checksum.
pub(super) const PREFIX_BYTES: usize = 8;
/// A payload without texts and lines.
const FIXED_BYTES: usize = 51;

/// A request's accepted lines, with what the ledger must know of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The ledger's key, fixed before the first attempt to write the request anywhere.
    pub id: Uuid,
    /// What was sent; the same key with another body is a mistake.
    pub body_hash: Uuid,
    /// Seconds for which the ledger keeps the id.
    pub keep_s: u64,
    /// When the request was spooled, by the service's clock: microseconds since 1970 UTC. For people and metrics; the order
    /// of frames never depends on it.
    pub spooled_us: i64,
    /// The label of the protocol that the request came by; at most 255 bytes.
    pub protocol: &'a str,
    /// The namespace; at most 65,535 bytes.
    pub namespace: &'a str,
    /// What [`encode_lines`](super::encode_lines) made of the lines.
    pub lines: &'a [u8],
}

/// Bytes that are no frame, or a frame that cannot become bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The bytes end before the frame does.
    #[error("a spooled frame is cut: {needed} bytes are needed, {found} are there")]
    Cut {
        /// Bytes that the frame has by its own length.
        needed: usize,
        /// Bytes that there are.
        found: usize,
    },
    /// The length is none that a frame can have.
    #[error("a spooled frame claims a length of {0} bytes, which no frame has")]
    Length(u32),
    /// The checksum does not match.
    #[error("a spooled frame's checksum does not match its bytes")]
    Checksum,
    /// The checksum matches, but the payload is none.
    #[error("a spooled frame's parts do not add up")]
    Payload,
    /// The protocol's label or the namespace is too long.
    #[error("a label of {0} bytes is too long for a spooled frame: shorten the namespace")]
    Label(usize),
    /// The payload would exceed [`MAX_PAYLOAD_BYTES`].
    #[error("a request of {0} bytes is too large for the spool: send fewer lines at once")]
    TooLarge(usize),
}

impl<'a> Frame<'a> {
    /// The frame's lines. The checksum has been compared, so an error means that the frame was made of other bytes.
    pub fn decode_lines(&self) -> Result<Vec<Line<'a>>, LinesError> {
        decode_lines(self.lines)
    }

    /// Writes the frame at the end of `out`; on an error nothing is written.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), FrameError> {
        let protocol = u8::try_from(self.protocol.len()).map_err(|_| FrameError::Label(self.protocol.len()))?;
        let namespace = u16::try_from(self.namespace.len()).map_err(|_| FrameError::Label(self.namespace.len()))?;
        let payload_bytes = FIXED_BYTES + self.protocol.len() + self.namespace.len() + self.lines.len();
        let length = u32::try_from(payload_bytes).ok().filter(|_| payload_bytes <= MAX_PAYLOAD_BYTES);
        let length = length.ok_or(FrameError::TooLarge(payload_bytes))?;

        let start = out.len();
        out.reserve(PREFIX_BYTES + payload_bytes);
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(self.id.as_bytes());
        out.extend_from_slice(self.body_hash.as_bytes());
        out.extend_from_slice(&self.keep_s.to_le_bytes());
        out.extend_from_slice(&self.spooled_us.to_le_bytes());
        out.push(protocol);
        out.extend_from_slice(self.protocol.as_bytes());
        out.extend_from_slice(&namespace.to_le_bytes());
        out.extend_from_slice(self.namespace.as_bytes());
        out.extend_from_slice(self.lines);
        let checksum = checksum(length, &out[start + PREFIX_BYTES..]);
        out[start + 4..start + PREFIX_BYTES].copy_from_slice(&checksum.to_le_bytes());
        Ok(())
    }

    /// Reads a frame's payload, without length and checksum.
    pub fn from_payload(payload: &'a [u8]) -> Result<Self, FrameError> {
        Self::parts(payload).ok_or(FrameError::Payload)
    }

    fn parts(payload: &'a [u8]) -> Option<Self> {
        let (id, rest) = payload.split_first_chunk::<16>()?;
        let (body_hash, rest) = rest.split_first_chunk::<16>()?;
        let (keep_s, rest) = rest.split_first_chunk::<8>()?;
        let (spooled_us, rest) = rest.split_first_chunk::<8>()?;
        let (protocol_bytes, rest) = rest.split_first()?;
        let (protocol, rest) = rest.split_at_checked(usize::from(*protocol_bytes))?;
        let (namespace_bytes, rest) = rest.split_first_chunk::<2>()?;
        let (namespace, lines) = rest.split_at_checked(usize::from(u16::from_le_bytes(*namespace_bytes)))?;
        Some(Self {
            id: Uuid::from_bytes(*id),
            body_hash: Uuid::from_bytes(*body_hash),
            keep_s: u64::from_le_bytes(*keep_s),
            spooled_us: i64::from_le_bytes(*spooled_us),
            protocol: std::str::from_utf8(protocol).ok()?,
            namespace: std::str::from_utf8(namespace).ok()?,
            lines,
        })
    }
}

/// Reads the frame at the beginning of `bytes`: the frame, and how many bytes it takes. Any bytes may be given.
pub fn decode_frame(bytes: &[u8]) -> Result<(Frame<'_>, usize), FrameError> {
    let cut = |needed| FrameError::Cut { needed, found: bytes.len() };
    let (prefix, rest) = bytes.split_first_chunk::<PREFIX_BYTES>().ok_or(cut(PREFIX_BYTES))?;
    let prefix = Prefix::read(prefix);
    let payload_bytes = prefix.payload_bytes()?;
    let payload = rest.get(..payload_bytes).ok_or(cut(PREFIX_BYTES + payload_bytes))?;
    prefix.check(payload)?;
    Ok((Frame::from_payload(payload)?, PREFIX_BYTES + payload_bytes))
}

/// What stands before a payload.
#[derive(Debug, Clone, Copy)]
pub(super) struct Prefix {
    length: u32,
    checksum: u32,
}

impl Prefix {
    pub(super) fn read(bytes: &[u8; PREFIX_BYTES]) -> Self {
        let [a, b, c, d, e, f, g, h] = *bytes;
        Self { length: u32::from_le_bytes([a, b, c, d]), checksum: u32::from_le_bytes([e, f, g, h]) }
    }

    /// The payload's length, if a frame can have it.
    pub(super) fn payload_bytes(self) -> Result<usize, FrameError> {
        let bytes = usize::try_from(self.length).ok();
        let bytes = bytes.filter(|bytes| (FIXED_BYTES..=MAX_PAYLOAD_BYTES).contains(bytes));
        bytes.ok_or(FrameError::Length(self.length))
    }

    pub(super) fn check(self, payload: &[u8]) -> Result<(), FrameError> {
        if checksum(self.length, payload) == self.checksum { Ok(()) } else { Err(FrameError::Checksum) }
    }
}

fn checksum(length: u32, payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&length.to_le_bytes()), payload)
}
