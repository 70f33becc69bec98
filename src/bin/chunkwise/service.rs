//! The services: what answers on the port, until a signal says to drain.

use anyhow::bail;
use chunkwise::config::Config;
use tokio::net::TcpListener;

use crate::{database::Place, listen};

/// What a process serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Roles {
    /// Writes and questions.
    Everything,
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
    }
}
