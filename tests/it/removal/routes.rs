//! `DELETE`.

use serde_json::json;
use sqlx::Executor;

use super::{filled, lines};
use crate::support::{App, TestDatabase};

#[tokio::test]
async fn a_measurement_goes_with_all_its_rows_and_a_line_makes_it_anew() {
    let (database, app) = filled().await;
    let mut analyst = database.connect().await;
    analyst
        .execute("CREATE VIEW mine AS SELECT * FROM m; CREATE VIEW upon_mine AS SELECT count(*) FROM mine")
        .await
        .unwrap();
    let refused = app.delete("/api/v1/measurements/m");
    assert_eq!((refused.status, &refused.json()["error"]["code"]), (409, &json!("measurement_in_use")));
    let message = refused.json()["error"]["message"].to_string();
    assert!(message.contains("view mine, view upon_mine") && message.contains("cascade=true"), "{message}");
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM mine").await, 360);

    let gone = app.delete("/api/v1/measurements/m?cascade=true");
    assert_eq!((gone.status, gone.json()), (200, json!({"deleted_rows": 360})));
    let left = "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
                WHERE relkind = 'r' AND (nspname = 'public_store' OR relname LIKE '\\_hyper\\_%')";
    assert_eq!(database.scalar::<i64>(left).await, 0);
    assert_eq!(app.delete("/api/v1/measurements/m").status, 404);
    assert_eq!(app.get("/api/v1/measurements").json(), json!({"measurements": []}));

    // The same bytes, within the hour: they are no repetition of what is gone.
    let again = app.post("/write?precision=s", lines(0..180).as_bytes());
    assert_eq!((again.status, again.header("chunkwise-written")), (204, Some("360")));
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM m").await, 360);
}

#[tokio::test]
async fn series_go_with_their_rows_and_come_back_as_others() {
    let (database, app) = filled().await;
    let id = "SELECT max(series_id) FROM public_store.m__series WHERE s = 'A'";
    let before: i64 = database.scalar(id).await;
    for path in ["/api/v1/series?measurement=m", "/api/v1/series?measurement=m&tag.x=1", "/api/v1/series?tag.s=A"] {
        assert_eq!(app.delete(path).status, 400, "{path}");
    }
    let nobody = app.delete("/api/v1/series?measurement=m&tag.s=C");
    assert_eq!(nobody.json(), json!({"deleted_rows": 0}));
    let gone = app.delete("/api/v1/series?measurement=m&tag.s=A");
    assert_eq!(gone.json(), json!({"deleted_rows": 180}));
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM m").await, 180);
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM public_store.m__series").await, 1);
    // Every part of the line is known to the writer by heart: with the id that is gone.
    assert_eq!(app.post("/write?precision=s", b"m,s=A v=1 1704067200").status, 204);
    assert!(database.scalar::<i64>(id).await > before);
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM m WHERE s = 'A'").await, 1);
}

#[tokio::test]
async fn rows_of_a_range_go_exactly_and_whole_chunks_as_chunks() {
    let (database, app) = filled().await;
    let changes = "SELECT coalesce(max(id), 0) FROM chunkwise.change";
    let before: i64 = database.scalar(changes).await;
    // From 00:30 to 02:15: half of an hour, a whole one, a quarter.
    let range = "from=2024-01-01T00:30:00Z&to=2024-01-01T02:15:00Z";
    let one = app.delete(&format!("/api/v1/rows?measurement=m&{range}&tag.s=B"));
    assert_eq!(one.json(), json!({"deleted_rows": 105}));
    let chunks = "SELECT count(*) FROM show_chunks('public_store.m')";
    let there: i64 = database.scalar(chunks).await;
    let all = app.delete(&format!("/api/v1/rows?measurement=m&{range}"));
    assert_eq!(all.json(), json!({"deleted_rows": 105}));
    let bounds = "SELECT min(time)::text || ' ' || max(time)::text || ' ' || count(*) FROM m
                  WHERE time >= '2024-01-01 00:29Z' AND time < '2024-01-01 02:16Z'";
    assert_eq!(database.scalar::<String>(bounds).await, "2024-01-01 00:29:00+00 2024-01-01 02:15:00+00 4");
    let whole: i64 = database
        .scalar(
            "SELECT count(*) FROM timescaledb_information.chunks WHERE range_start = '2024-01-01 01:00Z'
         AND range_end = '2024-01-01 02:00Z'",
        )
        .await;
    assert_eq!(whole, 0);
    let event: String = database
        .scalar(
            "SELECT string_agg(event || ' ' || (bytes_before > 0) || ' ' || bytes_after || ' ' || (took > '0'), ',')
             FROM chunkwise.chunk_event WHERE chunk LIKE '_timescaledb_internal._hyper_%'",
        )
        .await;
    assert_eq!(event, "dropped true 0 true", "the whole hour's");
    assert!(there >= database.scalar::<i64>(chunks).await);
    let noted = format!(
        "SELECT min(lo)::text || ' ' || max(hi)::text || ' ' || count(*) FILTER (WHERE lo IS NULL)
         FROM chunkwise.change WHERE id > {before}"
    );
    let noted: String = database.scalar(&noted).await;
    assert!(noted.starts_with("2024-01-01 00:30:00+00 2024-01-01 02:14:00+00 0"), "{noted}");
    for (path, field) in [
        ("/api/v1/rows?measurement=m&from=2024-01-01T00:00:00Z", "to"),
        ("/api/v1/rows?measurement=m&from=1&to=1", "to"),
        ("/api/v1/rows?measurement=m&from=1&to=2&colour=red", "colour"),
    ] {
        let refused = app.delete(path);
        assert_eq!((refused.status, &refused.json()["error"]["details"]["path"]), (400, &json!(field)), "{path}");
    }
}

#[tokio::test]
async fn a_query_service_alone_takes_nothing_away() {
    let database = TestDatabase::new().await;
    let app = App::start(&["serve", "--read-database-url", &database.url()]);
    assert_eq!(app.delete("/api/v1/measurements/m").status, 404);
    assert_eq!(app.delete("/api/v1/series?measurement=m&tag.s=A").status, 405);
    assert_eq!(app.delete("/api/v1/rows?measurement=m&from=1&to=2").status, 404);
}
