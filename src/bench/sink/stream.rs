//! Lines over plain TCP: no answer, but the service closes the connection when all it read of it is committed.

use std::{io, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

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
        self.stream.write_all(lines).await.map_err(|source| self.failed(source))
    }

    /// Says that nothing follows, and waits until the service has nothing left to do for this connection.
    pub(super) async fn finish(&mut self) -> Result<(), BenchError> {
        self.stream.shutdown().await.map_err(|source| self.failed(source))?;
        let mut replies = [0; 1024];
        while self.stream.read(&mut replies).await.map_err(|source| self.failed(source))? > 0 {}
        Ok(())
    }

    fn failed(&self, source: io::Error) -> BenchError {
        BenchError::Connection { transport: self.name, source }
    }
}
