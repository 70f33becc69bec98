//! Line protocol over HTTP, one keep-alive connection.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, StatusCode,
    client::conn::http1::{SendRequest, handshake},
    header::HOST,
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::bench::BenchError;

const NAME: &str = "http";

#[derive(Debug)]
pub(super) struct Http {
    sender: SendRequest<Full<Bytes>>,
    host: String,
}

impl Http {
    pub(super) async fn connect(address: SocketAddr) -> Result<Self, BenchError> {
        let failed = |error| BenchError::Connection { transport: NAME, source: error };
        let stream = TcpStream::connect(address).await.map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        let (sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(|error| BenchError::connection(NAME, error))?;
        // Its error reaches whoever waits for an answer.
        tokio::spawn(async move { drop(connection.await) });
        Ok(Self { sender, host: address.to_string() })
    }

    pub(super) async fn send(&mut self, body: Vec<u8>) -> Result<(), BenchError> {
        let failed = |error| BenchError::connection(NAME, error);
        let request = Request::post("/write?precision=ns")
            .header(HOST, &self.host)
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| BenchError::connection(NAME, error))?;
        self.sender.ready().await.map_err(failed)?;
        let response = self.sender.send_request(request).await.map_err(failed)?;
        let status = response.status();
        let answer = response.into_body().collect().await.map_err(failed)?.to_bytes();
        if status == StatusCode::NO_CONTENT {
            return Ok(());
        }
        let answer = String::from_utf8_lossy(&answer).chars().take(300).collect();
        Err(BenchError::Refused { status: status.to_string(), answer })
    }
}
