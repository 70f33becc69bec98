//! `/api/v1/bars` and `/api/v1/latest` of the program.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{App, TestDatabase};

fn write(app: &App, lines: &str) {
    let answer = app.post("/write?precision=s", lines.as_bytes());
    assert_eq!(answer.status, 204, "{}", String::from_utf8_lossy(&answer.body));
}

fn bars(app: &App, bucket: &str) -> Value {
    let question = json!({
        "measurement": "ticks", "series": {"symbol": "A"}, "bucket": bucket,
        "from": "2024-01-01T00:00:00Z", "to": "2024-02-01T00:00:00Z"
    });
    let answer = app.ask("/api/v1/bars", &question);
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    answer.json()["bars"].clone()
}

fn latest(app: &App, field: &str) -> Value {
    app.get(&format!("/api/v1/latest?measurement=ticks&field={field}")).json()["latest"].clone()
}

#[tokio::test]
async fn answers_are_right_at_once_before_and_after_there_are_rollups_and_after_a_restart() {
    let database = TestDatabase::new().await;
    let url = database.url();
    let app = App::start(&["up", "--database-url", &url]);
    // 2024-01-01 00:00:10, 00:00:50, 00:07 and the next day.
    write(
        &app,
        "ticks,symbol=A price=10,size=2i 1704067210\nticks,symbol=A price=12,size=1i 1704067250\n\
         ticks,symbol=A price=8,size=3i,note=\"x\" 1704067620\nticks,symbol=B price=5 1704153600",
    );
    let minute = |time: &str, values: [f64; 4], count: i64, volume: f64, vwap: f64| {
        json!({
            "series_id": 1, "series": {"symbol": "A"}, "time": time, "open": values[0], "high": values[1],
            "low": values[2], "close": values[3], "count": count, "volume": volume, "vwap": vwap,
        })
    };
    let expected = json!([
        minute("2024-01-01T00:00:00Z", [10.0, 12.0, 10.0, 12.0], 2, 3.0, 32.0 / 3.0),
        minute("2024-01-01T00:07:00Z", [8.0; 4], 1, 3.0, 8.0),
    ]);
    assert_eq!(bars(&app, "1m"), expected, "from the rows");
    let last = json!([
        {"series_id": 1, "series": {"symbol": "A"}, "time": "2024-01-01T00:07:00Z", "value": 8.0},
        {"series_id": 2, "series": {"symbol": "B"}, "time": "2024-01-02T00:00:00Z", "value": 5.0},
    ]);
    assert_eq!(latest(&app, "price"), last);
    assert_eq!(latest(&app, "note")[0]["value"], "x");

    // The rollups come by themselves.
    let deadline = Instant::now() + Duration::from_secs(60);
    while database.scalar::<i64>("SELECT count(*) FROM chunkwise.rollup_level WHERE isfinite(watermark)").await < 5 {
        assert!(Instant::now() < deadline, "there are no rollups");
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(bars(&app, "1m"), expected);
    let day = minute("2024-01-01T00:00:00Z", [10.0, 12.0, 8.0, 8.0], 3, 6.0, 56.0 / 6.0);
    assert_eq!(bars(&app, "1d"), json!([day]));
    assert_eq!(bars(&app, "1mo"), json!([day]));
    assert_eq!(bars(&app, "10s")[1]["time"], "2024-01-01T00:00:50Z");
    assert_eq!(latest(&app, "price"), last);

    // What is written now counts now, in whatever time.
    let path = "/api/v1/bars?q=%7B%22measurement%22%3A%22ticks%22%2C%22bucket%22%3A%221d%22%2C%22from%22%3A%222024-01-01T00%3A00%3A00Z%22%2C%22to%22%3A%222024-01-02T00%3A00%3A00Z%22%7D";
    let before = app.get(path);
    let tag = before.header("etag").unwrap().to_owned();
    assert_eq!(app.get_with(path, &[("if-none-match", &tag)]).status, 304);
    write(&app, "ticks,symbol=A price=20,size=1i 1704067680");
    assert_eq!(bars(&app, "1d")[0]["high"], 20.0);
    assert_eq!(latest(&app, "price")[0]["value"], 20.0);
    let after = app.get_with(path, &[("if-none-match", &tag)]);
    assert_eq!((after.status, after.json()["bars"][0]["close"].as_f64()), (200, Some(20.0)));
    drop(app);

    let app = App::start(&["serve", "--database-url", &url]);
    assert_eq!(latest(&app, "price")[0]["value"], 20.0);
    assert_eq!(bars(&app, "1d")[0]["high"], 20.0);
    let csv = app.get("/api/v1/latest?measurement=ticks&field=price&format=csv");
    let csv = String::from_utf8(csv.body).unwrap();
    let lines: Vec<&str> = csv.lines().take(2).collect();
    assert_eq!(lines, ["series_id,symbol,time,value", "1,A,2024-01-01T00:08:00Z,20.0"]);
    for (path, status) in [
        ("/api/v1/latest?measurement=ticks&field=nope", 404),
        ("/api/v1/latest?measurement=nope&field=price", 404),
        ("/api/v1/latest?measurement=ticks", 400),
        ("/api/v1/latest?measurement=ticks&field=price&format=npy", 406),
    ] {
        assert_eq!(app.get(path).status, status, "{path}");
    }
    let wide = json!({
        "measurement": "ticks", "bucket": "1m", "from": "2024-01-01T00:00:00Z", "to": "2024-02-01T00:00:00Z",
        "limit_bytes": 300
    });
    assert_eq!(app.ask("/api/v1/bars", &wide).status, 413);
}
