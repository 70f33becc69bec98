//! MQTT 3.1.1.

use rumqttc_v4::{
    AckMode, AsyncClient, Event, EventLoop, ManualAck, MqttOptions, Packet, QoS, SubscribeFilterInput,
    SubscribeReasonCode, Transport,
};

use super::{
    MqttSubscription, address,
    connection::{Connection, Incoming, KEEP_ALIVE_S, Lost, MAX_PACKET_BYTES, Publication, REQUESTS},
    is_secure,
    v5::refused,
};

pub(super) struct Client {
    requests: AsyncClient,
    events: EventLoop,
}

/// A client; it connects when it is asked for what comes.
pub(super) fn connect(subscription: &MqttSubscription, client_id: &str) -> Result<Client, Lost> {
    let mut options = MqttOptions::new(client_id, address(&subscription.url));
    let max_packet_bytes = MAX_PACKET_BYTES as usize;
    options
        .set_clean_session(false)
        .set_ack_mode(AckMode::Manual)
        .set_max_packet_size(max_packet_bytes, max_packet_bytes)
        .set_keep_alive(KEEP_ALIVE_S);
    match (&subscription.username, &subscription.password) {
        (Some(username), Some(password)) => drop(options.set_credentials(username, password.clone())),
        (Some(username), None) => drop(options.set_username(username)),
        (None, _) => {}
    }
    if is_secure(&subscription.url) {
        options.set_transport(Transport::try_tls_with_default_config()?);
    }
    let (requests, events) = AsyncClient::builder(options).capacity(REQUESTS).try_build()?;
    Ok(Client { requests, events })
}

impl Connection for Client {
    type Ack = ManualAck;

    async fn next(&mut self) -> Result<Incoming<ManualAck>, Lost> {
        let Event::Incoming(packet) = self.events.poll().await? else { return Ok(Incoming::Other) };
        Ok(match packet {
            Packet::ConnAck(answer) => Incoming::Connected { session_present: answer.session_present },
            Packet::SubAck(answer) => Incoming::Subscribed {
                refused: refused(&answer.return_codes, |code| matches!(code, SubscribeReasonCode::Success(_))),
            },
            Packet::Publish(message) => Incoming::Message(Publication {
                packet: message.pkid,
                again: message.dup,
                ack: self.requests.prepare_ack(&message),
                topic: message.topic,
                payload: message.payload,
            }),
            _ => Incoming::Other,
        })
    }

    fn subscribe(&self, topics: &[String]) -> Result<(), Lost> {
        let filter = |topic: &String| SubscribeFilterInput::new(topic.as_str(), QoS::AtLeastOnce);
        Ok(self.requests.try_subscribe_many(topics.iter().map(filter))?)
    }

    fn acknowledge(&self, ack: ManualAck) -> Result<(), Lost> {
        Ok(self.requests.try_manual_ack(ack)?)
    }

    fn disconnect(&self) -> Result<(), Lost> {
        Ok(self.requests.try_disconnect()?)
    }
}
