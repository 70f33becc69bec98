//! A foreign feed over WebSocket, played by the test.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{WebSocketStream, accept_async, tungstenite::Message};

use crate::support::{App, TestDatabase, wait_until};

const LIMIT: Duration = Duration::from_secs(20);

/// The next one who connects, once it has subscribed.
async fn subscriber(listener: &TcpListener) -> WebSocketStream<TcpStream> {
    let connecting = async {
        let mut socket = accept_async(listener.accept().await.unwrap().0).await.unwrap();
        for wanted in ["{\"login\": \"hunter2\"}", "{\"subscribe\": \"AAPL\"}"] {
            assert_eq!(socket.next().await.unwrap().unwrap(), Message::text(wanted));
        }
        socket
    };
    tokio::time::timeout(LIMIT, connecting).await.expect("nobody subscribes")
}

async fn say(socket: &mut WebSocketStream<TcpStream>, text: &str) {
    socket.send(Message::text(text)).await.unwrap();
}

fn trades(first_ms: i64) -> String {
    let trade = |ms: i64| format!(r#"{{"s": "AAPL", "p": 187.32, "v": 100, "t": {ms}}}"#);
    format!(r#"{{"type": "trade", "data": [{}, {}]}}"#, trade(first_ms), trade(first_ms + 1))
}

#[tokio::test]
async fn a_feed_is_followed_and_followed_again_when_it_breaks() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let database = TestDatabase::new().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("chunkwise.toml");
    let config = format!(
        r#"
        [[source]]
        url = "ws://{}/feed?token=hunter2"
        subscribe = ['{{"login": "hunter2"}}', '{{"subscribe": "AAPL"}}']
        [source.mapping]
        measurement = "trades"
        rows = "data/*"
        only = {{ "/type" = "trade" }}
        time = {{ path = "t", unit = "ms" }}
        tags = {{ symbol = "s" }}
        fields = {{ price = "p", size = "v" }}
        "#,
        listener.local_addr().unwrap()
    );
    std::fs::write(&file, config).unwrap();
    let app = App::start(&["up", "--config", file.to_str().unwrap(), "--database-url", &database.url()]);

    let rows = async || {
        let there = database.scalar::<bool>("SELECT to_regclass('trades') IS NOT NULL").await;
        if there { database.scalar::<i64>("SELECT count(*) FROM trades").await } else { 0 }
    };
    let mut socket = subscriber(&listener).await;
    for text in ["{\"type\": \"ping\"}", "no JSON", &trades(1_700_000_000_000)] {
        say(&mut socket, text).await;
    }
    wait_until("the first trades are there", async || rows().await == 2).await;

    // Cut without a word, then closed in order.
    drop(socket);
    let mut socket = subscriber(&listener).await;
    say(&mut socket, &trades(1_700_000_001_000)).await;
    wait_until("trades after the cut are there", async || rows().await == 4).await;
    socket.close(None).await.unwrap();
    let mut socket = subscriber(&listener).await;
    // The same once more is two more trades: nothing says that it is a repetition.
    say(&mut socket, &trades(1_700_000_001_000)).await;
    wait_until("trades after the close are there", async || rows().await == 6).await;
    let reading = tokio::spawn(async move { while socket.next().await.is_some_and(|frame| frame.is_ok()) {} });
    assert_eq!(app.terminate(), 0);
    reading.await.unwrap();
}
