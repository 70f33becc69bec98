//! HTTP, one keep-alive connection.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response, StatusCode,
    client::conn::http1::{SendRequest, handshake},
    header::{CONTENT_TYPE, HOST},
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::bench::BenchError;

const NAME: &str = "http";

/// A connection to a service.
#[derive(Debug)]
pub(in crate::bench) struct Http {
    sender: SendRequest<Full<Bytes>>,
    address: SocketAddr,
    host: String,
}

impl Http {
    pub(in crate::bench) async fn connect(address: SocketAddr) -> Result<Self, BenchError> {
        let failed = |error| BenchError::Connection { transport: NAME, source: error };
        let stream = TcpStream::connect(address).await.map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        let (sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(|error| BenchError::connection(NAME, error))?;
        // Its error reaches whoever waits for an answer.
        tokio::spawn(async move { drop(connection.await) });
        Ok(Self { sender, address, host: address.to_string() })
    }

    /// Writes line protocol.
    pub(super) async fn write(&mut self, body: Vec<u8>) -> Result<(), BenchError> {
        self.post("/write?precision=ns", "text/plain", body, StatusCode::NO_CONTENT).await.map(drop)
    }

    /// Posts a body, and reads the whole answer, whose status is to be this one.
    pub(in crate::bench) async fn post(
        &mut self,
        path: &str,
        content_type: &str,
        body: Vec<u8>,
        wanted: StatusCode,
    ) -> Result<Response<Bytes>, BenchError> {
        let request = Request::post(path)
            .header(HOST, &self.host)
            .header(CONTENT_TYPE, content_type)
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| BenchError::connection(NAME, error))?;
        self.send(request, wanted).await
    }

    /// Gets the whole answer, whose status is to be this one.
    pub(in crate::bench) async fn get(
        &mut self,
        path: &str,
        wanted: StatusCode,
    ) -> Result<Response<Bytes>, BenchError> {
        let request = Request::get(path)
            .header(HOST, &self.host)
            .body(Full::default())
            .map_err(|error| BenchError::connection(NAME, error))?;
        self.send(request, wanted).await
    }

    async fn send(&mut self, request: Request<Full<Bytes>>, wanted: StatusCode) -> Result<Response<Bytes>, BenchError> {
        let failed = |error| BenchError::connection(NAME, error);
        if self.sender.ready().await.is_err() {
            // The service closes what has been idle for long.
            *self = Self::connect(self.address).await?;
            self.sender.ready().await.map_err(failed)?;
        }
        let (head, body) = self.sender.send_request(request).await.map_err(failed)?.into_parts();
        let body = body.collect().await.map_err(failed)?.to_bytes();
        if head.status == wanted {
            return Ok(Response::from_parts(head, body));
        }
        let answer = String::from_utf8_lossy(&body).chars().take(300).collect();
        Err(BenchError::Refused { status: head.status.to_string(), answer })
    }
}
