//! Connections in, up to a limit, and an orderly end.

use std::{future::Future, net::SocketAddr, num::NonZeroUsize, time::Duration};

use socket2::{SockRef, TcpKeepalive};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::ingest::Protocol;

/// How long the end waits for connections to write what they have read.
const DRAIN: Duration = Duration::from_secs(10);
/// After a failed accept (no more file descriptors, say) the loop waits instead of spinning.
const BACK_OFF: Duration = Duration::from_millis(200);
/// A client that has connected and sent does not know that the system has not handed its connection over yet: at the end those
/// are taken too, until none comes for so long, and not for longer than [`LATEST`].
const LATE: Duration = Duration::from_millis(20);
const LATEST: Duration = Duration::from_secs(1);
/// A silent client is asked after so long whether it is still there, and then again in such steps.
const KEEPALIVE: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// Accepts until `stop`, then waits for the connections within [`DRAIN`].
pub(super) async fn run<W>(
    listener: TcpListener,
    most: NonZeroUsize,
    protocol: Protocol,
    stop: &CancellationToken,
    work: impl Fn(TcpStream, SocketAddr) -> W,
) where
    W: Future<Output = ()> + Send + 'static,
{
    let open = metrics::gauge!("chunkwise_listener_connections", "protocol" => protocol.label());
    let mut connections = JoinSet::new();
    let mut turned_away: u64 = 0;
    let mut stopped: Option<Instant> = None;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => {
                open.set(connections.len() as f64);
                continue;
            }
            () = stop.cancelled() => {
                let stopped = *stopped.get_or_insert_with(Instant::now);
                match timeout(LATE, listener.accept()).await {
                    Ok(accepted) if stopped.elapsed() < LATEST => accepted,
                    _ => break,
                }
            }
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(error = %error, protocol = protocol.label(), "a connection could not be accepted");
                sleep(BACK_OFF).await;
                continue;
            }
        };
        if connections.len() >= most.get() {
            let before = turned_away;
            turned_away += 1;
            metrics::counter!("chunkwise_listener_connections_turned_away_total", "protocol" => protocol.label())
                .increment(1);
            if before.checked_ilog10() != turned_away.checked_ilog10() {
                // The first, the tenth, the hundredth.
                tracing::warn!(
                    protocol = protocol.label(),
                    limit = most.get(),
                    turned_away,
                    "connections are closed at once: as many are open as max_connections allows"
                );
            }
            continue;
        }
        let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE_INTERVAL);
        if let Err(error) = SockRef::from(&stream).set_tcp_keepalive(&keepalive) {
            tracing::debug!(error = %error, "TCP keepalive could not be set");
        }
        connections.spawn(work(stream, peer));
        open.set(connections.len() as f64);
    }
    drop(listener);
    let ended = async { while connections.join_next().await.is_some() {} };
    if timeout(DRAIN, ended).await.is_err() {
        tracing::warn!(
            protocol = protocol.label(),
            connections = connections.len(),
            "connections were cut whose lines could not be written in time: those lines are lost"
        );
    }
    connections.shutdown().await;
    open.set(0.0);
}
