//! Bars and last values: long tables with columns of their own.

use serde::{Serialize, Serializer, ser::SerializeMap};

use super::{
    Format, FormatError, arrow, csv,
    json::{Each, Tags, Time, write},
    table::{self, Cells, Kind, Table, batches},
};
use crate::query::{BarCells, BarsAnswer, LatestAnswer, LatestValues, Receipt};

/// A generous guess at one number's text, so that the buffer seldom grows.
const NUMBER_BYTES: usize = 20;
const LATEST_BYTES: usize = 120;

/// Writes the answer to a question for bars: JSON, Arrow or CSV.
///
/// # Errors
/// [`FormatError::NotOffered`] for other formats; what the format's own writer says.
pub fn bars(answer: &BarsAnswer, format: Format) -> Result<Vec<u8>, FormatError> {
    match format {
        Format::Json => write(&Bars(answer), answer.places.len() * (answer.columns.len() + 4) * NUMBER_BYTES),
        Format::Arrow => arrow::stream(bars_table(answer)),
        Format::Csv => csv::text(bars_table(answer)),
        Format::Npy | Format::Npz => Err(FormatError::NotOffered { answer: "bars", format }),
    }
}

/// Writes last values: JSON, Arrow or CSV.
///
/// # Errors
/// As those of [`bars`].
pub fn latest(answer: &LatestAnswer, format: Format) -> Result<Vec<u8>, FormatError> {
    match format {
        Format::Json => write(&Latest(answer), answer.times_us.len() * LATEST_BYTES),
        Format::Arrow => arrow::stream(latest_table(answer)),
        Format::Csv => csv::text(latest_table(answer)),
        Format::Npy | Format::Npz => Err(FormatError::NotOffered { answer: "last values", format }),
    }
}

fn bars_table(answer: &BarsAnswer) -> Table<'_> {
    let series = &answer.rows.series;
    let mut own = vec!["series_id", "time"];
    own.extend(answer.columns.iter().map(|column| column.name.as_str()));
    let table::Tags { columns: tag_columns, codes } = table::Tags::new(&answer.rows.tag_names, series.iter(), &own);
    let mut columns = vec![("series_id".to_owned(), Kind::Int)];
    columns.extend(tag_columns);
    columns.push(("time".to_owned(), Kind::Time));
    columns.extend(answer.columns.iter().map(|column| {
        let kind = match column.cells {
            BarCells::Floats(_) => Kind::Float,
            BarCells::Counts(_) => Kind::Int,
        };
        (column.name.clone(), kind)
    }));
    let batches = batches(0..answer.places.len(), move |at| {
        let rows = || at.iter().map(|at| answer.places[*at].0);
        let mut cells = vec![Cells::Ints(rows().map(|row| series[row].series_id).collect())];
        cells.extend(table::Tags::cells(&codes, rows()));
        cells.push(Cells::Times(at.iter().map(|at| Some(answer.places[*at].1)).collect()));
        cells.extend(answer.columns.iter().map(|column| match &column.cells {
            BarCells::Floats(values) => Cells::Floats(at.iter().map(|at| values[*at]).collect()),
            BarCells::Counts(values) => Cells::Ints(at.iter().map(|at| values[*at]).collect()),
        }));
        cells
    });
    Table { columns, batches }
}

fn latest_table(answer: &LatestAnswer) -> Table<'_> {
    let series = &answer.rows.series;
    let own = ["series_id", "time", "value"];
    let table::Tags { columns: tag_columns, codes } = table::Tags::new(&answer.rows.tag_names, series.iter(), &own);
    let mut columns = vec![("series_id".to_owned(), Kind::Int)];
    columns.extend(tag_columns);
    columns.push(("time".to_owned(), Kind::Time));
    let kind = match &answer.values {
        LatestValues::Floats(_) => Kind::Float,
        LatestValues::Ints(_) => Kind::Int,
        LatestValues::Texts(texts) => Kind::Tag(texts.iter().map(String::as_str).collect()),
        LatestValues::Times(_) => Kind::Time,
    };
    columns.push(("value".to_owned(), kind));
    let batches = batches(0..series.len(), move |at| {
        let mut cells = vec![Cells::Ints(at.iter().map(|at| series[*at].series_id).collect())];
        cells.extend(table::Tags::cells(&codes, at.iter().copied()));
        cells.push(Cells::Times(at.iter().map(|at| Some(answer.times_us[*at])).collect()));
        cells.push(match &answer.values {
            LatestValues::Floats(values) => Cells::Floats(at.iter().map(|at| values[*at]).collect()),
            LatestValues::Ints(values) => Cells::Ints(at.iter().map(|at| values[*at]).collect()),
            LatestValues::Texts(_) => Cells::Codes(at.iter().copied().map(Some).collect()),
            LatestValues::Times(values) => Cells::Times(at.iter().map(|at| Some(values[*at])).collect()),
        });
        cells
    });
    Table { columns, batches }
}

struct Bars<'a>(&'a BarsAnswer);

impl Serialize for Bars<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(answer) = *self;
        let receipt: &Receipt = &answer.receipt;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("bars", &Each((0..answer.places.len()).map(|at| Bar(answer, at))))?;
        map.serialize_entry("as_of", &Time(answer.as_of_us))?;
        map.serialize_entry("receipt", receipt)?;
        map.end()
    }
}

struct Bar<'a>(&'a BarsAnswer, usize);

impl Serialize for Bar<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(answer, at) = *self;
        let (row, time_us) = answer.places[at];
        let series = &answer.rows.series[row];
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("series_id", &series.series_id)?;
        map.serialize_entry("series", &Tags(&answer.rows.tag_names, series))?;
        map.serialize_entry("time", &Time(time_us))?;
        for column in &answer.columns {
            match &column.cells {
                BarCells::Floats(values) => map.serialize_entry(&column.name, &finite(values[at]))?,
                BarCells::Counts(values) => map.serialize_entry(&column.name, &values[at])?,
            }
        }
        map.end()
    }
}

fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

struct Latest<'a>(&'a LatestAnswer);

impl Serialize for Latest<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(answer) = *self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("latest", &Each((0..answer.times_us.len()).map(|at| LastValue(answer, at))))?;
        map.end()
    }
}

struct LastValue<'a>(&'a LatestAnswer, usize);

impl Serialize for LastValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(answer, at) = *self;
        let series = &answer.rows.series[at];
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("series_id", &series.series_id)?;
        map.serialize_entry("series", &Tags(&answer.rows.tag_names, series))?;
        map.serialize_entry("time", &Time(answer.times_us[at]))?;
        match &answer.values {
            LatestValues::Floats(values) => map.serialize_entry("value", &finite(values[at]))?,
            LatestValues::Ints(values) => map.serialize_entry("value", &values[at])?,
            LatestValues::Texts(values) => map.serialize_entry("value", &values[at])?,
            LatestValues::Times(values) => map.serialize_entry("value", &Time(values[at]))?,
        }
        map.end()
    }
}
