//! `chunkwise correlate`

use std::str::FromStr;

use chunkwise::{
    config::Config,
    format,
    question::{CorrelateQuestion, HalfLife, Method, Order, RankBy, Selector, SelectorError, Stat, TimeRange},
};
use clap::Args;

use crate::{
    engine::Engine,
    question_args::{AnswerArgs, QuestionArgs, Shown, note_unmatched, tag, time_range, word},
    table,
};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  chunkwise correlate prices close --bucket 1d --transform log_return --target symbol=AAPL \\
            --range 2020-01-01..2021-01-01 --range 2021-01-01..2022-01-01 --top 10
  chunkwise correlate prices close --bucket 1d --transform log_return --target symbol=AAPL \\
            --against symbol=MSFT --against symbol=XOM --range 2020-01-01..2021-01-01 --format json

r is computed over the buckets that both series have, as pandas' DataFrame.corr does; n counts them. The target is among
the answer (r = 1) unless --top is given. Correlate changes (--transform log_return) rather than levels: two series that
both grow correlate whether or not they have anything to do with each other.
npy holds float64 (ranges, series), series by ascending id, or in rank order with --top.")]
pub(crate) struct CorrelateArgs {
    #[command(flatten)]
    question: QuestionArgs,
    /// The one series, by its tags or series_id=3; again for more tags
    #[arg(long, value_name = "TAG=VALUE", value_parser = tag, required = true, help_heading = "Series and time")]
    target: Vec<String>,
    /// The others; again for more: any value of a tag, all tags [default: all series]
    #[arg(long, value_name = "TAG=VALUE", value_parser = tag, help_heading = "Series and time")]
    against: Vec<String>,
    /// A range of time, up to 64 of them; its end is the first moment after
    #[arg(long, value_name = "FROM..TO", value_parser = time_range, required = true, help_heading = "Series and time")]
    range: Vec<TimeRange>,
    /// The measure
    #[arg(long, value_name = "NAME", default_value = "pearson", help_heading = "Correlation",
          value_parser = word::<Method>(&["pearson", "spearman"]))]
    method: Method,
    /// Weigh pairs by age: after so many buckets one weighs half (exponentially weighted Pearson)
    #[arg(long, value_name = "BUCKETS", value_parser = half_life, conflicts_with = "method", help_heading = "Correlation")]
    half_life: Option<HalfLife>,
    /// With fewer common buckets there is no r
    #[arg(long, value_name = "BUCKETS", default_value_t = 10, help_heading = "Correlation")]
    min_overlap: usize,
    /// Only the best so many, in rank order, without the target [default: all]
    #[arg(long, value_name = "SERIES", help_heading = "Correlation")]
    top: Option<usize>,
    /// What ranks high: the greatest |r|, r, or -r
    #[arg(long, value_name = "NAME", default_value = "abs", help_heading = "Correlation",
          value_parser = word::<Order>(&["abs", "desc", "asc"]))]
    order: Order,
    /// Which range ranks: its index from 0, or max for the greatest score over all ranges
    #[arg(long, value_name = "RANGE", default_value = "max", value_parser = rank_by, help_heading = "Correlation")]
    rank_by: RankBy,
    /// Figures beside r, of p_value,ci95,q_value, or none [default: p_value,ci95 with --top, else none]
    #[arg(long, value_name = "NAMES", help_heading = "Correlation")]
    stats: Option<Stats>,
    #[command(flatten)]
    answer: AnswerArgs,
}

/// A list of figures on the command line.
#[derive(Debug, Clone)]
struct Stats(Vec<Stat>);

impl FromStr for Stats {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "none" {
            return Ok(Self(Vec::new()));
        }
        let stat = |name| match name {
            "p_value" => Ok(Stat::PValue),
            "ci95" => Ok(Stat::Ci95),
            "q_value" => Ok(Stat::QValue),
            _ => Err("write p_value, ci95 and q_value with commas between, or none"),
        };
        text.split(',').map(stat).collect::<Result<_, _>>().map(Self)
    }
}

fn rank_by(text: &str) -> Result<RankBy, &'static str> {
    match text {
        "max" => Ok(RankBy::Max),
        index => index.parse().map(RankBy::Range).map_err(|_| "write max, or the index of a range from 0"),
    }
}

fn half_life(text: &str) -> Result<HalfLife, &'static str> {
    text.parse().ok().and_then(HalfLife::new).ok_or("write a number of buckets greater than 0, such as 20")
}

