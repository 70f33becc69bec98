//! Line protocol in frames of a WebSocket; each is answered by a frame of JSON.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

use crate::bench::BenchError;

const NAME: &str = "websocket";

#[derive(Debug)]
pub(super) struct WebSocket {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl WebSocket {
    pub(super) async fn connect(address: SocketAddr) -> Result<Self, BenchError> {
        let url = format!("ws://{address}/api/v1/ws/write?precision=ns");
        let (socket, _) = connect_async(url).await.map_err(|error| BenchError::connection(NAME, error))?;
        Ok(Self { socket })
    }

    pub(super) async fn send(&mut self, lines: Vec<u8>) -> Result<(), BenchError> {
        let failed = |error| BenchError::connection(NAME, error);
        self.socket.send(Message::Binary(lines.into())).await.map_err(failed)?;
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(answer))) => return check(answer.as_str()),
                Some(Ok(Message::Close(_))) | None => return Err(BenchError::connection(NAME, "it was closed")),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(failed(error)),
            }
        }
    }
}

/// `{"id", "ack": "committed", "written": n, "lines": [], "credits": n}`
fn check(answer: &str) -> Result<(), BenchError> {
    let parsed: serde_json::Value =
        serde_json::from_str(answer).map_err(|error| BenchError::connection(NAME, error))?;
    let refused = parsed["lines"].as_array().is_some_and(|lines| !lines.is_empty());
    match parsed["ack"].as_str() {
        Some("committed" | "spooled") if !refused => Ok(()),
        ack => Err(BenchError::Refused {
            status: ack.unwrap_or("without an acknowledgement").to_owned(),
            answer: answer.chars().take(300).collect(),
        }),
    }
}
