//! Messages to an MQTT broker, at least once.

use std::sync::Arc;

use bytes::Bytes;
use rumqttc_v4::{AsyncClient, Broker, MqttOptions, PublishOptions, QoS};
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::{Answer, Target};

/// Larger than any request; the library's own limit is 10 KiB.
const PACKET_BYTES: usize = 64 << 20;

#[derive(Debug)]
pub(super) struct Mqtt {
    address: (String, u16),
    topic: Arc<str>,
    connected: Option<Connected>,
}

struct Connected {
    client: AsyncClient,
    /// Does the client's work; ends with the first error.
    driver: JoinHandle<String>,
}

impl std::fmt::Debug for Connected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connected").finish_non_exhaustive()
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Mqtt {
    pub(super) fn new(target: &Target) -> Self {
        Self { address: target.host_port(), topic: target.topic().into(), connected: None }
    }

    pub(super) fn disconnect(&mut self) {
        self.connected = None;
    }

    /// Publishes, and waits for the broker to say that it has the message.
    pub(super) async fn send(&mut self, body: &Bytes) -> Answer {
        let (host, port) = self.address.clone();
        let connected = self.connected.get_or_insert_with(|| connect(host, port));
        let options = PublishOptions::new(QoS::AtLeastOnce);
        let published = async {
            let notice = connected.client.publish_tracked(&*self.topic, body.clone(), options).await;
            match notice {
                Ok(notice) => notice.wait_async().await.map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            }
        };
        let result = tokio::select! {
            published = published => published.map(drop),
            ended = &mut connected.driver => Err(ended.unwrap_or_else(|error| error.to_string())),
        };
        match result {
            Ok(()) => Answer::Sent,
            Err(reason) => {
                self.disconnect();
                Answer::in_doubt(reason)
            }
        }
    }
}

fn connect(host: String, port: u16) -> Connected {
    let mut options = MqttOptions::new(format!("chunkwise-feed-{}", Uuid::new_v4().simple()), Broker::tcp(host, port));
    options.set_max_packet_size(PACKET_BYTES, PACKET_BYTES);
    let (client, mut events) = AsyncClient::builder(options).capacity(4).build();
    let driver = tokio::spawn(async move {
        loop {
            if let Err(error) = events.poll().await {
                return error.to_string();
            }
        }
    });
    Connected { client, driver }
}
