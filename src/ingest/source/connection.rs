//! One connection to a foreign feed.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt, stream::FuturesUnordered};
use tokio::{
    net::TcpStream,
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tokio_tungstenite::{
    Connector, MaybeTlsStream, WebSocketStream, connect_async_tls_with_config,
    tungstenite::{self, Message as Frame, protocol::WebSocketConfig},
};
use tokio_util::task::AbortOnDropHandle;

use super::SourceFeed;
use crate::ingest::{
    RequestId,
    message::{Delivery, Fate, Message, MessageId},
    request::hash,
    trust::{TrustError, client_config},
};

/// Messages on their way at once: enough to fill a transaction while the one before commits.
const WINDOW: usize = 16;
/// The largest message.
const MAX_MESSAGE_BYTES: usize = 16 << 20;
/// How long a connection may take to be made, and a frame to be sent.
const LIMIT: Duration = Duration::from_secs(15);
/// How often the feed is asked whether it is still there.
const PING: Duration = Duration::from_secs(30);
/// A feed that says nothing for so long, not even a pong, is gone.
const SILENCE: Duration = Duration::from_secs(75);
/// How long the end waits for what is being written.
const DRAIN: Duration = Duration::from_secs(5);

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Lost {
    #[error("{0}")]
    Protocol(#[from] Box<tungstenite::Error>),
    #[error("{0}")]
    Trust(#[from] TrustError),
    #[error("it took longer than 15 seconds")]
    Slow,
    #[error("nothing was heard for 75 seconds")]
    Silent,
    #[error("it was closed by the other side{0}")]
    Closed(String),
}

impl From<tungstenite::Error> for Lost {
    fn from(error: tungstenite::Error) -> Self {
        Self::Protocol(Box::new(error))
    }
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;
type UnderWay = FuturesUnordered<AbortOnDropHandle<Fate>>;

/// Follows a feed over one connection; `Ok` if the process is to end. What was read is written before it returns.
pub(super) async fn follow(feed: &SourceFeed, delivery: &Delivery) -> Result<(), Lost> {
    let connected = delivery.stop.run_until_cancelled(connect(feed)).await;
    let Some(socket) = connected else { return Ok(()) };
    let mut socket = socket?;
    tracing::info!(origin = &*delivery.origin, "following a source");
    let mut under_way = UnderWay::new();
    let ended = receive(&mut socket, delivery, &mut under_way).await;
    let settled = async { while under_way.next().await.is_some() {} };
    let too_long = async {
        delivery.stop.cancelled().await;
        sleep(DRAIN).await;
    };
    tokio::select! {
        () = settled => {}
        () = too_long => tracing::warn!(origin = &*delivery.origin, "messages could not be written in time"),
    }
    if ended.is_ok() && !matches!(timeout(LIMIT, socket.close(None)).await, Ok(Ok(()))) {
        tracing::debug!(origin = &*delivery.origin, "a source did not take the end of its connection");
    }
    ended
}

async fn connect(feed: &SourceFeed) -> Result<Socket, Lost> {
    let config =
        WebSocketConfig::default().max_message_size(Some(MAX_MESSAGE_BYTES)).max_frame_size(Some(MAX_MESSAGE_BYTES));
    let is_secure = feed.url.scheme() == "wss";
    let tls = is_secure.then(|| client_config(feed.ca_file.as_deref())).transpose()?.map(Connector::Rustls);
    let connecting = Box::pin(connect_async_tls_with_config(feed.url.as_str(), Some(config), true, tls));
    let (mut socket, _) = timeout(LIMIT, connecting).await.map_err(|_| Lost::Slow)??;
    for text in &feed.subscribe {
        send(&mut socket, Frame::text(text.as_str())).await?;
    }
    Ok(socket)
}

async fn receive(socket: &mut Socket, delivery: &Delivery, under_way: &mut UnderWay) -> Result<(), Lost> {
    let mut heard = Instant::now();
    let mut ticks = interval(PING);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.reset();
    loop {
        let reads = under_way.len() < WINDOW;
        tokio::select! {
            () = delivery.stop.cancelled() => return Ok(()),
            frame = socket.next(), if reads => {
                heard = Instant::now();
                match frame {
                    Some(Ok(Frame::Text(text))) => take(delivery, under_way, text.into()),
                    Some(Ok(Frame::Binary(bytes))) => take(delivery, under_way, bytes),
                    // Pings are answered by the library.
                    Some(Ok(Frame::Ping(_) | Frame::Pong(_) | Frame::Frame(_))) => {}
                    Some(Ok(Frame::Close(frame))) => {
                        let why = frame.map(|frame| format!(" with {} {}", frame.code, frame.reason));
                        return Err(Lost::Closed(why.unwrap_or_default()));
                    }
                    Some(Err(error)) => return Err(error.into()),
                    None => return Err(Lost::Closed(String::new())),
                }
            }
            Some(_) = under_way.next() => {
                // Whoever was not read had no chance to be heard.
                heard = Instant::now();
            }
            _ = ticks.tick() => {
                if reads && heard.elapsed() > SILENCE {
                    return Err(Lost::Silent);
                }
                send(socket, Frame::Ping(Bytes::new())).await?;
            }
        }
    }
}

fn take(delivery: &Delivery, under_way: &mut UnderWay, payload: Bytes) {
    // Two equal messages of a feed are two: the same trade twice within a millisecond is a thing that happens.
    let id = RequestId::fresh(hash(&[delivery.namespace.as_bytes(), b"source", &payload]));
    let message = Message { topic: Bytes::new(), payload, id: MessageId::Own(id) };
    under_way.push(AbortOnDropHandle::new(tokio::spawn(delivery.clone().deliver(message))));
}

async fn send(socket: &mut Socket, frame: Frame) -> Result<(), Lost> {
    timeout(LIMIT, socket.send(frame)).await.map_err(|_| Lost::Slow)?.map_err(Lost::from)
}
