//! Each protocol against a server of the test's own, which says what it got.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_tungstenite::{accept_async, tungstenite::Message};

use super::*;

const ID: Uuid = Uuid::from_u128(7);

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

fn connection(protocol: Protocol, address: &str) -> Connection {
    let target = Target::new(protocol, Some(address), "public", "feeds/a").unwrap();
    Connection::new(&target, Duration::from_secs(10))
}

#[tokio::test]
async fn lines_over_tcp_arrive_whole_and_replies_do_not_block() {
    let (listener, address) = listen().await;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        // More than the socket's buffers hold: a client that does not read would stop this.
        stream.write_all(&vec![b'e'; 8 << 20]).await.unwrap();
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).await.unwrap();
        heard
    });
    let mut connection = connection(Protocol::OpenTsdbTelnet, &address);
    for line in ["put a 1 1 s=0\n", "put a 2 2 s=0\n"] {
        assert_eq!(connection.send(ID, &Bytes::from(line)).await, Answer::Sent);
    }
    connection.close().await;
    assert_eq!(server.await.unwrap(), b"put a 1 1 s=0\nput a 2 2 s=0\n");
}

#[tokio::test]
async fn a_server_that_hung_up_is_called_again() {
    let (listener, address) = listen().await;
    let mut connection = connection(Protocol::LineProtocolTcp, &address);
    assert_eq!(connection.send(ID, &Bytes::from_static(b"a v=1\n")).await, Answer::Sent);
    drop(listener.accept().await.unwrap());
    // Until the end is seen, lines may still be handed over and be lost: this protocol promises nothing.
    let second = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut heard = [0; 6];
        stream.read_exact(&mut heard).await.unwrap();
        heard
    };
    let sending = async {
        loop {
            connection.send(ID, &Bytes::from_static(b"a v=2\n")).await;
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        heard = second => assert_eq!(&heard, b"a v=2\n"),
        () = sending => {}
    }
}

/// Answers each frame with what `answer` says; the frame's text is its argument.
async fn serve_frames(listener: TcpListener, answers: &[&'static str]) -> Vec<String> {
    let mut socket = accept_async(listener.accept().await.unwrap().0).await.unwrap();
    let mut frames = Vec::new();
    for answer in answers {
        frames.push(socket.next().await.unwrap().unwrap().into_text().unwrap().to_string());
        for part in answer.split('\n') {
            socket.send(Message::text(part)).await.unwrap();
        }
    }
    frames
}

#[tokio::test]
async fn a_frame_over_a_websocket_gets_its_own_answer() {
    let (listener, address) = listen().await;
    let server = tokio::spawn(serve_frames(
        listener,
        &[
            // Another's first.
            r#"{"id":"x","ack":"committed","written":1,"lines":[],"credits":16}
{"id":"00000000-0000-0000-0000-000000000007","ack":"spooled","written":2,"lines":[],"credits":16}"#,
            r#"{"id":"00000000-0000-0000-0000-000000000007","ack":"committed","written":2,"lines":[],"duplicate":true,"credits":16}"#,
            r#"{"id":"00000000-0000-0000-0000-000000000007","ack":"committed","written":1,"lines":[{"line":2}],"credits":16}"#,
            r#"{"id":"00000000-0000-0000-0000-000000000007","error":{"code":"unavailable","message":"away"},"credits":16}"#,
            r#"{"id":null,"error":{"code":"invalid","message":"no JSON"},"credits":16}"#,
        ],
    ));
    let mut connection = connection(Protocol::WebSocket, &address);
    let mut answers = Vec::new();
    for _ in 0..5 {
        answers.push(connection.send(ID, &Bytes::from_static(b"{}")).await);
    }
    let refused = |written, reason: &str| Answer::Refused { written, reason: reason.to_owned() };
    assert_eq!(
        answers,
        [
            Answer::Acknowledged { strength: Strength::Spooled, duplicate: false },
            Answer::Acknowledged { strength: Strength::Committed, duplicate: true },
            refused(1, r#"{"line":2}"#),
            Answer::in_doubt("unavailable: away"),
            refused(0, "invalid: no JSON"),
        ]
    );
    assert_eq!(server.await.unwrap(), ["{}"; 5]);
}

#[tokio::test]
async fn a_websocket_that_ends_without_an_answer_leaves_the_frame_in_doubt() {
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        loop {
            let mut socket = accept_async(listener.accept().await.unwrap().0).await.unwrap();
            drop(socket.next().await);
        }
    });
    let mut connection = connection(Protocol::WebSocket, &address);
    for _ in 0..2 {
        assert!(matches!(connection.send(ID, &Bytes::from_static(b"{}")).await, Answer::InDoubt { .. }));
    }
}

