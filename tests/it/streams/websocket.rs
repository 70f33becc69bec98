//! Writing over a WebSocket, by a client that speaks it for real.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{
        Error, Message,
        client::IntoClientRequest,
        protocol::frame::{
            Frame,
            coding::{Data, OpCode},
        },
    },
};

use crate::support::{App, Proxy, TestDatabase};

type Client = WebSocketStream<MaybeTlsStream<TcpStream>>;

const LIMIT: Duration = Duration::from_secs(20);

fn url(app: &App, query: &str) -> String {
    format!("{}/api/v1/ws/write{query}", app.base.replacen("http", "ws", 1))
}

async fn connect(app: &App, query: &str) -> Client {
    connect_async(url(app, query)).await.unwrap().0
}

async fn send(client: &mut Client, text: impl Into<String>) {
    client.send(Message::text(text.into())).await.unwrap();
}

/// The next answer.
async fn answer(client: &mut Client) -> Value {
    loop {
        match tokio::time::timeout(LIMIT, client.next()).await.expect("no answer").unwrap().unwrap() {
            Message::Text(text) => return serde_json::from_str(&text).unwrap(),
            Message::Ping(_) => {}
            other => panic!("{other:?} is no answer"),
        }
    }
}

/// The code that the server closes with, after answers that nobody wants.
async fn close_code(client: &mut Client) -> u16 {
    loop {
        let message = tokio::time::timeout(LIMIT, client.next()).await.expect("it stays open").unwrap().unwrap();
        if let Message::Close(frame) = message {
            return frame.unwrap().code.into();
        }
    }
}

#[tokio::test]
async fn every_frame_gets_one_answer_in_order() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    let mut client = connect(&app, "?precision=ms").await;
    let rows = json!([{"measurement": "m", "time": "2024-01-01T00:00:00Z", "tags": {"s": "a"}, "fields": {"v": 1}},
                      {"measurement": "m", "time": 1_700_000_000_000_i64, "fields": {"v": {}}}]);
    send(&mut client, "m,s=a v=1 1700000000000\nm,s=a v= 1\n").await;
    client.send(Message::binary(b"m,s=b v=2 1700000000000".to_vec())).await.unwrap();
    send(&mut client, json!({"id": "k", "rows": rows}).to_string()).await;
    send(&mut client, "{\"rows\": 1}").await;
    send(&mut client, "# nothing\n").await;

    let first = answer(&mut client).await;
    assert_eq!((&first["id"], &first["ack"], &first["written"]), (&Value::Null, &json!("committed"), &json!(1)));
    assert_eq!((&first["lines"][0]["line"], &first["lines"][0]["column"]), (&json!(2), &json!(9)));
    assert_eq!(answer(&mut client).await["written"], 1);
    let third = answer(&mut client).await;
    assert_eq!((&third["id"], &third["written"], &third["lines"][0]["line"]), (&json!("k"), &json!(1), &json!(2)));
    assert!(third["lines"][0]["reason"].as_str().unwrap().starts_with("fields.v: "), "{third}");
    let fourth = answer(&mut client).await;
    assert_eq!((&fourth["error"]["code"], &fourth["ack"]), (&json!("invalid"), &Value::Null));
    let fifth = answer(&mut client).await;
    assert_eq!((&fifth["written"], &fifth["credits"]), (&json!(0), &json!(16)));
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM m").await, 3);
}

#[tokio::test]
async fn an_id_that_is_sent_again_gets_the_first_answer_also_over_another_connection() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    // No time: only the id can tell.
    let frame = json!({"id": "k", "rows": [{"measurement": "m", "fields": {"v": 1}}]}).to_string();
    for round in 0..2 {
        let mut client = connect(&app, "").await;
        send(&mut client, frame.as_str()).await;
        let got = answer(&mut client).await;
        assert_eq!((&got["written"], got["duplicate"] == true), (&json!(1), round == 1), "{got}");
    }
    let mut client = connect(&app, "").await;
    send(&mut client, frame.replace("\"v\":1", "\"v\":2")).await;
    assert_eq!(answer(&mut client).await["error"]["code"], "key_mismatch");
    for duplicate in [false, true] {
        send(&mut client, "m v=3 1700000000000000000").await;
        assert_eq!(answer(&mut client).await["duplicate"] == true, duplicate);
    }
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM m").await, 2);
}

