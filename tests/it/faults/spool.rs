//! The database goes away, and writes go on: each row is there once when it is back.

use std::{
    io::Write,
    net::TcpStream,
    time::{Duration, Instant},
};

use chunkwise::spool::{Disk, Frame, Spool, SpoolOptions};
use rustix::process::Signal;
use serde_json::{Value, json};
use sqlx::Executor;
use tempfile::TempDir;
use uuid::Uuid;

use crate::support::{Answer, App, Proxy, TestDatabase, wait_until};

const BACK_WITHIN: Duration = Duration::from_secs(20);

/// A service behind a proxy, with a spool of its own.
struct Spooling {
    database: TestDatabase,
    proxy: Proxy,
    data: TempDir,
}

impl Spooling {
    async fn new() -> Self {
        let database = TestDatabase::new().await;
        let proxy = Proxy::before(&database.options());
        Self { database, proxy, data: tempfile::tempdir().unwrap() }
    }

    fn app(&self, variables: &[(&str, &str)]) -> App {
        let data = self.data.path().to_str().unwrap();
        let variables = [&[("CHUNKWISE_SPOOL__WHEN_AWAY", "spool")], variables].concat();
        App::start_with(&["up", "--database-url", self.proxy.url(), "--data-dir", data], &variables)
    }

    async fn rows(&self, measurement: &str) -> i64 {
        self.database.scalar(&format!("SELECT count(*) FROM {measurement}")).await
    }
}

fn ack(answer: &Answer) -> (u16, Option<&str>) {
    (answer.status, answer.header("chunkwise-ack"))
}

const SPOOLED: (u16, Option<&str>) = (204, Some("spooled"));
const COMMITTED: (u16, Option<&str>) = (204, Some("committed"));

fn stats(app: &App) -> Value {
    app.get("/api/v1/stats").json()
}

async fn until_empty(app: &App) {
    app.wait_for("/health", 200, BACK_WITHIN);
    wait_until("the spool is empty", async || stats(app)["spool"]["frames"] == json!(0)).await;
}

/// Gauges are a little behind.
async fn until_shown(app: &App, figure: &str) {
    wait_until(figure, async || String::from_utf8(app.get("/metrics").body).unwrap().contains(figure)).await;
}

fn assert_balanced(app: &App) {
    let figures = &stats(app)["ingest"];
    let sum: u64 = ["committed", "spooled", "refused", "dead_lettered", "duplicate", "failed", "in_flight"]
        .iter()
        .map(|name| figures[name].as_u64().unwrap())
        .sum();
    assert_eq!(figures["received"], sum, "{figures}");
    assert_eq!((&figures["spooled"], &figures["in_flight"]), (&json!(0), &json!(0)));
}

#[tokio::test]
async fn what_is_spooled_while_the_database_is_away_is_committed_once_when_it_is_back() {
    let spooling = Spooling::new().await;
    let app = spooling.app(&[]);
    assert_eq!(ack(&app.post("/write?precision=s", b"m,s=a v=1 1700000000")), COMMITTED);
    spooling.proxy.cut();
    assert_eq!(ack(&app.post("/write?precision=s", b"m,s=a v=2 1700000001\nnew,s=b w=1i 1700000001")), SPOOLED);
    // Twice the same key: once in the table.
    for _ in 0..2 {
        let key = [("idempotency-key", "k")];
        assert_eq!(ack(&app.post_with("/write?precision=s", &key, b"m,s=c v=3 1700000002")), SPOOLED);
    }
    // What contradicts a known measurement is refused now, and what nobody can read.
    let mixed = app.post("/write?precision=s", b"m,s=a v=\"x\" 1700000003\nm,s=a v=4 1700000003\nm v= 1");
    assert_eq!(ack(&mixed), (400, Some("spooled")));
    assert_eq!((&mixed.json()["written"], &mixed.json()["refused"]), (&json!(1), &json!(2)));
    assert_eq!(app.post("/write?accept_partial=false", b"m,s=a v=5").status, 503);
    assert_eq!(stats(&app)["spool"]["frames"], 4);

    spooling.proxy.heal();
    until_empty(&app).await;
    assert_eq!(ack(&app.post("/write?precision=s", b"m,s=a v=6 1700000006")), COMMITTED);
    assert_eq!(spooling.rows("m").await, 5);
    assert_eq!(spooling.rows("new").await, 1);
    assert_balanced(&app);
}

