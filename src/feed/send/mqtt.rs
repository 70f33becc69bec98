//! Messages to an MQTT broker, at least once.

use std::sync::Arc;

use bytes::Bytes;
use rumqttc_v4::{AsyncClient, Broker, Event, MqttOptions, Packet, PublishOptions, QoS};
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::{Answer, Lost, Target};

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

impl Connected {
    async fn new((host, port): &(String, u16)) -> Result<Self, Lost> {
        let client_id = format!("chunkwise-feed-{}", Uuid::new_v4().simple());
        let mut options = MqttOptions::new(client_id, Broker::tcp(host.as_str(), *port));
        options.set_max_packet_size(PACKET_BYTES, PACKET_BYTES);
        let (client, mut events) = AsyncClient::builder(options).capacity(4).build();
        while !matches!(events.poll().await?, Event::Incoming(Packet::ConnAck(_))) {}
        let driver = tokio::spawn(async move {
            loop {
                if let Err(error) = events.poll().await {
                    return error.to_string();
                }
            }
        });
        Ok(Self { client, driver })
    }
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

    /// Connects, and waits until the broker has taken the client in.
    pub(super) async fn connect(&mut self) -> Result<(), Lost> {
        if self.connected.as_ref().is_some_and(|connected| !connected.driver.is_finished()) {
            return Ok(());
        }
        self.connected = Some(Box::pin(Connected::new(&self.address)).await?);
        Ok(())
    }

    /// Publishes, and waits for the broker to say that it has the message.
    pub(super) async fn exchange(&mut self, body: &Bytes) -> Result<Answer, Lost> {
        let connected = self.connected.as_mut().ok_or("there is no connection")?;
        let options = PublishOptions::new(QoS::AtLeastOnce);
        let published = async {
            let notice = connected.client.publish_tracked(&*self.topic, body.clone(), options).await?;
            notice.wait_async().await?;
            Ok(Answer::Sent)
        };
        tokio::select! {
            published = published => published,
            ended = &mut connected.driver => Err(ended?.into()),
        }
    }
}
