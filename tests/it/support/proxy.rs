//! A TCP proxy before the database, so that the database can go away without harm to other tests; or before the service.

use std::{
    net::SocketAddr,
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use sqlx::{
    ConnectOptions,
    postgres::{PgConnectOptions, PgSslMode},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_util::sync::CancellationToken;

/// Where a connection is reset, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    /// The server never sees the COMMIT.
    BeforeCommit,
    /// The server has committed; the client never hears of it.
    AfterCommit,
    /// The service never sees the request.
    BeforeRequest,
    /// The service has answered with a success; the client never hears of it.
    BeforeAnswer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Client,
    Server,
}

impl At {
    /// What is waited for, and whose bytes it is in.
    fn sign(self) -> (Side, &'static [u8]) {
        match self {
            // As a driver sends it, in a message of its own.
            Self::BeforeCommit | Self::AfterCommit => (Side::Client, b"COMMIT\0"),
            Self::BeforeRequest => (Side::Client, b"POST "),
            Self::BeforeAnswer => (Side::Server, b"HTTP/1.1 2"),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Open,
    /// Each direction of each connection carries so many bytes a second.
    Slow(NonZeroU32),
    Paused,
    /// Every connection is reset.
    Cut,
}

#[derive(Debug)]
struct State {
    upstream: (String, u16),
    mode: watch::Sender<Mode>,
    /// Cancelled to reset the connections there are.
    connections: Mutex<CancellationToken>,
    /// Cancelled to strand them.
    stranded: Mutex<CancellationToken>,
    trap: Mutex<Option<At>>,
    accepted: watch::Sender<u64>,
}

impl State {
    /// Takes the trap, if these bytes spring it.
    fn spring(&self, side: Side, bytes: &[u8]) -> Option<At> {
        let mut trap = self.trap.lock().unwrap_or_else(PoisonError::into_inner);
        let (from, sign) = (*trap)?.sign();
        let is_caught = side == from && bytes.windows(sign.len()).any(|window| window == sign);
        if is_caught { trap.take() } else { None }
    }
}

/// The proxy; it ends with this.
#[derive(Debug)]
pub(crate) struct Proxy {
    state: Arc<State>,
    url: String,
    end: CancellationToken,
}

impl Proxy {
    /// A proxy before the server of `target`, on a thread of its own.
    pub(crate) fn before(target: &PgConnectOptions) -> Self {
        let upstream = (target.get_host().to_owned(), target.get_port());
        Self::start(upstream, |address| {
            // Encrypted, a COMMIT could not be seen.
            let options = target.clone().host("127.0.0.1").port(address.port()).ssl_mode(PgSslMode::Disable);
            options.to_url_lossy().to_string()
        })
    }

    /// A proxy before a service on this machine.
    pub(crate) fn before_service(base: &str) -> Self {
        let port = base.rsplit(':').next().unwrap().parse().unwrap();
        Self::start(("127.0.0.1".to_owned(), port), |address| format!("http://{address}"))
    }

    fn start(upstream: (String, u16), url: impl FnOnce(SocketAddr) -> String) -> Self {
        let state = Arc::new(State {
            upstream,
            mode: watch::Sender::new(Mode::Open),
            connections: Mutex::default(),
            stranded: Mutex::default(),
            trap: Mutex::default(),
            accepted: watch::Sender::new(0),
        });
        let end = CancellationToken::new();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let (accepting, until) = (Arc::clone(&state), end.clone());
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(until.run_until_cancelled(accept(listener, accepting)));
        });
        Self { state, url: url(address), end }
    }

    /// The target's URL through the proxy.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Resets the connections there are; new ones are carried.
    pub(crate) fn reset(&self) {
        let mut connections = self.state.connections.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *connections).cancel();
    }

    /// Carries no byte of the connections there are any more, and tells nobody, as when a machine is gone or a firewall
    /// forgets them; new ones are carried.
    pub(crate) fn strand(&self) {
        let mut stranded = self.state.stranded.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *stranded).cancel();
    }

    /// Resets the connections there are and all that come, until it is healed.
    pub(crate) fn cut(&self) {
        self.state.mode.send_replace(Mode::Cut);
        self.reset();
    }

    /// Carries no byte until it is healed; nobody is told.
    pub(crate) fn pause(&self) {
        self.state.mode.send_replace(Mode::Paused);
    }

    /// Carries so many bytes a second in each direction of each connection, until it is healed.
    pub(crate) fn slow_down(&self, bytes_per_second: NonZeroU32) {
        self.state.mode.send_replace(Mode::Slow(bytes_per_second));
    }

    /// Carries everything again, as fast as it comes.
    pub(crate) fn heal(&self) {
        self.state.mode.send_replace(Mode::Open);
    }

    /// Resets the next connection that comes so far.
    pub(crate) fn trap(&self, at: At) {
        *self.state.trap.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
    }

    /// Whether a trap is still set.
    pub(crate) fn is_trapped(&self) -> bool {
        self.state.trap.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Connections so far.
    pub(crate) fn accepted(&self) -> u64 {
        *self.state.accepted.borrow()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

async fn accept(listener: std::net::TcpListener, state: Arc<State>) {
    let listener = TcpListener::from_std(listener).unwrap();
    loop {
        let Ok((client, _)) = listener.accept().await else { continue };
        state.accepted.send_modify(|accepted| *accepted += 1);
        tokio::spawn(carry(client, Arc::clone(&state)));
    }
}

async fn carry(mut client: TcpStream, state: Arc<State>) {
    let ended = state.connections.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let stranded = state.stranded.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let mode = *state.mode.borrow();
    let server = match mode {
        Mode::Cut => None,
        _ => TcpStream::connect((state.upstream.0.as_str(), state.upstream.1)).await.ok(),
    };
    let Some(mut server) = server else { return drop(client.set_zero_linger()) };
    drop((client.set_nodelay(true), server.set_nodelay(true)));
    let caught = {
        let (mut from_client, mut to_client) = client.split();
        let (mut from_server, mut to_server) = server.split();
        tokio::select! {
            () = ended.cancelled() => Some(None),
            () = stranded.cancelled() => std::future::pending().await,
            caught = pump(&mut from_client, &mut to_server, &state, Side::Client) => caught.map(Some),
            caught = pump(&mut from_server, &mut to_client, &state, Side::Server) => caught.map(Some),
        }
    };
    let Some(reason) = caught else { return };
    if reason == Some(At::AfterCommit) {
        // The answer is the proof; it goes no further.
        drop(tokio::time::timeout(Duration::from_secs(5), server.read(&mut [0; 1024])).await);
    }
    drop((client.set_zero_linger(), server.set_zero_linger()));
}

/// Carries bytes until one side ends (`None`), or the trap springs.
async fn pump(
    from: &mut (impl AsyncReadExt + Unpin),
    to: &mut (impl AsyncWriteExt + Unpin),
    state: &State,
    side: Side,
) -> Option<At> {
    let mut gate = state.mode.subscribe();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut buffer).await.ok().filter(|read| *read > 0)?;
        let mode = *gate.wait_for(|mode| *mode != Mode::Paused).await.ok()?;
        let bytes = &buffer[..read];
        if let Mode::Slow(bytes_per_second) = mode {
            tokio::time::sleep(Duration::from_secs(1).mul_f64(read as f64 / f64::from(bytes_per_second.get()))).await;
        }
        let caught = state.spring(side, bytes);
        if caught.is_some_and(|at| at != At::AfterCommit) {
            return caught;
        }
        to.write_all(bytes).await.ok()?;
        if caught.is_some() {
            return caught;
        }
    }
}
