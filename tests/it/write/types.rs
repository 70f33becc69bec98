//! Which value fits which column.

use crate::support::{App, TestDatabase};

#[tokio::test]
async fn a_field_keeps_its_first_type_and_conflicts_are_the_lines_own() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    let first = b"m,tag=x f=1,i=1i,b=true,s=\"x\",t=1700000000000000t 1700000000000000000";
    assert_eq!(app.post("/write", first).status, 204);
    let types: String = database
        .scalar("SELECT string_agg(name || ' ' || type, ', ' ORDER BY position) FROM chunkwise.measurement_column WHERE role = 'field'")
        .await;
    assert_eq!(types, "f float8, i int8, b bool, s text, t timestamptz");

    let cases: [(&str, u16); 14] = [
        ("m,tag=x f=2i", 204),
        ("m,tag=x f=2u", 204),
        ("m,tag=x i=2", 204),
        ("m,tag=x i=2u", 204),
        ("m,tag=x i=2.5", 400),
        ("m,tag=x i=18446744073709551615u", 400),
        ("m,tag=x b=1", 400),
        ("m,tag=x b=\"true\"", 400),
        ("m,tag=x s=1", 400),
        ("m,tag=x f=\"1\"", 400),
        ("m,tag=x f=true", 400),
        ("m,tag=x tag=1", 400),
        ("m,f=x i=1", 400),
        ("m,tag=x t=5i", 400),
    ];
    for (index, (line, status)) in cases.iter().enumerate() {
        let answer = app.post("/write", format!("{line} 17000001{index:02}000000000").as_bytes());
        assert_eq!(answer.status, *status, "{line}: {}", String::from_utf8_lossy(&answer.body));
    }
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM m").await, 5);
}

#[tokio::test]
async fn values_are_stored_to_the_last_bit_and_times_to_the_microsecond() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    let lines = b"m v=0.1 1700000000123456789\nm v=-0 1700000000000000001\nm v=5e-324 1700000000000000002\n\
                  m v=1.7976931348623157e308 -1\nm v=1 -62135596800000000000\n";
    // The last one is beyond 64-bit nanoseconds.
    assert_eq!(app.post("/write", lines).status, 400);
    assert_eq!(app.post("/write?precision=s", b"m v=7 -62135596800\nm v=8 253402300799\n").status, 400);
    let times: String =
        database.scalar("SELECT string_agg(to_char(time, 'YYYY-MM-DD HH24:MI:SS.US'), ' ' ORDER BY time) FROM m").await;
    assert_eq!(
        times,
        "0001-01-01 00:00:00.000000 1969-12-31 23:59:59.999999 2023-11-14 22:13:20.000000 2023-11-14 22:13:20.000000 2023-11-14 22:13:20.123456"
    );
    let bits: i64 = database.scalar("SELECT count(*) FROM m WHERE float8send(v) IN (float8send('-0'), float8send(5e-324), float8send(0.1), float8send(1.7976931348623157e308))").await;
    assert_eq!(bits, 4);
}

#[tokio::test]
async fn a_line_from_the_future_is_refused_and_the_past_is_open() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    let now = chrono::Utc::now().timestamp();
    let body = format!("m v=1 {}\nm v=2 {}\nm v=3 -2208988800\n", now + 3_600, now + 90_000);
    let answer = app.post("/write?precision=s", body.as_bytes());
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["lines"][0]["line"], 2);
    assert_eq!(answer.json()["lines"][0]["column"], 7);
    assert_eq!(answer.json()["written"], 2);
}

#[tokio::test]
async fn tags_in_any_order_are_one_series() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    assert_eq!(
        app.post(
            "/write",
            b"m,a=1,b=2 v=1 1700000000000000000\nm,b=2,a=1 v=2 1700000000000000001\nm,b=2 v=3 1700000000000000002"
        )
        .status,
        204
    );
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM public_store.m__series").await, 2);
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM m WHERE a IS NULL").await, 1);
}
