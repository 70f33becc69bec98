//! A real broker, and one who publishes to it.

use std::{
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use rumqttc_v5::{
    AsyncClient, Event, EventLoop, MqttOptions, Packet, PublishOptions, QoS, TlsConfiguration, Transport,
};
use sqlx::postgres::PgConnectOptions;
use tempfile::TempDir;

use super::{Authority, Process, Proxy, program};

/// A mosquitto of a test's own, on a free port; killed at the end.
#[derive(Debug)]
pub(crate) struct Broker {
    _process: Process,
    _folder: TempDir,
    port: u16,
}

impl Broker {
    /// `None`, and a line that says so, where mosquitto is not installed.
    pub(crate) fn start() -> Option<Self> {
        Self::start_with(|_| "allow_anonymous true\n".to_owned())
    }

    /// Over TLS, with the authority's host's certificate, for one user alone.
    pub(crate) fn start_secure(authority: &Authority, user: &str, password: &str) -> Option<Self> {
        Self::start_with(|folder| {
            let users = folder.join("users");
            std::fs::write(&users, format!("{user}:{password}\n")).unwrap();
            let hashing = program(&["mosquitto_passwd"]).expect("it comes with mosquitto");
            let hashed = Command::new(hashing).arg("-U").arg(&users).status().unwrap();
            assert!(hashed.success());
            format!(
                "allow_anonymous false\npassword_file {}\ncertfile {}\nkeyfile {}\n",
                users.display(),
                authority.certificate_file().display(),
                authority.key_file().display()
            )
        })
    }

    fn start_with(access: impl FnOnce(&Path) -> String) -> Option<Self> {
        let Some(program) = program(&["mosquitto"]) else {
            println!("SKIPPED: mosquitto is not installed (apt-get install mosquitto)");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        // Free a moment ago; the kernel does not give it out again at once.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = folder.path().join("mosquitto.conf");
        // The queue of a client that is away holds all that a test publishes. Files of a test are its user's alone.
        let text = format!("user root\nmax_queued_messages 0\nlistener {port} 127.0.0.1\n{}", access(folder.path()));
        std::fs::write(&config, text).unwrap();
        let mut command = Command::new(program);
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

    pub(crate) fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }

    /// The same over TLS.
    pub(crate) fn secure_url(&self) -> String {
        format!("mqtts://localhost:{}", self.port)
    }

    /// Where it is, as a proxy wants to hear it.
    pub(crate) fn address(&self) -> PgConnectOptions {
        PgConnectOptions::new().host("127.0.0.1").port(self.port)
    }

    /// Its URL through a proxy.
    pub(crate) fn url_through(&self, proxy: &Proxy) -> String {
        let options: PgConnectOptions = proxy.url().parse().unwrap();
        format!("mqtt://127.0.0.1:{}", options.get_port())
    }

    pub(crate) fn publisher(&self) -> Publisher {
        Publisher::new(MqttOptions::new("publisher", ("127.0.0.1", self.port)))
    }

    /// One who trusts the authority, and says who it is.
    pub(crate) fn secure_publisher(&self, authority: &Authority, user: &str, password: &str) -> Publisher {
        let mut options = MqttOptions::new("publisher", ("localhost", self.port));
        options.set_credentials(user, password.to_owned());
        options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(authority.client())));
        Publisher::new(options)
    }
}

/// Publishes with QoS 1, and knows when the broker has a message.
pub(crate) struct Publisher {
    client: AsyncClient,
    events: EventLoop,
}

impl Publisher {
    fn new(options: MqttOptions) -> Self {
        let (client, events) = AsyncClient::builder(options).capacity(100).build();
        Self { client, events }
    }

    /// Publishes, and returns once the broker has it.
    pub(crate) async fn publish(&mut self, topic: &str, payload: &str) {
        self.publish_all(&[(topic.to_owned(), payload.to_owned())]).await;
    }

    /// Publishes any bytes; a retained message the broker gives to later subscribers too.
    pub(crate) async fn publish_bytes(&mut self, topic: &str, payload: Vec<u8>, retained: bool) {
        let options = PublishOptions::new(QoS::AtLeastOnce);
        let options = if retained { options.retained() } else { options };
        self.client.publish(topic, payload, options).await.unwrap();
        let events = &mut self.events;
        let acknowledged =
            async { while !matches!(events.poll().await.unwrap(), Event::Incoming(Packet::PubAck(_))) {} };
        tokio::time::timeout(Duration::from_secs(60), acknowledged).await.expect("the broker takes what is published");
    }

    /// Publishes many, several on their way at once, and returns once the broker has them.
    pub(crate) async fn publish_all(&mut self, messages: &[(String, String)]) {
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
