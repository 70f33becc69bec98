//! `chunkwise asof`

use chunkwise::{
    config::Config,
    format::{self, Format, FormatError},
    question::{AsofQuestion, AsofSide, Join, Selector, SelectorError, Timestamp, Width},
};
use clap::Args;

use crate::{
    engine::Engine,
    question_args::{AnswerArgs, Shown, tag, word},
    table,
};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  chunkwise asof trades quotes --left-field price --left-field size --right-field bid --right-field ask \\
            --on symbol --tolerance 10s --from 2024-05-01T13:30:00Z --to 2024-05-01T20:00:00Z
      Each trade with the quote of its moment, if that is at most ten seconds old.
  chunkwise asof readings setpoints --left-field temperature --right-field target --on room --tolerance 1d \\
            --left-series room=3b --from 2024-05-01 --to 2024-06-01 --join inner --format arrow -o joined.arrow

These are raw rows, no buckets: for each row of the left measurement, the last row of the right one at or before its time.
Rows pair where all tags of --on are equal; a series without one of them pairs with nothing. Without --on every row pairs with
every other, as with a rate that holds for all. Of right rows with equal times the one with the greater values counts.
The columns: the tags, time, the left fields, right_<field>, right_time, and age_us, how many microseconds older the right row
is. table, json, csv and arrow have them; there is no npy of it.")]
pub(crate) struct AsofArgs {
    /// The measurement whose rows are answered
    left: String,
    /// The measurement whose rows are looked up
    right: String,
    /// A field of the left measurement; again for more
    #[arg(long, value_name = "FIELD", required = true, help_heading = "Rows")]
    left_field: Vec<String>,
    /// A field of the right measurement; again for more
    #[arg(long, value_name = "FIELD", required = true, help_heading = "Rows")]
    right_field: Vec<String>,
    /// A tag of both that pairs their rows; again for more [default: every row pairs with every other]
    #[arg(long, value_name = "TAG", help_heading = "Rows")]
    on: Vec<String>,
    /// Left series by their tags, or series_id=3; again for more: any value of a tag, all tags [default: all series]
    #[arg(long, value_name = "TAG=VALUE", value_parser = tag, help_heading = "Rows")]
    left_series: Vec<String>,
    /// Right series likewise
    #[arg(long, value_name = "TAG=VALUE", value_parser = tag, help_heading = "Rows")]
    right_series: Vec<String>,
    /// How old a right row may be: 250ms 1s 10s 1m 5m 1h 1d 1w
    #[arg(long, value_name = "DURATION", help_heading = "Time")]
    tolerance: Width,
    /// The first moment of left rows
    #[arg(long, value_name = "TIME", help_heading = "Time")]
    from: Timestamp,
    /// The first moment after
    #[arg(long, value_name = "TIME", help_heading = "Time")]
    to: Timestamp,
    /// left: a row without a right one stays, with nothing beside it; inner: it is left out
    #[arg(long, value_name = "NAME", default_value = "left", help_heading = "Answer",
          value_parser = word::<Join>(&["left", "inner"]))]
    join: Join,
    /// The most bytes that the question may take in memory [default: the setting question.limit_bytes]
    #[arg(long, value_name = "BYTES", help_heading = "Answer")]
    limit_bytes: Option<u64>,
    #[command(flatten)]
    answer: AnswerArgs,
}

impl AsofArgs {
    fn question(&self, namespace: &str) -> Result<AsofQuestion, SelectorError> {
        let side = |measurement: &String, fields: &[String], series: &[String]| {
            let series = Selector::from_pairs(series)?;
            Ok(AsofSide { measurement: measurement.clone(), fields: fields.to_vec(), series })
        };
        Ok(AsofQuestion {
            namespace: namespace.to_owned(),
            left: side(&self.left, &self.left_field, &self.left_series)?,
            right: side(&self.right, &self.right_field, &self.right_series)?,
            on: self.on.clone(),
            from: self.from,
            to: self.to,
            tolerance: self.tolerance,
            join: self.join,
            limit_bytes: self.limit_bytes,
        })
    }
}

pub(crate) async fn run(args: &AsofArgs, config: &Config) -> anyhow::Result<()> {
    let question = args.question(&config.namespace)?;
    question.validate()?;
    if let Shown::As(format @ (Format::Npy | Format::Npz)) = args.answer.format {
        return Err(FormatError::NotOffered { answer: "a join of rows", format }.into());
    }
    let output = args.answer.output()?;
    let answer = Engine::open(config).await?.asof(&question).await?;
    match args.answer.format {
        Shown::Table => output.write(table::asof(&answer)?.as_bytes()),
        Shown::As(format) => output.write(&format::asof(&answer, format)?),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn question(line: &str) -> AsofQuestion {
        let Command::Asof(args) = Cli::parse_from(line.split_whitespace()).command else { panic!("{line}") };
        args.question("public").unwrap()
    }

    #[test]
    fn flags_are_fields_and_left_out_mean_the_same() {
        let flags =
            question("chunkwise asof t q --left-field p --right-field b --tolerance 10s --from 0 --to 2020-01-01");
        let json = r#"{"left": {"measurement": "t", "fields": ["p"]}, "right": {"measurement": "q", "fields": ["b"]},
                       "on": [], "tolerance": "10s", "from": 0, "to": "2020-01-01T00:00:00Z"}"#;
        assert_eq!(flags, serde_json::from_str(json).unwrap());
        let flags = question(
            "chunkwise asof t q --left-field p --left-field s --right-field b --on symbol --on venue --tolerance 1d \
             --left-series symbol=A --left-series symbol=B --right-series series_id=3 --from 0 --to 1 --join inner \
             --limit-bytes 9",
        );
        let json = r#"{"left": {"measurement": "t", "fields": ["p", "s"], "series": {"symbol": ["A", "B"]}},
                       "right": {"measurement": "q", "fields": ["b"], "series": {"series_id": 3}},
                       "on": ["symbol", "venue"], "tolerance": "1d", "from": 0, "to": 1, "join": "inner",
                       "limit_bytes": 9}"#;
        assert_eq!(flags, serde_json::from_str(json).unwrap());
    }
}