#[tokio::test]
async fn more_frames_than_credits_are_all_written() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    let (mut sender, mut receiver) = connect(&app, "?precision=us").await.split();
    let sending = tokio::spawn(async move {
        for n in 0..300 {
            sender.send(Message::text(format!("m n={n}i {n}"))).await.unwrap();
        }
        sender
    });
    for n in 0..300 {
        let Message::Text(text) = receiver.next().await.unwrap().unwrap() else { panic!("answer {n}") };
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(answer["written"], 1, "{n}: {answer}");
        assert!(answer["credits"].as_u64().unwrap() <= 16);
    }
    drop(sending.await.unwrap());
    assert_eq!(database.scalar::<i64>("SELECT count(DISTINCT n) FROM m").await, 300);
}

#[tokio::test]
async fn breaches_close_with_their_code() {
    let database = TestDatabase::new().await;
    let app = App::start_with(
        &["up", "--database-url", &database.url()],
        &[("CHUNKWISE_HTTP__MAX_BODY_BYTES", "1000"), ("CHUNKWISE_HTTP__MAX_DECODED_BODY_BYTES", "1000")],
    );
    let mut client = connect(&app, "").await;
    // What was sent before is answered first.
    send(&mut client, "m v=1").await;
    let text = Frame::message(b"m v=\xff".to_vec(), OpCode::Data(Data::Text), true);
    client.send(Message::Frame(text)).await.unwrap();
    assert_eq!(answer(&mut client).await["written"], 1);
    assert_eq!(close_code(&mut client).await, 1007);

    let mut client = connect(&app, "").await;
    send(&mut client, "#".repeat(1001)).await;
    assert_eq!(close_code(&mut client).await, 1009);

    let mut client = connect(&app, "").await;
    for (part, kind, last) in [("m v", Data::Text, false), ("=2", Data::Continue, true)] {
        client.send(Message::Frame(Frame::message(part.as_bytes().to_vec(), OpCode::Data(kind), last))).await.unwrap();
    }
    assert_eq!(answer(&mut client).await["written"], 1);
    let stray = Frame::message(b"x".to_vec(), OpCode::Data(Data::Continue), true);
    client.send(Message::Frame(stray)).await.unwrap();
    assert_eq!(close_code(&mut client).await, 1002);
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM m").await, 2);
}

#[tokio::test]
async fn what_is_no_upgrade_or_comes_from_a_page_elsewhere_is_refused() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    assert_eq!(app.get("/api/v1/ws/write").json()["error"]["code"], "websocket_required");
    assert!((400..500).contains(&app.get("/api/v1/ws/write").status));
    for (query, origin, status) in [
        ("?precision=bogus", None, 400),
        ("?precision=s&precision=s", None, 400),
        ("?presicion=s", None, 400),
        ("", Some("https://evil.example"), 403),
    ] {
        let mut request = url(&app, query).into_client_request().unwrap();
        if let Some(origin) = origin {
            request.headers_mut().insert("origin", origin.parse().unwrap());
        }
        match connect_async(request).await {
            Err(Error::Http(response)) => assert_eq!(response.status(), status, "{query} {origin:?}"),
            other => panic!("{query} {origin:?}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn an_open_connection_outlives_the_database_and_does_not_hold_up_the_end() {
    let database = TestDatabase::new().await;
    let proxy = Proxy::before(&database.options());
    let mut app = App::start(&["up", "--database-url", proxy.url()]);
    let mut client = connect(&app, "").await;
    let frame =
        |id: u32| json!({"id": id.to_string(), "rows": [{"measurement": "m", "fields": {"v": id}}]}).to_string();
    send(&mut client, frame(0)).await;
    assert_eq!(answer(&mut client).await["ack"], "committed");
    proxy.cut();
    send(&mut client, frame(1)).await;
    assert_eq!(answer(&mut client).await["error"]["code"], "unavailable");
    proxy.heal();
    app.wait_for("/health", 200, Duration::from_secs(30));
    loop {
        send(&mut client, frame(1)).await;
        if answer(&mut client).await["ack"] == "committed" {
            break;
        }
    }
    // One that hangs up without a word.
    drop(connect(&app, "").await);
    app.signal(Signal::TERM);
    assert_eq!(close_code(&mut client).await, 1001);
    assert_eq!(app.wait(LIMIT), 0);
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM m").await, 2);
}
