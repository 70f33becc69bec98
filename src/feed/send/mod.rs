//! Requests over every protocol that chunkwise takes, one connection and one request at a time.
//!
//! A connection makes itself anew whenever it has to; what was under way is then in doubt. Where a protocol has ids, the
//! same request may be sent again under its id; what never left because nobody was there, over every protocol.

mod http;
mod mqtt;
mod target;
mod tcp;
mod websocket;

#[cfg(test)]
mod tests;

use std::{future::Future, time::Duration};

use bytes::Bytes;
use uuid::Uuid;

pub use target::{Protocol, Target, TargetError};

use super::journal::Strength;

/// What came back for a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It was acknowledged.
    Acknowledged {
        /// As what.
        strength: Strength,
        /// Whether the server had it already.
        duplicate: bool,
    },
    /// Sending it again would not help.
    Refused {
        /// How many of its rows were written all the same.
        written: u64,
        /// Why, as the server says.
        reason: String,
    },
    /// It may have been written, or may yet be.
    InDoubt {
        /// What happened.
        reason: String,
        /// When to try again, if the server said.
        retry_after: Option<Duration>,
    },
    /// It left; this protocol has no answers.
    Sent,
    /// It did not leave: there is nobody to connect to.
    Unreachable {
        /// Why not.
        reason: String,
    },
}

impl Answer {
    fn in_doubt(reason: impl ToString) -> Self {
        Self::InDoubt { reason: reason.to_string(), retry_after: None }
    }
}

/// A connection to a target. Nothing is connected until the first request.
#[derive(Debug)]
pub struct Connection {
    wire: Wire,
    patience: Duration,
}

#[derive(Debug)]
enum Wire {
    Http(http::Http),
    Tcp(tcp::Tcp),
    WebSocket(Box<websocket::WebSocket>),
    Mqtt(mqtt::Mqtt),
}

impl Connection {
    /// Prepares a connection that waits for each answer as long as `patience`.
    #[must_use]
    pub fn new(target: &Target, patience: Duration) -> Self {
        let wire = match target.protocol() {
            Protocol::LineProtocolHttp | Protocol::OpenTsdbHttp => Wire::Http(http::Http::new(target)),
            Protocol::LineProtocolTcp | Protocol::OpenTsdbTelnet => Wire::Tcp(tcp::Tcp::new(target)),
            Protocol::WebSocket => Wire::WebSocket(Box::new(websocket::WebSocket::new(target))),
            Protocol::Mqtt => Wire::Mqtt(mqtt::Mqtt::new(target)),
        };
        Self { wire, patience }
    }

    /// Sends a request and waits for what comes back. `id` is its `Idempotency-Key`, or the `id` that the body of a JSON
    /// frame has.
    pub async fn send(&mut self, id: Uuid, body: &Bytes) -> Answer {
        let patience = self.patience;
        let connected = within(patience, "connection", self.wire.connect()).await;
        if let Err(error) = connected {
            self.wire.disconnect();
            return Answer::Unreachable { reason: error.to_string() };
        }
        within(patience, "answer", self.wire.exchange(id, body)).await.unwrap_or_else(|error| {
            self.wire.disconnect();
            Answer::in_doubt(error)
        })
    }

    /// Ends the connection in good order, so that what was sent arrives.
    pub async fn close(mut self) {
        // A server that does not end its side has all the same had what was sent.
        drop(tokio::time::timeout(Duration::from_secs(5), self.wire.close()).await);
    }
}

/// What a connection fails with.
type Lost = Box<dyn std::error::Error + Send + Sync>;

async fn within<T>(patience: Duration, what: &str, work: impl Future<Output = Result<T, Lost>>) -> Result<T, Lost> {
    let in_time = tokio::time::timeout(patience, work).await;
    in_time.unwrap_or_else(|_| Err(format!("no {what} within {patience:?}").into()))
}

impl Wire {
    /// Connects, unless there is a connection that is not known to have ended.
    async fn connect(&mut self) -> Result<(), Lost> {
        match self {
            Self::Http(http) => http.connect().await,
            Self::Tcp(tcp) => tcp.connect().await,
            Self::WebSocket(socket) => socket.connect().await,
            Self::Mqtt(mqtt) => mqtt.connect().await,
        }
    }

    /// Sends a request over the connection that there is.
    async fn exchange(&mut self, id: Uuid, body: &Bytes) -> Result<Answer, Lost> {
        match self {
            Self::Http(http) => http.exchange(id, body).await,
            Self::Tcp(tcp) => tcp.exchange(body).await,
            Self::WebSocket(socket) => socket.exchange(id, body).await,
            Self::Mqtt(mqtt) => mqtt.exchange(body).await,
        }
    }

    /// Forgets the connection; the next request makes another.
    fn disconnect(&mut self) {
        match self {
            Self::Http(http) => http.disconnect(),
            Self::Tcp(tcp) => tcp.disconnect(),
            Self::WebSocket(socket) => socket.disconnect(),
            Self::Mqtt(mqtt) => mqtt.disconnect(),
        }
    }

    async fn close(&mut self) {
        match self {
            Self::Tcp(tcp) => tcp.close().await,
            Self::WebSocket(socket) => socket.close().await,
            Self::Http(_) | Self::Mqtt(_) => {}
        }
    }
}
