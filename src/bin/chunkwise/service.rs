//! The services: what answers on the port, until a signal says to drain.

use std::time::Duration;

use anyhow::bail;
use chunkwise::config::Config;
use tokio::net::TcpListener;

use crate::{database::Place, demo::LiveFeed, listen};

/// How often the demonstration's lines are sent.
const DEMO_BEAT: Duration = Duration::from_millis(100);

/// What a process serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Roles {
    /// Writes and questions.
    Everything,
    /// The same, and a live feed arrives as from a client.
    EverythingWithDemo,
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

/// Sends the demonstration's feed; completes only with an error.
async fn stream(roles: Roles) -> anyhow::Result<()> {
    if roles != Roles::EverythingWithDemo {
        return std::future::pending().await;
    }
    let now_us = || chrono::Utc::now().timestamp_micros();
    let mut feed = LiveFeed::new(now_us())?;
    let mut beat = tokio::time::interval(DEMO_BEAT);
    loop {
        beat.tick().await;
        let lines = feed.due(now_us());
        tracing::trace!(bytes = lines.len(), "the demonstration's feed");
    }
}
