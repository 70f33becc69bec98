//! Requests over HTTP/1.1.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Request, Response, body::Incoming, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use uuid::Uuid;

use super::{Answer, Lost, Protocol, Target};
use crate::feed::journal::Strength;

/// More of an answer than anybody reads.
const ANSWER_BYTES: usize = 1 << 20;

#[derive(Debug)]
pub(super) struct Http {
    address: (String, u16),
    host: String,
    path: String,
    content_type: &'static str,
    sender: Option<http1::SendRequest<Full<Bytes>>>,
}

impl Http {
    pub(super) fn new(target: &Target) -> Self {
        let url = target.url();
        let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
        let query = url.query().map_or_else(String::new, |query| format!("?{query}"));
        Self {
            address: target.host_port(),
            host: format!("{}{port}", url.host_str().unwrap_or_default()),
            path: format!("{}{query}", url.path()),
            content_type: match target.protocol() {
                Protocol::OpenTsdbHttp => "application/json",
                _ => "text/plain; charset=utf-8",
            },
            sender: None,
        }
    }

    pub(super) fn disconnect(&mut self) {
        self.sender = None;
    }

    pub(super) async fn connect(&mut self) -> Result<(), Lost> {
        // A server that closed an idle connection has not seen the next request.
        if let Some(kept) = &mut self.sender
            && kept.ready().await.is_ok()
        {
            return Ok(());
        }
        let (host, port) = &self.address;
        let stream = TcpStream::connect((host.as_str(), *port)).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Ends when the sender is dropped; its errors are the requests' own.
        tokio::spawn(async move { drop(connection.await) });
        self.sender = Some(sender);
        Ok(())
    }

    pub(super) async fn exchange(&mut self, id: Uuid, body: &Bytes) -> Result<Answer, Lost> {
        let request = Request::post(&self.path)
            .header(header::HOST, &self.host)
            .header(header::CONTENT_TYPE, self.content_type)
            .header("idempotency-key", id.to_string())
            .body(Full::new(body.clone()))?;
        let sender = self.sender.as_mut().ok_or("there is no connection")?;
        answer(sender.send_request(request).await?).await
    }
}

/// Reads an answer to its end, so that the connection can be used again.
async fn answer(response: Response<Incoming>) -> Result<Answer, Lost> {
    let (parts, body) = response.into_parts();
    let text = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let retry_after = text("retry-after").and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs);
    let strength = text("chunkwise-ack").and_then(Strength::from_label).unwrap_or(Strength::Unstated);
    let duplicate = text("chunkwise-duplicate") == Some("true");
    let written = text("chunkwise-written").and_then(|rows| rows.parse().ok()).unwrap_or(0);
    let body = Limited::new(body, ANSWER_BYTES).collect().await?.to_bytes();
    let status = parts.status;
    if status.is_success() {
        return Ok(Answer::Acknowledged { strength, duplicate });
    }
    let shown: String = String::from_utf8_lossy(&body).chars().take(300).collect();
    let reason = format!("{status}: {shown}");
    // 408 and 429 say nothing against the request itself.
    if status.is_client_error() && !matches!(status.as_u16(), 408 | 429) {
        return Ok(Answer::Refused { written, reason });
    }
    Ok(Answer::InDoubt { reason, retry_after })
}
