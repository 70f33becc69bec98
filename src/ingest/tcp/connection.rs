//! One connection: read, cut, written, until it ends.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    net::TcpStream,
    task::{JoinError, JoinSet},
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::{
    TcpWrite,
    delivery::{Delivered, deliver},
    dialect::{Dialect, End},
    framing::Framing,
};
use crate::{
    ingest::{IngestError, Refused, Room},
    protocol::Limits,
};

/// A body is closed at so many bytes: transactions carry many bodies, so larger ones gain nothing.
const BODY_BYTES: usize = 256 << 10;
/// A body is closed when so long has passed since its first byte, and the socket has nothing more.
const LINGER: Duration = Duration::from_millis(5);
/// Bodies of one connection that are on their way at once: while one is committed, the next are read.
const ON_THEIR_WAY: usize = 4;
/// What a connection that sends little takes of memory; one that has sent as much for a body gets all of its room at once.
const READ_BYTES: usize = 16 << 10;

/// When everything stops, a connection is read until so long nothing came: what its client has sent already may still be
/// on its way through the sockets, and a socket that holds nothing just now is not yet an empty one.
const SILENCE: Duration = Duration::from_millis(100);
/// A client that goes on sending is not listened to for longer than this then.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How reading ended for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Filled {
    /// There is enough for a body.
    Full,
    /// Something came, and the linger has passed.
    Some,
    /// Nothing came.
    Nothing,
    /// The client has closed the connection, or it was lost.
    Closed,
}

/// Why a connection is not read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Over {
    /// By the client.
    Closed,
    /// It is to be closed.
    Refused,
    /// Everything stops.
    Stopped,
}

/// A client's connection.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    peer: SocketAddr,
    dialect: Dialect,
    write: TcpWrite,
    stop: CancellationToken,
    framing: Framing,
    deliveries: JoinSet<Delivered>,
    /// Lines that were handed over or passed over.
    lines: u64,
    /// Lines that were not written.
    refused: u64,
}

impl Connection {
    pub(super) fn new(
        stream: TcpStream,
        peer: SocketAddr,
        dialect: Dialect,
        write: TcpWrite,
        stop: CancellationToken,
    ) -> Self {
        let framing = Framing::new(dialect, Limits::default().line_bytes);
        Self { stream, peer, dialect, write, stop, framing, deliveries: JoinSet::new(), lines: 0, refused: 0 }
    }

    /// Reads until the client closes, asks for the end, or everything stops; returns when what was read is written.
    pub(super) async fn run(mut self) {
        let over = self.read_until_over().await;
        if over == Over::Stopped {
            let until = Instant::now() + LAST_WORDS;
            while matches!(self.read(SILENCE).await, Filled::Full | Filled::Some) && Instant::now() < until {}
        }
        if over != Over::Refused && self.framing.is_cut_off() {
            self.dialect.count_refused("cut_off", 1);
            self.note_refused(1, "the connection ended within a line");
        }
        while let Some(delivered) = self.deliveries.join_next().await {
            self.settle(delivered);
        }
        if self.refused > 1 {
            tracing::info!(protocol = self.dialect.protocol().label(), peer = %self.peer, lines = self.refused,
                "a connection ended of which lines were refused");
        }
    }

    async fn read_until_over(&mut self) -> Over {
        loop {
            let may_read = self.deliveries.len() < ON_THEIR_WAY;
            tokio::select! {
                Some(delivered) = self.deliveries.join_next() => {
                    if self.settle(delivered).is_some() {
                        return Over::Refused;
                    }
                }
                // What is wrong with the connection is told by the reading itself.
                _ = self.stream.readable(), if may_read => {
                    if self.read(LINGER).await == Filled::Closed {
                        return Over::Closed;
                    }
                }
                () = self.stop.cancelled() => return Over::Stopped,
            }
        }
    }

    /// Reads one body and sends it on its way. Waits for memory first: so long the client's bytes stay in the sockets.
    async fn read(&mut self, linger: Duration) -> Filled {
        let ingest = &self.write.ingest;
        let wanted = (self.framing.len() + BODY_BYTES).min(ingest.options().memory_bytes);
        let room = ingest.reserve(wanted).await;
        let filled = self.fill(linger).await.unwrap_or_else(|error| {
            tracing::debug!(peer = %self.peer, error = %error, "a connection was lost");
            Filled::Closed
        });
        self.hand_over(room);
        filled
    }

    async fn fill(&mut self, linger: Duration) -> io::Result<Filled> {
        let full = self.framing.len() + BODY_BYTES;
        let deadline = Instant::now() + linger;
        let mut filled = Filled::Nothing;
        loop {
            let buffer = self.framing.buffer();
            let missing = full.saturating_sub(buffer.len());
            buffer.reserve(if buffer.len() < READ_BYTES { READ_BYTES } else { missing.max(READ_BYTES) });
            match self.stream.try_read_buf(buffer) {
                Ok(0) => return Ok(Filled::Closed),
                Ok(_) if self.framing.len() >= full => return Ok(Filled::Full),
                Ok(_) => filled = Filled::Some,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    match timeout_at(deadline, self.stream.readable()).await {
                        Ok(readable) => readable?,
                        Err(_) => return Ok(filled),
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn hand_over(&mut self, room: Result<Room, IngestError>) {
        let cut = self.framing.cut();
        let before = self.lines;
        self.lines += memchr::memchr_iter(b'\n', &cut.body).count() as u64;
        if cut.too_long > 0 {
            self.lines += u64::from(cut.too_long);
            self.dialect.count_refused("line_too_long", u64::from(cut.too_long));
            self.note_refused(u64::from(cut.too_long), &format!("line {} is longer than a line may be", self.lines));
        }
        if cut.body.is_empty() {
            return;
        }
        match room {
            Ok(mut room) => {
                room.shrink(cut.body.len());
                drop(self.deliveries.spawn(deliver(self.write.clone(), self.dialect, cut.body, before, room)));
            }
            // Less memory than any body takes was asked for, so this is a limit of nothing.
            Err(error) => self.note_refused(1, &error.to_string()),
        }
    }

    fn settle(&mut self, delivered: Result<Delivered, JoinError>) -> Option<End> {
        let delivered = match delivered {
            Ok(delivered) => delivered,
            Err(error) => {
                tracing::error!(peer = %self.peer, error = %error, "lines were lost by a defect");
                return None;
            }
        };
        if let Some(Refused { line, column, reason, original }) = &delivered.first_refused {
            let line = delivered.lines_before + u64::from(*line);
            let reason = format!("line {line}, column {column}: {reason} (the line: {original:?})");
            self.note_refused(delivered.refused, &reason);
        }
        if self.dialect == Dialect::OpenTsdb && !delivered.replies.is_empty() {
            // A client that does not read its answers must not hold up its lines: what does not fit is dropped.
            drop(self.stream.try_write(delivered.replies.as_bytes()));
        }
        if delivered.end == Some(End::Binary) {
            tracing::warn!(peer = %self.peer,
                "a connection was closed: it sends QuestDB's binary protocol (version 2 or 3); set protocol_version=1 \
                 at the client");
            self.dialect.count_refused("binary_protocol", 1);
        }
        delivered.end
    }

    /// Counts lines that were not written, and logs the first, the tenth, the hundredth of the connection.
    fn note_refused(&mut self, lines: u64, reason: &str) {
        let before = self.refused;
        self.refused += lines;
        if before.checked_ilog10() != self.refused.checked_ilog10() {
            tracing::warn!(protocol = self.dialect.protocol().label(), peer = %self.peer, lines = self.refused, reason,
                "a line was refused");
        }
    }
}
