//! The service that is measured: `chunkwise ingest` or `up` as a child process, so that its CPU time and memory are its own.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    process::Stdio,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use sqlx::{ConnectOptions, postgres::PgConnectOptions};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use super::{BenchError, Transport, process};

/// It migrates nothing and binds at once; more than this means that it never will.
const START_LIMIT: Duration = Duration::from_secs(30);
/// It commits what it took; then it is killed.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// Which of the program's services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// `chunkwise ingest`
    Ingest,
    /// `chunkwise up`, which answers questions too.
    Everything,
}

/// A running service; killed if it is dropped.
#[derive(Debug)]
pub(super) struct Service {
    child: Child,
    http: SocketAddr,
    line_protocol: Option<SocketAddr>,
    open_tsdb: Option<SocketAddr>,
}

impl Service {
    /// Starts it on free ports, with a listener for each transport and these settings.
    pub(super) async fn start(
        role: Role,
        program: &Path,
        database: &PgConnectOptions,
        transports: &[Transport],
        settings: &[(&str, String)],
    ) -> Result<Self, BenchError> {
        let url = database.to_url_lossy();
        let mut command = Command::new(program);
        let name = match role {
            Role::Ingest => "ingest",
            Role::Everything => "up",
        };
        command.args([name, "--listen", "127.0.0.1:0"]);
        // In the environment, where other users of the machine do not see the password. Each role by its name: a role
        // that the settings' file sends elsewhere would write there.
        for name in ["URL", "OWNER_URL", "WRITER_URL", "READER_URL"] {
            command.env(format!("CHUNKWISE_DATABASE__{name}"), url.as_str());
        }
        command.envs(settings.iter().map(|(name, value)| (name, value)));
        let mut listener = |transport, flag: &str| -> Result<Option<SocketAddr>, BenchError> {
            let address =
                transports.contains(&transport).then(free_address).transpose().map_err(BenchError::NotStarted)?;
            // The usual ports may be in use.
            command.arg(flag).arg(address.map_or_else(|| "off".to_owned(), |address| address.to_string()));
            Ok(address)
        };
        let line_protocol = listener(Transport::Tcp, "--line-protocol-listen")?;
        let open_tsdb = listener(Transport::Telnet, "--opentsdb-listen")?;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().map_err(BenchError::NotStarted)?;
        let announced = tokio::time::timeout(START_LIMIT, announced_address(&mut child)).await;
        let http = announced.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(BenchError::NotStarted)?;
        Ok(Self { child, http, line_protocol, open_tsdb })
    }

    /// Where it takes lines sent so.
    pub(super) fn address(&self, transport: Transport) -> Option<SocketAddr> {
        match transport {
            Transport::Http | Transport::WebSocket => Some(self.http),
            Transport::Tcp => self.line_protocol,
            Transport::Telnet => self.open_tsdb,
        }
    }

    /// Its process; `None` once it has ended.
    pub(super) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Its memory now, and the most it has had, in bytes.
    pub(super) fn memory(&self) -> Option<(u64, u64)> {
        process::memory(self.pid()?)
    }

    /// Ends it as a supervisor would.
    pub(super) async fn stop(mut self) {
        let pid = self.child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        if let Some(Err(error)) = pid.map(|pid| kill_process(pid, Signal::TERM)) {
            tracing::debug!(%error, "the service has ended by itself");
        }
        if tokio::time::timeout(STOP_LIMIT, self.child.wait()).await.is_err() {
            drop(self.child.kill().await);
        }
    }
}

/// The service says `listening on http://127.0.0.1:43210`.
async fn announced_address(child: &mut Child) -> io::Result<SocketAddr> {
    let stdout = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let mut lines = BufReader::new(stdout).lines();
    let mut address = None;
    while address.is_none() {
        let Some(line) = lines.next_line().await? else { return Err(io::ErrorKind::UnexpectedEof.into()) };
        address = line.split_once("http://").and_then(|(_, address)| address.trim().parse().ok());
    }
    // Whatever else it says must go somewhere: a pipe that nobody reads would stop it.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    address.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// A port that was free a moment ago: the announcement names only HTTP's.
fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}
