//! All pairs, windows that move, and lags: JSON, and pairs as a table.

use std::time::Instant;

use ndarray::Array2;
use serde::{Serialize, Serializer, ser::SerializeMap};

use super::{
    json::{Each, ReceiptAtEnd, Series, Tags, Time},
    table::{self, Cells, Kind, Table, batches},
};
use crate::query::{LagAnswer, MatrixAnswer, Overlaps, Pair, RollingAnswer};

/// `{"series", "order", "r", "n", "as_of", "receipt"}`
pub(super) struct Matrix<'a> {
    answer: &'a MatrixAnswer,
    r: &'a Array2<f32>,
    n: &'a Overlaps,
    order: &'a [usize],
    began: Instant,
}

impl<'a> Matrix<'a> {
    pub(super) fn new(answer: &'a MatrixAnswer, r: &'a Array2<f32>, n: &'a Overlaps, order: &'a [usize]) -> Self {
        Self { answer, r, n, order, began: Instant::now() }
    }
}

impl Serialize for Matrix<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let rows = &self.answer.rows;
        let series = rows.series.len();
        let mut map = serializer.serialize_map(Some(6))?;
        map.serialize_entry("series", &Each(rows.series.iter().map(|series| Series(&rows.tag_names, series))))?;
        map.serialize_entry("order", self.order)?;
        let wide = |row| Each(ndarray::ArrayView1::into_iter(row).map(|r: &f32| f64::from(*r)));
        map.serialize_entry("r", &Each(self.r.rows().into_iter().map(wide)))?;
        map.serialize_entry("n", &Each((0..series).map(|row| Each(self.n.row(row, series)))))?;
        map.serialize_entry("as_of", &Time(self.answer.as_of_us))?;
        map.serialize_entry("receipt", &ReceiptAtEnd(&self.answer.receipt, self.began))?;
        map.end()
    }
}

/// `{"pairs": [{"a", "b", "r", "n"}], "as_of", "receipt"}`
pub(super) struct Pairs<'a>(&'a MatrixAnswer, &'a [Pair], Instant);

impl<'a> Pairs<'a> {
    pub(super) fn new(answer: &'a MatrixAnswer, pairs: &'a [Pair]) -> Self {
        Self(answer, pairs, Instant::now())
    }
}

impl Serialize for Pairs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(answer, pairs, began) = *self;
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("pairs", &Each(pairs.iter().map(|pair| OnePair(answer, pair))))?;
        map.serialize_entry("as_of", &Time(answer.as_of_us))?;
        map.serialize_entry("receipt", &ReceiptAtEnd(&answer.receipt, began))?;
        map.end()
    }
}

struct OnePair<'a>(&'a MatrixAnswer, &'a Pair);

impl Serialize for OnePair<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(answer, pair) = *self;
        let rows = &answer.rows;
        let series = |row: usize| Series(&rows.tag_names, &rows.series[row]);
        let mut map = serializer.serialize_map(Some(4))?;
        map.serialize_entry("a", &series(pair.a))?;
        map.serialize_entry("b", &series(pair.b))?;
        map.serialize_entry("r", &pair.r)?;
        map.serialize_entry("n", &pair.n)?;
        map.end()
    }
}

