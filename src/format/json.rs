//! JSON, written straight from the arrays: no tree of values is built.

use std::time::Instant;

use ndarray::Array2;
use serde::{Serialize, Serializer, ser::SerializeMap};

use super::{FormatError, asof::Json, table::Stats};
use crate::{
    query::{AsofAnswer, CorrelateAnswer, Receipt, SeriesPage, TaggedSeries, WindowAnswer},
    question::{Aggregate, Timestamp},
};

/// A generous guess at one number's text, so that the buffer seldom grows.
pub(super) const NUMBER_BYTES: usize = 20;
pub(super) const RESULT_BYTES: usize = 160;

pub(super) fn window(answer: &WindowAnswer) -> Result<Vec<u8>, FormatError> {
    write(&Window(answer, Instant::now()), (1 + answer.also.len()) * answer.frame.values.len() * NUMBER_BYTES)
}

pub(super) fn correlate(answer: &CorrelateAnswer) -> Result<Vec<u8>, FormatError> {
    write(&Correlate(answer, Instant::now()), answer.r.len() * RESULT_BYTES)
}

pub(super) fn series_list(listing: &SeriesPage) -> Result<Vec<u8>, FormatError> {
    write(&Listing(listing), listing.rows.len() * RESULT_BYTES)
}

pub(super) fn asof(answer: &AsofAnswer) -> Result<Vec<u8>, FormatError> {
    write(&Json(answer, Instant::now()), answer.rows.len() * RESULT_BYTES)
}

pub(super) fn write(answer: &impl Serialize, guess_bytes: usize) -> Result<Vec<u8>, FormatError> {
    let mut bytes = Vec::with_capacity(guess_bytes + 1024);
    serde_json::to_writer(&mut bytes, answer)?;
    Ok(bytes)
}

/// An array of what an iterator gives.
pub(super) struct Each<I>(pub(super) I);

impl<I: Iterator<Item: Serialize> + Clone> Serialize for Each<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.clone())
    }
}

/// A time as text.
#[derive(Clone, Copy)]
pub(super) struct Time(pub(super) i64);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Timestamp::display_us(self.0))
    }
}

/// The tags that a series has, as an object.
pub(super) struct Tags<'a>(pub(super) &'a [String], pub(super) &'a TaggedSeries);

impl Serialize for Tags<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in self.0.iter().zip(&self.1.tags) {
            if let Some(value) = value {
                map.serialize_entry(name, value)?;
            }
        }
        map.end()
    }
}

/// `{"series_id", "tags"}`
pub(super) struct Series<'a>(pub(super) &'a [String], pub(super) &'a TaggedSeries);

impl Serialize for Series<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("series_id", &self.1.series_id)?;
        map.serialize_entry("tags", &Tags(self.0, self.1))?;
        map.end()
    }
}

/// The receipt with the time since the writing began, for use as an answer's last entry.
pub(super) struct ReceiptAtEnd<'a>(pub(super) &'a Receipt, pub(super) Instant);

impl Serialize for ReceiptAtEnd<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut receipt = self.0.clone();
        receipt.ms.encode = self.1.elapsed().as_secs_f64() * 1e3;
        receipt.serialize(serializer)
    }
}

/// An array of rows.
struct Matrix<'a>(&'a Array2<f64>);

impl Serialize for Matrix<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.rows().into_iter().map(|row| Each(row.into_iter())))
    }
}

/// Arrays of rows by aggregate.
struct Also<'a>(&'a [(Aggregate, Array2<f64>)]);

impl Serialize for Also<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(aggregate, values)| (aggregate.name(), Matrix(values))))
    }
}

struct Window<'a>(&'a WindowAnswer, Instant);

impl Serialize for Window<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(answer, began) = *self;
        let rows = &answer.rows;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("times", &Each(answer.frame.times_us.iter().map(|us| Time(*us))))?;
        map.serialize_entry("series", &Each(rows.series.iter().map(|series| Series(&rows.tag_names, series))))?;
        map.serialize_entry("values", &Matrix(&answer.frame.values))?;
        if !answer.also.is_empty() {
            map.serialize_entry("also", &Also(&answer.also))?;
        }
        map.serialize_entry("as_of", &Time(answer.as_of_us))?;
        map.serialize_entry("receipt", &ReceiptAtEnd(&answer.receipt, began))?;
        map.end()
    }
}

struct Correlate<'a>(&'a CorrelateAnswer, Instant);

impl Serialize for Correlate<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(answer, began) = *self;
        let stats = Stats::of(answer);
        let mut map = serializer.serialize_map(Some(4))?;
        map.serialize_entry("target", &Series(&answer.rows.tag_names, &answer.target))?;
        map.serialize_entry("as_of", &Time(answer.as_of_us))?;
        map.serialize_entry(
            "ranges",
            &Each((0..answer.ranges.len()).map(|range| Range { answer, stats: &stats, range })),
        )?;
        map.serialize_entry("receipt", &ReceiptAtEnd(&answer.receipt, began))?;
        map.end()
    }
}

/// `{"from", "to", "results"}`
struct Range<'a> {
    answer: &'a CorrelateAnswer,
    stats: &'a Stats<'a>,
    range: usize,
}

impl Serialize for Range<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { answer, stats, range } = *self;
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("from", &answer.ranges[range].from)?;
        map.serialize_entry("to", &answer.ranges[range].to)?;
        let results =
            (0..answer.rows.series.len()).map(|column| CorrelateResult { answer, stats, at: [range, column] });
        map.serialize_entry("results", &Each(results))?;
        map.end()
    }
}

/// `{"series_id", "series", "r", "n"}` and the stats.
struct CorrelateResult<'a> {
    answer: &'a CorrelateAnswer,
    stats: &'a Stats<'a>,
    at: [usize; 2],
}

impl Serialize for CorrelateResult<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { answer, stats, at } = *self;
        let series = &answer.rows.series[at[1]];
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("series_id", &series.series_id)?;
        map.serialize_entry("series", &Tags(&answer.rows.tag_names, series))?;
        map.serialize_entry("r", &answer.r[at])?;
        map.serialize_entry("n", &answer.n[at])?;
        if let Some(p_value) = stats.p_value {
            map.serialize_entry("p_value", &p_value[at])?;
        }
        if let Some((low, high)) = stats.ci95 {
            let bounds = [low[at], high[at]];
            map.serialize_entry("ci95", &bounds.iter().all(|bound| bound.is_finite()).then_some(bounds))?;
        }
        if let Some(q_value) = stats.q_value {
            map.serialize_entry("q_value", &q_value[at])?;
        }
        map.end()
    }
}

struct Listing<'a>(&'a SeriesPage);

impl Serialize for Listing<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(listing) = *self;
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("series", &Each((0..listing.rows.len()).map(|row| Listed(listing, row))))?;
        map.serialize_entry("next", &listing.next)?;
        map.serialize_entry("total", &listing.total)?;
        map.end()
    }
}

/// `{"series_id", "tags", "first", "last"}`
struct Listed<'a>(&'a SeriesPage, usize);

impl Serialize for Listed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let listed = &self.0.rows[self.1];
        let mut map = serializer.serialize_map(Some(4))?;
        map.serialize_entry("series_id", &listed.series.series_id)?;
        map.serialize_entry("tags", &Tags(&self.0.tag_names, &listed.series))?;
        map.serialize_entry("first", &listed.first_us.map(Time))?;
        map.serialize_entry("last", &listed.last_us.map(Time))?;
        map.end()
    }
}
