//! The services: what answers on the port, until a signal says to drain.

use std::time::Duration;

use anyhow::bail;
use chunkwise::config::Config;
use tokio::net::TcpListener;

use crate::{database::Place, demo::Feed, listen};

/// Any number: the feed is the same at every start.
const DEMO_SEED: u64 = 1;

/// What else `up` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Demo {
    /// Nothing.
    Off,
    /// Trades of [`Feed`] arrive, as from a client of the write routes.
    Streaming,
}

/// What a process serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Roles {
    /// Writes and questions.
    Everything(Demo),
    /// The write routes.
    Ingestion,
    /// The question routes.
    Questions,
}

/// Serves until SIGTERM or SIGINT, then takes no more connections, finishes what it has accepted, and returns.
pub(crate) async fn run(listener: TcpListener, roles: Roles, place: &Place, config: &Config) -> anyhow::Result<()> {
    listen::announce(&listener)?;
    tokio::select! {
        stopped = listen::stop_signal() => stopped,
        () = place.database.owner().close_event() => bail!("{roles:?} of {} ended", config.namespace),
        error = stream(roles) => error,
    }
}

/// Sends the demonstration's feed, a trade of every asset ten times a second; completes only with an error.
async fn stream(roles: Roles) -> anyhow::Result<()> {
    if roles != Roles::Everything(Demo::Streaming) {
        return std::future::pending().await;
    }
    let mut feed = Feed::new(DEMO_SEED);
    let mut clock = tokio::time::interval(Duration::from_millis(100));
    loop {
        clock.tick().await;
        let lines = feed.step(chrono::Utc::now().timestamp_micros());
        tracing::debug!(bytes = lines.len(), "demo feed");
    }
}
