//! Listeners for protocols without an acknowledgement: line protocol over TCP, and OpenTSDB's telnet lines.
//!
//! ```text
//! socket -> framing: whole lines, up to 256 KiB at once -> delivery: a request of its own, tried until it is written
//! ```
//!
//! Nobody hears what became of a line, so these are best effort, and what can be done is done without being asked:
//!
//! - Reading stops while the service has no memory free, or the database is away; the client's own sends block then. What
//!   was read is tried again until it is written, under the same id, for as long as the process lives.
//! - A bad line is passed over, counted by its reason, and logged: the first of a connection, then each tenth, hundredth
//!   and so on. Telnet clients also get a line of text, as OpenTSDB sends it.
//! - A line beyond the limit is passed over up to its line break, without being kept in memory.
//! - What stands behind the last line break when a client closes is not written: a time or a number that was cut off would
//!   read as another.
//!
//! A connection takes at most the longest line and some bodies of memory, and there are at most so many connections.
//! Connections may be idle for ever; TCP's keepalive finds those whose client is gone.
//!
//! On one port OpenTSDB has telnet and HTTP, told apart by the first bytes; HTTP connections are handed on untouched.

mod accept;
mod connection;
mod delivery;
mod dialect;
mod framing;
mod opening;
mod replies;

use std::{num::NonZeroUsize, sync::Arc};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_util::sync::CancellationToken;

use self::{
    connection::Connection,
    dialect::Dialect,
    opening::{Opening, opening},
};
use super::Ingest;

/// What a listener needs.
#[derive(Debug, Clone)]
pub struct TcpWrite {
    /// The service.
    pub ingest: Ingest,
    /// The namespace of every line.
    pub namespace: Arc<str>,
    /// How many connections there may be at once; a further one is closed.
    pub max_connections: NonZeroUsize,
}

/// Takes line protocol until `stop` is cancelled: lines with nanoseconds, no acknowledgement.
///
/// When stopped it accepts nobody any more, reads what the connections' sockets hold, and returns once that is written or
/// ten seconds are over.
pub async fn serve_line_protocol(listener: TcpListener, write: TcpWrite, stop: CancellationToken) {
    let protocol = Dialect::LineProtocol.protocol();
    accept::run(listener, write.max_connections, protocol, &stop, |stream, peer| {
        let connection = Connection::new(stream, peer, Dialect::LineProtocol, write.clone(), stop.clone());
        connection.run()
    })
    .await;
}

/// Takes OpenTSDB's telnet lines until `stop` is cancelled, as [`serve_line_protocol`] does. Connections that begin with
/// an HTTP request go to `http`, with nothing read from them; if nobody takes them there, they are closed.
pub async fn serve_opentsdb(
    listener: TcpListener,
    write: TcpWrite,
    http: mpsc::Sender<TcpStream>,
    stop: CancellationToken,
) {
    let protocol = Dialect::OpenTsdb.protocol();
    accept::run(listener, write.max_connections, protocol, &stop, |stream, peer| {
        let (write, http, stop) = (write.clone(), http.clone(), stop.clone());
        async move {
            match opening(&stream, &stop).await {
                Opening::Http => drop(http.send(stream).await),
                Opening::Lines => Connection::new(stream, peer, Dialect::OpenTsdb, write, stop).run().await,
                Opening::Gone => {}
            }
        }
    })
    .await;
}
