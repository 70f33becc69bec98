//! Messages of services that chunkwise subscribes to: read, and written until they are.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::{
    BodyRequest, Identity, Ingest, IngestError, PartialWrites, Protocol, Refused, RequestId, Room, WriteRequest,
    Written, back_off::Delivering, identity::content_or, scan::STRETCH_LINES,
};
use crate::protocol::{
    Limits, Line, Precision, TopicTags,
    json::{Mapping, Node},
};

/// What the bytes of messages are.
#[derive(Debug, Clone)]
pub enum Payload {
    /// Lines; their times count this.
    LineProtocol(Precision),
    /// A JSON value each.
    Json {
        /// What of it is what.
        mapping: Mapping,
        /// Tags out of the topic, besides the mapping's. A message of a topic that does not fit is refused.
        topic_tags: Option<TopicTags>,
    },
}

/// A message.
#[derive(Debug)]
pub(super) struct Message {
    /// Empty where the service has no topics.
    pub(super) topic: Bytes,
    pub(super) payload: Bytes,
    pub(super) id: MessageId,
}

/// Which id a message gets in the ledger.
#[derive(Debug, Clone, Copy)]
pub(super) enum MessageId {
    /// This one.
    Own(RequestId),
    /// That of its content where every line has a time and the service compares contents, else this one.
    ContentOr(RequestId),
}

/// A message that waits for the database.
struct Waiting(Arc<AtomicU64>);

impl Waiting {
    fn begin(delivery: &Delivery, error: &IngestError) -> Self {
        if delivery.waiting.fetch_add(1, Ordering::Relaxed) == 0 {
            // The first of many, and no other until all are written.
            tracing::warn!(origin = &*delivery.origin, error = %error, "messages wait until they can be written");
        }
        Self(Arc::clone(&delivery.waiting))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// What of it can be written is committed or spooled; the rest never could be.
    Settled,
    /// The database is away and the process ends.
    Open,
}

/// Where messages of one subscription go.
#[derive(Debug, Clone)]
pub(super) struct Delivery {
    pub(super) ingest: Ingest,
    pub(super) protocol: Protocol,
    pub(super) namespace: Arc<str>,
    pub(super) payload: Arc<Payload>,
    /// Whom the messages come from, for logs.
    pub(super) origin: Arc<str>,
    pub(super) stop: CancellationToken,
    refused_messages: Arc<AtomicU64>,
    waiting: Arc<AtomicU64>,
}

/// What was made of a message in JSON.
#[derive(Debug, Default)]
struct Content<'b> {
    lines: Vec<Line<'b>>,
    unreadable: Vec<Refused>,
}

impl Content<'_> {
    /// Nothing can be made of the message as a whole.
    fn unreadable(reason: &str, payload: &[u8]) -> Self {
        Self { lines: Vec::new(), unreadable: vec![Refused::unfit(1, 1, reason, payload)] }
    }
}

impl Delivery {
    pub(super) fn new(
        ingest: Ingest,
        protocol: Protocol,
        namespace: Arc<str>,
        payload: Payload,
        origin: &str,
        stop: CancellationToken,
    ) -> Self {
        Self {
            ingest,
            protocol,
            namespace,
            payload: Arc::new(payload),
            origin: origin.into(),
            stop,
            refused_messages: Arc::default(),
            waiting: Arc::default(),
        }
    }

