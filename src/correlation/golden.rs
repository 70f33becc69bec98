//! Real prices, from files to correlations, against pandas and scipy (`tests/data/make_golden.py`).

use std::collections::{BTreeMap, BTreeSet};

use chrono_tz::Tz;
use flate2::read::GzDecoder;
use serde::Deserialize;

use super::*;
use crate::{
    frame::{Accumulator, Calendar, Frame, Shape, assemble},
    question::{Aggregate, Fill, Grid, Method, Timestamp, Transform, Width},
};

const SP500: &[u8] = include_bytes!("../../tests/data/sp500_prices.csv.gz");
const STOCKS: &[u8] = include_bytes!("../../tests/data/stocks_ohlcv.csv.gz");
const GOLDEN: &str = include_str!("../../tests/data/golden.json");

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    data: String,
    target: String,
    from: String,
    to: String,
    bucket: Width,
    transform: Transform,
    method: Method,
    min_overlap: usize,
    results: BTreeMap<String, Expected>,
}

#[derive(Deserialize)]
struct Expected {
    r: Option<f64>,
    n: i64,
    p_value: Option<f64>,
}

/// Rows of (series, time, value), and the series in alphabetical order.
struct Prices {
    names: Vec<String>,
    rows: Vec<(usize, i64, f64)>,
}

fn cases() -> Vec<Case> {
    serde_json::from_str::<Golden>(GOLDEN).unwrap().cases
}

fn us(date: &str) -> i64 {
    date.parse::<Timestamp>().unwrap().us()
}

fn prices(rows: Vec<(String, i64, f64)>) -> Prices {
    let names: BTreeSet<&String> = rows.iter().map(|row| &row.0).collect();
    let names: Vec<String> = names.into_iter().cloned().collect();
    let rows = rows.iter().map(|row| (names.binary_search(&row.0).unwrap(), row.1, row.2)).collect();
    Prices { names, rows }
}

/// A column a series.
fn sp500() -> Prices {
    let mut file = csv::Reader::from_reader(GzDecoder::new(SP500));
    let headers = file.headers().unwrap().clone();
    let rows = file.records().map(Result::unwrap).flat_map(|record| {
        let date = us(&record[0]);
        let cells = headers.iter().zip(record.iter()).skip(1).filter(|(_, cell)| !cell.is_empty());
        cells.map(|(name, cell)| (name.to_owned(), date, cell.parse().unwrap())).collect::<Vec<_>>()
    });
    prices(rows.collect())
}

/// A row a series and day: `Ticker,Date,Open,High,Low,Close,...`.
fn stocks() -> Prices {
    let mut file = csv::Reader::from_reader(GzDecoder::new(STOCKS));
    let rows = file.records().map(Result::unwrap);
    prices(rows.map(|record| (record[0].to_owned(), us(&record[1]), record[5].parse().unwrap())).collect())
}

/// What a reader does: only the range and its history is read, in two slices.
fn frame(prices: &Prices, case: &Case) -> Frame {
    let shape = Shape { grid: Grid::Observed, fill: Fill::None, transform: case.transform };
    let calendar = Calendar::new(case.bucket, Tz::UTC);
    let (from_us, to_us) = (us(&case.from), us(&case.to));
    let first_us = calendar.ceil(from_us);
    let previous = prices.rows.iter().map(|row| calendar.floor(row.1)).filter(|start| *start < first_us).max();
    let read_from_us = shape.history().read_from_us(&calendar, first_us, previous);
    let starts = calendar.starts(read_from_us, to_us, 20_000).unwrap();

    let aggregate = Aggregate::Last;
    let seam = starts.len() / 2;
    let mut whole = Accumulator::new(prices.names.len(), starts.len(), aggregate);
    let mut late = Accumulator::new(prices.names.len(), starts.len() - seam, aggregate);
    for (row, time_us, value) in &prices.rows {
        match starts.index_of(*time_us) {
            Some(bucket) if bucket >= seam => late.add(*row, bucket - seam, *time_us, *value),
            Some(bucket) => whole.add(*row, bucket, *time_us, *value),
            None => {}
        }
    }
    whole.merge(&late, seam);
    let observed = whole.observed();
    let raw = Frame { times_us: starts.iter().collect(), values: whole.finish() };
    assemble(raw, &observed, &shape, &calendar, from_us)
}

/// 1e-4 where a p-value can be told from 0, below that the order of magnitude.
#[track_caller]
fn assert_p_value(p: f64, expected: f64, what: &str) {
    let near = if expected > 1e-12 {
        (p - expected).abs() <= 1e-4 * expected
    } else if expected > 1e-300 {
        (p.log10() - expected.log10()).abs() < 0.1
    } else {
        (0.0..1e-299).contains(&p)
    };
    assert!(near, "{what}: {p} is not {expected}");
}

#[test]
fn correlations_of_real_prices_are_those_of_pandas_and_scipy() {
    let (sp500, stocks) = (sp500(), stocks());
    for case in cases() {
        let prices = if case.data == "sp500_prices" { &sp500 } else { &stocks };
        let frame = frame(prices, &case);
        let target = prices.names.binary_search(&case.target).unwrap();
        let range = 0..frame.times_us.len();
        let values = frame.values.view();
        let answer = one_vs_all(values.row(target), values, &[range], case.method, case.min_overlap);
        assert_eq!(case.results.keys().collect::<Vec<_>>(), prices.names.iter().collect::<Vec<_>>());
        for (series, (name, expected)) in case.results.iter().enumerate() {
            let what = format!("{}, {name}", case.name);
            let (r, n) = (answer.r[(0, series)], answer.n[(0, series)]);
            assert_eq!(n, expected.n, "{what}");
            match (expected.r, expected.p_value) {
                (Some(expected_r), Some(expected_p)) => {
                    assert!((r - expected_r).abs() <= 1e-9, "{what}: {r} is not {expected_r}");
                    assert_p_value(p_value(r, n), expected_p, &what);
                }
                _ => assert!(r.is_nan() && p_value(r, n).is_nan(), "{what}: {r} is not undefined"),
            }
        }
        assert_eq!(answer.r[(0, target)].is_nan(), case.results[&case.target].r.is_none(), "{}", case.name);
        assert!(answer.r[(0, target)].is_nan() || answer.r[(0, target)] == 1.0, "{}", case.name);
    }
}

#[test]
fn p_values_of_golden_correlations_are_those_of_scipy() {
    for case in cases() {
        for (name, expected) in &case.results {
            if let (Some(r), Some(p)) = (expected.r, expected.p_value) {
                assert_p_value(p_value(r, expected.n), p, &format!("{}, {name}", case.name));
            }
        }
    }
}
