//! What a client hears.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use serde_json::json;

use crate::support::{App, TestDatabase};

#[tokio::test]
async fn a_line_is_committed_when_it_is_acknowledged() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    let answer = app.post("/write?precision=s", b"ticks,symbol=AAPL price=187.32,size=100i 1700000000\n");
    assert_eq!((answer.status, answer.header("chunkwise-ack")), (204, Some("committed")));
    assert_eq!(answer.header("chunkwise-written"), Some("1"));
    let row: (String, f64, i64) =
        sqlx::query_as("SELECT symbol, price, size FROM ticks WHERE time = to_timestamp(1700000000)")
            .fetch_one(&mut database.connect().await)
            .await
            .unwrap();
    assert_eq!(row, ("AAPL".to_owned(), 187.32, 100));
}

#[tokio::test]
async fn three_bad_lines_of_ten_thousand_are_named_and_the_rest_is_written() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    let mut lines: Vec<String> = (0..10_000).map(|i| format!("m,s=a v={i} {}", 1_700_000_000 + i)).collect();
    lines[2] = "m,s=a v= 1700000002".to_owned();
    lines[4_999] = "m,s=a v=\"text\" 1700004999".to_owned();
    lines[9_999] = "m,s=a".to_owned();
    let body = lines.join("\n");

    let all_or_nothing = app.post("/write?precision=s&accept_partial=false", body.as_bytes());
    assert_eq!((all_or_nothing.status, all_or_nothing.json()["written"].clone()), (400, json!(0)));
    assert_eq!(all_or_nothing.json()["lines"].as_array().unwrap().len(), 3);

    let partial = app.post("/write?precision=s", body.as_bytes());
    let answer = partial.json();
    assert_eq!((partial.status, answer["written"].clone()), (400, json!(9_997)));
    let named: Vec<_> =
        answer["lines"].as_array().unwrap().iter().map(|line| (line["line"].clone(), line["column"].clone())).collect();
    assert_eq!(named, [(json!(3), json!(9)), (json!(5_000), json!(7)), (json!(10_000), json!(6))]);
    assert!(answer["error"].as_str().unwrap().starts_with("partial write: 3 of 10000 lines"));
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM m").await, 9_997);
}

#[tokio::test]
async fn each_generation_of_clients_gets_its_own_errors() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    let body = b"m v=1 1700000000\nm v= 1700000001\n";
    let v2 = app.post("/api/v2/write?org=o&bucket=public&precision=s", body).json();
    assert_eq!(v2["code"], "invalid");
    assert!(v2["message"].as_str().unwrap().contains("line 2, column 5"), "{v2}");
    let v3 = app.post("/api/v3/write_lp?db=public&precision=second", b"m v=2 1700000000\nm v= 1700000001\n").json();
    assert_eq!(v3["data"][0]["line_number"], 2);
    assert_eq!(v3["data"][0]["original_line"], "m v= 1700000001");
    let whole = app.post("/api/v3/write_lp?db=public&accept_partial=false", b"m v= 1700000001").json();
    assert_eq!(whole["data"]["line_number"], 1);
    for path in
        ["/write?precision=bogus", "/write?db=pg_catalog", "/write?precision=s&precision=s", "/write?db=x_store"]
    {
        assert_eq!(app.post(path, b"m v=1 1700000000").status, 400, "{path}");
    }
}

#[tokio::test]
async fn gzip_is_taken_and_a_bomb_is_not() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    let gzip = |bytes: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let headers = [("content-encoding", "gzip")];
    assert_eq!(app.post_with("/write", &headers, &gzip(b"m v=1 1700000000000000000")).status, 204);
    assert_eq!(app.post_with("/write", &headers, &gzip(&vec![b' '; 100 << 20])).status, 413);
    assert_eq!(app.post_with("/write", &headers, b"m v=1").status, 400);
    assert_eq!(app.post_with("/write", &[("content-encoding", "br")], b"m v=1").status, 415);
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM m").await, 1);
}

#[tokio::test]
async fn what_clients_ask_before_they_write_is_answered() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    let created = app.post_with(
        "/query",
        &[("content-type", "application/x-www-form-urlencoded")],
        b"q=CREATE+DATABASE+%22telegraf%22",
    );
    assert_eq!((created.status, created.json()), (200, json!({ "results": [{ "statement_id": 0 }] })));
    assert_eq!(app.post("/write?db=telegraf", b"cpu,host=a usage=1.5 1700000000000000000").status, 204);
    let shown = app.get("/query?q=SHOW%20DATABASES").json();
    assert_eq!(shown["results"][0]["series"][0]["values"], json!([["public"], ["telegraf"]]));
    assert_eq!(app.get("/query?q=SELECT%20*%20FROM%20cpu").status, 400);
    assert_eq!(app.get("/query").status, 400);
    assert_eq!(app.get("/settings").json()["config"]["line.proto.support.versions"], json!([1]));
    assert_eq!(database.scalar::<f64>("SELECT usage FROM telegraf.cpu").await, 1.5);
}

#[tokio::test]
async fn a_nul_byte_refuses_its_own_line_only() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    let answer = app.post("/write?precision=s", b"m f=1 1700000000\nm\0 f=2 1700000000\nm f=\"a\0b\" 1700000000\n");
    assert_eq!((answer.status, answer.json()["written"].clone()), (400, json!(1)));
    assert_eq!(answer.json()["lines"].as_array().unwrap().len(), 2);
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM m").await, 1);
}
