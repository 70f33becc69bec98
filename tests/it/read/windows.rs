//! Values of windows, against an oracle that knows all rows.

use chunkwise::{
    query::{QueryLimits, Questions, WindowAnswer},
    question::{Selector, WindowQuestion},
};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Value, json};

use super::{
    fixture::{DAY_US, Fixture, HOUR_US, MINUTE_US, Row, START_US, ask, text},
    oracle,
};

/// Asks, and compares with the oracle.
async fn check(fixture: &Fixture, question: &WindowQuestion) -> WindowAnswer {
    let answer = fixture.questions.window(question).await.unwrap_or_else(|error| panic!("{error}: {question:?}"));
    let ids: Vec<i64> = answer.rows.series.iter().map(|series| series.series_id).collect();
    let expected = oracle::window(question, &fixture.rows, &ids);
    assert_eq!(answer.frame.times_us, expected.times_us, "{question:?}");
    assert_eq!(answer.frame.values.dim(), (ids.len(), expected.times_us.len()));
    for (row, expected) in answer.frame.values.rows().into_iter().zip(&expected.values) {
        for ((value, expected), time_us) in row.iter().zip(expected).zip(&answer.frame.times_us) {
            let same = match expected {
                None => value.is_nan(),
                Some(expected) => (value - expected).abs() <= 1e-9 * expected.abs().max(1.0),
            };
            assert!(same, "{value} for {expected:?} at {} of {question:?}", text(*time_us));
        }
    }
    answer
}