impl CorrelateArgs {
    fn question(&self, namespace: &str) -> Result<CorrelateQuestion, SelectorError> {
        let shared = &self.question;
        Ok(CorrelateQuestion {
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
            target: Selector::from_pairs(&self.target)?,
            against: Selector::from_pairs(&self.against)?,
            ranges: self.range.clone(),
            method: self.half_life.map_or(self.method, |half_life| Method::Ewma { half_life }),
            min_overlap: self.min_overlap,
            top: self.top,
            order: self.order,
            rank_by: self.rank_by,
            stats: self.stats.clone().map(|Stats(stats)| stats),
        })
    }
}

pub(crate) async fn run(args: &CorrelateArgs, config: &Config) -> anyhow::Result<()> {
    let question = args.question(&config.namespace)?;
    question.validate()?;
    if let Shown::As(format) = args.answer.format {
        format::check_top(question.top, format)?;
    }
    let output = args.answer.output()?;
    let answer = Engine::open(config).await?.correlate(&question).await?;
    note_unmatched(&answer.unmatched);
    match args.answer.format {
        Shown::Table => output.write(table::correlate(&answer).as_bytes()),
        Shown::As(format) => output.write(&format::correlate(&answer, question.top, format)?),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn question(line: &str) -> CorrelateQuestion {
        let Command::Correlate(args) = Cli::parse_from(line.split_whitespace()).command else { panic!("{line}") };
        args.question("public").unwrap()
    }

    #[test]
    fn flags_left_out_mean_what_fields_left_out_mean() {
        let flags = question(
            "chunkwise correlate prices close --bucket 1d --target symbol=AAPL --range 2020-01-01..2021-01-01",
        );
        let json = r#"{"measurement": "prices", "field": "close", "bucket": "1d", "target": {"symbol": "AAPL"},
                       "ranges": [{"from": "2020-01-01T00:00:00Z", "to": "2021-01-01T00:00:00Z"}]}"#;
        assert_eq!(flags, serde_json::from_str(json).unwrap());
    }

    #[test]
    fn every_flag_is_a_field() {
        let flags = question(
            "chunkwise correlate prices close --bucket 1d --timezone America/New_York --aggregate first --grid regular \
             --fill locf:3d --transform log_return --limit-bytes 4096 --target symbol=AAPL --against symbol=MSFT \
             --against symbol=XOM --range 2020-01-01..2021-01-01 --range 2021-01-01T00:00:00Z..1640995200000 \
             --method spearman --min-overlap 20 --top 50 --order desc --rank-by 1 --stats p_value,q_value",
        );
        let json = r#"{"measurement": "prices", "field": "close", "bucket": "1d", "timezone": "America/New_York",
                       "aggregate": "first", "grid": "regular", "fill": {"locf": {"max_age": "3d"}},
                       "transform": "log_return", "limit_bytes": 4096, "target": {"symbol": "AAPL"},
                       "against": {"symbol": ["MSFT", "XOM"]},
                       "ranges": [{"from": "2020-01-01T00:00:00Z", "to": "2021-01-01T00:00:00Z"},
                                  {"from": "2021-01-01T00:00:00Z", "to": "2022-01-01T00:00:00Z"}],
                       "method": "spearman", "min_overlap": 20, "top": 50, "order": "desc", "rank_by": 1,
                       "stats": ["p_value", "q_value"]}"#;
        assert_eq!(flags, serde_json::from_str(json).unwrap());
    }

    #[test]
    fn every_word_that_help_offers_is_understood() {
        let line = "chunkwise correlate p c --bucket 1d --target a=b --range 0..1";
        let words = [
            ("--aggregate", &["last", "first", "mean", "min", "max", "sum", "count"][..]),
            ("--grid", &["observed", "regular", "own"]),
            ("--transform", &["level", "diff", "pct", "log_return"]),
            ("--method", &["pearson", "spearman"]),
            ("--order", &["abs", "desc", "asc"]),
            ("--rank-by", &["max", "0"]),
            ("--stats", &["none", "p_value,ci95,q_value"]),
            ("--format", &["table", "json", "csv", "npy", "npz", "arrow"]),
        ];
        for (flag, words) in words {
            for word in words {
                question(&format!("{line} {flag} {word}"));
            }
        }
        assert_eq!(question(&format!("{line} --stats none")).stats, Some(Vec::new()));
    }

    #[test]
    fn a_target_and_a_range_are_required() {
        for line in
            ["--range 2020-01-01..2021-01-01", "--target symbol=AAPL", "--target symbol=AAPL --range 2020-01-01"]
        {
            let line = format!("chunkwise correlate prices close --bucket 1d {line}");
            assert!(Cli::try_parse_from(line.split_whitespace()).is_err(), "{line}");
        }
    }
}
