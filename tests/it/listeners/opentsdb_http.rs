//! OpenTSDB's JSON, on its own port and beside the other write routes.

use std::io::Write;

use serde_json::{Value, json};

use super::{connect, opentsdb, read_all};
use crate::support::{App, TestDatabase};

fn point(value: &Value, host: &str) -> Value {
    json!({ "metric": "cpu", "timestamp": 1_700_000_000, "value": value, "tags": { "host": host } })
}

#[tokio::test]
async fn put_answers_as_opentsdb_does() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    let put = |query: &str, body: &Value| app.post(&format!("/api/put{query}"), body.to_string().as_bytes());

    let one = put("?sync", &point(&json!(42.5), "a"));
    assert_eq!((one.status, one.header("chunkwise-ack"), one.body.len()), (204, Some("committed"), 0));
    let again = put("?sync", &point(&json!(42.5), "a"));
    assert_eq!((again.status, again.header("chunkwise-duplicate")), (204, Some("true")));

    let many = put("?summary", &json!([point(&json!("43"), "b"), point(&json!(44), "c")]));
    assert_eq!((many.status, many.json()), (200, json!({ "success": 2, "failed": 0 })));

    let bad = point(&json!("NaN"), "d");
    let mixed = json!([point(&json!(45), "d"), bad]);
    let short = put("", &mixed);
    assert_eq!((short.status, short.json()["error"]["code"].clone()), (400, json!(400)));
    assert_eq!(short.json()["error"]["message"], "One or more data points had errors");
    let mixed = json!([point(&json!(46), "e"), bad]);
    let detailed = put("?details&summary", &mixed).json();
    assert_eq!((detailed["success"].clone(), detailed["failed"].clone()), (json!(1), json!(1)));
    assert_eq!(detailed["errors"][0]["datapoint"], bad);
    assert!(detailed["errors"][0]["error"].as_str().unwrap().starts_with("value is NaN"));

    let nothing = put("?details&accept_partial=false", &json!([point(&json!(47), "f"), bad]));
    assert_eq!((nothing.status, nothing.json()["success"].clone()), (400, json!(0)));
    for malformed in ["", "{", "1", "[]"] {
        let answer = app.post("/api/put", malformed.as_bytes());
        assert_eq!((answer.status, answer.json()["error"]["code"].clone()), (400, json!(400)), "{malformed}");
    }
    let unknown = app.post_with("/api/put", &[("content-encoding", "br")], b"{}");
    assert_eq!((unknown.status, unknown.json()["error"]["code"].clone()), (415, json!(415)));
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM cpu").await, 5);
}

#[tokio::test]
async fn zstd_bodies_are_taken_by_every_write_route() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    let put = zstd::encode_all(point(&json!(1), "a").to_string().as_bytes(), 3).unwrap();
    let lines = zstd::encode_all(&b"cpu,host=b value=2 1700000000"[..], 3).unwrap();
    for (path, body) in [
        ("/api/put", &put),
        ("/write?precision=s", &lines),
        ("/api/v2/write?bucket=public&precision=ms", &lines),
        ("/api/v3/write_lp?db=public", &lines),
    ] {
        let answer = app.post_with(path, &[("content-encoding", "zstd")], body);
        assert_eq!(answer.status, 204, "{path}: {}", String::from_utf8_lossy(&answer.body));
    }
    assert_eq!(app.post_with("/write", &[("content-encoding", "zstd")], b"m f=1").status, 400);
    assert_eq!(app.post_with("/write", &[("content-encoding", "gzip, zstd")], &lines).status, 415);
}

/// One request over OpenTSDB's port; the answer as text.
fn raw(address: &str, head: &str, body: &str) -> String {
    let mut connection = connect(address);
    let request = format!("{head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
    // In two pieces, cut within the method.
    connection.write_all(&request.as_bytes()[..2]).unwrap();
    connection.write_all(&request.as_bytes()[2..]).unwrap();
    read_all(&mut connection)
}

#[tokio::test]
async fn opentsdb_s_port_speaks_http_and_guards_it() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    let address = opentsdb(&app);
    let body = point(&json!(1), "a").to_string();
    let put = raw(&address, "POST /api/put HTTP/1.1\r\nHost: localhost:4242", &body);
    assert!(put.starts_with("HTTP/1.1 204 ") && put.contains("chunkwise-ack: committed"), "{put}");
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM cpu").await, 1);

    let version = raw(&address, "GET /api/version HTTP/1.1\r\nHost: 127.0.0.1", "");
    assert!(version.contains("\"version\":\"2.4.1\""), "{version}");
    for path in
        ["/q?start=1h-ago&m=sum:cpu&yrange=[0:system('touch%20/tmp/x')]", "/", "/write", "/api/query", "/health"]
    {
        let answer = raw(&address, &format!("POST {path} HTTP/1.1\r\nHost: localhost"), "");
        assert!(answer.starts_with("HTTP/1.1 404 ") && answer.contains("application/json"), "{path}: {answer}");
    }
    for head in ["Host: evil.example", "Host: localhost\r\nOrigin: http://evil.example"] {
        let answer = raw(&address, &format!("POST /api/put HTTP/1.1\r\n{head}"), &body);
        assert!(answer.starts_with("HTTP/1.1 403 "), "{head}: {answer}");
    }
}

#[tokio::test]
async fn a_hundred_thousand_points_in_one_array_are_written_and_the_bad_ones_among_them_told() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    let points: Vec<String> = (0..100_000)
        .map(|i| {
            let value = if i % 10_000 == 7 { "\"x\"".to_owned() } else { i.to_string() };
            format!(r#"{{"metric":"cpu","timestamp":{},"value":{value},"tags":{{"host":"a"}}}}"#, 1_700_000_000 + i)
        })
        .collect();
    let answer = app.post("/api/put?details", format!("[{}]", points.join(",")).as_bytes());
    let said = answer.json();
    assert_eq!((answer.status, &said["success"], &said["failed"]), (400, &json!(99_990), &json!(10)));
    assert_eq!(said["errors"][3]["datapoint"]["timestamp"], 1_700_030_007);
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM cpu").await, 99_990);
}
