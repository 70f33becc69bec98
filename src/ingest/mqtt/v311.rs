//! MQTT 3.1.1.

use std::sync::Arc;

use rumqttc_v4::{AckMode, QoS, SubscribeFilterInput};

use super::{
    MqttSubscription, address,
    client::client,
    connection::{KEEP_ALIVE_S, MAX_PACKET_BYTES},
};

client!(rumqttc_v4, |topic: &String| SubscribeFilterInput::new(topic.as_str(), QoS::AtLeastOnce));

pub(super) fn connect(
    subscription: &MqttSubscription,
    client_id: &str,
    tls: Option<Arc<rustls::ClientConfig>>,
) -> Result<Client, Lost> {
    let mut options = MqttOptions::new(client_id, address(&subscription.url));
    let max_packet_bytes = MAX_PACKET_BYTES as usize;
    options
        .set_clean_session(false)
        .set_ack_mode(AckMode::Manual)
        .set_max_packet_size(max_packet_bytes, max_packet_bytes)
        .set_keep_alive(KEEP_ALIVE_S);
    Client::of(options, subscription, tls)
}
