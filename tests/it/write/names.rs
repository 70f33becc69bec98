//! Names as hostile as can be: each is one measurement with its own tables, or a refusal, and nothing else happens.

use std::collections::BTreeSet;

use serde_json::json;

use crate::support::{App, TestDatabase};

/// Escapes a name for line protocol.
fn escaped(name: &str) -> String {
    let special = |c: char| [',', ' ', '=', '\\'].contains(&c);
    name.chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect()
}

/// Everything in the database that is not TimescaleDB's or PostgreSQL's own: kind, schema and name.
/// All but bars and last values, which a job makes a while later: their names end as no measurement's may.
async fn relations(database: &TestDatabase) -> BTreeSet<String> {
    let all: Vec<String> = database
        .scalar(
            "SELECT coalesce(array_agg(c.relkind::text || ' ' || n.nspname || ' ' || c.relname), '{}')
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname NOT LIKE '\\_timescaledb%' AND n.nspname NOT LIKE 'pg\\_%' AND c.relkind <> 'i'
                   AND c.relname !~ '(_bars|__live)_(1m|5m|1h|1d)$' AND c.relname !~ '_latest$'",
        )
        .await;
    all.into_iter().collect()
}

fn names() -> Vec<String> {
    let mut names: Vec<String> = [
        "\"",
        "\"\"",
        "a\"b",
        "'",
        "it's",
        "\\\"",
        "$$",
        "$x$",
        ";--",
        "x'; DROP TABLE public_store.m; --",
        "/*",
        "%s",
        "%I",
        "$1",
        ":x",
        "?",
        "U&\"\\0041\"",
        "\\u0041",
        "E'\\x41'",
        "pg_class",
        "pg_toast",
        "pg_catalog.pg_class",
        "information_schema",
        "_timescaledb_internal",
        "_hyper_1_1_chunk",
        "public.x",
        "public_store.x",
        "chunkwise",
        "select",
        "SELECT",
        "table",
        "user",
        "null",
        "ctid",
        "xmin",
        "tableoid",
        "A",
        "a",
        "\u{410}",
        "\u{430}",
        "\u{e9}",
        "e\u{301}",
        "a\u{200b}",
        "\u{202e}abc",
        "\u{feff}x",
        "😀",
        ".",
        "..",
        "../../etc/passwd",
        "-",
        "0",
        "1e5",
        "m__series",
        "m_latest",
        "m_bars_1m",
        "n_a_00000000000000000000",
        "a,b",
        "a b",
        "a=b",
        " ",
        "m",
        "M",
    ]
    .map(str::to_owned)
    .into();
    for length in [48, 49, 62, 63, 64, 70, 255, 1_000] {
        names.push("x".repeat(length));
        names.push("x".repeat(length) + "y");
    }
    // Cut at 63 bytes a character would be in two.
    names.extend([31, 32, 33].map(|count| "é".repeat(count)));
    names.extend([16, 21, 22].map(|count| "€".repeat(count)));
    names
}

#[tokio::test]
async fn each_name_makes_its_own_tables_and_touches_nothing_else() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    let mut before = relations(&database).await;
    for (number, name) in names().iter().enumerate() {
        let text = escaped(name);
        let line = format!("{text},{text}t=x,{text}=y {text}f={number},{text}g=\"z\" 1700000000");
        let answer = app.post("/write?precision=s", line.as_bytes());
        assert_eq!(answer.status, 204, "{name:?}: {}", String::from_utf8_lossy(&answer.body));
        let relation: String = database
            .scalar(&format!("SELECT relation FROM chunkwise.measurement ORDER BY id LIMIT 1 OFFSET {number}"))
            .await;
        assert!(relation.len() <= 48 && !relation.chars().any(char::is_control), "{relation:?}");
        let expected = [
            format!("r public_store {relation}"),
            format!("r public_store {relation}__series"),
            format!("v public {relation}"),
        ];
        let after = relations(&database).await;
        let gained: Vec<_> = after.difference(&before).cloned().collect();
        assert!(before.is_subset(&after), "{name:?} took something away");
        assert_eq!(gained.iter().collect::<BTreeSet<_>>(), expected.iter().collect(), "{name:?}");
        let quoted = relation.replace('"', "\"\"");
        assert_eq!(database.scalar::<i64>(&format!("SELECT count(*) FROM public.\"{quoted}\"")).await, 1, "{name:?}");
        before = after;
    }
    // The names themselves are data: they come back as they were sent.
    let listed = app.get("/api/v1/measurements").json().to_string();
    assert!(names().iter().all(|name| listed.contains(&json!(name).to_string())), "{listed}");
    let measurements: i64 = database.scalar("SELECT count(DISTINCT relation) FROM chunkwise.measurement").await;
    assert_eq!(measurements, i64::try_from(names().len()).unwrap(), "no two share their tables");
}

#[tokio::test]
async fn what_cannot_be_a_name_is_refused_and_makes_nothing() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    let before = relations(&database).await;
    let long = "x".repeat(5_000);
    let bad: [&[u8]; 12] = [
        b"a\0b v=1 1",
        b"a\x01b v=1 1",
        b"a\x7fb v=1 1",
        b"a\xc2\x85b v=1 1",
        b"a\xff v=1 1",
        b"a\xc0\x80 v=1 1",
        b"a\xed\xa0\x80 v=1 1",
        b",s=a v=1 1",
        b"m,=a v=1 1",
        b"m =1 1",
        b"m,a\x1bb=1 v=1 1",
        b"m v\x07=1 1",
    ];
    for line in bad.into_iter().chain([long.as_bytes()]) {
        let answer = app.post("/write?precision=s", line);
        let said = answer.json();
        assert_eq!((answer.status, &said["written"]), (400, &json!(0)), "{:?}", String::from_utf8_lossy(line));
    }
    // A measurement is made for the good lines beside it only.
    let made: i64 = database.scalar("SELECT count(*) FROM chunkwise.measurement WHERE name <> 'm'").await;
    assert_eq!(made, 0);
    let gained: Vec<_> = relations(&database).await.difference(&before).cloned().collect();
    assert!(gained.iter().all(|relation| relation.ends_with(" m") || relation.ends_with(" m__series")), "{gained:?}");
}

#[tokio::test]
async fn a_namespace_that_is_not_plain_is_refused_and_makes_nothing() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    let schemas =
        "SELECT string_agg(nspname, ' ' ORDER BY nspname) FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_temp%'";
    let before: String = database.scalar(schemas).await;
    let long = "x".repeat(49);
    for name in [
        "pg_catalog",
        "PG_x",
        "chunkwise",
        "information_schema",
        "_timescaledb_internal",
        "a_store",
        "a%0Ab",
        "a%00b",
        &long,
    ] {
        let answer = app.post(&format!("/write?precision=s&db={name}"), b"m v=1 1700000000");
        assert_eq!(answer.status, 400, "{name}: {}", String::from_utf8_lossy(&answer.body));
    }
    assert_eq!(database.scalar::<String>(schemas).await, before);
    // Quotes and semicolons are only characters.
    for name in ["a%22b", "x%27%3B--", "%24%24"] {
        let answer = app.post(&format!("/write?precision=s&db={name}"), b"m v=1 1700000000");
        assert_eq!(answer.status, 204, "{name}: {}", String::from_utf8_lossy(&answer.body));
    }
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM \"a\"\"b\".m").await, 1);
}