fn random_question(random: &mut StdRng, buckets: &[&str], span_us: i64) -> WindowQuestion {
    let from = START_US + random.random_range(-span_us / 4..span_us);
    let to = from + random.random_range(1..span_us);
    let bucket = *buckets.choose(random).unwrap();
    let fill = [json!("none"), json!("none"), json!({"locf": {"max_age": "2h"}}), json!({"locf": {"max_age": "9h"}})];
    let series = [json!({}), json!({"symbol": "S0"}), json!({"symbol": ["S1", "S2"]}), json!({"exchange": "odd"})];
    let aggregates = ["last", "first", "mean", "min", "max", "sum", "count"];
    let grids = ["observed", "regular", "own"];
    let transforms = ["level", "diff", "pct", "log_return"];
    ask(json!({
        "bucket": bucket,
        "from": text(from),
        "to": text(to),
        "series": series.choose(random),
        "aggregate": aggregates.choose(random),
        "grid": grids.choose(random),
        "fill": fill.choose(random),
        "transform": transforms.choose(random),
    }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_aggregates_of_one_reading_are_those_of_several() {
    let fixture = Fixture::random(4, HOUR_US, 6, DAY_US, 2_000).await;
    let mut random = StdRng::seed_from_u64(6);
    for _ in 0..20 {
        let mut question = random_question(&mut random, &["5m", "45m", "1h", "7h"], DAY_US);
        let mut single = question.clone();
        question.also = ["last", "first", "mean", "min", "max", "sum", "count"]
            .map(|name| serde_json::from_value(json!(name)).unwrap())
            .into_iter()
            .filter(|aggregate| *aggregate != question.aggregate)
            .collect();
        let all = check(&fixture, &question).await;
        let mut rows_read = 0;
        for (asked, (aggregate, values)) in question.also.iter().zip(&all.also) {
            assert_eq!(asked, aggregate);
            single.aggregate = *aggregate;
            let alone = fixture.questions.window(&single).await.unwrap();
            let bits = |values: &ndarray::Array2<f64>| values.mapv(f64::to_bits);
            assert_eq!(bits(values), bits(&alone.frame.values), "{single:?}");
            rows_read = alone.receipt.rows_read;
        }
        assert_eq!(all.also.len(), 6);
        assert_eq!(all.receipt.rows_read, rows_read, "they are read once");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_aggregate_grid_fill_and_transform_is_as_worked_out_by_hand() {
    // Buckets of 45 minutes and 7 hours straddle the chunks of an hour.
    let mut fixture = Fixture::random(1, HOUR_US, 6, DAY_US, 600).await;
    let mut random = StdRng::seed_from_u64(2);
    for round in 0..150 {
        if round == 100 {
            // So far over several connections, from here on over one.
            fixture.questions = Questions::new(fixture.test.database.clone(), QueryLimits::default());
        }
        let question = random_question(&mut random, &["10m", "45m", "1h", "7h"], DAY_US);
        check(&fixture, &question).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sparse_rows_over_long_times_find_their_distant_neighbours() {
    let fixture = Fixture::random(3, 2 * HOUR_US, 4, 20 * DAY_US, 60).await;
    let mut random = StdRng::seed_from_u64(4);
    for _ in 0..60 {
        let question = random_question(&mut random, &["1h", "5h", "1d", "3d"], 20 * DAY_US);
        check(&fixture, &question).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn local_days_and_months_are_cut_as_the_calendar_says() {
    // Half a year with both changes of the clock in New York: from 2023-10-01 on.
    let shift = 92 * DAY_US;
    let rows: Vec<Row> = (0..2_000)
        .map(|i| Row { time_us: START_US - shift + i * 137 * MINUTE_US, series_id: i % 3, price: 1.0 + i as f64 })
        .collect();
    let fixture = Fixture::new(7 * DAY_US, 3, rows).await;
    let mut random = StdRng::seed_from_u64(5);
    for timezone in ["America/New_York", "Europe/Berlin", "Asia/Kathmandu", "UTC"] {
        for bucket in ["1d", "1w", "1mo"] {
            for series in [json!({}), json!({"symbol": "S1"})] {
                let from = START_US - shift + random.random_range(0..60) * DAY_US;
                let question = ask(json!({
                    "bucket": bucket, "timezone": timezone, "series": series, "transform": "diff", "aggregate": "sum",
                    "from": text(from), "to": text(from + 120 * DAY_US),
                }));
                check(&fixture, &question).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_does_not_depend_on_where_a_range_begins() {
    let fixture = Fixture::random(6, HOUR_US, 3, 2 * DAY_US, 300).await;
    for (grid, fill) in [
        ("observed", json!("none")),
        ("observed", json!({"locf": {"max_age": "3h"}})),
        ("regular", json!({"locf": {"max_age": "50m"}})),
        ("own", json!("none")),
    ] {
        let of = |from: i64| -> WindowQuestion {
            ask(json!({
                "bucket": "15m", "transform": "pct", "grid": grid, "fill": fill,
                "series": if grid == "own" { json!({}) } else { json!({"symbol": "S1"}) },
                "from": text(from), "to": text(START_US + 2 * DAY_US),
            }))
        };
        let whole = check(&fixture, &of(START_US - DAY_US)).await.frame;
        for hours in [1, 7, 13, 14, 20, 30, 47] {
            let from = START_US + hours * HOUR_US + 3 * MINUTE_US;
            let part = fixture.questions.window(&of(from)).await.unwrap().frame;
            let first = whole.times_us.partition_point(|start| *start < from);
            assert_eq!(part.times_us, whole.times_us[first..]);
            let expected = whole.values.slice(ndarray::s![.., first..]);
            let same =
                part.values.iter().zip(expected).all(|(a, b)| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()));
            assert!(same, "{grid} from hour {hours}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_neighbour_is_found_however_far_back_it_is() {
    let rows = [(0, 0, 10.0), (0, 1, 1.0), (400 * DAY_US, 0, 15.0)];
    let rows = rows.map(|(after, series_id, price)| Row { time_us: START_US + after, series_id, price });
    let fixture = Fixture::new(7 * DAY_US, 2, rows.to_vec()).await;
    let question: WindowQuestion = ask(json!({
        "bucket": "1m", "transform": "diff", "series": {"symbol": "S0"},
        "from": text(START_US + 400 * DAY_US), "to": text(START_US + 401 * DAY_US),
    }));
    let answer = check(&fixture, &question).await;
    assert_eq!(answer.frame.values, ndarray::array![[5.0]]);
    assert_eq!((answer.receipt.chunks.total, answer.receipt.chunks.read, answer.receipt.chunks.pruned), (2, 2, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn few_series_and_all_series_have_equal_values() {
    let fixture = Fixture::random(8, HOUR_US, 5, DAY_US, 400).await;
    let of = |series: Value| -> WindowQuestion {
        ask(json!({
            "bucket": "30m", "transform": "log_return", "aggregate": "mean", "series": series,
            "from": text(START_US), "to": text(START_US + DAY_US),
        }))
    };
    let all = fixture.questions.window(&of(json!({}))).await.unwrap();
    let few = fixture.questions.window(&of(json!({"series_id": [fixture.ids[3], fixture.ids[1]]}))).await.unwrap();
    assert_eq!(all.frame.times_us, few.frame.times_us);
    for (row, of_all) in [(0, 1), (1, 3)] {
        for (a, b) in few.frame.values.row(row).iter().zip(all.frame.values.row(of_all)) {
            assert!((a - b).abs() < 1e-12 || (a.is_nan() && b.is_nan()));
        }
    }
    assert!(few.receipt.rows_read < all.receipt.rows_read);
    assert_ne!(all.rows.version, few.rows.version);
    assert_eq!(all.rows.version, fixture.questions.window(&of(json!({}))).await.unwrap().rows.version);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_list_of_series_is_read_as_well_as_a_short_one() {
    // More than are listed in a statement, fewer than there are.
    let rows: Vec<Row> = (0..6_000)
        .map(|i| Row { time_us: START_US + (i / 1_500) * HOUR_US, series_id: i % 1_500, price: i as f64 })
        .collect();
    let fixture = Fixture::new(HOUR_US, 1_500, rows).await;
    let mut series = Selector::default();
    for id in &fixture.ids[..1_200] {
        series.add("series_id", &id.to_string()).unwrap();
    }
    let mut question: WindowQuestion =
        ask(json!({"bucket": "1h", "from": text(START_US), "to": text(START_US + DAY_US)}));
    question.series = series;
    let answer = check(&fixture, &question).await;
    assert_eq!((answer.rows.series.len(), answer.receipt.rows_read), (1_200, 6_000));
    assert!(answer.frame.values.iter().all(|value| value.is_finite()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn integers_and_truth_values_are_numbers() {
    let rows = vec![
        Row { time_us: START_US, series_id: 0, price: 4.5 },
        Row { time_us: START_US + MINUTE_US, series_id: 0, price: 7.5 },
        Row { time_us: START_US + 2 * MINUTE_US, series_id: 0, price: f64::NAN },
    ];
    let fixture = Fixture::new(DAY_US, 1, rows).await;
    for (field, aggregate, expected) in [("size", "sum", 11.0), ("buy", "mean", 0.5), ("buy", "count", 2.0)] {
        let question: WindowQuestion = ask(json!({
            "field": field, "aggregate": aggregate, "bucket": "1h",
            "from": text(START_US), "to": text(START_US + HOUR_US),
        }));
        assert_eq!(fixture.questions.window(&question).await.unwrap().frame.values, ndarray::array![[expected]]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_about_nothing_has_rows_without_columns() {
    let fixture = Fixture::random(9, HOUR_US, 3, DAY_US, 50).await;
    let none: WindowQuestion = ask(json!({"bucket": "1d", "from": text(START_US + 1), "to": text(START_US + HOUR_US)}));
    assert_eq!(check(&fixture, &none).await.frame.values.dim(), (3, 0));
    let nobody: WindowQuestion = ask(json!({
        "bucket": "1h", "series": {"symbol": "nobody"}, "from": text(START_US), "to": text(START_US + 3 * HOUR_US),
    }));
    assert_eq!(check(&fixture, &nobody).await.frame.values.nrows(), 0);
    let before: WindowQuestion =
        ask(json!({"bucket": "1mo", "from": "0001-01-01T00:00:00Z", "to": "0003-01-01T00:00:00Z", "transform": "pct"}));
    assert_eq!(check(&fixture, &before).await.frame.values.ncols(), 0);
}
