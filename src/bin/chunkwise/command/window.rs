//! `chunkwise window`

use chunkwise::{
    config::Config,
    format::{self, Format, Layout},
    question::{Aggregate, Selector, SelectorError, Timestamp, WindowQuestion},
};
use clap::Args;

use crate::{
    engine::Engine,
    question_args::{AnswerArgs, QuestionArgs, Shown, layout, note_unmatched, tag, word},
    table,
};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  chunkwise window prices close --bucket 1d --series symbol=AAPL --series symbol=MSFT \\
            --from 2020-01-01 --to 2020-02-01 --layout wide
  chunkwise window sensors temperature --bucket 1h --aggregate mean --grid regular --fill locf:6h \\
            --from 2016-03-01 --to 2016-04-01 --format npz -o march.npz

A bucket belongs to the range if its start does. Times are UTC: a date (its midnight), RFC 3339 with a zone, or
milliseconds since 1970. A missing value is NaN in npy and npz, null in JSON and Arrow, and left out of long tables.
npy holds float64 (series, buckets), series by ascending id.")]
pub(crate) struct WindowArgs {
    #[command(flatten)]
    question: QuestionArgs,
    /// A series by its tags, or series_id=3; again for more: any value of a tag, all tags [default: all series]
    #[arg(long, value_name = "TAG=VALUE", value_parser = tag, help_heading = "Series and time")]
    series: Vec<String>,
    /// The first moment
    #[arg(long, value_name = "TIME", help_heading = "Series and time")]
    from: Timestamp,
    /// The first moment after
    #[arg(long, value_name = "TIME", help_heading = "Series and time")]
    to: Timestamp,
    /// Another aggregate of the same buckets, from the same reading; again for more. Not for npy and wide tables
    #[arg(long, value_name = "NAME", help_heading = "Buckets",
          value_parser = word::<Aggregate>(&Aggregate::NAMES))]
    also: Vec<Aggregate>,
    /// long: a line for every value; wide: a column for every series. For table, csv and arrow
    #[arg(long, value_name = "NAME", default_value = "long", value_parser = layout, help_heading = "Answer")]
    layout: Layout,
    #[command(flatten)]
    answer: AnswerArgs,
}

impl WindowArgs {
    fn question(&self, namespace: &str) -> Result<WindowQuestion, SelectorError> {
        let shared = &self.question;
        Ok(WindowQuestion {
            namespace: namespace.to_owned(),
            measurement: shared.measurement.clone(),
            field: shared.field.clone(),
            bucket: shared.bucket,
            timezone: shared.timezone,
            aggregate: shared.aggregate,
            grid: shared.grid,
            fill: shared.fill,
            transform: shared.transform,
            limit_bytes: shared.limit_bytes,
            series: Selector::from_pairs(&self.series)?,
            from: self.from,
            to: self.to,
            also: self.also.clone(),
        })
    }
}

pub(crate) async fn run(args: &WindowArgs, config: &Config) -> anyhow::Result<()> {
    let question = args.question(&config.namespace)?;
    question.validate()?;
    let output = args.answer.output()?;
    // A table for people is laid out as a CSV.
    let format = if let Shown::As(format) = args.answer.format { format } else { Format::Csv };
    format::check_window(!question.also.is_empty(), format, args.layout)?;
    let answer = Engine::open(config).await?.window(&question).await?;
    note_unmatched(&answer.rows.unmatched(&question.series));
    match args.answer.format {
        Shown::Table => output.write(table::window(&answer, args.layout).as_bytes()),
        Shown::As(format) => output.write(&format::window(&answer, format, args.layout)?),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn question(line: &str) -> WindowQuestion {
        let Command::Window(args) = Cli::parse_from(line.split_whitespace()).command else { panic!("{line}") };
        args.question("public").unwrap()
    }

    #[test]
    fn flags_left_out_mean_what_fields_left_out_mean() {
        let flags =
            question("chunkwise window ticks price --bucket 5m --from 2020-01-01 --to 2020-01-02T12:00:00+01:00");
        let json = r#"{"measurement": "ticks", "field": "price", "bucket": "5m",
                       "from": "2020-01-01T00:00:00Z", "to": "2020-01-02T11:00:00Z"}"#;
        assert_eq!(flags, serde_json::from_str(json).unwrap());
    }

    #[test]
    fn every_flag_is_a_field() {
        let flags = question(
            "chunkwise window ticks price --bucket 1d --timezone Europe/Berlin --aggregate mean --grid own --fill locf:1h \
             --transform pct --limit-bytes 1000 --series symbol=MSFT --series symbol=XOM --series exchange=N \
             --series series_id=3 --from 0 --to 86400000 --also min --also count",
        );
        let json = r#"{"measurement": "ticks", "field": "price", "bucket": "1d", "timezone": "Europe/Berlin",
                       "aggregate": "mean", "grid": "own", "fill": {"locf": {"max_age": "1h"}}, "transform": "pct",
                       "limit_bytes": 1000, "from": 0, "to": 86400000, "also": ["min", "count"],
                       "series": {"symbol": ["MSFT", "XOM"], "exchange": "N", "series_id": 3}}"#;
        assert_eq!(flags, serde_json::from_str(json).unwrap());
    }

    #[test]
    fn nonsense_is_refused_with_advice() {
        let cases = [
            ("--bucket 5y", "not a duration"),
            ("--bucket 1d --from yesterday", "not a time"),
            ("--bucket 1d --fill locf", "locf:1h"),
            ("--bucket 1d --grid all", "observed, regular, own"),
            ("--bucket 1d --series AAPL", "TAG=VALUE"),
            ("--bucket 1d --timezone Middle/Earth", "IANA"),
            ("--bucket 1d --format xlsx", "npz"),
            ("--bucket 1d --layout tall", "long or wide"),
        ];
        for (flags, advice) in cases {
            let line = format!("chunkwise window ticks price --to 2020-01-01 {flags}");
            let error = Cli::try_parse_from(line.split_whitespace()).unwrap_err().to_string();
            assert!(error.contains(advice), "{flags}: {error}");
        }
    }
}
