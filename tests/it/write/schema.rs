//! Tables, views and names, and what chunkwise leaves alone.

use sqlx::Executor;

use crate::support::{App, TestDatabase};

#[tokio::test]
async fn columns_come_in_order_of_arrival_and_views_of_analysts_survive() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    assert_eq!(app.post("/write", b"ticks,symbol=A price=1 1700000000000000000").status, 204);
    let mut analyst = database.connect().await;
    analyst.execute("CREATE VIEW mine AS SELECT time, symbol, price FROM ticks").await.unwrap();
    assert_eq!(app.post("/write", b"ticks,symbol=A,ex=N price=2,size=3 1700000001000000000").status, 204);
    let columns: String = database
        .scalar("SELECT string_agg(column_name, ',' ORDER BY ordinal_position) FROM information_schema.columns WHERE table_schema = 'public' AND table_name = 'ticks'")
        .await;
    assert_eq!(columns, "time,symbol,price,ex,size");
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM mine").await, 2);
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM ticks WHERE ex IS NULL AND size IS NULL").await, 1);
}

#[tokio::test]
async fn a_relation_of_somebody_else_is_never_touched() {
    let database = TestDatabase::new().await;
    let mut analyst = database.connect().await;
    analyst.execute("CREATE TABLE orders (id int)").await.unwrap();
    analyst.execute("CREATE SCHEMA theirs").await.unwrap();
    let app = App::start(&["up", "--database-url", &database.url()]);
    let answer = app.post("/write", b"orders v=1 1700000000000000000\nfine v=1 1700000000000000000\n");
    assert_eq!(answer.status, 400);
    assert!(answer.json()["lines"][0]["reason"].as_str().unwrap().contains("not chunkwise's"), "{:?}", answer.json());
    assert_eq!(answer.json()["written"], 1);
    let namespace = app.post("/write?db=theirs", b"m v=1 1700000000000000000");
    assert_eq!(namespace.status, 400, "{:?}", String::from_utf8_lossy(&namespace.body));
    let kept: i64 =
        database.scalar("SELECT count(*) FROM information_schema.columns WHERE table_name = 'orders'").await;
    assert_eq!(kept, 1);
}

#[tokio::test]
async fn hostile_names_are_names_and_nothing_else() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    let long = "x".repeat(70);
    let names = [
        "a\"b",
        "a\"\"b",
        "it's",
        "a\\\\b",
        "$$",
        "x;--",
        "%s",
        "U&\"\\0041\"",
        "pg_class",
        "_timescaledb_internal",
        "public.x",
        "select",
        "A",
        "a",
        "\u{430}",
        "a\u{200b}",
        ".",
        "..",
        "ctid",
        "ticks__series",
        "ticks_latest",
        "ticks_bars_1m",
        &long,
    ];
    for (index, name) in names.iter().enumerate() {
        let line = format!("{name},tag=x,{name}2=y v={index},{name}3=1 17000000{index:02}000000000");
        let answer = app.post("/write", line.as_bytes());
        assert_eq!(answer.status, 204, "{name}: {}", String::from_utf8_lossy(&answer.body));
    }
    // Names that stand in chunkwise's own statements.
    for name in ["ordinality", "tag_hash", "g", "given", "made", "s", "d"] {
        let line = format!("inner,{name}=x v{name}=1 1700000000000000000");
        let answer = app.post("/write", line.as_bytes());
        assert_eq!(answer.status, 204, "{name}: {}", String::from_utf8_lossy(&answer.body));
    }
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM \"inner\"").await, 7);
    // One measurement each: no two share a table, and none is cut.
    let count: i64 = database.scalar("SELECT count(DISTINCT relation) FROM chunkwise.measurement").await;
    assert_eq!(count, i64::try_from(names.len() + 1).unwrap());
    let cut: i64 = database.scalar("SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE nspname IN ('public', 'public_store') AND length(relname) > 60 AND relkind <> 'i'").await;
    assert_eq!(cut, 0);
    let rows: i64 = database.scalar("SELECT count(*) FROM public.\"x;--\"").await;
    assert_eq!(rows, 1);
    for line in ["time v=1", "series_id v=1", "m,time=x v=1", "m time=1", "m,series_id=1 v=1"] {
        assert_eq!(app.post("/write", format!("{line} 1700000000000000000").as_bytes()).status, 400, "{line}");
    }
}

#[tokio::test]
async fn years_of_history_make_dozens_of_chunks() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    let lines: String =
        (0..33 * 365).map(|day| format!("daily,s=a v={day} {}\n", 631_152_000 + day * 86_400)).collect();
    assert_eq!(app.post("/write?precision=s", lines.as_bytes()).status, 204);
    let chunks: i64 = database.scalar("SELECT count(*) FROM show_chunks('public_store.daily')").await;
    assert!((30..=36).contains(&chunks), "{chunks}");
}

#[tokio::test]
async fn the_root_table_stays_empty_and_changes_are_logged() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    assert_eq!(app.post("/write?precision=s", b"m v=1 1700000000\nm v=2 1700000100\n").status, 204);
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM ONLY public_store.m").await, 0);
    let ranges = "SELECT string_agg(coalesce(extract(epoch FROM lo)::int8 || '..' || extract(epoch FROM hi)::int8, 'anywhere'), ' ' ORDER BY id) FROM chunkwise.change";
    assert_eq!(database.scalar::<String>(ranges).await, "1700000000..1700000100");

    let mut analyst = database.connect().await;
    analyst.execute("UPDATE public_store.m SET v = 3 WHERE time = to_timestamp(1700000100)").await.unwrap();
    analyst.execute("DELETE FROM public_store.m WHERE time = to_timestamp(1700000000)").await.unwrap();
    analyst.execute("DELETE FROM public_store.m WHERE v = 77").await.unwrap();
    analyst.execute("INSERT INTO public_store.m SELECT now(), series_id, 5 FROM public_store.m").await.unwrap();
    analyst.execute("TRUNCATE public_store.m").await.unwrap();
    assert_eq!(
        database.scalar::<String>(ranges).await,
        "1700000000..1700000100 1700000100..1700000100 1700000000..1700000000 anywhere anywhere"
    );
}