    /// Writes a message. Returns when that is done, however long the database is away, and only at the process's end
    /// without; what would never succeed is given up, counted and logged. To be spawned.
    pub(super) async fn deliver(self, message: Message) -> Fate {
        let mut delivering = Delivering::begin();
        let mut waiting = None;
        loop {
            let error = match self.attempt(&message).await {
                Ok(written) => {
                    if let Some(first) = written.refused.first() {
                        self.refused(written.refused_total, &first.reason, &message, None);
                    }
                    return self.settled(match written {
                        Written { duplicate: true, .. } => "duplicate",
                        Written { written: 0, refused_total: 0, .. } => "empty",
                        _ => "written",
                    });
                }
                Err(error) => error,
            };
            let Some(pause) = delivering.pause_after(&error) else {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                self.refused(1, &error.to_string(), &message, cause);
                return self.settled("refused");
            };
            waiting.get_or_insert_with(|| Waiting::begin(&self, &error));
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.stop.cancelled() => return Fate::Open,
            }
        }
    }

    /// Reads and writes.
    async fn attempt(&self, message: &Message) -> Result<Written, IngestError> {
        let mut room = self.ingest.reserve(message.payload.len()).await?;
        let payload = &*message.payload;
        match &*self.payload {
            Payload::LineProtocol(precision) => {
                let request = BodyRequest {
                    protocol: self.protocol,
                    room,
                    namespace: &self.namespace,
                    body: payload,
                    precision: *precision,
                    identity: self.identity(message),
                    partial: PartialWrites::Accept,
                    interval_us: None,
                };
                self.ingest.write_body(request).await
            }
            // How a retained message is taken back.
            Payload::Json { .. } if payload.is_empty() => Ok(Written::default()),
            Payload::Json { mapping, topic_tags } => {
                let tags = match topic_tags {
                    None => Some(Vec::new()),
                    Some(template) => std::str::from_utf8(&message.topic).ok().and_then(|topic| template.tags(topic)),
                };
                let Some(tags) = tags else {
                    let reason = "the topic has other levels than topic_tags says";
                    return self.write(message, room, Content::unreadable(reason, payload)).await;
                };
                let node = match Node::parse(payload) {
                    Ok(node) => node,
                    Err(error) => {
                        let reason = format!("this is no JSON: {error}");
                        return self.write(message, room, Content::unreadable(&reason, payload)).await;
                    }
                };
                let mut content = Content::default();
                for line in mapping.lines(&node, &tags, Limits::default()) {
                    match line {
                        Ok(line) => content.lines.push(line),
                        Err(bad) => content.unreadable.push(Refused::bad_row(&bad)),
                    }
                    if !content.lines.is_empty() && content.lines.len().is_multiple_of(STRETCH_LINES) {
                        room.cover_lines(payload.len(), content.lines.len(), 0)?;
                    }
                }
                self.write(message, room, content).await
            }
        }
    }

    fn identity(&self, message: &Message) -> Identity {
        match message.id {
            MessageId::Own(id) => Identity::Fixed(id),
            MessageId::ContentOr(id) => content_or(self.ingest.options(), id),
        }
    }

    async fn write<'b>(
        &'b self,
        message: &'b Message,
        room: Room,
        content: Content<'b>,
    ) -> Result<Written, IngestError> {
        let Content { lines, unreadable } = content;
        if lines.is_empty() && unreadable.is_empty() {
            return Ok(Written::default());
        }
        let request = WriteRequest {
            protocol: self.protocol,
            room,
            namespace: &self.namespace,
            lines,
            body: &message.payload,
            unreadable,
            identity: self.identity(message),
            partial: PartialWrites::Accept,
            interval_us: None,
        };
        self.ingest.write(request).await
    }

    fn settled(&self, outcome: &'static str) -> Fate {
        let protocol = self.protocol.label();
        metrics::counter!("chunkwise_subscription_messages_total", "protocol" => protocol, "outcome" => outcome)
            .increment(1);
        Fate::Settled
    }

    /// Counts lines that were not written, and logs the first message that had some, the tenth, the hundredth.
    fn refused(&self, lines: u64, reason: &str, message: &Message, cause: Option<String>) {
        let protocol = self.protocol.label();
        metrics::counter!("chunkwise_subscription_lines_refused_total", "protocol" => protocol).increment(lines);
        let before = self.refused_messages.fetch_add(1, Ordering::Relaxed);
        if before.checked_ilog10() != (before + 1).checked_ilog10() {
            let topic = String::from_utf8_lossy(&message.topic);
            tracing::warn!(
                protocol,
                origin = &*self.origin,
                topic = &*topic,
                reason,
                cause,
                messages = before + 1,
                "messages have parts that cannot be written, and are passed over"
            );
        }
    }
}
