//! Foreign feeds over WebSocket that chunkwise subscribes to.
//!
//! Feeds know no acknowledgement, so this is best effort: what is sent while the connection is lost is lost, and a process
//! that is killed loses what it has read and not committed. While the database is away nothing is read, and what was read
//! is tried until it is written. Each message is a request; a message that the mapping finds no rows in is passed over.

mod connection;

use std::{fmt, path::PathBuf, sync::Arc, time::Instant};

use tokio_util::sync::CancellationToken;
use url::Url;

use super::{Ingest, Payload, Protocol, back_off::BackOff, message::Delivery, trust};
use crate::protocol::json::Mapping;

/// What to follow.
#[derive(Clone)]
pub struct SourceFeed {
    /// `ws://` or `wss://`; never logged beyond its host, because tokens stand in it.
    pub url: Url,
    /// With `wss` the CAs, in PEM, one of which must have signed the feed's certificate; by default those that the system
    /// trusts.
    pub ca_file: Option<PathBuf>,
    /// What is sent after each connect, in order.
    pub subscribe: Vec<String>,
    /// What of a message is what.
    pub mapping: Mapping,
    /// The namespace of every row.
    pub namespace: Arc<str>,
}

impl fmt::Debug for SourceFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, mapping, namespace, .. } = self;
        let host = url.host_str();
        f.debug_struct("SourceFeed")
            .field("host", &host)
            .field("mapping", mapping)
            .field("namespace", namespace)
            .finish_non_exhaustive()
    }
}

/// Connects, subscribes, and writes what comes until `stop` is cancelled; a lost connection is made again for as long as it
/// takes. When stopped it finishes what it has read within some seconds.
pub async fn follow_source(feed: SourceFeed, ingest: Ingest, stop: CancellationToken) {
    let origin = feed.url.host_str().unwrap_or_default().to_owned();
    let payload = Payload::Json { mapping: feed.mapping.clone(), topic_tags: None };
    let delivery = Delivery::new(ingest, Protocol::Source, Arc::clone(&feed.namespace), payload, &origin, stop.clone());
    let mut back_off = BackOff::of_connections();
    loop {
        let began = Instant::now();
        let lost = match connection::follow(&feed, &delivery).await {
            Ok(()) => return,
            Err(lost) => lost,
        };
        metrics::counter!("chunkwise_subscription_connections_lost_total", "protocol" => Protocol::Source.label())
            .increment(1);
        let pause = back_off.pause_after(began);
        let pause_ms = pause.as_millis();
        match trust::advice(&lost) {
            Some(advice) => tracing::error!(origin, error = %lost, advice, pause_ms, "a source cannot be followed"),
            None => tracing::warn!(origin, error = %lost, pause_ms, "a source is lost, and tried again"),
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return,
        }
    }
}
