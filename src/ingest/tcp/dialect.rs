//! The two protocols: where their lines end, and what is in them.

use memchr::{memmem, memrchr};

use super::replies;
use crate::{
    ingest::{Counters, Protocol, Refused},
    protocol::{
        self, Line, Precision,
        opentsdb::{Command, Commands},
    },
};

/// What a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    LineProtocol,
    OpenTsdb,
}

/// A body of telnet lines that was read.
#[derive(Debug, Default)]
pub(super) struct Parsed<'b> {
    pub(super) lines: Vec<Line<'b>>,
    pub(super) unreadable: Vec<Refused>,
    /// What the client is told.
    pub(super) replies: String,
    /// The client said `exit`: nothing behind it was read.
    pub(super) exit: bool,
}

/// Why a connection is closed from this side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The client said `exit`.
    Asked,
    /// QuestDB's binary protocol.
    Binary,
}

impl Dialect {
    pub(super) fn protocol(self) -> Protocol {
        match self {
            Self::LineProtocol => Protocol::LineProtocolTcp,
            Self::OpenTsdb => Protocol::OpenTsdbTelnet,
        }
    }

    /// How many bytes of `buffer` are whole lines.
    pub(super) fn complete_bytes(self, buffer: &[u8]) -> usize {
        match self {
            Self::LineProtocol => protocol::complete_bytes(buffer),
            Self::OpenTsdb => memrchr(b'\n', buffer).map_or(0, |line_break| line_break + 1),
        }
    }

    /// Counts lines that never became part of a request; those that did are the service's to count.
    pub(super) fn count_refused(self, reason: &'static str, lines: u64) {
        let protocol = self.protocol().label();
        metrics::counter!("chunkwise_listener_lines_refused_total", "protocol" => protocol, "reason" => reason)
            .increment(lines);
    }
}

/// How many bytes of line protocol stand before a line of QuestDB's binary protocol, if there is one. What follows it is
/// no text, and would only be counted as so many bad lines.
pub(super) fn before_binary(body: &[u8]) -> Option<usize> {
    // The marks may stand in a text's value: only a line that cannot be read is no text.
    is_binary(body).then_some(())?;
    let mut errors = protocol::parse(body, Precision::Nanoseconds).filter_map(Result::err);
    errors.find(|error| is_binary(&body[error.bytes.clone()])).map(|error| error.bytes.start)
}

/// Whether a line that is no text has a value of QuestDB's binary versions: `name==`, a byte that says the type (16 a
/// double, 14 an array, 23 a decimal), and bytes that may be line breaks.
fn is_binary(line: &[u8]) -> bool {
    memmem::find_iter(line, b"==").any(|at| matches!(line.get(at + 2), Some(14 | 16 | 23)))
}

/// Reads telnet lines.
pub(super) fn parse_commands<'b>(body: &'b [u8], counters: &Counters) -> Parsed<'b> {
    let mut parsed = Parsed::default();
    for command in Commands::new(body) {
        match command {
            Ok(Command::Put(line)) => parsed.lines.push(line),
            Ok(Command::Version) => replies::version(&mut parsed.replies),
            Ok(Command::Stats) => replies::stats(&mut parsed.replies, counters.values().all),
            Ok(Command::Help) => replies::help(&mut parsed.replies),
            Ok(Command::Other(word)) => replies::unknown(&mut parsed.replies, word),
            Ok(Command::Exit) => {
                parsed.exit = true;
                break;
            }
            Err(error) => {
                replies::refused(&mut parsed.replies, error.fault.kind(), &error.fault.to_string());
                parsed.unreadable.push(Refused::point(&error, body));
            }
        }
    }
    parsed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_double_in_binary_ends_the_connection_and_what_stood_before_is_kept() {
        let mut body = b"m f=1 1\nm s=\"a==\x10b\" 2\nm f==\x10".to_vec();
        body.extend(1.5_f64.to_le_bytes());
        body.extend(b" 3\nm f=4 4\n");
        assert_eq!(before_binary(&body), memmem::find(&body, b"m f==").filter(|at| *at > 0));
    }

    #[test]
    fn a_key_id_of_questdb_s_handshake_is_a_bad_line() {
        assert_eq!(before_binary(b"testUser1\nm f=1 1\n"), None);
    }

    #[test]
    fn nothing_behind_exit_is_read() {
        let body = b"put m 1 2 a=b\nversion\nput m\nexit\nput m 1 2 a=b\n";
        let parsed = parse_commands(body, &Counters::default());
        assert_eq!((parsed.lines.len(), parsed.unreadable.len(), parsed.exit), (1, 1, true));
        assert!(parsed.replies.contains("chunkwise") && parsed.replies.contains("put: illegal argument: not enough"));
    }
}
