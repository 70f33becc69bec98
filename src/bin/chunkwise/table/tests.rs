use std::sync::Arc;

use chunkwise::{
    frame::Frame,
    query::{ReceiptChunks, ReceiptMs, SelectedSeries},
    question::TimeRange,
};
use ndarray::array;

use super::*;

const DAY_US: i64 = 86_400_000_000;

fn rows(tag_names: &[&str], series: &[(i64, &[Option<&str>])]) -> AnswerRows {
    let series = series.iter().map(|(series_id, tags)| TaggedSeries {
        series_id: *series_id,
        tags: tags.iter().map(|tag| tag.map(str::to_owned)).collect(),
    });
    Arc::new(SelectedSeries {
        tag_names: tag_names.iter().map(|tag| (*tag).to_owned()).collect(),
        series: series.collect(),
        version: "1".to_owned(),
    })
}

fn receipt() -> Receipt {
    Receipt {
        chunks: ReceiptChunks { total: 120, pruned: 98, cached: 20, read: 2 },
        rows_read: 4032,
        bytes_read: 185_472,
        ms: ReceiptMs { plan: 0.2, read: 3.1, compute: 1.9, ..ReceiptMs::default() },
    }
}

fn a_window() -> WindowAnswer {
    WindowAnswer {
        rows: rows(&["symbol"], &[(1, &[Some("AAPL")]), (13, &[Some("MSFT")])]),
        frame: Frame { times_us: vec![0, DAY_US], values: array![[1.5, f64::NAN], [2.0, 2.25]] },
        also: Vec::new(),
        as_of_us: 2 * DAY_US,
        receipt: receipt(),
    }
}

#[test]
fn a_long_window_leaves_out_what_is_missing() {
    let expected = "\
┌───────────┬────────┬────────────┬───────┐
│ series_id ┆ symbol ┆ time       ┆ value │
╞═══════════╪════════╪════════════╪═══════╡
│         1 ┆ AAPL   ┆ 1970-01-01 ┆   1.5 │
│        13 ┆ MSFT   ┆ 1970-01-01 ┆     2 │
│        13 ┆ MSFT   ┆ 1970-01-02 ┆  2.25 │
└───────────┴────────┴────────────┴───────┘
as of 1970-01-03T00:00:00Z; 2 of 120 chunks read, 20 from blocks; 4032 rows; 5.2 ms
";
    assert_eq!(window(&a_window(), Layout::Long), expected);
}

#[test]
fn a_wide_window_has_a_column_for_every_series() {
    let text = window(&a_window(), Layout::Wide);
    let expected = "\
┌────────────┬──────┬──────┐
│ time       ┆ AAPL ┆ MSFT │
╞════════════╪══════╪══════╡
│ 1970-01-01 ┆  1.5 ┆    2 │
│ 1970-01-02 ┆      ┆ 2.25 │
└────────────┴──────┴──────┘
";
    assert!(text.starts_with(expected), "{text}");
}

fn a_correlation(ranges: usize) -> CorrelateAnswer {
    let range = |day: usize| {
        let from = i64::try_from(day).unwrap() * DAY_US;
        TimeRange { from: Timestamp::from_us(from).unwrap(), to: Timestamp::from_us(from + DAY_US).unwrap() }
    };
    let rows = rows(&["symbol"], &[(13, &[Some("MSFT")]), (2, &[Some("XOM")])]);
    CorrelateAnswer {
        target: TaggedSeries { series_id: 1, tags: vec![Some("AAPL".to_owned())] },
        rows,
        compared: 19,
        unmatched: Vec::new(),
        ranges: (0..ranges).map(range).collect(),
        r: ndarray::concatenate![ndarray::Axis(0), array![[0.743_21, -0.5]], array![[f64::NAN, 0.25]]]
            .slice_move(ndarray::s![..ranges, ..]),
        n: array![[252, 250], [3, 12]].slice_move(ndarray::s![..ranges, ..]),
        stats: vec![
            StatColumn::One(Stat::PValue, array![[1.2e-45, 0.04], [f64::NAN, 0.5]]),
            StatColumn::Interval(array![[0.68, -0.6], [f64::NAN, 0.1]], array![[0.79, -0.4], [f64::NAN, 0.4]]),
        ],
        as_of_us: 2 * DAY_US,
        receipt: receipt(),
    }
}

#[test]
fn a_correlation_over_one_range_has_a_line_for_every_series() {
    let expected = "\
AAPL against 19 series, the top 2
┌───────────┬────────┬─────────┬─────┬─────────┬──────────────────┐
│ series_id ┆ symbol ┆ r       ┆ n   ┆ p_value ┆ ci95             │
╞═══════════╪════════╪═════════╪═════╪═════════╪══════════════════╡
│        13 ┆ MSFT   ┆  0.7432 ┆ 252 ┆ 1.2e-45 ┆   [0.680, 0.790] │
│         2 ┆ XOM    ┆ -0.5000 ┆ 250 ┆  4.0e-2 ┆ [-0.600, -0.400] │
└───────────┴────────┴─────────┴─────┴─────────┴──────────────────┘
";
    let text = correlate(&a_correlation(1));
    assert!(text.starts_with(expected), "{text}");
}

#[test]
fn several_ranges_stand_side_by_side_and_what_is_undefined_is_empty() {
    let text = correlate(&a_correlation(2));
    assert!(text.contains("1970-01-01..1970-01-02") && text.contains("1970-01-02..1970-01-03"), "{text}");
    let line = text.lines().find(|line| line.contains("MSFT")).unwrap();
    let cells: Vec<_> = line.split(['│', '┆']).map(str::trim).collect();
    assert_eq!(cells, ["", "13", "MSFT", "0.7432", "252", "1.2e-45", "[0.680, 0.790]", "", "3", "", "", ""]);
}

#[test]
fn series_are_named_by_their_tags() {
    let one = rows(&["symbol"], &[(1, &[Some("AAPL")]), (2, &[None])]);
    assert_eq!(name(&one, &one.series[0]), "AAPL");
    assert_eq!(name(&one, &one.series[1]), "series 2");
    let two = rows(&["symbol", "exchange"], &[(1, &[Some("AAPL"), Some("N")]), (2, &[None, Some("N")])]);
    assert_eq!(name(&two, &two.series[0]), "symbol=AAPL,exchange=N");
    assert_eq!(name(&two, &two.series[1]), "exchange=N");
}

#[test]
fn names_from_outside_cannot_speak_to_the_terminal() {
    let mut answer = a_window();
    Arc::make_mut(&mut answer.rows).series[0].tags = vec![Some("\u{1b}[31mred\n".to_owned())];
    let text = window(&answer, Layout::Wide);
    assert!(!text.contains('\u{1b}'), "{text:?}");
    assert_eq!(text.lines().count(), window(&a_window(), Layout::Wide).lines().count());
}

#[test]
fn times_show_what_they_need() {
    assert_eq!(times(&[0, DAY_US]), ["1970-01-01", "1970-01-02"]);
    assert_eq!(times(&[0, 1_500_000]), ["1970-01-01T00:00:00Z", "1970-01-01T00:00:01.500Z"]);
}
