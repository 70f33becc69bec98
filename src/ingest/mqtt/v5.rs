//! MQTT 5.

use rumqttc_v5::{
    AckMode, AsyncClient, BrokerSessionResumePolicy, Event, EventLoop, IncomingPacketSizeLimit, ManualAck, MqttOptions,
    Packet, QoS, RetainForwardRule, SubscribeFilterInput, SubscribeReasonCode, Transport,
};

use super::{
    MqttSubscription, address,
    connection::{
        CONNECT_LIMIT, Connection, Incoming, KEEP_ALIVE_S, Lost, MAX_PACKET_BYTES, MOST_MESSAGES, Publication,
        REQUESTS, SESSION_EXPIRY_S,
    },
    is_secure,
};

pub(super) struct Client {
    requests: AsyncClient,
    events: EventLoop,
}

/// A client; it connects when it is asked for what comes.
pub(super) fn connect(subscription: &MqttSubscription, client_id: &str) -> Result<Client, Lost> {
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
        // Subscribing again is not to bring all retained messages again.
        let filter = |topic: &String| {
            SubscribeFilterInput::new(topic.as_str(), QoS::AtLeastOnce)
                .retain_forward_rule(RetainForwardRule::OnNewSubscribe)
        };
        Ok(self.requests.try_subscribe_many(topics.iter().map(filter))?)
    }

    fn acknowledge(&self, ack: ManualAck) -> Result<(), Lost> {
        Ok(self.requests.try_manual_ack(ack)?)
    }

    fn disconnect(&self) -> Result<(), Lost> {
        Ok(self.requests.try_disconnect()?)
    }
}

/// The places of what did not succeed.
pub(super) fn refused<C>(codes: &[C], is_success: impl Fn(&C) -> bool) -> Vec<usize> {
    codes.iter().enumerate().filter(|(_, code)| !is_success(code)).map(|(place, _)| place).collect()
}