/// Reads one MQTT packet: its first byte and what follows its length.
async fn packet(stream: &mut TcpStream) -> (u8, Vec<u8>) {
    let first = stream.read_u8().await.unwrap();
    let (mut length, mut shift) = (0, 0);
    loop {
        let byte = stream.read_u8().await.unwrap();
        length |= usize::from(byte & 127) << shift;
        shift += 7;
        if byte < 128 {
            break;
        }
    }
    let mut rest = vec![0; length];
    stream.read_exact(&mut rest).await.unwrap();
    (first, rest)
}

#[tokio::test]
async fn a_message_is_sent_when_the_broker_has_it_and_in_doubt_when_it_hangs_up() {
    let (listener, address) = listen().await;
    let server = tokio::spawn(async move {
        let (mut published, mut open) = (Vec::new(), Vec::new());
        for acknowledges in [true, false] {
            let (mut stream, _) = listener.accept().await.unwrap();
            assert_eq!(packet(&mut stream).await.0 >> 4, 1, "CONNECT");
            stream.write_all(&[0x20, 2, 0, 0]).await.unwrap();
            let (first, rest) = packet(&mut stream).await;
            assert_eq!((first >> 4, first >> 1 & 3), (3, 1), "PUBLISH, at least once");
            let topic = 2 + usize::from(u16::from_be_bytes([rest[0], rest[1]]));
            assert_eq!(&rest[2..topic], b"feeds/a");
            published.push(rest[topic + 2..].to_vec());
            if acknowledges {
                stream.write_all(&[0x40, 2, rest[topic], rest[topic + 1]]).await.unwrap();
                // The client's next message goes over a connection of its own; it ends this one itself.
                open.push(stream);
            }
        }
        published
    });
    let mut connection = connection(Protocol::Mqtt, &address);
    // Larger than the library's usual limit.
    let body = Bytes::from("m v=1\n".repeat(5_000));
    assert_eq!(connection.send(ID, &body).await, Answer::Sent);
    connection.wire.disconnect();
    assert!(matches!(connection.send(ID, &body).await, Answer::InDoubt { .. }));
    assert_eq!(server.await.unwrap(), vec![body; 2]);
}

#[tokio::test]
async fn a_silent_server_leaves_a_request_in_doubt_when_patience_ends() {
    let (listener, address) = listen().await;
    let silent = tokio::spawn(async move {
        let mut streams = Vec::new();
        loop {
            streams.push(listener.accept().await.unwrap());
        }
    });
    for protocol in [Protocol::LineProtocolHttp, Protocol::WebSocket, Protocol::Mqtt] {
        let target = Target::new(protocol, Some(&address), "public", "t").unwrap();
        let mut connection = Connection::new(&target, Duration::from_millis(50));
        let answer = connection.send(ID, &Bytes::from_static(b"m v=1\n")).await;
        let expected = match protocol {
            Protocol::LineProtocolHttp => Answer::in_doubt("no answer within 50ms"),
            // These shake hands before anything is sent.
            _ => Answer::Unreachable { reason: "no connection within 50ms".to_owned() },
        };
        assert_eq!(answer, expected, "{protocol}");
    }
    silent.abort();
}

#[tokio::test]
async fn what_never_left_is_told_from_what_is_in_doubt_over_every_protocol() {
    let (listener, address) = listen().await;
    drop(listener);
    for protocol in Protocol::ALL {
        let answer = connection(protocol, &address).send(ID, &Bytes::from_static(b"m v=1\n")).await;
        assert!(matches!(answer, Answer::Unreachable { .. }), "{protocol}: {answer:?}");
    }
}
