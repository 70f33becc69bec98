//! Lines over TCP, which nobody acknowledges.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, tcp::OwnedWriteHalf},
    task::JoinHandle,
};

use super::{Answer, Lost, Target};

#[derive(Debug)]
pub(super) struct Tcp {
    address: (String, u16),
    connected: Option<Connected>,
}

#[derive(Debug)]
struct Connected {
    writer: OwnedWriteHalf,
    /// Reads what the server says (telnet's error lines), so that it never waits for a reader. Ends with the server's side.
    reader: JoinHandle<()>,
}

impl Tcp {
    pub(super) fn new(target: &Target) -> Self {
        Self { address: target.host_port(), connected: None }
    }

    pub(super) fn disconnect(&mut self) {
        if let Some(connected) = self.connected.take() {
            connected.reader.abort();
        }
    }

    pub(super) async fn connect(&mut self) -> Result<(), Lost> {
        // A server that has gone is noticed by what it no longer reads, unless its end was seen before.
        if self.connected.as_ref().is_some_and(|connected| !connected.reader.is_finished()) {
            return Ok(());
        }
        let (host, port) = &self.address;
        let stream = TcpStream::connect((host.as_str(), *port)).await?;
        stream.set_nodelay(true)?;
        let (mut reader, writer) = stream.into_split();
        let reader = tokio::spawn(async move {
            let mut heard = [0; 4096];
            while matches!(reader.read(&mut heard).await, Ok(1..)) {}
        });
        self.connected = Some(Connected { writer, reader });
        Ok(())
    }

    pub(super) async fn exchange(&mut self, body: &[u8]) -> Result<Answer, Lost> {
        let connected = self.connected.as_mut().ok_or("there is no connection")?;
        connected.writer.write_all(body).await?;
        Ok(Answer::Sent)
    }

    /// Says that nothing more comes, and waits until the server has read it all.
    pub(super) async fn close(&mut self) {
        let Some(mut connected) = self.connected.take() else { return };
        if connected.writer.shutdown().await.is_ok() {
            drop(connected.reader.await);
        }
    }
}
