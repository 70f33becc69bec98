//! MQTT 5.

use std::sync::Arc;

use rumqttc_v5::{
    AckMode, BrokerSessionResumePolicy, IncomingPacketSizeLimit, QoS, RetainForwardRule, SubscribeFilterInput,
};

use super::{
    MqttSubscription, address,
    client::client,
    connection::{CONNECT_LIMIT, KEEP_ALIVE_S, MAX_PACKET_BYTES, MOST_MESSAGES, SESSION_EXPIRY_S},
};

// Subscribing again is not to bring all retained messages again.
client!(rumqttc_v5, |topic: &String| SubscribeFilterInput::new(topic.as_str(), QoS::AtLeastOnce)
    .retain_forward_rule(RetainForwardRule::OnNewSubscribe));

pub(super) fn connect(
    subscription: &MqttSubscription,
    client_id: &str,
    tls: Option<Arc<rustls::ClientConfig>>,
) -> Result<Client, Lost> {
    let mut options = MqttOptions::new(client_id, address(&subscription.url));
    options
        .set_clean_start(false)
        .set_session_expiry_interval(Some(SESSION_EXPIRY_S))
        .set_receive_maximum(Some(MOST_MESSAGES))
        // The client is new and has no state of the session: all that is to be known stands in the deliveries.
        .set_broker_session_resume_policy(BrokerSessionResumePolicy::AllowBrokerOnly)
        .set_ack_mode(AckMode::Manual)
        .set_incoming_packet_size_limit(IncomingPacketSizeLimit::Bytes(MAX_PACKET_BYTES))
        .set_connect_timeout(CONNECT_LIMIT)
        .set_keep_alive(KEEP_ALIVE_S);
    Client::of(options, subscription, tls)
}
