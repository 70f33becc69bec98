//! Ways into a table: the service's protocols, and COPY beside it.

mod copy;
mod http;
mod stream;
mod websocket;

use std::{net::SocketAddr, sync::Arc};

use super::{BenchError, lines::Lines, service::Service};

pub(super) use self::{
    copy::{CopySink, Ledger},
    http::Http,
};
use self::{stream::Stream, websocket::WebSocket};

/// How lines reach the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Line protocol, a request a body: `POST /write`.
    Http,
    /// Line protocol over TCP, which answers nothing: rows count when the service, told that no more follow, has closed
    /// the connection.
    Tcp,
    /// Line protocol in frames of a WebSocket, each acknowledged.
    WebSocket,
    /// OpenTSDB's `put` lines over TCP, which answer nothing either.
    Telnet,
}

impl Transport {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Http, Self::Tcp, Self::WebSocket, Self::Telnet];

    /// Its name in flags and in figures.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Tcp => "tcp",
            Self::WebSocket => "websocket",
            Self::Telnet => "telnet",
        }
    }
}

/// Something that takes rows, one request after the other.
pub(super) trait Sink: Send + 'static {
    /// Sends rows and waits for the acknowledgement, if there is one.
    fn send(&mut self, first_row: u64, rows: usize) -> impl Future<Output = Result<(), BenchError>> + Send;

    /// Returns when everything that was sent is committed.
    fn finish(&mut self) -> impl Future<Output = Result<(), BenchError>> + Send {
        async { Ok(()) }
    }
}

/// A connection to the service, and the lines for it.
#[derive(Debug)]
pub(super) struct ServiceSink {
    connection: Connection,
    lines: Arc<Lines>,
}

#[derive(Debug)]
enum Connection {
    Http(Http),
    Stream(Stream),
    WebSocket(Box<WebSocket>),
}

impl ServiceSink {
    /// So many connections to a service.
    pub(super) async fn several(
        service: &Service,
        transport: Transport,
        connections: usize,
        lines: &Arc<Lines>,
    ) -> Result<Vec<Self>, BenchError> {
        let Some(address) = service.address(transport) else {
            return Err(BenchError::connection(transport.name(), "the service has no listener for it"));
        };
        let mut sinks = Vec::with_capacity(connections);
        for _ in 0..connections {
            sinks.push(Self::connect(transport, address, Arc::clone(lines)).await?);
        }
        Ok(sinks)
    }

    pub(super) async fn connect(
        transport: Transport,
        address: SocketAddr,
        lines: Arc<Lines>,
    ) -> Result<Self, BenchError> {
        let connection = match transport {
            Transport::Http => Connection::Http(Http::connect(address).await?),
            Transport::Tcp | Transport::Telnet => Connection::Stream(Stream::connect(transport.name(), address).await?),
            Transport::WebSocket => Connection::WebSocket(Box::new(WebSocket::connect(address).await?)),
        };
        Ok(Self { connection, lines })
    }
}

impl Sink for ServiceSink {
    async fn send(&mut self, first_row: u64, rows: usize) -> Result<(), BenchError> {
        let body = self.lines.body(first_row, rows);
        match &mut self.connection {
            Connection::Http(http) => http.write(body).await,
            Connection::Stream(stream) => stream.send(&body).await,
            Connection::WebSocket(socket) => socket.send(body).await,
        }
    }

    async fn finish(&mut self) -> Result<(), BenchError> {
        match &mut self.connection {
            Connection::Stream(stream) => stream.finish().await,
            // Whose last answer has said so.
            Connection::Http(_) | Connection::WebSocket(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