#[tokio::test]
async fn a_service_that_is_killed_writes_what_it_had_spooled_when_it_runs_again() {
    let spooling = Spooling::new().await;
    let mut app = spooling.app(&[]);
    assert_eq!(ack(&app.post("/write?precision=s", b"m,s=a v=1 1700000000")), COMMITTED);
    spooling.proxy.cut();
    for second in 1..6 {
        let line = format!("m,s=a v=2 {}", 1_700_000_000 + second);
        assert_eq!(ack(&app.post("/write?precision=s", line.as_bytes())), SPOOLED);
    }
    app.signal(Signal::KILL);
    app.wait(Duration::from_secs(5));
    spooling.proxy.heal();
    let app = spooling.app(&[]);
    until_empty(&app).await;
    assert_eq!(spooling.rows("m").await, 6);
    assert_balanced(&app);
}

#[tokio::test]
async fn what_cannot_be_written_any_more_is_a_dead_letter_and_holds_up_nothing() {
    let spooling = Spooling::new().await;
    let app = spooling.app(&[]);
    assert_eq!(ack(&app.post("/write?precision=s", b"m,s=a v=1 1700000000")), COMMITTED);
    spooling.proxy.cut();
    // The second contradicts what the first makes of the measurement.
    assert_eq!(ack(&app.post("/write?precision=s", b"new,s=a w=1 1700000001")), SPOOLED);
    assert_eq!(ack(&app.post("/write?precision=s", b"new,s=a w=\"x\" 1700000002\nm,s=a v=2 1700000002")), SPOOLED);
    spooling.proxy.heal();
    until_empty(&app).await;
    assert_eq!(spooling.rows("m").await, 2);
    // The first makes the measurement, and the other is kept.
    assert_eq!(spooling.rows("new WHERE w = 1").await, 1);
    let letters = app.get("/api/v1/dead_letters?measurement=new").json();
    assert_eq!(letters["rows"].as_array().unwrap().len(), 1, "{letters}");
    assert_balanced(&app);
}

#[tokio::test]
async fn a_request_in_doubt_that_is_spooled_is_known_however_long_the_database_is_away() {
    let spooling = Spooling::new().await;
    // What else takes an hour: the ledger forgets the request's id before the database is back.
    let app = spooling.app(&[("CHUNKWISE_INGEST__SAME_BODY_WITHIN", "5s")]);
    let timed = b"m,s=a v=1 1700000000".as_slice();
    assert_eq!(ack(&app.post("/write?precision=s", timed)), COMMITTED);
    spooling.proxy.cut();
    // As of a client that heard no answer. And one of every other origin: untimed lines, a key, and lines over TCP.
    assert_eq!(ack(&app.post("/write?precision=s", timed)), SPOOLED);
    assert_eq!(ack(&app.post("/write", b"m,s=b v=2")), SPOOLED);
    assert_eq!(ack(&app.post_with("/write", &[("idempotency-key", "k")], b"m,s=c v=3")), SPOOLED);
    let mut tcp = TcpStream::connect(app.said("listening for line protocol on tcp://")).unwrap();
    tcp.write_all(b"m,s=d v=4\n").unwrap();
    drop(tcp);
    wait_until("all are spooled", async || stats(&app)["spool"]["frames"] == json!(4)).await;
    let expired = "SELECT bool_and(expires_at < now()) FROM chunkwise.ledger";
    wait_until("the first one's time is over", async || spooling.database.scalar::<bool>(expired).await).await;

    spooling.proxy.heal();
    until_empty(&app).await;
    assert_eq!(spooling.rows("m").await, 4);
    // Read twice, each frame would be known.
    let kept = "SELECT count(*) FILTER (WHERE expires_at > now() + interval '6 days') FROM chunkwise.ledger";
    assert_eq!(spooling.database.scalar::<i64>(kept).await, 4);
    assert_balanced(&app);
}

