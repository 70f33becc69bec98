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
use tokio::{net::TcpListener, task::JoinSet, time::sleep};
use tower::ServiceExt;

/// How long the end waits for requests under way.
const DRAIN: Duration = Duration::from_secs(10);
/// After a failed accept (no more file descriptors, say) the loop waits instead of spinning.
const BACK_OFF: Duration = Duration::from_millis(200);

/// Serves until `stop` completes; a client that takes longer than `header_timeout` over a request's headers is cut off. Then:
///
/// 1. no connection is accepted any more;
/// 2. idle connections are closed, requests under way get their answers, within ten seconds, and are cut after that;
/// 3. it returns.
pub async fn serve(listener: TcpListener, router: Router, header_timeout: Duration, stop: impl Future<Output = ()>) {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(header_timeout);
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    tokio::pin!(stop);
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    if !is_the_clients(&error) {
                        tracing::warn!(error = %error, "a connection could not be accepted");
                        sleep(BACK_OFF).await;
                    }
                    continue;
                }
            },
            () = &mut stop => break,
        };
        // Answers are small and wanted at once.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(error = %error, "TCP_NODELAY could not be set");
        }
        let service = router.clone().map_request(|request: Request<Incoming>| request.map(Body::new));
        let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service)).into_owned();
        let watched = graceful.watch(connection);
        connections.spawn(async move {
            if let Err(error) = watched.await {
                tracing::debug!(error = %error, "a connection ended early");
            }
        });
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    tokio::select! {
        () = graceful.shutdown() => {}
        () = sleep(DRAIN) => tracing::warn!("requests were still under way when time was up"),
    }
    connections.shutdown().await;
}

fn is_the_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
