//! Clients that mean harm, or are broken.

use std::{
    net::TcpStream,
    time::{Duration, Instant},
};

use rand::{RngCore, SeedableRng, rngs::StdRng};

use super::{
    clients::{Batch, assert_each_once},
    raw,
};
use crate::support::{App, TestDatabase};

const LIMIT: Duration = Duration::from_secs(20);
/// How long the service waits for headers here, and the most that may pass until it has closed such a connection.
const HEADER_TIMEOUT: (&str, &str) = ("CHUNKWISE_HTTP__HEADER_TIMEOUT", "5s");
const HEADERS: Duration = Duration::from_secs(20);

fn assert_serves(app: &App, what: &str) {
    let begun = Instant::now();
    assert_eq!(app.get("/health").status, 200, "{what}");
    assert_eq!(app.get("/ping").status, 204, "{what}");
    assert!(begun.elapsed() < Duration::from_secs(5), "{what}: {:?}", begun.elapsed());
}

fn claim_a_gigabyte(app: &App) {
    const CLAIMED: u64 = 1 << 30;
    let before = app.memory_bytes("VmRSS");
    let streams: Vec<TcpStream> = ["/write", "/api/v2/write", "/api/v3/write_lp?db=public", "/api/v1/correlate"]
        .into_iter()
        .cycle()
        .take(40)
        .map(|path| {
            let mut stream = raw::connect(app, LIMIT);
            raw::send(&mut stream, &raw::post(path, CLAIMED));
            raw::send(&mut stream, b"m v=1 1\n");
            stream
        })
        .collect();
    assert_serves(app, "gigabytes claimed");
    if let (Some(before), Some(now)) = (before, app.memory_bytes("VmRSS")) {
        assert!(now < before + (256 << 20), "{before} bytes before, {now} now");
    }
    drop(streams);
    // Refused by its length alone, so that nobody sends a gigabyte in vain.
    let mut stream = raw::connect(app, LIMIT);
    raw::send(&mut stream, &raw::post("/write", CLAIMED));
    assert_eq!(raw::read_status(&mut stream), Some(413));
}

fn send_garbage(app: &App) {
    let mut random = StdRng::seed_from_u64(7);
    for length in [1, 10, 100, 1_000, 10_000, 100_000] {
        let mut garbage = vec![0; length];
        random.fill_bytes(&mut garbage);
        garbage.extend(b"\r\n\r\n");
        let mut stream = raw::connect(app, LIMIT);
        raw::send(&mut stream, &garbage);
        let answer = raw::read_to_end(&mut stream);
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 400") || answer.starts_with("HTTP/1.1 431"),
            "{answer}"
        );
    }
    for (head, status) in [
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), 400),
        ("GET /ping HTTP/9.9\r\nHost: localhost\r\n\r\n".to_owned(), 400),
        (format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "a".repeat(1 << 20)), 431),
        (format!("GET /ping HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "X-Many: 1\r\n".repeat(5_000)), 431),
        ("POST /write HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n".to_owned(), 400),
        ("POST /write HTTP/1.1\r\nHost: localhost\r\nContent-Length: 18446744073709551616\r\n\r\n".to_owned(), 400),
        (
            "POST /write HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nm v=1".to_owned(),
            400,
        ),
        ("POST /write HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n".to_owned(), 400),
    ] {
        let mut stream = raw::connect(app, LIMIT);
        raw::send(&mut stream, head.as_bytes());
        let answered = raw::read_status(&mut stream);
        let head: String = head.chars().take(80).collect();
        assert!(answered.is_none_or(|answered| (400..500).contains(&answered)), "{head:?}: {answered:?} not {status}");
    }
}

fn nest_deeply(app: &App) {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let nested = open.repeat(10_000) + "1" + &close.repeat(10_000);
        for body in [
            nested.clone(),
            format!("{{\"measurement\": {nested}}}"),
            format!("{{\"target\": {nested}}}"),
            open.repeat(300_000),
        ] {
            for path in ["/api/v1/correlate", "/api/v1/window", "/api/v1/correlate?namespace=public"] {
                let answer = app.post(path, body.as_bytes());
                assert_eq!(answer.status, 400, "{path} {:.40}", body);
                assert!(answer.json()["error"]["message"].as_str().unwrap().len() < 2_000);
            }
        }
    }
}

#[tokio::test]
async fn hostile_clients_harm_nobody_else() {
    let database = TestDatabase::new().await;
    let app = App::start_with(&["up", "--database-url", &database.url()], &[HEADER_TIMEOUT]);
    let begun = Instant::now();
    // Open during all the rest, closed by the server at last.
    let mut slow: Vec<TcpStream> = (0..200)
        .map(|_| {
            let mut stream = raw::connect(&app, HEADERS);
            raw::send(&mut stream, b"POST /write HTTP/1.1\r\nHost: localhost\r\nX-Slow: ");
            stream
        })
        .collect();
    assert_serves(&app, "slow headers");
    Batch::new(0, 20).send_until_committed(&app);
    claim_a_gigabyte(&app);
    assert_serves(&app, "a gigabyte claimed");
    send_garbage(&app);
    assert_serves(&app, "garbage");
    nest_deeply(&app);
    assert_serves(&app, "deep JSON");
    Batch::new(1, 20).send_until_committed(&app);
    assert_each_once(&database, &[Batch::new(0, 20), Batch::new(1, 20)]).await;

    for stream in &mut slow {
        raw::read_to_end(stream);
    }
    assert!(begun.elapsed() < HEADERS, "headers were waited for {:?}", begun.elapsed());
    assert_serves(&app, "afterwards");
    assert_eq!(app.terminate(), 0);
}
