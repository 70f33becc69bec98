//! Answers to window questions, worked out from all rows in the plainest way: every bucket since the first row is made,
//! filled and transformed, and the range is cut out at the end.

use std::collections::{BTreeMap, BTreeSet};

use chunkwise::{
    frame::Calendar,
    question::{Aggregate, Fill, Grid, Transform, WindowQuestion},
};

use super::fixture::Row;

/// The starts of the columns, and for each series the values; missing is `None`.
pub(crate) struct Expected {
    pub(crate) times_us: Vec<i64>,
    pub(crate) values: Vec<Vec<Option<f64>>>,
}

/// `rows` are those of the whole measurement, `ids` the series asked for.
pub(crate) fn window(question: &WindowQuestion, rows: &[Row], ids: &[i64]) -> Expected {
    let calendar = Calendar::new(question.bucket, question.timezone);
    let rows: Vec<&Row> = rows.iter().filter(|row| row.price.is_finite()).collect();
    let grid = columns(question, &calendar, &rows, ids);
    let in_range: Vec<usize> =
        (0..grid.len()).filter(|column| (question.from.us()..question.to.us()).contains(&grid[*column])).collect();
    let values = ids
        .iter()
        .map(|id| {
            let own: Vec<&&Row> = rows.iter().filter(|row| row.series_id == *id).collect();
            let row = transformed(question, &calendar, &grid, &filled(question, &calendar, &grid, &own));
            in_range.iter().map(|column| row[*column]).collect()
        })
        .collect();
    Expected { times_us: in_range.iter().map(|column| grid[*column]).collect(), values }
}

fn columns(question: &WindowQuestion, calendar: &Calendar, rows: &[&Row], ids: &[i64]) -> Vec<i64> {
    let starts = |of: &dyn Fn(&Row) -> bool| -> BTreeSet<i64> {
        rows.iter().filter(|row| of(row)).map(|row| calendar.floor(row.time_us)).collect()
    };
    match question.grid {
        Grid::Observed => starts(&|_| true).into_iter().collect(),
        Grid::Own => starts(&|row| ids.contains(&row.series_id)).into_iter().collect(),
        Grid::Regular => {
            let first = rows.iter().map(|row| row.time_us).min().unwrap_or(question.from.us()).min(question.from.us());
            let mut all = Vec::new();
            let mut start = calendar.floor(first);
            while start < question.to.us() {
                all.push(start);
                start = calendar.next(start);
            }
            all
        }
    }
}

fn filled(question: &WindowQuestion, calendar: &Calendar, grid: &[i64], own: &[&&Row]) -> Vec<Option<f64>> {
    let mut buckets: BTreeMap<i64, Vec<(i64, f64)>> = BTreeMap::new();
    for row in own {
        buckets.entry(calendar.floor(row.time_us)).or_default().push((row.time_us, row.price));
    }
    grid.iter()
        .map(|start| match (buckets.get(start), question.fill) {
            (Some(values), _) => Some(aggregate(question.aggregate, values)),
            (None, Fill::None) => None,
            (None, Fill::Locf { max_age }) => {
                let (seen, values) = buckets.range(..start).next_back()?;
                (start - seen <= max_age.fixed_us()?).then(|| aggregate(question.aggregate, values))
            }
        })
        .collect()
}

fn aggregate(aggregate: Aggregate, values: &[(i64, f64)]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let only = sorted.iter().map(|(_, value)| *value);
    let sum: f64 = only.clone().sum();
    let first_time = sorted[0].0;
    match aggregate {
        Aggregate::Last => sorted[sorted.len() - 1].1,
        Aggregate::First => sorted.iter().rfind(|(time, _)| *time == first_time).unwrap().1,
        Aggregate::Mean => sum / sorted.len() as f64,
        Aggregate::Min => only.fold(f64::INFINITY, f64::min),
        Aggregate::Max => only.fold(f64::NEG_INFINITY, f64::max),
        Aggregate::Sum => sum,
        Aggregate::Count => sorted.len() as f64,
    }
}

fn transformed(question: &WindowQuestion, calendar: &Calendar, grid: &[i64], row: &[Option<f64>]) -> Vec<Option<f64>> {
    let of = |a: f64, b: f64| match question.transform {
        Transform::Level => b,
        Transform::Diff => b - a,
        Transform::Pct => b / a - 1.0,
        Transform::LogReturn => (b / a).ln(),
    };
    let usable = |a: f64, b: f64| question.transform != Transform::LogReturn || (a > 0.0 && b > 0.0);
    (0..grid.len())
        .map(|column| {
            let b = row[column]?;
            if question.transform == Transform::Level {
                return Some(b);
            }
            let neighbour = match question.grid {
                Grid::Own => (0..column).rev().find(|before| row[*before].is_some()).filter(|before| {
                    let gap = calendar.ordinal(grid[column]) - calendar.ordinal(grid[*before]);
                    gap <= Grid::MAX_GAP
                })?,
                Grid::Observed | Grid::Regular => column.checked_sub(1)?,
            };
            let a = row[neighbour]?;
            usable(a, b).then(|| of(a, b)).filter(|value| value.is_finite())
        })
        .collect()
}
