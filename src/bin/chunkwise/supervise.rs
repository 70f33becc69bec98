//! Starts the embedded server again when it has crashed.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use chunkwise::local::{Server, StartedBy, Status};
use tokio_util::sync::CancellationToken;

/// How often it is looked at: an outage of the embedded server costs about this and its recovery.
const EVERY: Duration = Duration::from_millis(500);

/// Looks after the server until it is told to stop. Whether it had to start it is noted in `started_here`.
pub(crate) async fn run(server: &Server, stop: &CancellationToken, started_here: &AtomicBool) {
    while stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
        let alive = match server.status() {
            Ok(Status::Running(running)) => running.is_alive().await,
            // Somebody stops it on purpose, or starts it already.
            Ok(Status::Starting { .. } | Status::Stopping { .. }) => true,
            Ok(_) => false,
            Err(error) => {
                tracing::warn!(error = %error, "the embedded database's state cannot be read");
                continue;
            }
        };
        if alive {
            continue;
        }
        tracing::warn!("the embedded database is down; it is started again");
        let started = stop.run_until_cancelled(server.start(&|_| {})).await;
        match started {
            Some(Ok(running)) => {
                if running.started_by() == StartedBy::Us {
                    started_here.store(true, Ordering::Relaxed);
                }
                tracing::info!(pid = running.pid(), "the embedded database is up again");
            }
            Some(Err(error)) => {
                tracing::error!(
                    error = format!("{:#}", anyhow::Error::from(error)),
                    "the embedded database does not start"
                );
            }
            None => return,
        }
    }
}
