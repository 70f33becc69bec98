//! What makes a request the same as another.

use std::time::Duration;

use uuid::Uuid;

use crate::protocol::{Line, Precision};

/// Whether the good lines of a request with bad ones are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PartialWrites {
    /// They are; the bad ones are named.
    #[default]
    Accept,
    /// One bad line, and nothing is written.
    Refuse,
}

/// What decides whether two requests without a key are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repetition {
    /// The same bytes within so long are one request: stock clients send the same bytes again after a timeout. Only where
    /// every line carries its time.
    SameBody {
        /// How long.
        within: Duration,
    },
    /// Every request is one of its own; only a key makes a repetition harmless.
    KeyOnly,
}

/// A request's id in the ledger, fixed before the first attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestId {
    /// The ledger's key.
    pub id: Uuid,
    /// What was sent; the same key with another body is a mistake.
    pub body_hash: Uuid,
    /// How long the ledger keeps it.
    pub keep: Duration,
}

impl RequestId {
    /// The id that a client's key makes, within its namespace.
    #[must_use]
    pub fn from_key(namespace: &str, key: &[u8], body_hash: Uuid, keep: Duration) -> Self {
        Self { id: hash(&[b"key", namespace.as_bytes(), key]), body_hash, keep }
    }

    /// The id of a request whose bytes are its key.
    #[must_use]
    pub fn from_body(body_hash: Uuid, keep: Duration) -> Self {
        Self { id: hash(&[b"body", body_hash.as_bytes()]), body_hash, keep }
    }

    /// An id that nobody else has. The service itself needs one: a COMMIT whose answer was lost is tried again.
    #[must_use]
    pub fn fresh(body_hash: Uuid) -> Self {
        Self { id: Uuid::new_v4(), body_hash, keep: Duration::from_secs(3600) }
    }
}

/// The first 128 bits of BLAKE3 over parts, each with its length in front.
#[must_use]
pub(super) fn hash(parts: &[&[u8]]) -> Uuid {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let mut first = [0; 16];
    hasher.finalize_xof().fill(&mut first);
    Uuid::from_bytes(first)
}

/// Where a request came from; the label of its metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// Line protocol over HTTP.
    LineProtocolHttp,
    /// Line protocol over TCP.
    LineProtocolTcp,
    /// OpenTSDB's JSON over HTTP.
    OpenTsdbHttp,
    /// OpenTSDB's `put` lines over TCP.
    OpenTsdbTelnet,
    /// Messages of an MQTT broker.
    Mqtt,
    /// Frames of clients that write over a WebSocket.
    WebSocket,
    /// A foreign feed that chunkwise subscribes to.
    Source,
    /// Files.
    Load,
    /// The demonstration's feed.
    Demo,
}

impl Protocol {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::LineProtocolHttp,
        Self::LineProtocolTcp,
        Self::OpenTsdbHttp,
        Self::OpenTsdbTelnet,
        Self::Mqtt,
        Self::WebSocket,
        Self::Source,
        Self::Load,
        Self::Demo,
    ];

    /// Its name in metrics, statistics and logs.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::LineProtocolHttp => "line_protocol_http",
            Self::LineProtocolTcp => "line_protocol_tcp",
            Self::OpenTsdbHttp => "opentsdb_http",
            Self::OpenTsdbTelnet => "opentsdb_telnet",
            Self::Mqtt => "mqtt",
            Self::WebSocket => "websocket",
            Self::Source => "source",
            Self::Load => "load",
            Self::Demo => "demo",
        }
    }
}

/// Lines on their way to the database.
#[derive(Debug)]
pub struct WriteRequest<'b> {
    /// Where they came from.
    pub protocol: Protocol,
    /// The memory that they were let in for; see [`Ingest::reserve`](super::Ingest::reserve).
    pub room: super::Room,
    /// The namespace.
    pub namespace: &'b str,
    /// The lines that could be read.
    pub lines: Vec<Line<'b>>,
    /// The bytes that the lines were read from; for showing a refused one. May be empty.
    pub body: &'b [u8],
    /// What could not be read.
    pub unreadable: Vec<super::Refused>,
    /// What makes the request the same as another.
    pub identity: Identity,
    /// What happens with good lines beside bad ones.
    pub partial: PartialWrites,
    /// The chunk interval for measurements that have to be made; by default one that suits the lines.
    pub interval_us: Option<i64>,
}

/// Line protocol on its way to the database, as it was sent: the quickest way in.
#[derive(Debug)]
pub struct BodyRequest<'b> {
    /// Where it came from.
    pub protocol: Protocol,
    /// The memory that it was let in for; it grows with what the lines become.
    pub room: super::Room,
    /// The namespace.
    pub namespace: &'b str,
    /// The lines.
    pub body: &'b [u8],
    /// What their times count.
    pub precision: Precision,
    /// What makes the request the same as another.
    pub identity: Identity,
    /// What happens with good lines beside bad ones.
    pub partial: PartialWrites,
    /// The chunk interval for measurements that have to be made; by default one that suits the lines.
    pub interval_us: Option<i64>,
}

/// How a request's id is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// It is known.
    Fixed(RequestId),
    /// The same, and the ledger has it also where none of its lines can be written: so that who finds no entry knows that
    /// it was never taken.
    Entered(RequestId),
    /// It depends on whether every line carries its time: a line without one gets the server's, and the same bytes later
    /// are other rows.
    IfTimed {
        /// The id where all do: one that the bytes make.
        timed: RequestId,
        /// The id otherwise: one that no other request has.
        otherwise: RequestId,
    },
}

impl Identity {
    /// The id of a request that was read.
    pub(super) fn id(self, all_timed: bool) -> RequestId {
        match self {
            Self::Fixed(id) | Self::Entered(id) => id,
            Self::IfTimed { timed, .. } if all_timed => timed,
            Self::IfTimed { otherwise, .. } => otherwise,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_hash_do_not_run_together() {
        assert_ne!(hash(&[b"ab", b"c"]), hash(&[b"a", b"bc"]));
        let keep = Duration::from_secs(1);
        let body = hash(&[b"x"]);
        let a = RequestId::from_key("public", b"k", body, keep);
        assert_eq!(a.id, RequestId::from_key("public", b"k", hash(&[b"y"]), keep).id);
        assert_ne!(a.id, RequestId::from_key("other", b"k", body, keep).id);
    }
}
