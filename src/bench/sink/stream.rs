//! Lines over plain TCP: no answer, but a connection that is closed says that something was wrong.

use std::net::SocketAddr;

use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::bench::BenchError;

#[derive(Debug)]
pub(super) struct Stream {
    stream: TcpStream,
    name: &'static str,
}

impl Stream {
    pub(super) async fn connect(name: &'static str, address: SocketAddr) -> Result<Self, BenchError> {
        let failed = |source| BenchError::Connection { transport: name, source };
        let stream = TcpStream::connect(address).await.map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        Ok(Self { stream, name })
    }

    pub(super) async fn send(&mut self, lines: &[u8]) -> Result<(), BenchError> {
        self.stream.write_all(lines).await.map_err(|source| BenchError::Connection { transport: self.name, source })
    }
}
