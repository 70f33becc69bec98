//! Correlations, against values of windows and a formula written out.

use chunkwise::{
    query::{CorrelateAnswer, QueryError, StatColumn},
    question::{CorrelateQuestion, Stat, WindowQuestion},
};
use ndarray::Axis;
use serde_json::json;

use super::fixture::{DAY_US, Fixture, HOUR_US, Row, START_US, ask, text};

/// Hourly prices of four days: random walks, of which `S1` follows `S0`.
async fn walks() -> Fixture {
    use rand::{Rng, SeedableRng, rngs::StdRng};

    let mut random = StdRng::seed_from_u64(11);
    let mut prices = [100.0; 5];
    let mut rows = Vec::new();
    for hour in 0..96 {
        let common: f64 = random.random_range(-1.0..1.0);
        for (series, price) in prices.iter_mut().enumerate() {
            *price +=
                if series < 2 { common + 0.1 * random.random_range(-1.0..1.0) } else { random.random_range(-1.0..1.0) };
            // One series has no data on the first day.
            if series != 4 || hour >= 24 {
                rows.push(Row { time_us: START_US + hour * HOUR_US, series_id: series as i64, price: *price });
            }
        }
    }
    Fixture::new(6 * HOUR_US, 5, rows).await
}

fn ranges() -> [(i64, i64); 4] {
    // Two that overlap, one apart from them, and the whole.
    [(0, 20), (10, 24), (40, 70), (0, 96)].map(|(from, to)| (START_US + from * HOUR_US, START_US + to * HOUR_US))
}

fn question(fields: serde_json::Value) -> CorrelateQuestion {
    let ranges = ranges().map(|(from, to)| json!({"from": text(from), "to": text(to)}));
    let mut all = json!({ "bucket": "1h", "transform": "diff", "target": {"symbol": "S0"}, "ranges": ranges });
    all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    ask(all)
}

/// r and n of two series, by the formula.
fn by_hand(a: &[f64], b: &[f64], min_overlap: usize) -> (f64, i64) {
    let pairs: Vec<(f64, f64)> =
        a.iter().zip(b).filter(|(a, b)| a.is_finite() && b.is_finite()).map(|(a, b)| (*a, *b)).collect();
    let n = pairs.len() as f64;
    let mean = |of: &dyn Fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>() / n;
    let (ma, mb) = (mean(&|pair| pair.0), mean(&|pair| pair.1));
    let sum = |of: &dyn Fn(f64, f64) -> f64| pairs.iter().map(|(a, b)| of(a - ma, b - mb)).sum::<f64>();
    let r = sum(&|a, b| a * b) / (sum(&|a, _| a * a) * sum(&|_, b| b * b)).sqrt();
    (if pairs.len() < min_overlap { f64::NAN } else { r }, pairs.len() as i64)
}

