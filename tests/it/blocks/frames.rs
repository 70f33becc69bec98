//! Frames of some series, from what correlations have made already.

use chunkwise::{
    hypertable::load_measurement,
    query::WindowAnswer,
    question::{CorrelateQuestion, LagQuestion, MatrixQuestion, RollingQuestion, WindowQuestion},
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sqlx::Executor;

use super::{random_question, without_blocks};
use crate::read::fixture::{DAY_US, Fixture, HOUR_US, START_US, text};

/// A question of another kind about the same buckets as a correlation's, over its first range.
fn alike<Q: DeserializeOwned>(question: &CorrelateQuestion, fields: &Value) -> Q {
    let asked = serde_json::to_value(question).unwrap();
    let mut all = asked["ranges"][0].clone();
    for name in ["measurement", "field", "bucket", "aggregate", "grid", "fill", "transform"] {
        all[name] = asked[name].clone();
    }
    all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    serde_json::from_value(all).unwrap()
}

#[track_caller]
fn assert_same(kept: &WindowAnswer, rows: &WindowAnswer, about: &str) {
    assert_eq!(kept.rows, rows.rows, "{about}");
    assert_eq!(kept.frame.times_us, rows.frame.times_us, "{about}");
    for ((at, got), expected) in kept.frame.values.indexed_iter().zip(&rows.frame.values) {
        let agrees = (got - expected).abs() <= 1e-12 * expected.abs() || (got.is_nan() && expected.is_nan());
        assert!(agrees, "{about}: {at:?} is {got}, not {expected}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn windows_are_the_same_from_blocks_and_from_rows() {
    let fixture = Fixture::random(41, 2 * HOUR_US, 20, DAY_US, 6_000).await;
    let plain = without_blocks(&fixture.test.database);
    let mut random = StdRng::seed_from_u64(4);
    let mut unread = 0;
    for _ in 0..60 {
        let question = random_question(&mut random, DAY_US, 20);
        fixture.questions.correlate(&question).await.unwrap();
        let series = if random.random_bool(0.2) {
            json!({})
        } else {
            json!({"symbol": (0..random.random_range(1..5)).map(|_| format!("S{}", random.random_range(0..20))).collect::<Vec<_>>()})
        };
        let window: WindowQuestion = alike(&question, &json!({ "series": series }));
        let kept = fixture.questions.window(&window).await.unwrap();
        let rows = plain.window(&window).await.unwrap();
        assert_same(&kept, &rows, &serde_json::to_string(&window).unwrap());
        unread += usize::from(kept.receipt.rows_read == 0 && rows.receipt.rows_read > 0);
    }
    assert!(unread > 25, "{unread} of 60 windows read nothing");
}

fn whole_day() -> CorrelateQuestion {
    serde_json::from_value(json!({
        "measurement": "ticks", "field": "price", "bucket": "5m", "transform": "diff", "target": {"symbol": "S0"},
        "ranges": [{"from": text(START_US), "to": text(START_US + DAY_US)}], "min_overlap": 2,
    }))
    .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_looks_at_some_series_reads_nothing_after_a_correlation_over_all() {
    let fixture = Fixture::random(42, 2 * HOUR_US, 20, DAY_US, 6_000).await;
    let (questions, plain) = (&fixture.questions, without_blocks(&fixture.test.database));
    let (some, pair) = (json!({"symbol": ["S3", "S1", "S7"]}), json!({"symbol": "S4"}));
    let window: WindowQuestion = alike(&whole_day(), &json!({ "series": some }));
    assert!(questions.window(&window).await.unwrap().receipt.rows_read > 0, "nothing is there yet");
    questions.correlate(&whole_day()).await.unwrap();

    let kept = questions.window(&window).await.unwrap();
    assert_same(&kept, &plain.window(&window).await.unwrap(), "window");
    let chunks = kept.receipt.chunks;
    assert_eq!((kept.receipt.rows_read, chunks.read, chunks.cached + chunks.pruned), (0, 0, chunks.total));
    assert!(chunks.cached > 8, "{chunks:?}");

    let matrix: MatrixQuestion = alike(&whole_day(), &json!({ "series": some }));
    let (kept, rows) = (questions.matrix(&matrix).await.unwrap(), plain.matrix(&matrix).await.unwrap());
    assert_eq!(format!("{:?}", kept.pairs), format!("{:?}", rows.pairs));
    assert_eq!(kept.receipt.rows_read, 0);

    let rolling: RollingQuestion = alike(&whole_day(), &json!({"target": pair, "against": some, "window": 20}));
    let (kept, rows) = (questions.rolling(&rolling).await.unwrap(), plain.rolling(&rolling).await.unwrap());
    assert_eq!((format!("{:?}", kept.r), &kept.times_us), (format!("{:?}", rows.r), &rows.times_us));
    assert_eq!(kept.receipt.rows_read, 0);

    let lag: LagQuestion = alike(&whole_day(), &json!({"target": pair, "against": some, "max_lag": 3}));
    let (kept, rows) = (questions.lag(&lag).await.unwrap(), plain.lag(&lag).await.unwrap());
    assert_eq!((format!("{:?}", kept.r), &kept.n), (format!("{:?}", rows.r), &rows.n));
    assert_eq!(kept.receipt.rows_read, 0);

    // Other buckets are not there.
    let window: WindowQuestion = alike(&whole_day(), &json!({ "series": some, "bucket": "1m" }));
    assert!(questions.window(&window).await.unwrap().receipt.rows_read > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_changed_is_read_until_a_correlation_has_read_it() {
    let fixture = Fixture::random(43, 2 * HOUR_US, 20, DAY_US, 6_000).await;
    let (questions, plain) = (&fixture.questions, without_blocks(&fixture.test.database));
    let mut connection = fixture.test.connect().await;
    let measurement = load_measurement(&mut connection, "public", "ticks").await.unwrap().unwrap();
    let window: WindowQuestion = alike(&whole_day(), &json!({ "series": {"symbol": ["S1", "S2"]} }));
    for series in [1, 9] {
        questions.correlate(&whole_day()).await.unwrap();
        assert_eq!(questions.window(&window).await.unwrap().receipt.rows_read, 0);
        // Also of a series that is not asked for: it shows in which buckets there are.
        let sql =
            format!("UPDATE {} SET price = price + 1 WHERE series_id = {}", measurement.storage(), fixture.ids[series]);
        connection.execute(sql.as_str()).await.unwrap();
        let (kept, rows) = (questions.window(&window).await.unwrap(), plain.window(&window).await.unwrap());
        assert_same(&kept, &rows, &format!("series {series}"));
        assert!(kept.receipt.rows_read > 0);
    }
}
