//! Requests whose lines have few of their measurement's many fields each.

use std::time::{Duration, Instant};

use serde_json::json;
use sqlx::Executor;

use crate::support::{App, TestDatabase};

const LINES: i64 = 10_000;
const FIELDS: i64 = 500;

/// The fields that a line has: every second line has two, and sometimes they are one.
fn fields(line: i64) -> Vec<i64> {
    let mut fields = vec![line * 7 % FIELDS];
    let second = line * 13 % FIELDS;
    if line % 2 == 1 && second != fields[0] {
        fields.push(second);
    }
    fields
}

fn body() -> String {
    let line = |line: i64| {
        let fields: Vec<_> = fields(line).iter().map(|field| format!("f{field}={line}i")).collect();
        format!("m,s={} {} {}\n", line % 10, fields.join(","), 1_700_000_000 + line)
    };
    (0..LINES).map(line).collect()
}

/// The sum of all values, and of values by their field's number, so that one in a wrong column shows.
fn sums() -> (i64, i64, i64) {
    let values = || (0..LINES).flat_map(|line| fields(line).into_iter().map(move |field| (line, field)));
    let count = i64::try_from(values().count()).unwrap();
    (count, values().map(|(line, _)| line).sum(), values().map(|(line, field)| line * field).sum())
}

#[tokio::test]
async fn ten_thousand_lines_over_five_hundred_fields_are_committed_in_seconds_with_every_value_in_its_place() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    // The fields are made by another request: this is about rows.
    let all: Vec<_> = (0..FIELDS).map(|field| format!("f{field}=0i")).collect();
    let made = app.post("/write?precision=s", format!("m,s=0 {} 1600000000", all.join(",")).as_bytes());
    assert_eq!(made.status, 204, "{}", String::from_utf8_lossy(&made.body));

    let before = app.memory_bytes("VmHWM");
    let begun = Instant::now();
    let answer = app.post("/write?precision=s", body().as_bytes());
    let took = begun.elapsed();
    assert_eq!(answer.status, 204, "{}", String::from_utf8_lossy(&answer.body));
    assert!(took < Duration::from_secs(10), "{took:?}");
    if let (Some(before), Some(after)) = (before, app.memory_bytes("VmHWM")) {
        assert!(after - before < 200 << 20, "{} bytes more at the peak", after - before);
    }

    let each = |shown: &str| {
        let each: Vec<_> = (0..FIELDS).map(|field| shown.replace('#', &field.to_string())).collect();
        each.join(" + ")
    };
    let sql = format!(
        "SELECT (sum({}))::int8 || ' ' || (sum({}))::int8 || ' ' || (sum({}))::int8 FROM m WHERE time > to_timestamp(1650000000)",
        each("(f# IS NOT NULL)::int4"),
        each("coalesce(f#, 0)"),
        each("coalesce(f#, 0) * #")
    );
    let (count, values, placed) = sums();
    assert_eq!(database.scalar::<String>(&sql).await, format!("{count} {values} {placed}"));
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM m").await, LINES + 1);
    // Each row's value is its own: its time says which line it was.
    let wrong = (0..FIELDS)
        .step_by(50)
        .map(|field| format!("(f{field} IS NOT NULL AND f{field} <> extract(epoch FROM time)::int8 - 1700000000)"));
    let wrong = wrong.collect::<Vec<_>>().join(" OR ");
    let sql = format!("SELECT count(*) FROM m WHERE time > to_timestamp(1650000000) AND ({wrong})");
    assert_eq!(database.scalar::<i64>(&sql).await, 0);
}

#[tokio::test]
async fn a_row_that_the_database_refuses_is_found_among_sparse_ones() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    let all: Vec<_> = (0..FIELDS).map(|field| format!("f{field}=0i")).collect();
    assert_eq!(app.post("/write?precision=s", format!("m,s=0 {} 1600000000", all.join(",")).as_bytes()).status, 204);
    let check = "ALTER TABLE public_store.m ADD CONSTRAINT no_tricks CHECK (f7 <> 6501)";
    database.connect().await.execute(check).await.unwrap();
    let answer = app.post("/write?precision=s", body().as_bytes());
    let said = answer.json();
    let told = (answer.status, &said["written"], &said["dead_lettered"], &said["lines"][0]["line"]);
    assert_eq!(told, (400, &json!(LINES - 1), &json!(1), &json!(6502)), "{said}");
}

#[tokio::test]
async fn five_hundred_new_fields_are_made_by_one_request() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    let begun = Instant::now();
    let answer = app.post("/write?precision=s", body().as_bytes());
    assert_eq!(answer.status, 204, "{}", String::from_utf8_lossy(&answer.body));
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM m").await, LINES);
}