fn ids(answer: &CorrelateAnswer) -> Vec<i64> {
    answer.rows.series.iter().map(|series| series.series_id).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_range_is_as_its_own_window_by_the_formula() {
    let fixture = walks().await;
    let answer = fixture.questions.correlate(&question(json!({}))).await.unwrap();
    assert_eq!(ids(&answer), fixture.ids, "complete and ascending, the target among them");
    assert_eq!(answer.target.series_id, fixture.ids[0]);
    for (range, (from, to)) in ranges().into_iter().enumerate() {
        let window: WindowQuestion =
            ask(json!({"bucket": "1h", "transform": "diff", "from": text(from), "to": text(to)}));
        let values = fixture.questions.window(&window).await.unwrap().frame.values;
        for series in 0..5 {
            let (r, n) = by_hand(&values.row(0).to_vec(), &values.row(series).to_vec(), 10);
            let got = answer.r[(range, series)];
            assert!(
                (got - r).abs() < 1e-6 || (got.is_nan() && r.is_nan()),
                "range {range}, series {series}: {got}, {r}"
            );
            assert_eq!(answer.n[(range, series)], n);
        }
    }
    assert!(answer.r.column(0).iter().all(|r| *r == 1.0), "the target with itself");
    assert!(answer.r[(0, 4)].is_nan(), "no data in that range");
    assert!(answer.stats.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_best_are_listed_in_rank_order_without_the_target() {
    let fixture = walks().await;
    let all = fixture.questions.correlate(&question(json!({}))).await.unwrap();
    let top = fixture.questions.correlate(&question(json!({"top": 2, "rank_by": 3}))).await.unwrap();
    let mut expected: Vec<usize> = (1..5).collect();
    expected.sort_by(|a, b| all.r[(3, *b)].abs().total_cmp(&all.r[(3, *a)].abs()));
    expected.truncate(2);
    assert_eq!(ids(&top), expected.iter().map(|series| fixture.ids[*series]).collect::<Vec<_>>());
    assert_eq!(top.r, all.r.select(Axis(1), &expected));
    assert_eq!(top.rows.series[0].series_id, fixture.ids[1], "the one that follows the target");
    assert!(matches!(top.stats.as_slice(), [StatColumn::One(Stat::PValue, _), StatColumn::Interval(..)]));
    assert_ne!(top.rows.version, all.rows.version);

    let more = fixture.questions.correlate(&question(json!({"top": 50}))).await.unwrap();
    assert_eq!(more.rows.series.len(), 4, "fewer than asked for is fine");
    let least = fixture.questions.correlate(&question(json!({"top": 1, "rank_by": 3, "order": "asc"}))).await.unwrap();
    let lowest = all.r.row(3).iter().skip(1).copied().fold(f64::INFINITY, f64::min);
    assert_eq!(least.r[(3, 0)], lowest);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_target_need_not_be_among_the_others() {
    let fixture = walks().await;
    let all = fixture.questions.correlate(&question(json!({}))).await.unwrap();
    let some = question(json!({"target": {"symbol": "S3"}, "against": {"symbol": ["S4", "S1", "S0"]}}));
    let some = fixture.questions.correlate(&some).await.unwrap();
    assert_eq!(ids(&some), [fixture.ids[0], fixture.ids[1], fixture.ids[4]]);
    assert_eq!(some.target.series_id, fixture.ids[3]);
    assert!((some.r[(3, 0)] - all.r[(3, 3)]).abs() < 1e-6, "r is symmetric");
    let nobody = question(json!({"against": {"symbol": "nobody"}}));
    assert_eq!(fixture.questions.correlate(&nobody).await.unwrap().r.dim(), (4, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q_values_are_over_all_others_even_where_few_are_listed() {
    let fixture = walks().await;
    let stats = json!(["q_value", "p_value"]);
    let all = fixture.questions.correlate(&question(json!({"stats": stats}))).await.unwrap();
    let top = fixture.questions.correlate(&question(json!({"stats": stats, "top": 1, "rank_by": 3}))).await.unwrap();
    let columns = |answer: &CorrelateAnswer| match answer.stats.as_slice() {
        [StatColumn::One(Stat::QValue, q), StatColumn::One(Stat::PValue, p)] => (q.clone(), p.clone()),
        other => panic!("{other:?}"),
    };
    let ((q, p), (q_top, _)) = (columns(&all), columns(&top));
    assert!(q.column(0).iter().all(|q| q.is_nan()), "the target has none");
    // The least of four p-values counts four times.
    assert!((q[(3, 1)] - (4.0 * p[(3, 1)]).min(1.0)).abs() <= 1e-12 || q[(3, 1)] < 4.0 * p[(3, 1)]);
    assert_eq!(q_top[(3, 0)], q[(3, 1)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_must_match_exactly_one_series() {
    let fixture = walks().await;
    match fixture.questions.correlate(&question(json!({"target": {"exchange": "even"}}))).await {
        Err(QueryError::AmbiguousTarget { total: 3, matches }) => {
            assert_eq!(matches[1].0, fixture.ids[2]);
            let symbol = ("symbol".to_owned(), "S2".to_owned());
            assert_eq!(matches[1].1, [symbol, ("exchange".to_owned(), "even".to_owned())]);
        }
        other => panic!("{other:?}"),
    }
    match fixture.questions.correlate(&question(json!({"target": {"symbol": "nobody"}}))).await {
        Err(QueryError::NoSeries { path: "target", .. }) => {}
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ranges_years_apart_read_only_their_own_chunks() {
    let rows = (0..800)
        .map(|day| Row { time_us: START_US + (day / 2) * DAY_US, series_id: day % 2, price: (day * day % 97) as f64 })
        .collect();
    let fixture = Fixture::new(DAY_US, 2, rows).await;
    let range =
        |from: i64, to: i64| json!({"from": text(START_US + from * DAY_US), "to": text(START_US + to * DAY_US)});
    let question: CorrelateQuestion = ask(json!({
        "bucket": "1d", "transform": "diff", "target": {"symbol": "S0"}, "min_overlap": 3,
        "ranges": [range(10, 20), range(300, 310), range(15, 25)],
    }));
    let answer = fixture.questions.correlate(&question).await.unwrap();
    assert_eq!(answer.n, ndarray::array![[10, 10], [10, 10], [10, 10]]);
    // 15 days and the neighbour before, 10 days and the neighbour before.
    assert_eq!((answer.receipt.chunks.total, answer.receipt.chunks.read), (400, 27));
    assert_eq!(answer.receipt.rows_read, 2 * 27);
}
