//! Answers as tables: the columns and rows that Arrow and CSV have in common.
//!
//! A [`Table`] is made in batches as it is written, so that the long form of a large frame never exists as a whole.

use std::collections::HashMap;

use ndarray::{Array2, s};

use super::{
    Layout,
    columns::{tag_columns, wide_columns},
};
use crate::{
    query::{CorrelateAnswer, SeriesPage, StatColumn, TaggedSeries, WindowAnswer},
    question::Stat,
};

/// The most rows of a batch: enough to make a batch's own cost vanish, few enough for readers that work batch by batch.
pub(super) const BATCH_ROWS: usize = 65_536;

/// What a column holds.
#[derive(Debug)]
pub(super) enum Kind<'a> {
    /// Integers, never missing.
    Int,
    /// Integers that may be missing.
    MaybeInt,
    /// A tag: its different values.
    Tag(Vec<&'a str>),
    /// Microseconds since 1970 UTC.
    Time,
    /// Floats; what is not finite is missing.
    Float,
}

/// The cells of one column in one batch.
#[derive(Debug)]
pub(super) enum Cells {
    /// Of [`Kind::Int`].
    Ints(Vec<i64>),
    /// Of [`Kind::MaybeInt`].
    MaybeInts(Vec<Option<i64>>),
    /// Of [`Kind::Tag`]: where in the column's values; `None` is missing.
    Codes(Vec<Option<usize>>),
    /// Of [`Kind::Time`]; `None` is missing.
    Times(Vec<Option<i64>>),
    /// Of [`Kind::Float`].
    Floats(Vec<f64>),
}

impl Cells {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Ints(cells) => cells.len(),
            Self::MaybeInts(cells) => cells.len(),
            Self::Codes(cells) => cells.len(),
            Self::Times(cells) => cells.len(),
            Self::Floats(cells) => cells.len(),
        }
    }
}

/// Named columns, and their cells batch by batch.
pub(super) struct Table<'a> {
    pub(super) columns: Vec<(String, Kind<'a>)>,
    /// Each batch has the cells of every column, in their order and of equal length.
    pub(super) batches: Box<dyn Iterator<Item = Vec<Cells>> + 'a>,
}

/// The figures of a correlate answer by name, whatever order they were asked in.
pub(super) struct Stats<'a> {
    pub(super) p_value: Option<&'a Array2<f64>>,
    pub(super) ci95: Option<(&'a Array2<f64>, &'a Array2<f64>)>,
    pub(super) q_value: Option<&'a Array2<f64>>,
}

impl<'a> Stats<'a> {
    pub(super) fn of(answer: &'a CorrelateAnswer) -> Self {
        let mut stats = Self { p_value: None, ci95: None, q_value: None };
        for column in &answer.stats {
            match column {
                StatColumn::One(Stat::PValue, values) => stats.p_value = Some(values),
                StatColumn::One(Stat::QValue, values) => stats.q_value = Some(values),
                StatColumn::Interval(low, high) => stats.ci95 = Some((low, high)),
                StatColumn::One(Stat::Ci95, _) => {}
            }
        }
        stats
    }

    fn named(&self) -> Vec<(&'static str, &'a Array2<f64>)> {
        [
            self.p_value.map(|values| ("p_value", values)),
            self.ci95.map(|(low, _)| ("ci95_low", low)),
            self.ci95.map(|(_, high)| ("ci95_high", high)),
            self.q_value.map(|values| ("q_value", values)),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// The tags of an answer's series: for each tag its different values, and for each series which of them it has.
pub(super) struct Tags<'a> {
    pub(super) columns: Vec<(String, Kind<'a>)>,
    pub(super) codes: Vec<Vec<Option<usize>>>,
}

impl<'a> Tags<'a> {
    pub(super) fn new(
        names: &[String],
        series: impl Iterator<Item = &'a TaggedSeries> + Clone,
        answer_columns: &[&str],
    ) -> Self {
        let mut tags = Self { columns: Vec::new(), codes: Vec::new() };
        for (tag, column) in tag_columns(names, answer_columns).into_iter().enumerate() {
            let mut values = Vec::new();
            let mut seen: HashMap<&str, usize> = HashMap::new();
            let codes = series
                .clone()
                .map(|series| {
                    let value = series.tags.get(tag)?.as_deref()?;
                    Some(*seen.entry(value).or_insert_with(|| {
                        values.push(value);
                        values.len() - 1
                    }))
                })
                .collect();
            tags.columns.push((column, Kind::Tag(values)));
            tags.codes.push(codes);
        }
        tags
    }

    /// The tags' cells for rows that belong to these series.
    pub(super) fn cells(
        codes: &[Vec<Option<usize>>],
        series: impl Iterator<Item = usize> + Clone,
    ) -> impl Iterator<Item = Cells> {
        codes.iter().map(move |codes| Cells::Codes(series.clone().map(|series| codes[series]).collect()))
    }
}

/// Cuts rows into batches and makes each into cells.
pub(super) fn batches<'a, T: 'a>(
    mut rows: impl Iterator<Item = T> + 'a,
    cells: impl Fn(&[T]) -> Vec<Cells> + 'a,
) -> Box<dyn Iterator<Item = Vec<Cells>> + 'a> {
    Box::new(std::iter::from_fn(move || {
        let batch: Vec<T> = rows.by_ref().take(BATCH_ROWS).collect();
        (!batch.is_empty()).then(|| cells(&batch))
    }))
}

pub(super) fn window(answer: &WindowAnswer, layout: Layout) -> Table<'_> {
    match layout {
        Layout::Long => window_long(answer),
        Layout::Wide => window_wide(answer),
    }
}

fn window_long(answer: &WindowAnswer) -> Table<'_> {
    let series = &answer.rows.series;
    let mut own = vec!["series_id", "time", "value"];
    own.extend(answer.also.iter().map(|(aggregate, _)| aggregate.name()));
    let Tags { columns: tag_columns, codes } = Tags::new(&answer.rows.tag_names, series.iter(), &own);
    let mut columns = vec![("series_id".to_owned(), Kind::Int)];
    columns.extend(tag_columns);
    columns.extend([("time".to_owned(), Kind::Time), ("value".to_owned(), Kind::Float)]);
    columns.extend(answer.also.iter().map(|(aggregate, _)| (aggregate.name().to_owned(), Kind::Float)));

