//! Rows that only the database refuses: by what analysts have added to the storage tables.

use std::sync::Arc;

use serde_json::{Value, json};
use sqlx::Executor;

use crate::support::{App, TestDatabase};

/// A measurement `m` with a field `v`, and what an analyst does to its table.
async fn altered(sql: &str) -> (TestDatabase, App) {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    assert_eq!(app.post("/write?precision=s", b"m,s=a v=1 1600000000\nm,s=b v=1 1600000000").status, 204);
    sqlx::raw_sql(sql).execute(&mut database.connect().await).await.unwrap();
    (database, app)
}

/// Lines of one series a second apart, with the values given.
fn lines(values: impl IntoIterator<Item = f64>) -> String {
    values.into_iter().enumerate().map(|(i, v)| format!("m,s=a v={v} {}\n", 1_700_000_000 + i)).collect()
}

fn dead_letters(app: &App) -> Vec<Value> {
    app.get("/api/v1/dead_letters?measurement=m&limit=1000").json()["rows"].as_array().unwrap().clone()
}

/// What the routes say of a database's error is never the database's own text.
fn assert_own_words(reason: &str) {
    for theirs in ["violates", "relation", "constraint", "_hyper", "MY OWN"] {
        assert!(!reason.contains(theirs), "{reason}");
    }
}

const POSITIVE: &str = "ALTER TABLE public_store.m ADD CONSTRAINT positive CHECK (v >= 0)";

#[tokio::test]
async fn one_poisoned_row_of_ten_thousand_is_set_aside_and_the_others_are_committed() {
    let (database, app) = altered(POSITIVE).await;
    let body = lines((0..10_000).map(|i| if i == 4_999 { -1.5 } else { f64::from(i) }));
    let answer = app.post("/write?precision=s", body.as_bytes());
    let said = answer.json();
    assert_eq!(answer.status, 400);
    assert_eq!((&said["written"], &said["dead_lettered"], &said["refused"]), (&json!(9_999), &json!(1), &json!(1)));
    assert_eq!(said["lines"][0]["line"], 5_000);
    let reason = said["lines"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("\"positive\"") && reason.contains("23514"), "{reason}");
    assert_own_words(said["error"].as_str().unwrap());
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM m").await, 10_001);

    let letters = dead_letters(&app);
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0]["line"], "m,s=a v=-1.5 1700004999000000");
    assert_eq!((&letters[0]["source"], &letters[0]["reason"]), (&json!("line_protocol_http"), &json!(reason)));

    // Sent again it is the same request, with the same answer.
    let again = app.post("/write?precision=s", body.as_bytes());
    assert_eq!((again.status, again.header("chunkwise-duplicate")), (400, Some("true")));
    assert_eq!(again.json(), said);
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM m").await, 10_001);
    assert_eq!(dead_letters(&app).len(), 1);

    let figures = app.get("/api/v1/stats").json()["ingest"].clone();
    assert_eq!(figures["dead_lettered"], 1);
    assert_eq!((&figures["committed"], &figures["duplicate"]), (&json!(10_001), &json!(10_000)));
    assert_eq!(figures["in_flight"], 0);

    // The dead letter is line protocol; mended it can be sent again.
    let mended = letters[0]["line"].as_str().unwrap().replace("-1.5", "1.5");
    assert_eq!(app.post("/write?precision=us", mended.as_bytes()).status, 204);
}