#[tokio::test]
async fn a_full_spool_sends_requests_back_and_takes_them_again_when_there_is_room() {
    let spooling = Spooling::new().await;
    let app = spooling.app(&[("CHUNKWISE_SPOOL__MAX_BYTES", "20000")]);
    assert_eq!(ack(&app.post("/write?precision=s", b"m,s=a v=1 1700000000")), COMMITTED);
    for round in 0..2 {
        spooling.proxy.cut();
        let body = |part: i64| -> Vec<u8> {
            let first = 1_700_000_000 + round * 10_000 + part * 100;
            (0..100).flat_map(|i| format!("m,s=a v=2 {}\n", first + i).into_bytes()).collect()
        };
        let mut taken = 0;
        let sent_back = loop {
            let answer = app.post("/write?precision=s", &body(taken + 1));
            if answer.status != 204 {
                break answer;
            }
            assert_eq!(ack(&answer), SPOOLED);
            taken += 1;
        };
        assert!(taken >= 1);
        assert_eq!(sent_back.status, 503);
        assert!(sent_back.header("retry-after").is_some());
        let before = spooling.rows("m").await;
        spooling.proxy.heal();
        until_empty(&app).await;
        assert_eq!(spooling.rows("m").await, before + taken * 100);
    }
}

#[tokio::test]
async fn a_locked_measurement_holds_up_no_other_on_the_way_out_of_the_spool_and_keeps_its_own_order() {
    let spooling = Spooling::new().await;
    let app = spooling.app(&[]);
    assert_eq!(ack(&app.post("/write?precision=s", b"locked,s=a v=0 1700000000\nfree,s=a v=0 1700000000")), COMMITTED);
    spooling.proxy.cut();
    for n in 1..=20 {
        let time = 1_700_000_000 + n;
        for line in [format!("locked,s=a v={n} {time}"), format!("free,s=a v={n} {time}")] {
            assert_eq!(ack(&app.post("/write?precision=s", line.as_bytes())), SPOOLED);
        }
    }
    // One for both waits with the locked one, and so does what comes after it in the other.
    let both = "locked,s=a v=21 1700000021\nbehind,s=a v=21 1700000021";
    assert_eq!(ack(&app.post("/write?precision=s", both.as_bytes())), SPOOLED);
    assert_eq!(ack(&app.post("/write?precision=s", b"behind,s=a v=22 1700000022")), SPOOLED);

    let mut locker = spooling.database.connect().await;
    locker.execute("BEGIN; LOCK TABLE public_store.locked IN ACCESS EXCLUSIVE MODE").await.unwrap();
    spooling.proxy.heal();
    app.wait_for("/health", 200, BACK_WITHIN);
    wait_until("the others are written", async || spooling.rows("free").await == 21).await;
    assert_eq!(ack(&app.post("/write?precision=s", b"free,s=a v=22 1700000022")), COMMITTED);
    let there = "SELECT count(*) FROM chunkwise.measurement WHERE name = 'behind'";
    let behind = if spooling.database.scalar::<i64>(there).await == 0 { 0 } else { spooling.rows("behind").await };
    assert_eq!(behind, 0);
    until_shown(&app, "chunkwise_spool_database_away 0").await;
    assert!(stats(&app)["spool"]["frames"].as_u64().unwrap() > 20, "what is locked is still there");

    locker.execute("ROLLBACK").await.unwrap();
    until_empty(&app).await;
    assert_eq!(
        (spooling.rows("locked").await, spooling.rows("free").await, spooling.rows("behind").await),
        (22, 22, 2)
    );
    // Transactions' numbers grow; the spool has one writer.
    let order = "SELECT string_agg(v::text, ' ' ORDER BY xmin::text::int8, time) FROM public_store.locked";
    let expected: Vec<String> = (0..=21).map(|n| n.to_string()).collect();
    assert_eq!(spooling.database.scalar::<String>(order).await, expected.join(" "));
    assert_balanced(&app);
}

