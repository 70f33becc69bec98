//! One keep-alive connection that asks.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, StatusCode,
    client::conn::http1::{SendRequest, handshake},
    header::{CONTENT_TYPE, HOST},
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{net::TcpStream, time::Instant};

use crate::bench::BenchError;

const NAME: &str = "http";

/// An answer, whole.
#[derive(Debug)]
pub(super) struct Answer {
    /// From sending the question to the last byte.
    pub(super) elapsed: Duration,
    pub(super) bytes: usize,
    /// What it cost.
    pub(super) receipt: Value,
}

impl Answer {
    pub(super) fn ms(&self) -> f64 {
        self.elapsed.as_secs_f64() * 1e3
    }

    /// A number of the receipt, such as `/ms/compute`.
    pub(super) fn cost(&self, pointer: &str) -> f64 {
        self.receipt.pointer(pointer).and_then(Value::as_f64).unwrap_or(f64::NAN)
    }
}

#[derive(Debug)]
pub(super) struct Client {
    sender: SendRequest<Full<Bytes>>,
    host: String,
}

impl Client {
    pub(super) async fn connect(address: SocketAddr) -> Result<Self, BenchError> {
        let failed = |error| BenchError::connection(NAME, error);
        let stream = TcpStream::connect(address).await.map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        let (sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(|error| BenchError::connection(NAME, error))?;
        tokio::spawn(async move { drop(connection.await) });
        Ok(Self { sender, host: address.to_string() })
    }

    /// Asks, and reads the whole answer.
    pub(super) async fn ask(&mut self, path: &str, question: &Value) -> Result<Answer, BenchError> {
        let failed = |error| BenchError::connection(NAME, error);
        let request = Request::post(path)
            .header(HOST, &self.host)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(question.to_string())))
            .map_err(|error| BenchError::connection(NAME, error))?;
        let begun = Instant::now();
        self.sender.ready().await.map_err(failed)?;
        let response = self.sender.send_request(request).await.map_err(failed)?;
        let status = response.status();
        let in_header = response.headers().get("chunkwise-receipt").cloned();
        let body = response.into_body().collect().await.map_err(failed)?.to_bytes();
        let elapsed = begun.elapsed();
        if status != StatusCode::OK {
            let answer = String::from_utf8_lossy(&body).chars().take(300).collect();
            return Err(BenchError::Refused { status: status.to_string(), answer });
        }
        let receipt = match in_header {
            Some(receipt) => serde_json::from_slice(receipt.as_bytes()).unwrap_or_default(),
            None => {
                serde_json::from_slice::<Value>(&body).map(|mut answer| answer["receipt"].take()).unwrap_or_default()
            }
        };
        Ok(Answer { elapsed, bytes: body.len(), receipt })
    }
}
