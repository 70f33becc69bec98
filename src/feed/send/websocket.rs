//! JSON frames over a WebSocket, an answer for each.

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message, Utf8Bytes},
};
use uuid::Uuid;

use super::{Answer, Lost, Target};
use crate::feed::journal::Strength;

#[derive(Debug)]
pub(super) struct WebSocket {
    url: String,
    stream: Option<WebSocketStream<MaybeTlsStream<TcpStream>>>,
}

/// A frame of the server's. What else it may hold is not needed here.
#[derive(Debug, Deserialize)]
struct Frame {
    id: Option<String>,
    ack: Option<String>,
    #[serde(default)]
    written: u64,
    #[serde(default)]
    duplicate: bool,
    #[serde(default)]
    lines: Vec<serde_json::Value>,
    error: Option<FrameError>,
}

#[derive(Debug, Deserialize)]
struct FrameError {
    code: String,
    message: String,
}

impl WebSocket {
    pub(super) fn new(target: &Target) -> Self {
        Self { url: target.url().to_string(), stream: None }
    }

    pub(super) fn disconnect(&mut self) {
        self.stream = None;
    }

    pub(super) async fn connect(&mut self) -> Result<(), Lost> {
        if self.stream.is_none() {
            let (stream, _) = Box::pin(connect_async(&self.url)).await?;
            self.stream = Some(stream);
        }
        Ok(())
    }

    pub(super) async fn exchange(&mut self, id: Uuid, body: &Bytes) -> Result<Answer, Lost> {
        let stream = self.stream.as_mut().ok_or("there is no connection")?;
        stream.send(Message::Text(Utf8Bytes::try_from(body.clone())?)).await?;
        let id = id.to_string();
        while let Some(message) = stream.next().await {
            let Message::Text(text) = message? else { continue };
            match serde_json::from_str::<Frame>(&text) {
                // Without an id: nothing could be made of the frame. One request is under way at a time, so it is ours.
                Ok(frame) if frame.id.as_deref().is_none_or(|other| other == id) => return Ok(answer(frame)),
                _ => {}
            }
        }
        Err(Error::ConnectionClosed.into())
    }

    pub(super) async fn close(&mut self) {
        if let Some(mut stream) = self.stream.take() {
            // There is nothing left to lose.
            drop(stream.close(None).await);
        }
    }
}

fn answer(frame: Frame) -> Answer {
    let strength = frame.ack.as_deref().and_then(Strength::from_label);
    match (strength, frame.error) {
        (Some(_), None) if !frame.lines.is_empty() => {
            Answer::Refused { written: frame.written, reason: frame.lines[0].to_string() }
        }
        (Some(strength), None) => Answer::Acknowledged { strength, duplicate: frame.duplicate },
        (_, Some(FrameError { code, message })) => {
            let reason = format!("{code}: {message}");
            // The others say nothing against the frame itself.
            if matches!(code.as_str(), "invalid" | "key_mismatch" | "too_large") {
                Answer::Refused { written: 0, reason }
            } else {
                Answer::in_doubt(reason)
            }
        }
        (None, None) => Answer::in_doubt("the answer does not say what became of the frame"),
    }
}
