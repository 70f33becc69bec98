use axum::{Router, extract::WebSocketUpgrade, routing::get};
use sqlx::postgres::PgConnectOptions;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::*;
use crate::{
    db::{Database, DatabaseOptions},
    ingest::{IngestOptions, PartialWrites},
    protocol::Precision,
};

const PATIENCE: Patience = Patience { ping: Duration::from_millis(50), silence: Duration::from_millis(300) };

/// Where a server listens whose every connection is served so.
async fn listen() -> std::net::SocketAddr {
    // Nobody is there, and nobody is asked.
    let database = Database::new(DatabaseOptions::single(PgConnectOptions::new().host("127.0.0.1").port(9)));
    let ingest = Ingest::start(database, IngestOptions::default());
    let upgrade = move |upgrade: WebSocketUpgrade| async move {
        let partial = PartialWrites::Accept;
        let options = FrameOptions { namespace: "public".into(), precision: Precision::Nanoseconds, partial };
        upgrade.on_upgrade(|socket| serve(socket, ingest, options, CancellationToken::new(), PATIENCE))
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async { axum::serve(listener, Router::new().route("/", get(upgrade))).await });
    address
}

#[tokio::test]
async fn a_client_that_answers_no_ping_is_left_with_a_word() {
    let mut client = TcpStream::connect(listen().await).await.unwrap();
    let request = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
    client.write_all(request.as_bytes()).await.unwrap();
    let (begun, mut heard) = (Instant::now(), Vec::new());
    // To the end of the connection, if need be: what is sent at last are two pings' bytes and the close frame.
    let read = async { while client.read_buf(&mut heard).await.unwrap() > 0 {} };
    tokio::time::timeout(Duration::from_secs(20), read).await.unwrap_or_default();
    assert!(begun.elapsed() >= PATIENCE.silence);
    let close = heard.windows(4).position(|bytes| bytes[0] == 0x88 && bytes[2..] == close_code::AWAY.to_be_bytes());
    assert!(close.is_some(), "{heard:x?}");
    assert!(heard.windows(2).filter(|bytes| *bytes == [0x89, 0]).count() >= 2, "it was asked before");
}

#[tokio::test]
async fn a_client_that_only_answers_pings_may_stay() {
    let url = format!("ws://{}/", listen().await);
    let (mut client, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE.silence * 4 {
        // Reading answers them.
        let message = client.next().await.unwrap().unwrap();
        assert!(message.is_ping(), "{message:?}");
    }
}
