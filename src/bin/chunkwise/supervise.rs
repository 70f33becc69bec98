//! Starts the embedded server again when it has crashed.

use std::time::Duration;

use chunkwise::local::{LocalError, Server, Status};
use tokio_util::sync::CancellationToken;

/// How often it is looked at: an outage of the embedded server costs about this and its recovery.
const EVERY: Duration = Duration::from_millis(500);

/// Looks after the server until it is told to stop. One that was stopped on purpose stays so.
pub(crate) async fn run(server: &Server, stop: &CancellationToken) {
    let mut is_down_on_purpose = false;
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
            is_down_on_purpose = false;
            continue;
        }
        let Some(started) = stop.run_until_cancelled(server.start_again(&|_| {})).await else { return };
        match started {
            Ok(running) => tracing::warn!(pid = running.pid(), "the embedded database was down; it is up again"),
            Err(error @ LocalError::StoppedOnPurpose) => {
                if !is_down_on_purpose {
                    tracing::warn!("{error}");
                }
                is_down_on_purpose = true;
            }
            Err(error) => {
                tracing::error!(
                    error = format!("{:#}", anyhow::Error::from(error)),
                    "the embedded database is down and does not start"
                );
            }
        }
    }
}
