//! Requests over every protocol that chunkwise takes, one connection and one request at a time.
//!
//! A connection makes itself anew whenever it has to; what was under way is then in doubt. Where a protocol has ids, the
//! same request may be sent again under its id.

mod http;
mod mqtt;
mod target;
mod tcp;
mod websocket;

#[cfg(test)]
mod tests;

use std::time::Duration;

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
    ///
    /// Dropped half-way, it leaves the request in doubt; the connection is then made anew.
    pub async fn send(&mut self, id: Uuid, body: &Bytes) -> Answer {
        let answer = async {
            match &mut self.wire {
                Wire::Http(http) => http.send(id, body).await,
                Wire::Tcp(tcp) => tcp.send(body).await,
                Wire::WebSocket(socket) => socket.send(id, body).await,
                Wire::Mqtt(mqtt) => mqtt.send(body).await,
            }
        };
        match tokio::time::timeout(self.patience, answer).await {
            Ok(answer) => answer,
            Err(_) => {
                self.disconnect();
                Answer::in_doubt(format_args!("no answer within {:?}", self.patience))
            }
        }
    }

    /// Forgets the connection; the next request makes another.
    fn disconnect(&mut self) {
        match &mut self.wire {
            Wire::Http(http) => http.disconnect(),
            Wire::Tcp(tcp) => tcp.disconnect(),
            Wire::WebSocket(socket) => socket.disconnect(),
            Wire::Mqtt(mqtt) => mqtt.disconnect(),
        }
    }

    /// Ends the connection in good order, so that what was sent arrives.
    pub async fn close(mut self) {
        let closed = async {
            match &mut self.wire {
                Wire::Tcp(tcp) => tcp.close().await,
                Wire::WebSocket(socket) => socket.close().await,
                Wire::Http(_) | Wire::Mqtt(_) => {}
            }
        };
        // A server that does not end its side has all the same had what was sent.
        drop(tokio::time::timeout(Duration::from_secs(5), closed).await);
    }
}
