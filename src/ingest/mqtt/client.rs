//! A client of either library: their types have the same names and methods, and nothing else in common.

/// Makes `Client` of a library. `$filter` makes the subscription to a topic, which is not the same in both versions.
macro_rules! client {
    ($library:ident, $filter:expr) => {
        use $library::{
            AsyncClient, ConnectReturnCode, ConnectionError, Event, EventLoop, ManualAck, MqttOptions, Packet,
            SubscribeReasonCode, TlsConfiguration, Transport,
        };

        use super::connection::{Connection, Incoming, Lost, NotLetIn, Publication, REQUESTS};

        pub(super) struct Client {
            requests: AsyncClient,
            events: EventLoop,
        }

        impl Client {
            /// It connects when it is asked for what comes.
            fn of(
                mut options: MqttOptions,
                subscription: &MqttSubscription,
                tls: Option<Arc<rustls::ClientConfig>>,
            ) -> Result<Self, Lost> {
                match (&subscription.username, &subscription.password) {
                    (Some(username), Some(password)) => drop(options.set_credentials(username, password.clone())),
                    (Some(username), None) => drop(options.set_username(username)),
                    (None, _) => {}
                }
                if let Some(tls) = tls {
                    options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(tls)));
                }
                let (requests, events) = AsyncClient::builder(options).capacity(REQUESTS).try_build()?;
                Ok(Self { requests, events })
            }
        }

        impl Connection for Client {
            type Ack = ManualAck;

            async fn next(&mut self) -> Result<Incoming<ManualAck>, Lost> {
                let event = self.events.poll().await.map_err(|error| match error {
                    ConnectionError::ConnectionRefused(ConnectReturnCode::BadUserNamePassword) => {
                        NotLetIn("bad user name or password").into()
                    }
                    ConnectionError::ConnectionRefused(ConnectReturnCode::NotAuthorized) => {
                        NotLetIn("not authorized").into()
                    }
                    error => Lost::from(error),
                })?;
                let Event::Incoming(packet) = event else { return Ok(Incoming::Other) };
                Ok(match packet {
                    Packet::ConnAck(answer) => Incoming::Connected { session_present: answer.session_present },
                    Packet::SubAck(answer) => {
                        let is_refused = |(_, code): &(usize, &SubscribeReasonCode)| {
                            !matches!(code, SubscribeReasonCode::Success(_))
                        };
                        let refused = answer.return_codes.iter().enumerate().filter(is_refused);
                        Incoming::Subscribed { refused: refused.map(|(place, _)| place).collect() }
                    }
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
                Ok(self.requests.try_subscribe_many(topics.iter().map($filter))?)
            }

            fn acknowledge(&self, ack: ManualAck) -> Result<(), Lost> {
                Ok(self.requests.try_manual_ack(ack)?)
            }

            fn disconnect(&self) -> Result<(), Lost> {
                Ok(self.requests.try_disconnect()?)
            }
        }
    };
}

pub(super) use client;
