//! Columns and tables that somebody has dropped, or added, by hand.

use sqlx::Executor;

use crate::support::{App, TestDatabase};

async fn started() -> (TestDatabase, App) {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    assert_eq!(app.post("/write?precision=s", b"m,s=a,x=y v=1,w=2 1600000000").status, 204);
    (database, app)
}

#[tokio::test]
async fn a_dropped_column_that_is_still_written_to_is_made_anew_with_the_view() {
    for (table, column) in [("m", "w"), ("m__series", "x")] {
        let (database, app) = started().await;
        let drop = format!("ALTER TABLE public_store.{table} DROP COLUMN {column} CASCADE");
        database.connect().await.execute(drop.as_str()).await.unwrap();
        // A known series and a new one.
        for (time, tag) in [(1_700_000_000, "y"), (1_700_000_001, "z")] {
            let line = format!("m,s=a,x={tag} v=3,w=4 {time}");
            let answer = app.post("/write?precision=s", line.as_bytes());
            assert_eq!(answer.status, 204, "{}", String::from_utf8_lossy(&answer.body));
        }
        let columns: String = database
            .scalar("SELECT string_agg(column_name, ',' ORDER BY ordinal_position) FROM information_schema.columns WHERE table_schema = 'public' AND table_name = 'm'")
            .await;
        assert_eq!(columns, "time,s,x,v,w");
        assert_eq!(database.scalar::<i64>("SELECT count(*) FROM m WHERE w = 4").await, 2);
        assert_eq!(database.scalar::<i64>("SELECT count(*) FROM m").await, 3);
    }
}

#[tokio::test]
async fn a_dropped_table_is_a_dropped_measurement_and_comes_back_with_the_next_line() {
    let (database, app) = started().await;
    let other = App::start(&["up", "--database-url", &database.url()]);
    assert_eq!(other.post("/write?precision=s", b"m,s=a,x=y v=1,w=2 1600000001").status, 204);
    database.connect().await.execute("DROP TABLE public_store.m CASCADE").await.unwrap();
    // Each process learns of it by itself, with the ids that it knows.
    for (time, app) in [(1_700_000_000, &app), (1_700_000_001, &other)] {
        let line = format!("m,s=a,x=y v=3,w=4 {time}");
        let answer = app.post("/write?precision=s", line.as_bytes());
        assert_eq!(answer.status, 204, "{}", String::from_utf8_lossy(&answer.body));
    }
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM m WHERE s = 'a' AND v = 3").await, 2);
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM m").await, 2);
}

#[tokio::test]
async fn a_column_that_somebody_has_added_is_taken_over_if_it_can_be_and_left_alone_if_not() {
    let (database, app) = started().await;
    let add = "ALTER TABLE public_store.m ADD COLUMN size int8, ADD COLUMN price numeric DEFAULT 7";
    database.connect().await.execute(add).await.unwrap();
    let answer = app.post("/write?precision=s", b"m,s=a,x=y size=5,price=1.5 1700000000");
    assert_eq!(answer.status, 204, "{}", String::from_utf8_lossy(&answer.body));
    let stored = database.scalar::<i64>("SELECT size FROM public_store.m WHERE size IS NOT NULL").await;
    assert_eq!(stored, 5);
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM public_store.m WHERE price = 7").await, 2);
    let column: String = database
        .scalar("SELECT column_name FROM chunkwise.measurement_column WHERE name = 'price' AND type = 'float8'")
        .await;
    assert_eq!(database.scalar::<f64>(&format!("SELECT max({column}) FROM m")).await, 1.5);
    // What does not fit the column that there is, is that line's fault.
    let answer = app.post("/write?precision=s", b"m,s=a,x=y size=5.5 1700000001\nm,s=a,x=y v=1 1700000001");
    assert_eq!((answer.status, answer.json()["written"].clone()), (400, 1.into()));
}

#[tokio::test]
async fn a_series_table_that_is_gone_refuses_its_measurement_and_no_other() {
    let (database, app) = started().await;
    database.connect().await.execute("DROP TABLE public_store.m__series CASCADE").await.unwrap();
    let answer = app.post("/write?precision=s", b"m,s=new,x=y v=1 1700000000\nfine v=1 1700000000");
    assert_eq!((answer.status, answer.json()["written"].clone()), (400, 1.into()), "{}", answer.json());
    assert!(answer.json()["lines"][0]["reason"].as_str().unwrap().contains("is gone"), "{}", answer.json());
}
