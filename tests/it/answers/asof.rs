//! Joins by time over the port and from a shell.

use serde_json::{Value, json};

use crate::support::{App, TestDatabase, run};

const LINES: &[u8] = b"trades,symbol=A price=10 1700000000000000000
trades,symbol=A price=11 1700000005000000000
trades,symbol=B price=20 1700000005000000000
quotes,symbol=A bid=9.5 1700000001000000000
quotes,symbol=A bid=9.75 1700000001000000000";

fn question() -> Value {
    json!({
        "left": {"measurement": "trades", "fields": ["price"]}, "right": {"measurement": "quotes", "fields": ["bid"]},
        "on": ["symbol"], "tolerance": "10s", "from": "2023-11-14T22:00:00Z", "to": "2023-11-14T23:00:00Z"
    })
}

#[tokio::test]
async fn a_join_is_had_in_its_formats_over_the_port_and_from_a_shell() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    assert_eq!(app.post("/write", LINES).status, 204);
    let answer = app.ask("/api/v1/asof", &question());
    assert_eq!(answer.status, 200);
    let rows = answer.json()["rows"].take();
    assert_eq!(
        rows[1],
        json!({"symbol": "A", "time": "2023-11-14T22:13:25Z", "price": 11.0, "right_bid": 9.75,
               "right_time": "2023-11-14T22:13:21Z", "age_us": 4_000_000})
    );
    assert_eq!(
        (rows.as_array().unwrap().len(), &rows[0]["right_bid"], &rows[2]["symbol"]),
        (3, &Value::Null, &json!("B"))
    );

    let csv = app.ask("/api/v1/asof?format=csv", &question());
    assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8"));
    assert!(csv.header("chunkwise-receipt").unwrap().contains("\"rows_read\":5"));
    let arrow = app.post_with(
        "/api/v1/asof",
        &[("accept", "application/vnd.apache.arrow.stream")],
        question().to_string().as_bytes(),
    );
    assert_eq!(arrow.header("content-type"), Some("application/vnd.apache.arrow.stream"));
    for format in ["npy", "npz"] {
        let refused = app.ask(&format!("/api/v1/asof?format={format}"), &question());
        assert_eq!(
            (refused.status, refused.json()["error"]["details"]["formats"].clone()),
            (406, json!(["json", "arrow", "csv"]))
        );
    }
    for (fields, status, path) in [
        (json!({"tolerance": "1mo"}), 400, json!("tolerance")),
        (json!({"on": ["venue"]}), 400, json!("on[0]")),
        (json!({"bucket": "1d"}), 400, json!("bucket")),
        (json!({"limit_bytes": 1}), 413, Value::Null),
    ] {
        let mut wrong = question();
        wrong.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let refused = app.ask("/api/v1/asof", &wrong);
        assert_eq!((refused.status, &refused.json()["error"]["details"]["path"]), (status, &path), "{fields}");
    }

    let query: String =
        url::form_urlencoded::Serializer::new(String::new()).append_pair("q", &question().to_string()).finish();
    let path = format!("/api/v1/asof?{query}");
    let first = app.get(&path);
    let tag = first.header("etag").unwrap().to_owned();
    assert_eq!(app.get_with(&path, &[("if-none-match", &tag)]).status, 304);
    // The right side's data count too.
    assert_eq!(app.post("/write", b"quotes,symbol=B bid=1 1700000002000000000").status, 204);
    assert_eq!(app.get_with(&path, &[("if-none-match", &tag)]).status, 200);

    let url = database.url();
    let line = "asof trades quotes --left-field price --right-field bid --on symbol --tolerance 10s \
                --from 2023-11-14T22:00:00Z --to 2023-11-14T23:00:00Z --database-url";
    let shell = |more: &[&str]| {
        run(&line.split_whitespace().chain([url.as_str()]).chain(more.iter().copied()).collect::<Vec<_>>())
    };
    let told = shell(&["--format", "csv"]).successful();
    assert_eq!(told.stdout, app.ask("/api/v1/asof?format=csv", &question()).body);
    let table = shell(&["--join", "inner"]).successful();
    assert!(table.text().contains("right_bid") && table.text().contains("9.75"), "{}", table.text());
    let refused = shell(&["--format", "npy"]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(refused.stderr.contains("cannot be written as npy"), "{}", refused.stderr);
}
