//! Every format is read back by a reader of its own and compared to the arrays, bit for bit.

mod arrays;
mod asof;
mod json;
mod tables;

use std::sync::Arc;

use ndarray::{Array2, array};

use super::*;
use crate::{
    frame::Frame,
    query::{AnswerRows, ListedSeries, Receipt, SelectedSeries, SeriesPage, TaggedSeries},
    question::{Stat, TimeRange, Timestamp},
};

const TIMES_US: [i64; 4] = [-1, 0, 1_577_836_800_000_000, 1_577_836_800_250_000];

/// Names that have broken a writer somewhere: quotes, separators, line breaks, right-to-left text, a formula.
const ODD: [&str; 4] = ["say \"hi\", then\r\nleave", "\u{5e9}\u{5dc}\u{5d5}\u{5dd} \u{202e}x", "=HYPERLINK(\"x\")", ""];

fn series(series_id: i64, tags: &[Option<&str>]) -> TaggedSeries {
    TaggedSeries { series_id, tags: tags.iter().map(|tag| tag.map(str::to_owned)).collect() }
}

/// Four series with the tags `time` and `symbol`; the third lacks `time`, the last lacks both.
fn rows() -> AnswerRows {
    Arc::new(SelectedSeries {
        tag_names: vec!["time".to_owned(), "symbol".to_owned()],
        series: vec![
            series(1, &[Some(ODD[0]), Some("AAPL")]),
            series(2, &[Some(ODD[1]), Some(ODD[2])]),
            series(7, &[None, Some(ODD[3])]),
            series(i64::MAX, &[None, None]),
        ],
        version: "v1".to_owned(),
    })
}

/// Extremes of float64, with NaN and both infinities, of which every row has at least one.
fn values() -> Array2<f64> {
    array![
        [0.1 + 0.2, -0.0, f64::NAN, f64::MAX],
        [f64::MIN_POSITIVE, 5e-324, 1.0, f64::INFINITY],
        [f64::NEG_INFINITY, f64::NAN, f64::NAN, f64::NAN],
        [-1e-7, 123_456_789.123_456_78, f64::NAN, 9_007_199_254_740_993.0],
    ]
}

fn window_answer() -> WindowAnswer {
    WindowAnswer {
        rows: rows(),
        frame: Frame { times_us: TIMES_US.to_vec(), values: values() },
        also: Vec::new(),
        as_of_us: 1_672_219_800_123_456,
        receipt: Receipt { rows_read: 4032, ..Receipt::default() },
    }
}

fn range(from: &str, to: &str) -> TimeRange {
    TimeRange { from: from.parse().unwrap(), to: to.parse().unwrap() }
}

/// Two ranges against the series of [`rows`], with all stats, asked in another order than they are written in.
fn correlate_answer() -> CorrelateAnswer {
    let nan = f64::NAN;
    CorrelateAnswer {
        target: series(1, &[Some(ODD[0]), Some("AAPL")]),
        rows: rows(),
        compared: 3,
        unmatched: Vec::new(),
        ranges: vec![
            range("2020-01-01T00:00:00Z", "2021-01-01T00:00:00Z"),
            range("2021-01-01T00:00:00Z", "2022-01-01T00:00:00Z"),
        ],
        r: array![[1.0, 0.7432, nan, -0.1], [1.0, -0.5, 0.25, nan]],
        n: array![[252, 252, 9, 100], [251, 250, 30, 0]],
        stats: vec![
            StatColumn::One(Stat::QValue, array![[0.0, 2e-45, nan, 0.5], [0.0, 0.1, 0.2, nan]]),
            StatColumn::One(Stat::PValue, array![[0.0, 1.2e-45, nan, 0.4], [0.0, 0.05, 0.1, nan]]),
            StatColumn::Interval(
                array![[nan, 0.68, nan, -0.3], [nan, -0.6, -0.1, nan]],
                array![[nan, 0.79, nan, 0.1], [nan, -0.4, 0.6, nan]],
            ),
        ],
        as_of_us: 1_672_219_800_123_456,
        receipt: Receipt::default(),
    }
}

fn listing() -> SeriesPage {
    let rows = rows();
    let spans = [(Some(0), Some(1)), (Some(-1), Some(250_000)), (None, None), (Some(0), Some(0))];
    SeriesPage {
        tag_names: rows.tag_names.clone(),
        rows: rows
            .series
            .iter()
            .cloned()
            .zip(spans)
            .map(|(series, (first_us, last_us))| ListedSeries { series, first_us, last_us })
            .collect(),
        next: Some(i64::MAX),
        total: 1_000_000,
    }
}

/// No series and no times, as where a selector matches nothing.
fn empty_window() -> WindowAnswer {
    WindowAnswer {
        rows: Arc::new(SelectedSeries { tag_names: vec!["symbol".to_owned()], ..SelectedSeries::default() }),
        frame: Frame { times_us: Vec::new(), values: Array2::zeros((0, 0)) },
        also: Vec::new(),
        as_of_us: 0,
        receipt: Receipt::default(),
    }
}

/// One series with the values 0, 1, 2 and so on, a second apart.
fn long_window(buckets: u32) -> WindowAnswer {
    WindowAnswer {
        rows: Arc::new(SelectedSeries {
            tag_names: vec!["symbol".to_owned()],
            series: vec![series(5, &[Some("A")])],
            version: String::new(),
        }),
        frame: Frame {
            times_us: (0..buckets).map(|bucket| i64::from(bucket) * 1_000_000).collect(),
            values: Array2::from_shape_vec((1, buckets as usize), (0..buckets).map(f64::from).collect()).unwrap(),
        },
        also: Vec::new(),
        as_of_us: 0,
        receipt: Receipt::default(),
    }
}

fn time(us: i64) -> String {
    Timestamp::display_us(us)
}

#[test]
fn arrays_that_do_not_fit_together_are_an_error_and_no_panic() {
    let mut answer = window_answer();
    answer.frame.times_us.pop();
    for format in Format::ALL {
        assert!(matches!(window(&answer, format, Layout::Long), Err(FormatError::Shape { array: "values", .. })));
    }
    let mut answer = correlate_answer();
    answer.stats.push(StatColumn::One(Stat::PValue, Array2::zeros((1, 1))));
    assert!(matches!(correlate(&answer, None, Format::Json), Err(FormatError::Shape { .. })));
}

#[test]
fn array_formats_take_a_top_of_1000_and_no_more() {
    let answer = correlate_answer();
    for format in [Format::Npy, Format::Npz] {
        assert!(correlate(&answer, Some(1_000), format).is_ok());
        let refused = correlate(&answer, Some(1_001), format);
        assert!(matches!(refused, Err(FormatError::TooManyRanked { top: 1_001, .. })));
    }
    for format in [Format::Json, Format::Arrow, Format::Csv] {
        assert!(correlate(&answer, Some(1_001), format).is_ok());
    }
}

#[test]
fn a_list_of_series_is_no_array() {
    for format in [Format::Npy, Format::Npz] {
        assert!(matches!(series_list(&listing(), format), Err(FormatError::NotOffered { .. })));
    }
}
