//! What a request may take, and what is counted of it.

use serde_json::{Value, json};

use crate::support::{App, TestDatabase};

fn start(database: &TestDatabase, variables: &[(&str, &str)]) -> App {
    App::start_with(&["up", "--database-url", &database.url()], variables)
}

/// Lines of `m`, each of a series of its own.
fn series(range: std::ops::Range<u32>) -> Vec<u8> {
    range.map(|i| format!("m,s={i} v={i} 1700000000\n")).collect::<String>().into_bytes()
}

#[tokio::test]
async fn a_series_beyond_the_minutes_limit_costs_its_lines_only() {
    let database = TestDatabase::new().await;
    let app = start(&database, &[("CHUNKWISE_INGEST__MAX_NEW_SERIES_PER_MINUTE", "10")]);
    assert_eq!(app.post("/write?precision=s", &series(0..8)).status, 204);
    let answer = app.post("/write?precision=s", &series(4..12));
    assert_eq!((answer.status, answer.header("chunkwise-written")), (400, Some("6")));
    let lines = answer.json()["lines"].clone();
    assert_eq!((lines[0]["line"].clone(), lines[1]["line"].clone()), (json!(7), json!(8)));
    assert!(lines[0]["reason"].as_str().unwrap().contains("10 series were made within a minute"), "{lines}");
    assert_eq!(app.post("/write?precision=s", b"m,s=3 v=1 1700000001").status, 204, "a known one is not new");
    assert_eq!(database.scalar::<i64>("SELECT count(DISTINCT s) FROM m").await, 10);
}

#[tokio::test]
async fn a_request_may_touch_a_thousand_chunks_and_no_more() {
    let database = TestDatabase::new().await;
    let app = start(&database, &[]);
    // Made with the interval of a day or less.
    assert_eq!(app.post("/write?precision=s", b"m v=1 1700000000").status, 204);
    let years = |count: i64| (0..count).map(|year| format!("m v=1 {}\n", -31_556_952 * year)).collect::<String>();
    let answer = app.post("/write?precision=s", years(1_001).as_bytes());
    assert_eq!(answer.status, 400);
    assert!(answer.json()["error"].as_str().unwrap().contains("1001 chunks, more than the 1000"), "{}", answer.json());
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM m").await, 1);
    assert_eq!(app.post("/write?precision=s", years(1_000).as_bytes()).status, 204);
}

#[tokio::test]
async fn fields_and_measurements_end_at_their_limits_and_one_more_costs_its_line() {
    let database = TestDatabase::new().await;
    let variables = [("CHUNKWISE_INGEST__MAX_FIELDS", "3"), ("CHUNKWISE_INGEST__MAX_MEASUREMENTS", "2")];
    let app = start(&database, &variables);
    assert_eq!(app.post("/write?precision=s", b"m a=1,b=1 1700000000\nm c=1 1700000001").status, 204);
    let answer = app.post("/write?precision=s", b"m a=2,d=2 1700000002\nm a=3,c=3 1700000003").json();
    assert_eq!((answer["written"].clone(), answer["lines"][0]["line"].clone()), (json!(1), json!(1)));
    let reason = answer["lines"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("has 3 fields already") && reason.contains("\"d\""), "{reason}");

    let answer = app.post("/write?precision=s", b"second v=1 1700000000\nthird v=1 1700000000").json();
    assert_eq!((answer["written"].clone(), answer["lines"][0]["line"].clone()), (json!(1), json!(2)));
    assert!(answer["lines"][0]["reason"].as_str().unwrap().contains("2 measurements already"), "{answer}");
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM m").await, 3);
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM second").await, 1);
}

#[tokio::test]
async fn what_does_not_fit_the_memory_is_sent_back_and_the_rest_is_served() {
    let database = TestDatabase::new().await;
    let app = start(&database, &[("CHUNKWISE_INGEST__MEMORY_BYTES", "1000000")]);
    // Its lines are few bytes, and more than the memory once they are rows.
    let tiny = "m v=1\n".repeat(100_000);
    let answer = app.post("/write", tiny.as_bytes());
    assert_eq!(answer.status, 413, "{}", String::from_utf8_lossy(&answer.body));
    assert_eq!(app.post("/write", &vec![b'#'; 1_100_000]).status, 413);
    assert_eq!(app.post("/write", "m v=1\n".repeat(10_000).as_bytes()).status, 204);
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM m").await, 10_000);
}

#[tokio::test]
async fn very_many_bad_lines_are_counted_whole_and_the_first_are_named() {
    let database = TestDatabase::new().await;
    let app = start(&database, &[]);
    let body = "m v=1\nm v=oops\n".repeat(12_000);
    let answer = app.post("/write", body.as_bytes()).json();
    assert_eq!((answer["refused"].clone(), answer["written"].clone()), (json!(12_000), json!(12_000)));
    assert_eq!(answer["lines"].as_array().unwrap().len(), 10_000);
}

#[tokio::test]
async fn lines_of_known_series_are_what_they_were_when_the_series_was_new() {
    let database = TestDatabase::new().await;
    let app = start(&database, &[]);
    let body = |second: u32| {
        format!(
            "m,a=1,b=2 x=1,y=2i,t=\"text\",f=t {second}\n\
             m,b=2,a=1 y=3,x=2.5 {second}500\n\
             # m,a=1,b=2 x=1\n\n\
             m,a=1,b=2 t=\"two\\\"\nlines\",x=3 {second}600\r\n\
             m,a=1,b=2 x=1,x=2 {second}\n\
             m,a=1,b=2 x=\"no number\" {second}\n\
             m,a=1,b=2 y=1.5 {second}\n\
             m,a=1,b=2 a=1 {second}\n\
             other,a=1,b=2 x=9 {second}"
        )
    };
    let faults = |answer: &Value| {
        let lines = answer["lines"].as_array().unwrap().clone();
        lines
            .into_iter()
            .map(|line| (line["line"].clone(), line["column"].clone(), line["reason"].clone()))
            .collect::<Vec<_>>()
    };
    let first = app.post("/write?precision=ms", body(1_700_000_000).as_bytes()).json();
    let second = app.post("/write?precision=ms", body(1_700_000_001).as_bytes()).json();
    assert_eq!((first["written"].clone(), first["refused"].clone()), (json!(4), json!(4)));
    assert_eq!(faults(&first), faults(&second));
    assert_eq!(database.scalar::<i64>("SELECT count(DISTINCT series_id) FROM public_store.m").await, 1);
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM m").await, 6);
    let rows = "SELECT count(DISTINCT (a, b, x, y, t, f)) FROM m";
    assert_eq!(database.scalar::<i64>(rows).await, 3, "each request has written the same three");
    let stats = app.get("/api/v1/stats").json()["ingest"].clone();
    let http = &stats["by_protocol"]["line_protocol_http"];
    assert_eq!((http["received"].clone(), http["committed"].clone()), (json!(16), json!(8)));
    assert_eq!(
        (http["refused"].clone(), http["in_flight"].clone(), http["failed"].clone()),
        (json!(8), json!(0), json!(0))
    );
    assert_eq!(stats["received"], 16);
    let ready = app.get("/ready").json();
    assert_eq!(ready["checks"][1], json!({ "name": "writers", "status": "pass", "restarts": 0 }));
}
