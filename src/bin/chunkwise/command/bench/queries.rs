//! `chunkwise bench queries`: what is asked for

use std::path::PathBuf;

use chunkwise::bench::QueryBenchOptions;
use clap::Args;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  chunkwise bench queries --quick
      A hundredth of the records, within two minutes, on the embedded database.
  chunkwise bench queries --pruning-hours 1 --json queries.json
      All records, and 19 million rows in the end.
  chunkwise bench queries --live 0 --records 2498503
      One number of records, at rest alone.

Three questions, each over exactly 1098212, 1431323, 1790467, 2152595 and 2498503 records:
  q1  the maximum and the mean of 8 series by minute: few rows of each chunk, so it is about finding them
  q2  least, greatest and mean of all series by hour: all rows of the range, so it is about reading and grouping them
  q3  last value, open, high, low of the last hour and the mean of the last three closes of each series, the twenty farthest
      above it: order within each series, and the best of all in the end
Each number of records is spread over twelve hours of its own, a chunk an hour. There are four paths: sql, an analyst's SQL
upon the view of rows; window, windows over REST; rollup, SQL upon bars; plain, the same SQL upon a table of PostgreSQL that
holds nothing but these rows, with B-trees on (symbol, time DESC) and (time).

It makes a database of its own on the server, runs `chunkwise up` on it, and drops it at the end. Ratios come first. Names
that begin with live_ were measured while rows came in at a set rate, whether or not they were taken as fast: live_rate_kept
is the part that was. live_Q_N_window_growth compares with the same at rest; Q_N_sql_to_rollup says how many times longer
rows take than bars, Q_N_plain_to_window how many times longer the plain table takes than windows. Names that begin with
store_ are about --pruning-hours in stores of 1, 10 and 100 times as many: store_100x_to_1x_q1_sql is about 1 where the
store's size does not matter. ..._chunks_touched and ..._chunks_excluded are chunks of rows that were opened and not. The
JSON has every sample, the plans and the receipts. The seconds that are told as published are of other software and another
machine.
Measure with a release build, and with nothing else running.")]
pub(super) struct QueriesArgs {
    /// A hundredth of the records, and fewer rounds
    #[arg(long)]
    quick: bool,
    /// Records that each question is about, with commas between [default: the five above]
    #[arg(long, value_name = "N,N", value_delimiter = ',', value_parser = clap::value_parser!(u64).range(100..=1_000_000_000))]
    records: Vec<u64>,
    /// Hours of 100000 rows that are asked for in stores of 1, 10 and 100 times as many [default: 10; quick: 1 of 2500 rows]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pruning_hours: Option<u32>,
    /// Series of the store
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(8..=1_000))]
    series: u32,
    /// Rows a second that come in for the live figures, 0 for none [default: 100000; quick: 10000]
    #[arg(long, value_name = "ROWS", value_parser = clap::value_parser!(u32).range(0..=10_000_000))]
    live: Option<u32>,
    /// How often everything is asked; SQL over rows half as often while rows come in [default: 5; quick: 2]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1_000))]
    rounds: Option<u16>,
    /// Write the report to a file as JSON
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
}

impl QueriesArgs {
    pub(super) fn options(&self) -> QueryBenchOptions {
        let base = if self.quick { QueryBenchOptions::quick() } else { QueryBenchOptions::full() };
        QueryBenchOptions {
            series: self.series,
            records: if self.records.is_empty() { base.records } else { self.records.clone() },
            pruning_hours: self.pruning_hours.unwrap_or(base.pruning_hours),
            live_rows_per_second: self.live.unwrap_or(base.live_rows_per_second),
            rounds: self.rounds.map_or(base.rounds, usize::from),
            sql_rounds: self.rounds.map_or(base.sql_rounds, usize::from),
            ..base
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{
        super::{BenchArgs, What},
        *,
    };
    use crate::cli::{Cli, Command};

    fn options(flags: &str) -> QueryBenchOptions {
        let line = format!("chunkwise bench queries {flags}");
        let Command::Bench(BenchArgs { what: What::Queries(args) }) =
            Cli::try_parse_from(line.split_whitespace()).unwrap().command
        else {
            panic!("{line}")
        };
        args.options()
    }

    #[test]
    fn flags_change_the_usual_and_the_quick_options() {
        assert_eq!(options(""), QueryBenchOptions::full());
        assert_eq!(options("--quick"), QueryBenchOptions::quick());
        let found = options("--records 1000,2000 --pruning-hours 2 --live 0 --rounds 1 --series 8");
        assert_eq!(found.records, [1_000, 2_000]);
        assert_eq!((found.pruning_hours, found.live_rows_per_second, found.rounds, found.series), (2, 0, 1, 8));
    }
}