    // A transform may leave one aggregate's cell missing and not another's.
    let is_there = |at: &(usize, usize), value: &f64| {
        value.is_finite() || answer.also.iter().any(|(_, also)| also[*at].is_finite())
    };
    let values = answer.frame.values.indexed_iter().filter(move |(at, value)| is_there(at, value));
    let batches = batches(values, move |rows| {
        let mut cells = vec![Cells::Ints(rows.iter().map(|((row, _), _)| series[*row].series_id).collect())];
        cells.extend(Tags::cells(&codes, rows.iter().map(|((row, _), _)| *row)));
        cells.push(Cells::Times(rows.iter().map(|((_, column), _)| Some(answer.frame.times_us[*column])).collect()));
        cells.push(Cells::Floats(rows.iter().map(|(_, value)| **value).collect()));
        let also = answer.also.iter();
        cells.extend(also.map(|(_, also)| Cells::Floats(rows.iter().map(|(at, _)| also[*at]).collect())));
        cells
    });
    Table { columns, batches }
}

fn window_wide(answer: &WindowAnswer) -> Table<'_> {
    let mut columns = vec![("time".to_owned(), Kind::Time)];
    columns.extend(wide_columns(&answer.rows).into_iter().map(|name| (name, Kind::Float)));
    let frame = &answer.frame;
    let buckets = frame.times_us.len();
    let batches = (0..buckets).step_by(BATCH_ROWS).map(move |from| {
        let to = buckets.min(from + BATCH_ROWS);
        let mut cells = vec![Cells::Times(frame.times_us[from..to].iter().copied().map(Some).collect())];
        cells.extend(frame.values.rows().into_iter().map(|row| Cells::Floats(row.slice(s![from..to]).to_vec())));
        cells
    });
    Table { columns, batches: Box::new(batches) }
}

pub(super) fn correlate(answer: &CorrelateAnswer) -> Table<'_> {
    let series = &answer.rows.series;
    let stats = Stats::of(answer).named();
    let mut answer_columns = vec!["range", "series_id", "r", "n"];
    answer_columns.extend(stats.iter().map(|(name, _)| *name));
    let Tags { columns: tag_columns, codes } = Tags::new(&answer.rows.tag_names, series.iter(), &answer_columns);
    let mut columns = vec![("range".to_owned(), Kind::Int), ("series_id".to_owned(), Kind::Int)];
    columns.extend(tag_columns);
    columns.extend([("r".to_owned(), Kind::Float), ("n".to_owned(), Kind::Int)]);
    columns.extend(stats.iter().map(|(name, _)| ((*name).to_owned(), Kind::Float)));

    let batches = batches(answer.r.indexed_iter(), move |rows| {
        // A question has at most `MAX_RANGES` ranges, so the conversion never saturates.
        let range = |((range, _), _): &((usize, usize), &f64)| i64::try_from(*range).unwrap_or(i64::MAX);
        let mut cells = vec![
            Cells::Ints(rows.iter().map(range).collect()),
            Cells::Ints(rows.iter().map(|((_, column), _)| series[*column].series_id).collect()),
        ];
        cells.extend(Tags::cells(&codes, rows.iter().map(|((_, column), _)| *column)));
        cells.push(Cells::Floats(rows.iter().map(|(_, r)| **r).collect()));
        cells.push(Cells::Ints(rows.iter().map(|(at, _)| answer.n[*at]).collect()));
        cells.extend(stats.iter().map(|(_, values)| Cells::Floats(rows.iter().map(|(at, _)| values[*at]).collect())));
        cells
    });
    Table { columns, batches }
}

pub(super) fn series_list(listing: &SeriesPage) -> Table<'_> {
    let listed = &listing.rows;
    let Tags { columns: tag_columns, codes } =
        Tags::new(&listing.tag_names, listed.iter().map(|row| &row.series), &["series_id", "first", "last"]);
    let mut columns = vec![("series_id".to_owned(), Kind::Int)];
    columns.extend(tag_columns);
    columns.extend([("first".to_owned(), Kind::Time), ("last".to_owned(), Kind::Time)]);

    let batches = batches(0..listed.len(), move |rows| {
        let mut cells = vec![Cells::Ints(rows.iter().map(|row| listed[*row].series.series_id).collect())];
        cells.extend(Tags::cells(&codes, rows.iter().copied()));
        cells.push(Cells::Times(rows.iter().map(|row| listed[*row].first_us).collect()));
        cells.push(Cells::Times(rows.iter().map(|row| listed[*row].last_us).collect()));
        cells
    });
    Table { columns, batches }
}