/// Pairs as `a_series_id, a_<tags>, b_series_id, b_<tags>, r, n`.
pub(super) fn pairs<'a>(answer: &'a MatrixAnswer, pairs: &'a [Pair]) -> Table<'a> {
    let series = &answer.rows.series;
    let mut columns = Vec::new();
    let mut codes = Vec::new();
    for side in ["a", "b"] {
        let tags = table::Tags::new(&answer.rows.tag_names, series.iter(), &[]);
        columns.push((format!("{side}_series_id"), Kind::Int));
        columns.extend(tags.columns.into_iter().map(|(name, kind)| (format!("{side}_{name}"), kind)));
        codes.push(tags.codes);
    }
    columns.extend([("r".to_owned(), Kind::Float), ("n".to_owned(), Kind::Int)]);
    let batches = batches(pairs.iter(), move |pairs| {
        let mut cells = Vec::new();
        for (side, codes) in codes.iter().enumerate() {
            let rows = || pairs.iter().map(move |pair| if side == 0 { pair.a } else { pair.b });
            cells.push(Cells::Ints(rows().map(|row| series[row].series_id).collect()));
            cells.extend(table::Tags::cells(codes, rows()));
        }
        cells.push(Cells::Floats(pairs.iter().map(|pair| pair.r).collect()));
        cells.push(Cells::Ints(pairs.iter().map(|pair| i64::try_from(pair.n).unwrap_or(i64::MAX)).collect()));
        cells
    });
    Table { columns, batches }
}

/// `{"target", "times", "results": [{"series_id", "series", "r": [...]}], "as_of", "receipt"}`
pub(super) struct Rolling<'a>(&'a RollingAnswer, Instant);

impl<'a> Rolling<'a> {
    pub(super) fn new(answer: &'a RollingAnswer) -> Self {
        Self(answer, Instant::now())
    }
}

impl Serialize for Rolling<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(answer, began) = *self;
        let mut map = serializer.serialize_map(Some(5))?;
        map.serialize_entry("target", &Series(&answer.rows.tag_names, &answer.target))?;
        map.serialize_entry("times", &Each(answer.times_us.iter().map(|us| Time(*us))))?;
        map.serialize_entry("results", &Each((0..answer.rows.series.len()).map(|row| RollingResult(answer, row))))?;
        map.serialize_entry("as_of", &Time(answer.as_of_us))?;
        map.serialize_entry("receipt", &ReceiptAtEnd(&answer.receipt, began))?;
        map.end()
    }
}

struct RollingResult<'a>(&'a RollingAnswer, usize);

impl Serialize for RollingResult<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(answer, row) = *self;
        let series = &answer.rows.series[row];
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("series_id", &series.series_id)?;
        map.serialize_entry("series", &Tags(&answer.rows.tag_names, series))?;
        map.serialize_entry("r", &Each(answer.r.row(row).into_iter()))?;
        map.end()
    }
}

/// `{"target", "lags", "results": [{"series_id", "series", "r": [...], "best": {"lag", "r", "n"}}], "as_of", "receipt"}`
pub(super) struct Lag<'a>(&'a LagAnswer, Instant);

impl<'a> Lag<'a> {
    pub(super) fn new(answer: &'a LagAnswer) -> Self {
        Self(answer, Instant::now())
    }
}

impl Serialize for Lag<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(answer, began) = *self;
        let mut map = serializer.serialize_map(Some(5))?;
        map.serialize_entry("target", &Series(&answer.rows.tag_names, &answer.target))?;
        map.serialize_entry("lags", &answer.lags)?;
        map.serialize_entry("results", &Each((0..answer.rows.series.len()).map(|row| LagResult(answer, row))))?;
        map.serialize_entry("as_of", &Time(answer.as_of_us))?;
        map.serialize_entry("receipt", &ReceiptAtEnd(&answer.receipt, began))?;
        map.end()
    }
}

struct LagResult<'a>(&'a LagAnswer, usize);

impl Serialize for LagResult<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Best {
            lag: i64,
            r: f64,
            n: i64,
        }
        let Self(answer, row) = *self;
        let series = &answer.rows.series[row];
        let mut map = serializer.serialize_map(Some(4))?;
        map.serialize_entry("series_id", &series.series_id)?;
        map.serialize_entry("series", &Tags(&answer.rows.tag_names, series))?;
        map.serialize_entry("r", &Each(answer.r.row(row).into_iter()))?;
        let best = answer.best[row];
        let best = best.map(|at| Best { lag: answer.lags[at], r: answer.r[(row, at)], n: answer.n[(row, at)] });
        map.serialize_entry("best", &best)?;
        map.end()
    }
}
