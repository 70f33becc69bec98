//! Questions as flags: the same words as in the JSON of REST, with the same defaults.

use std::{path::PathBuf, str::FromStr};

use chrono_tz::Tz;
use chunkwise::{
    format::{Format, Layout},
    question::{Aggregate, Fill, Grid, Selector, SelectorError, TimeRange, Timestamp, Transform, Width},
};
use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
};
use serde::de::DeserializeOwned;

use crate::{output::Output, table::printable};

/// What every question says.
#[derive(Debug, Args)]
pub(crate) struct QuestionArgs {
    /// The measurement, such as prices
    pub(crate) measurement: String,
    /// The field, such as close
    pub(crate) field: String,
    /// The width of a bucket: 250ms 1s 10s 1m 5m 1h 1d 1w 1mo
    #[arg(long, value_name = "WIDTH", help_heading = "Buckets")]
    pub(crate) bucket: Width,
    /// The IANA zone in which buckets of a day or more are cut
    #[arg(long, value_name = "ZONE", default_value = "UTC", value_parser = timezone, help_heading = "Buckets")]
    pub(crate) timezone: Tz,
    /// What is made of the values of a bucket
    #[arg(long, value_name = "NAME", default_value = "last", help_heading = "Buckets",
          value_parser = word::<Aggregate>(&Aggregate::NAMES))]
    pub(crate) aggregate: Aggregate,
    /// Which buckets count: those in which any series has a value, all, or each series' own
    #[arg(long, value_name = "NAME", default_value = "observed", help_heading = "Buckets",
          value_parser = word::<Grid>(&["observed", "regular", "own"]))]
    pub(crate) grid: Grid,
    /// How missing values are filled, before the transform: none, or locf:MAX_AGE to carry the last one forward
    #[arg(long, value_name = "FILL", default_value = "none", value_parser = fill, help_heading = "Buckets")]
    pub(crate) fill: Fill,
    /// What is made of neighbouring buckets: the value itself, its change, its relative change, or ln(b / a)
    #[arg(long, value_name = "NAME", default_value = "level", help_heading = "Buckets",
          value_parser = word::<Transform>(&["level", "diff", "pct", "log_return"]))]
    pub(crate) transform: Transform,
    /// The most bytes that the question may take in memory [default: the setting question.limit_bytes]
    #[arg(long, value_name = "BYTES", help_heading = "Buckets")]
    pub(crate) limit_bytes: Option<u64>,
}

/// How an answer is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// For people.
    Table,
    /// For programs, as REST answers.
    As(Format),
}

impl FromStr for Shown {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "table" => Ok(Self::Table),
            name => name.parse().map(Self::As).map_err(|_| "write table, json, csv, npy, npz or arrow".to_owned()),
        }
    }
}

/// Where an answer goes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Answer")]
pub(crate) struct AnswerArgs {
    /// table, json, csv, npy, npz or arrow
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub(crate) format: Shown,
    /// Write to this file instead of standard output; it appears when it is complete
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl AnswerArgs {
    /// Where the answer goes, checked before any work is done.
    pub(crate) fn output(&self) -> anyhow::Result<Output> {
        let output = Output::new(self.output.clone());
        if let Shown::As(format @ (Format::Npy | Format::Npz | Format::Arrow)) = self.format {
            output.check_binary(format.name())?;
        }
        Ok(output)
    }
}

/// Says on standard error what was asked for and no series has: else an empty answer would look like one without data.
pub(crate) fn note_unmatched(unmatched: &[String]) {
    for asked in unmatched {
        eprintln!("note: no series that was found has {}", printable(asked));
    }
}

/// A parser of the contract's own words, which `--help` lists.
pub(crate) fn word<T>(words: &'static [&'static str]) -> impl TypedValueParser<Value = T>
where
    T: DeserializeOwned + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(words).try_map(|word| serde_json::from_value(serde_json::Value::String(word)))
}

/// `FROM..TO`
pub(crate) fn time_range(text: &str) -> Result<TimeRange, String> {
    let (from, to) = text.split_once("..").ok_or("write FROM..TO, such as 2020-01-01..2021-01-01")?;
    let time = |text: &str| text.parse::<Timestamp>().map_err(|error| error.to_string());
    Ok(TimeRange { from: time(from)?, to: time(to)? })
}

/// `TAG=VALUE`, several of which make a [`Selector`].
pub(crate) fn tag(text: &str) -> Result<String, SelectorError> {
    Selector::from_pairs([text]).map(|_| text.to_owned())
}

/// A long form lists values, a wide one has a column a series.
pub(crate) fn layout(name: &str) -> Result<Layout, String> {
    name.parse().map_err(|_| "write long or wide".to_owned())
}

fn timezone(name: &str) -> Result<Tz, String> {
    name.parse().map_err(|_| "write the name of an IANA time zone, such as Europe/Berlin".to_owned())
}

fn fill(text: &str) -> Result<Fill, String> {
    match text.split_once(':') {
        None if text == "none" => Ok(Fill::None),
        Some(("locf", max_age)) => max_age
            .parse()
            .map(|max_age| Fill::Locf { max_age })
            .map_err(|error: chunkwise::question::WidthError| error.to_string()),
        _ => Err("write none, or locf and how old a carried value may be, such as locf:1h".to_owned()),
    }
}
