//! The server: connections in, requests to a router, and an orderly end.
//!
//! Our own accept loop rather than `axum::serve`, because that one lets a client take for ever over its headers.

use std::{future::Future, io, time::Duration};

use axum::{Router, body::Body};
use hyper::{Request, body::Incoming};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto::Builder, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
    time::sleep,
};
use tower::ServiceExt;

/// How long the end waits for requests under way.
const DRAIN: Duration = Duration::from_secs(10);
/// After a failed accept (no more file descriptors, say) the loop waits instead of spinning.
const BACK_OFF: Duration = Duration::from_millis(200);

/// Serves until `stop` completes; a client that takes longer than `header_timeout` over a request's headers is cut off. Then:
///
/// 1. no connection is accepted any more;
/// 2. idle connections are closed, requests under way get their answers, within ten seconds, and are cut after that;
/// 3. it returns. A connection that has become a WebSocket is its handler's to end.
pub async fn serve(listener: TcpListener, router: Router, header_timeout: Duration, stop: impl Future<Output = ()>) {
    let mut server = Server::new(router, header_timeout);
    tokio::pin!(stop);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => server.take(stream),
                Err(error) if is_the_clients(&error) => {}
                Err(error) => {
                    tracing::warn!(error = %error, "a connection could not be accepted");
                    sleep(BACK_OFF).await;
                }
            },
            () = &mut stop => break,
        }
    }
    drop(listener);
    server.drain().await;
}

/// Serves connections that another listener accepted and hands over, with nothing read from them, until `stop` completes
/// or nobody is left to hand one over; then ends as [`serve`] does.
pub async fn serve_handed(
    mut handed: mpsc::Receiver<TcpStream>,
    router: Router,
    header_timeout: Duration,
    stop: impl Future<Output = ()>,
) {
    let mut server = Server::new(router, header_timeout);
    tokio::pin!(stop);
    loop {
        tokio::select! {
            stream = handed.recv() => match stream {
                Some(stream) => server.take(stream),
                None => break,
            },
            () = &mut stop => break,
        }
    }
    drop(handed);
    server.drain().await;
}

/// The connections that are served.
struct Server {
    router: Router,
    builder: Builder<TokioExecutor>,
    graceful: GracefulShutdown,
    connections: JoinSet<()>,
}

impl Server {
    fn new(router: Router, header_timeout: Duration) -> Self {
        let mut builder = Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(header_timeout);
        Self { router, builder, graceful: GracefulShutdown::new(), connections: JoinSet::new() }
    }

    fn take(&mut self, stream: TcpStream) {
        // Answers are small and wanted at once.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(error = %error, "TCP_NODELAY could not be set");
        }
        let service = self.router.clone().map_request(|request: Request<Incoming>| request.map(Body::new));
        let service = TowerToHyperService::new(service);
        let connection = self.builder.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
        let watched = self.graceful.watch(connection);
        self.connections.spawn(async move {
            if let Err(error) = watched.await {
                tracing::debug!(error = %error, "a connection ended early");
            }
        });
        while self.connections.try_join_next().is_some() {}
    }

    async fn drain(mut self) {
        tokio::select! {
            () = self.graceful.shutdown() => {}
            () = sleep(DRAIN) => tracing::warn!("requests were still under way when time was up"),
        }
        self.connections.shutdown().await;
    }
}

fn is_the_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