#[tokio::test]
async fn a_locked_measurement_that_is_to_grow_holds_up_no_other_on_the_way_out_of_the_spool() {
    let spooling = Spooling::new().await;
    let app = spooling.app(&[]);
    assert_eq!(ack(&app.post("/write?precision=s", b"locked,s=a v=0 1700000000\nfree,s=a v=0 1700000000")), COMMITTED);
    spooling.proxy.cut();
    for n in 1..=20 {
        let time = 1_700_000_000 + n;
        for line in [format!("locked,s=a v={n},f{n}={n} {time}"), format!("free,s=a v={n} {time}")] {
            assert_eq!(ack(&app.post("/write?precision=s", line.as_bytes())), SPOOLED);
        }
    }
    let mut locker = spooling.database.connect().await;
    locker.execute("BEGIN; LOCK TABLE public_store.locked IN ACCESS EXCLUSIVE MODE").await.unwrap();
    spooling.proxy.heal();
    let healed = Instant::now();
    app.wait_for("/health", 200, BACK_WITHIN);
    wait_until("the others are written", async || spooling.rows("free").await == 21).await;
    // A column waits for its table ten seconds where a client waits for it.
    assert!(healed.elapsed() < Duration::from_secs(8), "{:?}", healed.elapsed());
    locker.execute("ROLLBACK").await.unwrap();
    until_empty(&app).await;
    assert_eq!(spooling.rows("locked").await, 21);
    assert_balanced(&app);
}

#[tokio::test]
async fn a_request_that_cannot_be_understood_is_set_aside_in_a_file_and_the_others_are_written() {
    let spooling = Spooling::new().await;
    let folder = spooling.data.path().join("spool");
    let line = |n: i64| -> Vec<u8> {
        let text = format!("m,s=a v={n} {}", 1_700_000_000 + n);
        let lines: Vec<_> = chunkwise::protocol::parse(text.as_bytes(), chunkwise::protocol::Precision::Seconds)
            .collect::<Result<_, _>>()
            .unwrap();
        let mut bytes = Vec::new();
        chunkwise::spool::encode_lines(&lines, &mut bytes).unwrap();
        bytes
    };
    let strange = Uuid::from_u128(2);
    {
        let (spool, _) = Spool::open(Disk, &folder, SpoolOptions::default()).unwrap();
        for (id, lines) in [(1, line(1)), (2, b"\x01lines of another version".to_vec()), (3, line(3))] {
            let frame = Frame {
                id: Uuid::from_u128(id),
                body_hash: Uuid::from_u128(id),
                keep_s: 3_600,
                spooled_us: 1_700_000_000_000_000,
                protocol: "line_protocol_http",
                namespace: "public",
                lines: &lines,
            };
            spool.append(&frame).unwrap();
        }
    }
    let app = spooling.app(&[]);
    until_empty(&app).await;
    assert_eq!(spooling.rows("m").await, 2);
    assert_eq!(stats(&app)["spool"]["quarantined_segments"], 1);
    until_shown(&app, "chunkwise_spool_quarantined_files 1").await;
    until_shown(&app, "chunkwise_spool_requests 0").await;
    assert_balanced(&app);

    // The file is a spool of its own under its segment's name.
    let kept: Vec<_> =
        std::fs::read_dir(folder.join("quarantine")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(kept.len(), 1, "{kept:?}");
    let (segment, _) = kept[0].file_name().unwrap().to_str().unwrap().split_once('-').unwrap();
    let other = tempfile::tempdir().unwrap();
    std::fs::copy(&kept[0], other.path().join(format!("{segment}.seg"))).unwrap();
    let (spool, _) = Spool::open(Disk, other.path(), SpoolOptions::default()).unwrap();
    assert_eq!(spool.next().unwrap().unwrap().frame().id, strange);
}
