//! What both versions of MQTT have in common.

use std::{future::Future, time::Duration};

use bytes::Bytes;

/// Messages on their way at once. MQTT 5 brokers are told; others have limits of their own, mosquitto 20.
pub(super) const MOST_MESSAGES: u16 = 256;
/// Requests that may wait for the connection: an acknowledgement for each message, and what else there is.
pub(super) const REQUESTS: usize = MOST_MESSAGES as usize + 64;
/// How long a broker shall keep a session whose client is away, in seconds: a week. MQTT 3.1.1 has no such limit.
pub(super) const SESSION_EXPIRY_S: u32 = 7 * 86_400;
/// A broker that says nothing for so long is asked, and one that then says nothing is gone.
pub(super) const KEEP_ALIVE_S: u16 = 30;
/// The largest message that MQTT can have: one that the client refused would be sent again on each connection, for ever.
pub(super) const MAX_PACKET_BYTES: u32 = 268_435_460;
/// How long a connection may take to be made.
pub(super) const CONNECT_LIMIT: Duration = Duration::from_secs(15);

/// Why a connection ended, in words.
pub(super) type Lost = Box<dyn std::error::Error + Send + Sync>;

/// The broker refused the connection because of who wants it.
#[derive(Debug, thiserror::Error)]
#[error("the broker does not let this user in ({0})")]
pub(super) struct NotLetIn(pub(super) &'static str);

/// What came from the broker.
#[derive(Debug)]
pub(super) enum Incoming<A> {
    /// The connection is made.
    Connected {
        /// The broker knows the session.
        session_present: bool,
    },
    /// It answered the subscription; these filters, by their place, it refused.
    Subscribed {
        /// Their places.
        refused: Vec<usize>,
    },
    /// A message.
    Message(Publication<A>),
    /// Something between the broker and the client alone.
    Other,
}

/// A message, and what acknowledges it.
#[derive(Debug)]
pub(super) struct Publication<A> {
    /// The number that it has until it is acknowledged; 0 if it is not to be.
    pub(super) packet: u16,
    /// The broker has sent it before.
    pub(super) again: bool,
    pub(super) topic: Bytes,
    pub(super) payload: Bytes,
    /// `None` if the publisher wanted no acknowledgement.
    pub(super) ack: Option<A>,
}

/// A client, for one connection.
pub(super) trait Connection {
    /// An acknowledgement, ready to be sent.
    type Ack: Send;

    /// Sends what waits and receives; to be called again and again.
    fn next(&mut self) -> impl Future<Output = Result<Incoming<Self::Ack>, Lost>> + Send;

    fn subscribe(&self, topics: &[String]) -> Result<(), Lost>;

    fn acknowledge(&self, ack: Self::Ack) -> Result<(), Lost>;

    /// Once what waits is sent.
    fn disconnect(&self) -> Result<(), Lost>;
}
