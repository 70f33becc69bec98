//! One connection: messages in, acknowledgements out in the same order, many on their way at once.

use std::{future::Future, pin::Pin, time::Duration};

use futures_util::{StreamExt, stream::FuturesOrdered};
use tokio::time::{sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::{
    connection::{Connection, Incoming, Lost, MOST_MESSAGES, Publication},
    deliveries::Deliveries,
};
use crate::ingest::{
    message::{Delivery, Fate, Message, MessageId},
    request::hash,
};

/// Payloads on their way at once, in bytes; a single one may be larger.
const MOST_BYTES: usize = 32 << 20;
/// How long the end waits for what is being written.
const DRAIN: Duration = Duration::from_secs(5);
/// How long it then takes to say goodbye.
const GOODBYE: Duration = Duration::from_secs(2);

/// A message that was written, or not, with what acknowledges it and its bytes.
type Done<A> = (Fate, Option<A>, usize);

type UnderWay<A> = Pin<Box<dyn Future<Output = Done<A>> + Send>>;

pub(super) struct Session<'s, C: Connection> {
    connection: C,
    topics: &'s [String],
    delivery: &'s Delivery,
    deliveries: &'s mut Deliveries,
    under_way: FuturesOrdered<UnderWay<C::Ack>>,
    under_way_bytes: usize,
    connected: bool,
}

impl<'s, C: Connection> Session<'s, C>
where
    C::Ack: 'static,
{
    pub(super) fn new(
        connection: C,
        topics: &'s [String],
        delivery: &'s Delivery,
        deliveries: &'s mut Deliveries,
    ) -> Self {
        let under_way = FuturesOrdered::new();
        Self { connection, topics, delivery, deliveries, under_way, under_way_bytes: 0, connected: false }
    }

    /// Until the connection is lost, or the process is to end. What was read is written before it returns.
    pub(super) async fn run(mut self) -> Result<(), Lost> {
        let ended = self.receive().await;
        self.settle().await;
        if ended.is_ok() && self.connected {
            self.leave().await;
        }
        ended
    }

    async fn receive(&mut self) -> Result<(), Lost> {
        loop {
            let reads = self.under_way.len() < usize::from(MOST_MESSAGES) && self.under_way_bytes < MOST_BYTES;
            tokio::select! {
                () = self.delivery.stop.cancelled() => return Ok(()),
                Some(done) = self.under_way.next() => match self.acknowledge(done)? {
                    Fate::Settled => {}
                    Fate::Open => return Ok(()),
                },
                incoming = self.connection.next(), if reads => match incoming? {
                    Incoming::Connected { session_present } => self.begin(session_present)?,
                    Incoming::Subscribed { refused } => self.check(&refused),
                    Incoming::Message(publication) => self.take(publication),
                    Incoming::Other => {}
                },
            }
        }
    }

    /// Subscribes, also where the broker knows the session: the topics may be others now.
    fn begin(&mut self, session_present: bool) -> Result<(), Lost> {
        self.connected = true;
        if !session_present {
            self.deliveries.forget();
        }
        tracing::info!(origin = &*self.delivery.origin, session_present, "subscribing to a broker");
        self.connection.subscribe(self.topics)
    }

    fn check(&self, refused: &[usize]) {
        for topic in refused.iter().filter_map(|&place| self.topics.get(place)) {
            tracing::error!(
                origin = &*self.delivery.origin,
                topic,
                "the broker refused a subscription: may this user read the topic?"
            );
        }
    }

    fn take(&mut self, publication: Publication<C::Ack>) {
        let Publication { packet, again, topic, payload, ack } = publication;
        let content = hash(&[self.delivery.namespace.as_bytes(), b"mqtt", &topic, &payload]);
        let id = MessageId::ContentOr(self.deliveries.id(packet, again, content));
        let bytes = payload.len();
        let task = tokio::spawn(self.delivery.clone().deliver(Message { topic, payload, id }));
        let task = AbortOnDropHandle::new(task);
        self.under_way_bytes += bytes;
        self.under_way.push_back(Box::pin(async move {
            let fate = task.await.unwrap_or_else(|error| {
                // What made it panic would do so again.
                tracing::error!(error = %error, "a message failed unexpectedly, and is passed over");
                Fate::Settled
            });
            (fate, ack, bytes)
        }));
    }

    /// Acknowledges a message that is written. One that is not ends that: those behind it must not be acknowledged first.
    fn acknowledge(&mut self, (fate, ack, bytes): Done<C::Ack>) -> Result<Fate, Lost> {
        self.under_way_bytes -= bytes;
        match (fate, ack) {
            (Fate::Settled, Some(ack)) => self.connection.acknowledge(ack).map(|()| fate),
            _ => Ok(fate),
        }
    }

    /// Waits for what is being written: as long as it takes, or a few seconds if the process is to end.
    async fn settle(&mut self) {
        let stop = self.delivery.stop.clone();
        let settled = async {
            while let Some(done) = self.under_way.next().await {
                // A connection that is lost takes no acknowledgement; the broker sends the message again.
                if !matches!(self.acknowledge(done), Ok(Fate::Settled)) && stop.is_cancelled() {
                    break;
                }
            }
        };
        let too_long = async {
            stop.cancelled().await;
            sleep(DRAIN).await;
        };
        tokio::select! {
            () = settled => {}
            () = too_long => {
                let messages = self.under_way.len();
                tracing::warn!(messages, "messages could not be written in time: the broker keeps them");
            }
        }
    }

    /// Sends the last acknowledgements, and disconnects, so that the broker need not find out.
    async fn leave(&mut self) {
        let left = async {
            if self.connection.disconnect().is_ok() {
                // What still comes is not acknowledged, and stays with the broker.
                while self.connection.next().await.is_ok() {}
            }
        };
        if timeout(GOODBYE, left).await.is_err() {
            tracing::debug!("a broker did not take the end of its connection");
        }
    }
}
