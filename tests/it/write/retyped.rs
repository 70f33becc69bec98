//! Columns that somebody has given another type by hand. A binary COPY would put the old type's bits into the new column.

use serde_json::{Value, json};
use sqlx::Executor;

use crate::support::{App, TestDatabase};

/// A measurement with a field of each type, and what an analyst does to its storage.
async fn altered(column: &str, to: &str) -> (TestDatabase, App) {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    assert_eq!(app.post("/write?precision=s", line(1_600_000_000).as_bytes()).status, 204);
    let alter = format!("DROP VIEW public.m; ALTER TABLE public_store.m ALTER COLUMN {column} TYPE {to}");
    sqlx::raw_sql(&alter)
        .execute(&mut database.connect().await)
        .await
        .unwrap_or_else(|error| panic!("{alter}: {error}"));
    (database, app)
}

fn line(second: i64) -> String {
    format!("m,s=a float=2,int=3i,bool=t,text=\"8 letters\",moment={second}000000t {second}")
}

/// Writes the line once more; the answer, and how many rows are in the table.
async fn written(database: &TestDatabase, app: &App) -> (u16, Value, i64) {
    let answer = app.post("/write?precision=s", line(1_700_000_000).as_bytes());
    let said = if answer.body.is_empty() { Value::Null } else { answer.json() };
    (answer.status, said, database.scalar("SELECT count(*) FROM public_store.m").await)
}

#[tokio::test]
async fn another_type_that_a_field_can_have_is_taken_over_and_values_are_what_they_say() {
    let (database, app) = altered("float", "int8 USING float::int8").await;
    assert_eq!(written(&database, &app).await, (204, Value::Null, 2));
    assert_eq!(database.scalar::<i64>("SELECT sum(float)::int8 FROM m").await, 4, "the view is there again too");
    let types: Value = app.get("/api/v1/measurements").json();
    assert!(types.to_string().contains(r#"{"name":"float","type":"int8"}"#), "{types}");
    // What the new type cannot hold is its line's fault.
    let answer = app.post("/write?precision=s", b"m,s=a float=2.5 1700000001\nm,s=a float=5 1700000001");
    assert_eq!((answer.status, answer.json()["written"].clone()), (400, json!(1)));
    assert!(answer.json()["lines"][0]["reason"].as_str().unwrap().contains("is int8"), "{}", answer.json());

    // What is text by another name goes on as it was.
    let (database, app) = altered("text", "varchar(20)").await;
    assert_eq!(written(&database, &app).await, (204, Value::Null, 2));
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM public_store.m WHERE text = '8 letters'").await, 2);

    let (database, app) = altered("int", "float8").await;
    assert_eq!(written(&database, &app).await, (204, Value::Null, 2));
    assert_eq!(database.scalar::<f64>("SELECT sum(int) FROM m").await, 6.0);
}

#[tokio::test]
async fn a_type_that_the_values_do_not_fit_refuses_their_lines_whatever_the_bytes_would_have_meant() {
    // Eight bytes each, or text that takes any; and one that takes fewer.
    for (column, to, has) in [
        ("float", "timestamptz USING now()", "timestamptz"),
        ("moment", "float8 USING 1", "float8"),
        ("float", "text", "text"),
        ("float", "bool USING true", "bool"),
        ("text", "timestamptz USING now()", "timestamptz"),
    ] {
        let (database, app) = altered(column, to).await;
        let (status, said, rows) = written(&database, &app).await;
        assert_eq!((status, rows, &said["dead_lettered"]), (400, 1, &json!(0)), "{column} {to}: {said}");
        let reason = said["lines"][0]["reason"].as_str().unwrap();
        assert!(reason.contains(&format!("is {has}")), "{column} {to}: {reason}");
    }
}

#[tokio::test]
async fn a_type_that_no_field_can_have_ends_in_dead_letters_and_never_in_wrong_values() {
    // Of the same length as the field's, which the server alone would take; and others.
    for (column, to) in [
        ("float", "timestamp USING now()::timestamp"),
        ("int", "pg_lsn USING '0/1'"),
        ("moment", "timestamp"),
        ("text", "bytea USING text::bytea"),
        ("float", "real"),
        ("float", "numeric"),
        ("time", "timestamp"),
        ("series_id", "float8"),
    ] {
        let (database, app) = altered(column, to).await;
        let (status, said, rows) = written(&database, &app).await;
        assert_eq!((status, rows, &said["dead_lettered"]), (400, 1, &json!(1)), "{column} {to}: {said}");
        let reason = said["lines"][0]["reason"].as_str().unwrap();
        assert!(reason.contains("does not fit its column, which may have been changed"), "{column} {to}: {reason}");
        // Without the column the line is good, where the column is a field's.
        if !["time", "series_id"].contains(&column) {
            let others = app.post("/write?precision=s", format!("m,s=a other=1 {}", 1_700_000_001).as_bytes());
            assert_eq!(others.status, 204, "{column} {to}: {}", String::from_utf8_lossy(&others.body));
        }
    }
}

#[tokio::test]
async fn a_type_that_is_changed_while_rows_stream_in_spoils_none_of_them() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    assert_eq!(app.post("/write?precision=s", b"m,s=a float=2 1600000000").status, 204);
    let app = std::sync::Arc::new(app);
    let writers: Vec<_> = (0..4_i64)
        .map(|writer| {
            let app = std::sync::Arc::clone(&app);
            tokio::task::spawn_blocking(move || {
                for second in 0..40 {
                    let body = format!("m,s={writer} float=2 {}", 1_700_000_000 + second);
                    assert_eq!(app.post("/write?precision=s", body.as_bytes()).status, 204);
                }
            })
        })
        .collect();
    let mut analyst = database.connect().await;
    analyst.execute("DROP VIEW public.m").await.unwrap();
    for to in ["int8", "float8", "int8", "float8", "int8"] {
        let alter = format!("ALTER TABLE public_store.m ALTER COLUMN float TYPE {to}");
        // The view is made again by whoever writes.
        analyst.execute("DROP VIEW IF EXISTS public.m").await.unwrap();
        if let Err(error) = analyst.execute(alter.as_str()).await {
            let error = error.to_string();
            assert!(error.contains("view") || error.contains("deadlock"), "{error}");
        }
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM public_store.m WHERE float = 2").await, 161);
}

#[tokio::test]
async fn what_is_read_of_a_column_of_another_type_is_its_value_or_an_error() {
    let question = json!({
        "measurement": "m", "field": "float", "bucket": "1d", "from": 1_599_900_000_000_i64, "to": 1_600_100_000_000_i64
    });
    for to in ["int8", "numeric", "real", "text"] {
        let (_database, app) = altered("float", to).await;
        let answer = app.ask("/api/v1/window", &question);
        assert_eq!(answer.status, 200, "{to}: {}", String::from_utf8_lossy(&answer.body));
        assert!(answer.json()["values"].to_string().contains("2.0"), "{to}: {}", answer.json());
    }
    let (_database, app) = altered("float", "timestamptz USING now()").await;
    assert_eq!(app.ask("/api/v1/window", &question).status, 500);
}
