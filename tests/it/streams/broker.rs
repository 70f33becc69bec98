//! A real broker, and one who publishes to it.

use std::{
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use rumqttc_v5::{AsyncClient, Event, EventLoop, MqttOptions, Packet, PublishOptions, QoS};
use sqlx::postgres::PgConnectOptions;
use tempfile::TempDir;

use crate::support::{Process, Proxy};

const PROGRAM: &str = "/usr/sbin/mosquitto";

/// A mosquitto of a test's own, on a free port; killed at the end.
#[derive(Debug)]
pub(super) struct Broker {
    _process: Process,
    _folder: TempDir,
    port: u16,
}

impl Broker {
    /// `None`, and a line that says so, where mosquitto is not installed.
    pub(super) fn start() -> Option<Self> {
        if !Path::new(PROGRAM).exists() {
            println!("SKIPPED: mosquitto is not installed (apt-get install mosquitto)");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        // Free a moment ago; the kernel does not give it out again at once.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = folder.path().join("mosquitto.conf");
        // The queue of a client that is away holds all that a test publishes.
        let text = format!("listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n");
        std::fs::write(&config, text).unwrap();
        let mut command = Command::new(PROGRAM);
        command.arg("-c").arg(&config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = Process::spawn(&mut command);
        for _ in 0..500 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Some(Self { _process: process, _folder: folder, port });
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("mosquitto does not listen");
    }

    pub(super) fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }

    /// Where it is, as a proxy wants to hear it.
    pub(super) fn address(&self) -> PgConnectOptions {
        PgConnectOptions::new().host("127.0.0.1").port(self.port)
    }

    /// Its URL through a proxy.
    pub(super) fn url_through(&self, proxy: &Proxy) -> String {
        let options: PgConnectOptions = proxy.url().parse().unwrap();
        format!("mqtt://127.0.0.1:{}", options.get_port())
    }

    pub(super) fn publisher(&self) -> Publisher {
        let options = MqttOptions::new("publisher", ("127.0.0.1", self.port));
        let (client, events) = AsyncClient::builder(options).capacity(100).build();
        Publisher { client, events }
    }
}

/// Publishes with QoS 1, and knows when the broker has a message.
pub(super) struct Publisher {
    client: AsyncClient,
    events: EventLoop,
}

impl Publisher {
    /// Publishes, and returns once the broker has it.
    pub(super) async fn publish(&mut self, topic: &str, payload: &str) {
        self.publish_all(&[(topic.to_owned(), payload.to_owned())]).await;
    }

    /// Publishes any bytes; a retained message the broker gives to later subscribers too.
    pub(super) async fn publish_bytes(&mut self, topic: &str, payload: Vec<u8>, retained: bool) {
        let options = PublishOptions::new(QoS::AtLeastOnce);
        let options = if retained { options.retained() } else { options };
        self.client.publish(topic, payload, options).await.unwrap();
        let events = &mut self.events;
        let acknowledged =
            async { while !matches!(events.poll().await.unwrap(), Event::Incoming(Packet::PubAck(_))) {} };
        tokio::time::timeout(Duration::from_secs(60), acknowledged).await.expect("the broker takes what is published");
    }

    /// Publishes many, several on their way at once, and returns once the broker has them.
    pub(super) async fn publish_all(&mut self, messages: &[(String, String)]) {
        let Self { client, events } = self;
        let publishing = async {
            for (topic, payload) in messages {
                let options = PublishOptions::new(QoS::AtLeastOnce);
                client.publish(topic.as_str(), payload.clone(), options).await.unwrap();
            }
        };
        let acknowledged = async {
            let mut missing = messages.len();
            while missing > 0 {
                if let Event::Incoming(Packet::PubAck(_)) = events.poll().await.unwrap() {
                    missing -= 1;
                }
            }
        };
        let both = async { tokio::join!(publishing, acknowledged) };
        tokio::time::timeout(Duration::from_secs(60), both).await.expect("the broker takes what is published");
    }
}
