//! A connection: frames in, answers out in the same order, several on their way at once.

use std::{
    pin::Pin,
    time::{Duration, Instant},
};

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use bytes::Bytes;
use futures_util::{
    SinkExt, Stream, StreamExt,
    future::OptionFuture,
    stream::{FuturesOrdered, SplitSink},
};
use tokio::{
    task::JoinHandle,
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_tungstenite::tungstenite::Error as ProtocolError;
use tokio_util::sync::CancellationToken;

use super::{
    answer::{Answer, FrameError},
    frame::{self, FrameOptions},
};
use crate::ingest::{Ingest, IngestError, Room};

/// Frames on their way at once: enough to fill a transaction while the one before commits.
const WINDOW: usize = 16;

/// How long a silent client is believed to be there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// How often the server asks.
    ping: Duration,
    /// A client that says nothing for so long, not even a pong, is gone; so is one that does not take its answers.
    silence: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { ping: Duration::from_secs(30), silence: Duration::from_secs(60) }
    }
}

/// A frame that waits for memory, and the memory.
type Waiting = Pin<Box<dyn Future<Output = (Bytes, Result<Room, IngestError>)> + Send>>;

/// Why the connection ends, as its close frame says it.
type Ending = Option<(u16, &'static str)>;

/// Serves a connection to its end. What was read is answered, also when the client is gone or the server stops.
pub(super) async fn serve(
    socket: WebSocket,
    ingest: Ingest,
    options: FrameOptions,
    stop: CancellationToken,
    patience: Patience,
) {
    let open = metrics::gauge!("chunkwise_websocket_connections");
    open.increment(1);
    let (sender, receiver) = socket.split();
    let under_way = FuturesOrdered::new();
    let mut connection = Connection { sender, ingest, options, patience, under_way, waiting: None };
    let ending = connection.run(receiver, &stop).await;
    connection.end(ending).await;
    open.decrement(1);
}

struct Connection {
    sender: SplitSink<WebSocket, Message>,
    ingest: Ingest,
    options: FrameOptions,
    patience: Patience,
    under_way: FuturesOrdered<JoinHandle<Answer>>,
    waiting: Option<Waiting>,
}

impl Connection {
    async fn run(
        &mut self,
        mut receiver: impl Stream<Item = Result<Message, axum::Error>> + Unpin,
        stop: &CancellationToken,
    ) -> Ending {
        let mut heard = Instant::now();
        let mut ticks = interval(self.patience.ping);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.reset();
        loop {
            let reads = self.waiting.is_none() && self.under_way.len() < WINDOW;
            tokio::select! {
                () = stop.cancelled() => return Some((close_code::AWAY, "the server stops")),
                message = receiver.next(), if reads => {
                    heard = Instant::now();
                    match message {
                        Some(Ok(Message::Text(text))) => self.take(text.into()),
                        Some(Ok(Message::Binary(bytes))) => self.take(bytes),
                        // Pings are answered by the library.
                        Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                        Some(Ok(Message::Close(_))) | None => return None,
                        Some(Err(error)) => return breach(error),
                    }
                }
                Some((frame, room)) = OptionFuture::from(self.waiting.as_mut()) => {
                    self.waiting = None;
                    self.start(frame, room);
                }
                Some(answer) = self.under_way.next() => {
                    if self.answer(answer).await.is_err() {
                        return None;
                    }
                    // Whoever was not read had no chance to be heard.
                    heard = Instant::now();
                }
                _ = ticks.tick() => {
                    if reads && heard.elapsed() > self.patience.silence {
                        return Some((close_code::AWAY, "nothing was heard for too long"));
                    }
                    if self.send(Message::Ping(Bytes::new())).await.is_err() {
                        return None;
                    }
                }
            }
        }
    }

    /// Waits for memory for a frame; until it is there nothing more is read.
    fn take(&mut self, frame: Bytes) {
        match self.ingest.try_reserve(frame.len()) {
            Err(IngestError::Overloaded) => {
                let ingest = self.ingest.clone();
                self.waiting = Some(Box::pin(async move {
                    let room = ingest.reserve(frame.len()).await;
                    (frame, room)
                }));
            }
            room => self.start(frame, room),
        }
    }

    fn start(&mut self, frame: Bytes, room: Result<Room, IngestError>) {
        let (ingest, options) = (self.ingest.clone(), self.options.clone());
        // A client that goes away must not leave half a schema behind: the work goes on without it.
        self.under_way.push_back(tokio::spawn(async move {
            match room {
                Ok(room) => frame::write(ingest, options, frame, room).await,
                Err(error) => Answer { id: None, outcome: Err(error.into()) },
            }
        }));
    }

    async fn answer(&mut self, answer: Result<Answer, tokio::task::JoinError>) -> Result<(), Gone> {
        let answer = answer.unwrap_or_else(|error| {
            tracing::error!(error = %error, "a frame failed unexpectedly");
            Answer { id: None, outcome: Err(FrameError::internal()) }
        });
        let credits = match self.waiting {
            Some(_) => 0,
            None => WINDOW.saturating_sub(self.under_way.len()),
        };
        self.send(Message::Text(answer.to_json(credits).into())).await
    }

    async fn send(&mut self, message: Message) -> Result<(), Gone> {
        match timeout(self.patience.silence, self.sender.send(message)).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Gone),
        }
    }

    /// Answers what was read, then closes.
    async fn end(mut self, ending: Ending) {
        if let Some(waiting) = self.waiting.take() {
            let (frame, room) = waiting.await;
            self.start(frame, room);
        }
        while let Some(answer) = self.under_way.next().await {
            if self.answer(answer).await.is_err() {
                break;
            }
        }
        let close = ending.map(|(code, reason)| CloseFrame { code, reason: reason.into() });
        if self.send(Message::Close(close)).await.is_ok()
            && timeout(self.patience.silence, self.sender.close()).await.is_err()
        {
            tracing::debug!("a client did not take the end of its connection");
        }
    }
}

/// The client does not take what it is sent.
struct Gone;

/// How a connection ends whose client does not keep to the protocol; `None` where it is simply gone.
fn breach(error: axum::Error) -> Ending {
    let error = error.into_inner();
    let ending = match error.downcast_ref::<ProtocolError>() {
        Some(ProtocolError::Utf8(_)) => Some((close_code::INVALID, "text must be UTF-8: send other bytes as binary")),
        Some(ProtocolError::Capacity(_)) => Some((close_code::SIZE, "the message is too large: send several")),
        Some(ProtocolError::Protocol(
            tokio_tungstenite::tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
        )) => None,
        Some(ProtocolError::Protocol(_)) => Some((close_code::PROTOCOL, "this breaks the WebSocket protocol")),
        _ => None,
    };
    tracing::debug!(error = %error, "a WebSocket ended early");
    ending
}

#[cfg(test)]
mod tests;
