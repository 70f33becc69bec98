//! What a feed does with a server that answers as servers do.

use std::collections::HashMap;
use std::sync::Mutex;

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, http::StatusCode, routing::post};

use super::*;
use crate::feed::{
    FieldSet, Kind, Recipe,
    journal::{Outcome, Recorded, Strength},
    send::Protocol,
};

/// How often each id came, and with which bodies.
type Seen = Arc<Mutex<HashMap<String, Vec<Bytes>>>>;

async fn serve(answer: fn(usize) -> StatusCode) -> (String, Seen) {
    let seen = Seen::default();
    let write = async move |State(seen): State<Seen>, headers: HeaderMap, body: Bytes| {
        let id = headers["idempotency-key"].to_str().unwrap().to_owned();
        let mut seen = seen.lock().unwrap();
        let bodies = seen.entry(id).or_default();
        bodies.push(body);
        (answer(bodies.len()), [("chunkwise-ack", "spooled"), ("chunkwise-written", "3")], "because")
    };
    let router = Router::new().route("/write", post(write)).with_state(Arc::clone(&seen));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(axum::serve(listener, router).into_future());
    (address, seen)
}

fn plan(address: &str, schedule: Schedule, end: End) -> Plan {
    let protocol = Protocol::LineProtocolHttp;
    let recipe = Recipe {
        kind: Kind::Assets,
        seed: 1,
        measurement: "m".to_owned(),
        sources: 2,
        series: 4,
        fields: FieldSet::Numbers,
        shape: protocol.shape(),
        start_us: 0,
        step_us: 1,
        lines_per_request: 10,
    };
    Plan {
        header: Header::new(protocol, "public".to_owned(), recipe),
        target: Target::new(protocol, Some(address), "public", "").unwrap(),
        schedule,
        end,
        patience: Duration::from_secs(30),
        settle: Duration::ZERO,
    }
}

#[tokio::test]
async fn a_request_in_doubt_comes_again_under_its_id_until_it_is_settled() {
    let (address, seen) =
        serve(|time| if time < 3 { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::NO_CONTENT }).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let plan = Plan { settle: Duration::from_secs(60), ..plan(&address, Schedule::AsTaken, End::Lines(45)) };
    let journal = Journal::create(&path, &plan.header).unwrap();
    let summary = run(plan, Some(journal), CancellationToken::new()).await.unwrap();
    assert_eq!((summary.spooled_lines, summary.in_doubt_lines, summary.requests, summary.doubts), (45, 0, 6, 12));
    assert_eq!(summary.reasons, ["503 Service Unavailable: because"]);
    for bodies in seen.lock().unwrap().values() {
        assert!(bodies.len() == 3 && bodies.iter().all(|body| *body == bodies[0]));
    }
    let recorded = Recorded::read(&path).unwrap();
    let batches: Vec<_> = recorded.sources.iter().flatten().collect();
    assert_eq!(batches.iter().map(|batch| batch.positions.end - batch.positions.start).sum::<u64>(), 45);
    assert!(batches.iter().all(|batch| batch.outcome == Outcome::Acknowledged(Strength::Spooled)));
}

#[tokio::test]
async fn a_refusal_is_final_and_counts_what_was_written() {
    let (address, seen) = serve(|_| StatusCode::BAD_REQUEST).await;
    let summary = run(plan(&address, Schedule::AsTaken, End::Lines(20)), None, CancellationToken::new()).await.unwrap();
    assert_eq!((summary.committed_lines, summary.refused_lines, summary.doubts), (6, 14, 0));
    assert!(seen.lock().unwrap().values().all(|bodies| bodies.len() == 1));
}

#[tokio::test]
async fn a_server_that_is_away_leaves_requests_in_doubt() {
    // A port that was free a moment ago, with nobody behind it.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let summary = run(plan(&address, Schedule::AsTaken, End::Lines(20)), None, CancellationToken::new()).await.unwrap();
    assert_eq!((summary.sent_lines, summary.in_doubt_lines, summary.acknowledged_lines()), (20, 20, 0));
}

#[tokio::test]
async fn a_server_that_comes_up_late_gets_every_line_also_without_acknowledgements() {
    for protocol in [Protocol::LineProtocolTcp, Protocol::OpenTsdbTelnet] {
        // Bound, so that the port stays this test's, and deaf: connections are refused.
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = socket.local_addr().unwrap().to_string();
        let mut plan = plan(&address, Schedule::AsTaken, End::Lines(40));
        plan.target = Target::new(protocol, Some(&address), "public", "").unwrap();
        plan.header.protocol = protocol;
        plan.header.recipe = Recipe { shape: protocol.shape(), step_us: 1_000, ..plan.header.recipe };
        plan.settle = Duration::from_secs(60);
        let mut feeding = std::pin::pin!(run(plan, None, CancellationToken::new()));
        let early = tokio::time::timeout(Duration::from_millis(100), &mut feeding).await;
        assert!(early.is_err(), "{protocol}: it gave up: {early:?}");
        let listener = socket.listen(8).unwrap();
        let serving = tokio::spawn(async move {
            let mut lines = 0;
            // Each source has a connection.
            for _ in 0..2 {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut heard = String::new();
                tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut heard).await.unwrap();
                lines += heard.lines().count();
            }
            lines
        });
        let summary = feeding.await.unwrap();
        assert_eq!((summary.handed_over_lines, summary.in_doubt_lines), (40, 0), "{protocol}");
        assert!(summary.doubts > 0 && serving.await.unwrap() == 40, "{protocol}");
    }
}

#[tokio::test]
async fn a_schedule_keeps_its_rate() {
    let (address, _) = serve(|_| StatusCode::NO_CONTENT).await;
    let schedule =
        Schedule::Rate { lines_per_second: NonZeroU64::new(1_000).unwrap(), in_flight: NonZeroU32::new(4).unwrap() };
    let begun = Instant::now();
    let summary = run(plan(&address, schedule, End::Lines(300)), None, CancellationToken::new()).await.unwrap();
    assert_eq!(summary.spooled_lines, 300);
    // The last request is due 290 ms after the first.
    assert!(begun.elapsed() >= Duration::from_millis(290));

    let end = End::After(Duration::from_millis(100));
    let summary = run(plan(&address, schedule, end), None, CancellationToken::new()).await.unwrap();
    assert_eq!(summary.spooled_lines, 100);
}