#[tokio::test]
async fn requests_that_wait_together_with_a_poisoned_one_are_written() {
    let (database, app) = altered(POSITIVE).await;
    let mut locker = database.connect().await;
    locker.execute("BEGIN; LOCK TABLE public_store.m IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let app = Arc::new(app);
    let sent: Vec<_> = (0..24)
        .map(|request| {
            let app = Arc::clone(&app);
            let v = if request % 8 == 7 { -1 } else { 1 };
            let body = format!("m,s=a v=2 {request}\nm,s=b v={v} {request}\n");
            tokio::task::spawn_blocking(move || app.post("/write?precision=s", body.as_bytes()).status)
        })
        .collect();
    crate::support::wait_until("all have arrived", async || {
        app.get("/api/v1/stats").json()["ingest"]["requests"] == json!(25)
    })
    .await;
    locker.execute("ROLLBACK").await.unwrap();
    for (request, status) in sent.into_iter().enumerate() {
        assert_eq!(status.await.unwrap(), if request % 8 == 7 { 400 } else { 204 }, "{request}");
    }
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM m").await, 2 + 48 - 3);
    assert_eq!(dead_letters(&app).len(), 3);
}

#[tokio::test]
async fn all_or_nothing_writes_nothing_and_names_the_rows() {
    let (database, app) = altered(POSITIVE).await;
    let body = lines([1.0, -2.0, 3.0, -4.0]);
    let answer = app.post("/write?precision=s&accept_partial=false", body.as_bytes());
    let said = answer.json();
    assert_eq!((answer.status, &said["written"]), (400, &json!(0)));
    let named: Vec<_> = said["lines"].as_array().unwrap().iter().map(|line| line["line"].clone()).collect();
    assert_eq!(named, [2, 4]);
    assert!(said["lines"][0]["reason"].as_str().unwrap().contains("positive"));
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM m").await, 2);
    assert_eq!(dead_letters(&app).len(), 0);
}

#[tokio::test]
async fn rows_of_one_request_that_contradict_each_other_are_told_apart() {
    let (database, app) = altered("CREATE UNIQUE INDEX once ON public_store.m (series_id, time)").await;
    let answer = app.post(
        "/write?precision=s",
        b"m,s=a v=1 1700000000\nm,s=b v=2 1700000000\nm,s=a v=3 1700000000\nm,s=a v= 1700000001\nm,s=a v=4 1600000000",
    );
    let said = answer.json();
    assert_eq!((answer.status, &said["written"], &said["dead_lettered"]), (400, &json!(2), &json!(2)), "{said}");
    let named: Vec<_> = said["lines"].as_array().unwrap().iter().map(|line| line["line"].clone()).collect();
    assert_eq!(named, [3, 4, 5]);
    assert!(said["lines"][0]["reason"].as_str().unwrap().contains("23505"));
    assert_eq!(database.scalar::<f64>("SELECT v FROM m WHERE s = 'a' AND time = to_timestamp(1700000000)").await, 1.0);
}

/// Alters, writes one good and one bad line, and returns why the bad one was refused.
async fn refusal(sql: &str) -> String {
    let (database, app) = altered(sql).await;
    let answer = app.post("/write?precision=s", b"m,s=a v=2 1700000000\nm,s=b v=-2 1700000000\n");
    let said = answer.json();
    assert_eq!((answer.status, &said["dead_lettered"]), (400, &json!(1)), "{sql}: {said}");
    assert_eq!(said["lines"][0]["line"], 2, "{said}");
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM public_store.m WHERE v = 2").await, 1);
    let reason = said["lines"][0]["reason"].as_str().unwrap().to_owned();
    assert_own_words(&reason);
    reason
}

fn trigger(body: &str) -> String {
    format!(
        "CREATE FUNCTION public.judge() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NEW; END $$;
         CREATE TRIGGER judge BEFORE INSERT ON public_store.m FOR EACH ROW EXECUTE FUNCTION public.judge()"
    )
}

#[tokio::test]
async fn whatever_refuses_a_row_is_named_in_our_own_words() {
    let raises = trigger("IF NEW.v < 0 THEN RAISE EXCEPTION 'MY OWN'; END IF;");
    assert!(refusal(&raises).await.contains("trigger of the table refuses the row (SQLSTATE P0001)"));
    let leaves_out = trigger("IF NEW.v < 0 THEN RETURN NULL; END IF;");
    assert!(refusal(&leaves_out).await.contains("leaves the row out"));
    let divides = trigger("NEW.v := NEW.v / (NEW.v + 2);");
    assert!(refusal(&divides.replace("NEW.v := ", "PERFORM ")).await.contains("22012"));
    // Checked only at COMMIT, were it not for us.
    let deferred = "CREATE TABLE public.known (id int8 PRIMARY KEY);
        INSERT INTO public.known SELECT series_id FROM public_store.m__series WHERE s = 'a';
        DELETE FROM public_store.m WHERE series_id NOT IN (SELECT id FROM public.known);
        ALTER TABLE public_store.m ADD CONSTRAINT known FOREIGN KEY (series_id) REFERENCES public.known
            DEFERRABLE INITIALLY DEFERRED";
    assert!(refusal(deferred).await.contains("\"known\""));
}

#[tokio::test]
async fn a_table_that_takes_no_row_any_more_loses_none_of_them() {
    let wants = "ALTER TABLE public_store.m ADD COLUMN must int NOT NULL DEFAULT 0;
                 ALTER TABLE public_store.m ALTER COLUMN must DROP DEFAULT";
    let other_type = "DROP VIEW public.m; ALTER TABLE public_store.m ALTER COLUMN v TYPE numeric";
    for (sql, expected) in [(wants, "\"must\""), (other_type, "does not fit its column")] {
        let (database, app) = altered(sql).await;
        let answer = app.post("/write?precision=s", lines((1..61).map(f64::from)).as_bytes());
        let said = answer.json();
        assert_eq!((answer.status, &said["written"], &said["dead_lettered"]), (400, &json!(0), &json!(60)));
        assert!(said["lines"][59]["reason"].as_str().unwrap().contains(expected), "{said}");
        assert_eq!(database.scalar::<i64>("SELECT count(*) FROM public_store.m").await, 2);
        let letters = dead_letters(&app);
        assert_eq!(letters.len(), 60);
        assert_eq!(letters[59]["line"], "m,s=a v=60.0 1700000059000000");
        // Others are not kept waiting.
        assert_eq!(app.post("/write", b"other v=1").status, 204);
    }
}

#[tokio::test]
async fn more_bad_rows_than_can_be_tried_end_as_dead_letters_too() {
    let (database, app) =
        altered("ALTER TABLE public_store.m ADD CONSTRAINT never CHECK (v < 1 AND v > 0) NOT VALID").await;
    let answer = app.post("/write?precision=s", lines((0..3_000).map(f64::from)).as_bytes());
    let said = answer.json();
    assert_eq!((answer.status, &said["written"], &said["dead_lettered"]), (400, &json!(0), &json!(3_000)));
    assert!(said["lines"][2_999]["reason"].as_str().unwrap().contains("was not tried"));
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM chunkwise.dead_letter").await, 3_000);
}

#[tokio::test]
async fn dead_letters_come_in_pages_and_by_measurement() {
    let (_database, app) = altered(POSITIVE).await;
    assert_eq!(app.post("/write?precision=s", lines((0..5).map(|_| -1.0)).as_bytes()).status, 400);
    let page = |query: &str| app.get(&format!("/api/v1/dead_letters?{query}")).json();
    let first = page("measurement=m&limit=2");
    assert_eq!(first["rows"].as_array().unwrap().len(), 2);
    let second = page(&format!("limit=3&after={}", first["next"]));
    assert_eq!((second["rows"].as_array().unwrap().len(), &second["next"]), (3, &Value::Null));
    for empty in ["measurement=other", "namespace=other", "measurement=m%00"] {
        assert_eq!(page(empty), json!({ "rows": [], "next": null }), "{empty}");
    }
    assert_eq!(app.get("/api/v1/dead_letters?limit=0").status, 400);
}
