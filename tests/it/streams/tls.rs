//! Brokers and feeds over TLS: whom the program believes, and what it says where it does not.

use std::{
    fs,
    time::{Duration, Instant},
};

use futures_util::SinkExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_tungstenite::{WebSocketStream, accept_async, tungstenite::Message};

use super::setting::{Setting, wait_for_subscription};
use crate::support::{App, Authority, Broker, wait_until};

const LIMIT: Duration = Duration::from_secs(20);

/// `[[mqtt]]` of a user, with a version and whom to trust.
fn mqtt(broker: &Broker, version: &str, trusted: &str) -> String {
    let user = "username = \"ann\"\npassword = \"hunter2\"";
    let (url, topics) = (broker.secure_url(), "topics = [\"lines/#\"]");
    format!("[[mqtt]]\nurl = \"{url}\"\nversion = \"{version}\"\n{topics}\n{user}\n{trusted}\n")
}

fn ca_file(authority: &Authority) -> String {
    format!("ca_file = {:?}\n", authority.ca_file())
}

/// How often a subscription's connection was lost, as the metrics say.
fn lost(app: &App) -> u64 {
    let metrics = String::from_utf8(app.get("/metrics").body).unwrap();
    let line = metrics.lines().find(|line| line.starts_with("chunkwise_subscription_connections_lost_total"));
    line.and_then(|line| line.rsplit_once(' ')).map_or(0, |(_, count)| count.parse().unwrap())
}

/// Runs the program until it has failed to connect a few times, with pauses; one of the errors that it logs must say this.
async fn assert_refused(setting: &Setting, advice: &str) {
    let log = tempfile::NamedTempFile::new().unwrap();
    let app = setting.start_logging(log.path());
    let begun = Instant::now();
    wait_until("a few attempts in vain", async || lost(&app) >= 4).await;
    // Pauses of at least 100, 200 and 400 ms lie between them; the first may be over when this begins.
    assert!(begun.elapsed() > Duration::from_millis(300), "it spins: {:?}", begun.elapsed());
    assert_eq!(app.terminate(), 0);
    let log = fs::read_to_string(log.path()).unwrap();
    assert!(!log.contains("hunter2"), "a password is logged: {log}");
    assert!(log.lines().any(|line| line.contains("ERROR") && line.contains(advice)), "{log}");
}

#[tokio::test]
async fn lines_arrive_from_a_broker_with_tls_and_users() {
    let Some(authority) = Authority::new() else { return };
    let Some(broker) = Broker::start_secure(&authority, "ann", "hunter2") else { return };
    for version in ["5", "3.1.1"] {
        let setting = Setting::new(&mqtt(&broker, version, &ca_file(&authority))).await;
        let log = tempfile::NamedTempFile::new().unwrap();
        let app = setting.start_logging(log.path());
        let mut publisher = broker.secure_publisher(&authority, "ann", "hunter2");
        wait_for_subscription(&setting, &mut publisher, "lines/a").await;
        publisher.publish("lines/a", "last v=1").await;
        setting.wait_for_rows("last", 1).await;
        assert_eq!(app.terminate(), 0);
        assert!(!fs::read_to_string(log.path()).unwrap().contains("hunter2"));
    }
}

#[tokio::test]
async fn a_broker_that_refuses_the_user_is_tried_again_with_pauses_and_the_log_says_what_to_do() {
    let Some(authority) = Authority::new() else { return };
    let Some(broker) = Broker::start_secure(&authority, "ann", "correct") else { return };
    for version in ["5", "3.1.1"] {
        let setting = Setting::new(&mqtt(&broker, version, &ca_file(&authority))).await;
        assert_refused(&setting, "write the username and password").await;
    }
}

#[tokio::test]
async fn a_broker_whose_certificate_nobody_trusted_has_signed_gets_no_password() {
    let (Some(authority), Some(stranger)) = (Authority::new(), Authority::new()) else { return };
    let Some(broker) = Broker::start_secure(&authority, "ann", "hunter2") else { return };
    // One that trusts another authority, and one that trusts those of the system.
    for (trusted, version) in [(ca_file(&stranger), "5"), (String::new(), "3.1.1")] {
        let setting = Setting::new(&mqtt(&broker, version, &trusted)).await;
        // (A system without any CA is told to have some.)
        assert_refused(&setting, "ca_file").await;
    }
}

#[tokio::test]
async fn a_file_that_is_no_certificate_is_named_in_the_log() {
    let Some(authority) = Authority::new() else { return };
    let Some(broker) = Broker::start_secure(&authority, "ann", "hunter2") else { return };
    let setting = Setting::new(&mqtt(&broker, "5", "ca_file = \"/nowhere/ca.pem\"")).await;
    assert_refused(&setting, "/nowhere/ca.pem").await;
}

/// `[[source]]` of the feed behind a port.
fn source(listener: &TcpListener, more: &str) -> String {
    format!(
        "[[source]]\nurl = \"wss://localhost:{}/feed?token=hunter2\"\n{more}\n[source.mapping]\nmeasurement = \"trades\"\n\
         time = {{ path = \"t\", unit = \"ms\" }}\nfields = {{ price = \"p\" }}\n",
        listener.local_addr().unwrap().port()
    )
}

async fn follower(listener: &TcpListener, host: &TlsAcceptor) -> WebSocketStream<TlsStream<TcpStream>> {
    let connecting = async {
        let (stream, _) = listener.accept().await.unwrap();
        accept_async(host.accept(stream).await.unwrap()).await.unwrap()
    };
    tokio::time::timeout(LIMIT, connecting).await.expect("nobody follows")
}

#[tokio::test]
async fn a_feed_over_tls_is_followed_and_followed_again_when_it_breaks() {
    let Some(authority) = Authority::new() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = TlsAcceptor::from(authority.host());
    let setting = Setting::new(&source(&listener, &ca_file(&authority))).await;
    let app = setting.start();
    for connection in 1..=3 {
        let mut socket = follower(&listener, &host).await;
        let trade = format!(r#"{{"t": {}, "p": 187.32}}"#, 1_700_000_000_000_i64 + connection);
        socket.send(Message::text(trade)).await.unwrap();
        setting.wait_for_rows("trades", connection).await;
    }
    assert!(lost(&app) >= 2);
    assert_eq!(app.terminate(), 0);
}

#[tokio::test]
async fn a_feed_whose_certificate_nobody_trusted_has_signed_never_sees_the_token() {
    let (Some(authority), Some(stranger)) = (Authority::new(), Authority::new()) else { return };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = TlsAcceptor::from(authority.host());
    let setting = Setting::new(&source(&listener, &ca_file(&stranger))).await;
    let accepting = async {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            assert!(host.accept(stream).await.is_err(), "it believes a stranger's certificate");
        }
    };
    tokio::select! {
        () = assert_refused(&setting, "ca_file") => {}
        () = accepting => unreachable!("it accepts for ever"),
    }
}
