//! Subscriptions to MQTT brokers, 5 and 3.1.1.
//!
//! ```text
//! broker -> PUBLISH -> a request of its own, tried until it is committed -> PUBACK, in the order of arrival
//! ```
//!
//! A message is acknowledged only after the COMMIT that carries it, or once the spool has it. The broker keeps the session while chunkwise is away,
//! and sends again what was not acknowledged; what must not become rows twice is known by
//!
//! 1. the packet's number, topic and payload, if this process has seen them and the broker says that it sends them again;
//! 2. the content, if every line of it has a time and the service compares contents, also after this process was killed;
//! 3. nothing else: a message without a time that was committed but not acknowledged when the process was killed is written
//!    once more, as at least once promises.
//!
//! A message of which nothing can be made is counted, logged and acknowledged, or it would be sent for ever. While the
//! database is away and no spool takes them messages are neither acknowledged nor dropped: so many are kept as may be on their way at once, and
//! the broker keeps the others. Each connection has a client of its own, so that no acknowledgement of an earlier one can
//! reach a later one, where its number means another message.

mod client;
mod connection;
mod deliveries;
mod session;
mod v311;
mod v5;

use std::{fmt, path::PathBuf, sync::Arc, time::Instant};

use tokio_util::sync::CancellationToken;
use url::Url;

use self::{
    connection::{Lost, NotLetIn},
    deliveries::Deliveries,
    session::Session,
};
use super::{Ingest, Payload, Protocol, back_off::BackOff, message::Delivery, trust};

/// Which MQTT is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MqttVersion {
    /// 5.
    #[default]
    V5,
    /// 3.1.1.
    V311,
}

/// What to subscribe to.
#[derive(Clone)]
pub struct MqttSubscription {
    /// `mqtt://host:port` or `mqtts://host:port`; by default ports 1883 and 8883.
    pub url: Url,
    /// With `mqtts` the CAs, in PEM, one of which must have signed the broker's certificate; by default those that the
    /// system trusts.
    pub ca_file: Option<PathBuf>,
    /// The version.
    pub version: MqttVersion,
    /// What the broker knows the session by. By default a name that this machine and the URL make, so that the same
    /// session is found again after a restart. Of two clients with the same one a broker cuts off the first.
    pub client_id: Option<String>,
    /// The user, if the broker wants one.
    pub username: Option<String>,
    /// The user's password.
    pub password: Option<String>,
    /// Topic filters.
    pub topics: Vec<String>,
    /// What messages are.
    pub payload: Payload,
    /// The namespace of every line.
    pub namespace: Arc<str>,
}

impl fmt::Debug for MqttSubscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, version, client_id, topics, namespace, .. } = self;
        let url = url.as_str();
        f.debug_struct("MqttSubscription")
            .field("url", &url)
            .field("version", version)
            .field("client_id", client_id)
            .field("topics", topics)
            .field("namespace", namespace)
            .finish_non_exhaustive()
    }
}

/// Subscribes, and writes what comes until `stop` is cancelled; a lost connection is made again for as long as it takes.
///
/// When stopped it acknowledges what is committed within some seconds, and disconnects; the broker keeps the rest.
pub async fn subscribe_mqtt(subscription: MqttSubscription, ingest: Ingest, stop: CancellationToken) {
    let MqttSubscription { namespace, payload, .. } = &subscription;
    let origin = subscription.url.to_string();
    let delivery = Delivery::new(ingest, Protocol::Mqtt, Arc::clone(namespace), payload.clone(), &origin, stop.clone());
    let client_id = subscription.client_id.clone().unwrap_or_else(|| default_client_id(&subscription.url));
    let mut deliveries = Deliveries::default();
    let mut back_off = BackOff::of_connections();
    loop {
        let began = Instant::now();
        let ended = session(&subscription, &client_id, &delivery, &mut deliveries).await;
        let Err(lost) = ended else { return };
        metrics::counter!("chunkwise_subscription_connections_lost_total", "protocol" => Protocol::Mqtt.label())
            .increment(1);
        let pause = back_off.pause_after(began);
        let pause_ms = pause.as_millis();
        match advice(&*lost) {
            Some(advice) => {
                tracing::error!(origin, error = %lost, advice, pause_ms, "the broker cannot be subscribed to")
            }
            None => tracing::warn!(origin, error = %lost, pause_ms, "the broker is lost, and tried again"),
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// What somebody can do about a connection that would be lost again and again.
fn advice(lost: &(dyn std::error::Error + 'static)) -> Option<&'static str> {
    if lost.is::<NotLetIn>() {
        return Some("write the username and password that the broker knows, or give that user the right to connect");
    }
    trust::advice(lost)
}

/// One connection, from its beginning to its end; `Ok` if it was to end.
async fn session(
    subscription: &MqttSubscription,
    client_id: &str,
    delivery: &Delivery,
    deliveries: &mut Deliveries,
) -> Result<(), Lost> {
    let secure = is_secure(&subscription.url);
    let tls = secure.then(|| trust::client_config(subscription.ca_file.as_deref())).transpose()?;
    match subscription.version {
        MqttVersion::V5 => {
            let connection = v5::connect(subscription, client_id, tls)?;
            Session::new(connection, &subscription.topics, delivery, deliveries).run().await
        }
        MqttVersion::V311 => {
            let connection = v311::connect(subscription, client_id, tls)?;
            Session::new(connection, &subscription.topics, delivery, deliveries).run().await
        }
    }
}

/// The same on each start; at most 23 letters and digits, which is what MQTT 3.1.1 promises to take.
fn default_client_id(url: &Url) -> String {
    let system = rustix::system::uname();
    let id = super::request::hash(&[system.nodename().to_bytes(), url.as_str().as_bytes()]);
    format!("chunkwise{}", &id.simple().to_string()[..14])
}

/// Where the broker is.
fn address(url: &Url) -> (String, u16) {
    let default = if is_secure(url) { 8883 } else { 1883 };
    (url.host_str().unwrap_or_default().to_owned(), url.port().unwrap_or(default))
}

fn is_secure(url: &Url) -> bool {
    url.scheme() == "mqtts"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_id_is_stable_and_short_and_another_for_another_broker() {
        let id = |url: &str| default_client_id(&url.parse().unwrap());
        let one = id("mqtt://broker.example");
        assert_eq!(one, id("mqtt://broker.example"));
        assert_ne!(one, id("mqtt://other.example"));
        assert!(one.len() == 23 && one.chars().all(|c| c.is_ascii_alphanumeric()), "{one}");
    }

    #[test]
    fn ports_have_defaults() {
        for (url, port) in [("mqtt://h", 1883), ("mqtts://h", 8883), ("mqtts://h:1", 1)] {
            assert_eq!(address(&url.parse().unwrap()), ("h".to_owned(), port), "{url}");
        }
    }
}
