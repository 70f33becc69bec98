//! WebSocket clients that break the protocol, or keep to it in the most tiresome way.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use serde_json::{Value, json};

use crate::support::{App, TestDatabase, wait_until};

const FINAL: u8 = 0x80;
const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// A client that sends any bytes at all.
struct Raw {
    stream: TcpStream,
}

impl Raw {
    fn connect(app: &App) -> Self {
        let (host, port) = app.host_and_port();
        let mut stream = TcpStream::connect(format!("{host}:{port}")).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let request = format!(
            "GET /api/v1/ws/write?precision=s HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\
             Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        assert!(!head.to_lowercase().contains("permessage-deflate"), "what could be a bomb is not agreed on: {head}");
        Self { stream }
    }

    fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// The next frame's first byte and payload.
    fn frame(&mut self) -> (u8, Vec<u8>) {
        let mut head = [0; 2];
        self.stream.read_exact(&mut head).unwrap();
        let length = match head[1] {
            126 => {
                let mut length = [0; 2];
                self.stream.read_exact(&mut length).unwrap();
                usize::from(u16::from_be_bytes(length))
            }
            length => usize::from(length),
        };
        let mut payload = vec![0; length];
        self.stream.read_exact(&mut payload).unwrap();
        (head[0], payload)
    }

    fn answer(&mut self) -> Value {
        loop {
            let (kind, payload) = self.frame();
            if kind == FINAL | TEXT {
                return serde_json::from_slice(&payload).unwrap();
            }
            assert!(kind == FINAL | PING || kind == FINAL | PONG, "{kind:#x} {payload:?} is no answer");
        }
    }

    /// The code that the server closes with; 0 if it hangs up without one.
    fn close_code(&mut self) -> u16 {
        loop {
            match self.frame() {
                (kind, payload) if kind == FINAL | CLOSE => {
                    return payload.first_chunk().map_or(0, |code| u16::from_be_bytes(*code));
                }
                _ => {}
            }
        }
    }
}

/// A frame as a client sends it, masked with zeros.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..126 => frame.push(0x80 | u8::try_from(length).unwrap()),
        length => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

#[tokio::test]
async fn a_message_in_many_fragments_with_pings_between_them_is_one_message() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    let mut client = Raw::connect(&app);
    let text = "m,s=é v=1 1700000000";
    let mut sent = Vec::new();
    for (number, byte) in text.bytes().enumerate() {
        let last = number + 1 == text.len();
        sent.extend(frame(if last { FINAL } else { 0 } | if number == 0 { TEXT } else { 0 }, &[byte]));
        if !last {
            sent.extend(frame(FINAL | PING, b"still there?"));
            sent.extend(frame(0, b""));
        }
    }
    // A byte at a time.
    for byte in sent {
        client.send(&[byte]);
    }
    assert_eq!(client.answer()["written"], 1);
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM m WHERE s = 'é' AND v = 1").await, 1);
}

#[tokio::test]
async fn each_breach_of_the_protocol_ends_its_own_connection_with_its_code() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    let mut unmasked = vec![FINAL | TEXT, 5];
    unmasked.extend(b"m v=1");
    let endless = [&[FINAL | TEXT, 0x80 | 127][..], &[0x7f; 8], &[0; 4]].concat();
    let long_ping = [&[FINAL | PING, 0x80 | 126, 0, 126][..], &[0; 130]].concat();
    for (what, bytes, code) in [
        ("unmasked", unmasked, 1002),
        ("an unknown kind", frame(FINAL | 3, b""), 1002),
        ("an unknown control", frame(FINAL | 11, b""), 1002),
        ("reserved bits", frame(FINAL | 0x40 | TEXT, b"m v=1"), 1002),
        ("a fragmented ping", frame(PING, b""), 1002),
        ("a long ping", long_ping, 1002),
        ("a continuation of nothing", frame(FINAL, b"m v=1"), 1002),
        ("a message within a message", [frame(TEXT, b"m"), frame(FINAL | TEXT, b"m v=1")].concat(), 1002),
        ("a character cut by the end", frame(FINAL | TEXT, b"m v=\"\xc3"), 1007),
        ("bad UTF-8 over two fragments", [frame(TEXT, b"m v=\"\xe2"), frame(FINAL, b"\x28\xa1\"")].concat(), 1007),
        ("more bytes than there are", endless, 1009),
        ("a close of one byte", frame(FINAL | CLOSE, b"\x03"), 1002),
    ] {
        let mut client = Raw::connect(&app);
        client.send(&frame(FINAL | TEXT, b"before v=1"));
        client.send(&bytes);
        assert_eq!(client.answer()["written"], 1, "{what}: what came before is written");
        assert_eq!(client.close_code(), code, "{what}");
        assert_eq!(app.get("/health").status, 200, "{what}");
    }
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM before").await, 12);
    assert_eq!(database.scalar::<Option<String>>("SELECT to_regclass('public.m')::text").await, None);
}

#[tokio::test]
async fn a_flood_of_pings_and_hang_ups_in_the_middle_leave_the_others_alone() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    let before = app.memory_bytes("VmRSS");
    // Nobody takes the pongs, until the system's buffers are full.
    let mut flooding = Raw::connect(&app);
    flooding.stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let pings = frame(FINAL | PING, &[b'p'; 125]).repeat(1_000);
    let mut flooded = 0;
    while flooded < 32 << 20 && flooding.stream.write_all(&pings).is_ok() {
        flooded += pings.len();
    }
    // Within a header, within a frame, within a message, and with a frame that nobody will complete.
    let message = frame(FINAL | TEXT, b"m,s=cut v=1 1700000000");
    let unfinished: Vec<Raw> = (1..message.len())
        .map(|cut| {
            let mut client = Raw::connect(&app);
            client.send(&message[..cut]);
            client
        })
        .collect();
    let mut good = Raw::connect(&app);
    good.send(&frame(FINAL | TEXT, b"m,s=good v=1 1700000000"));
    assert_eq!(good.answer()["ack"], json!("committed"));
    drop(unfinished);
    for cut in [frame(TEXT, b"m,s=cut v=1 17"), message.clone(), [message, frame(FINAL | CLOSE, b"")].concat()] {
        Raw::connect(&app).send(&cut);
    }
    good.send(&frame(FINAL | TEXT, b"m,s=good v=2 1700000001"));
    assert_eq!(good.answer()["written"], 1);
    if let (Some(before), Some(now)) = (before, app.memory_bytes("VmRSS")) {
        assert!(now < before + (100 << 20), "{before} bytes before, {now} now");
    }
    // What was whole was written, though its client did not wait.
    let cut = "SELECT count(*) FROM m WHERE s = 'cut'";
    wait_until("the whole message is there", async || database.scalar::<i64>(cut).await == 1).await;
    assert_eq!(app.terminate(), 0);
}
