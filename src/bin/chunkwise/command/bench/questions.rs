//! `chunkwise bench correlation` and `chunkwise bench window`: what is asked for

use std::path::PathBuf;

use chunkwise::bench::{ComputeBenchOptions, QuestionBenchOptions};
use clap::Args;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  chunkwise bench correlation --quick
      A look within a minute, on the embedded database.
  chunkwise bench correlation --series 100000 --buckets 2000 --json correlation.json
      200 million rows: 10 GB on disk, 3 GB of memory, and some minutes to make them.
  chunkwise bench correlation --from-blocks --series 50000
      Computing alone, without any database: blocks are made in memory, up to 2 GB of it, within a minute or two.

It makes a database of its own on the server, fills a table by COPY, runs `chunkwise up` on it, and drops it at the end.
Ratios come first: compute_to_read_pass compares what a question about all buckets computes with a plain read of as many
float32s by all cores. Names that begin with live_ were measured while rows came in, and those that begin with
further_chunks_ after so many chunks of one row were made before all that is asked for: first_question is the next one, which
has to look for its first bucket's neighbour in them, and further_chunks_log_log_slope is how p50 grows with them, about 0
where it does not.

With --from-blocks no database is used or started. one_range, five_ranges (which overlap), missing_5_percent (at random) and
chunks_of_5 (the same buckets in chunks of 5 each) stand beside a read of the same blocks' values: 4 bytes each, missing
ones too, but not the bits that say which are missing. read_pass is a plain read, widest_read_pass one with the widest
instructions that the machine has: nearly alike where nothing else runs. series_N and buckets_N are one range of so many,
with the memory of the process; series_log_log_slope and buckets_log_log_slope are about 1 where twice as many take twice
as long. A processor's caches make the plain read of the smaller ones faster too: series_read_pass_log_log_slope and
buckets_read_pass_log_log_slope tell by how much.

Measure with a release build, and with nothing else running.")]
pub(super) struct CorrelationArgs {
    #[command(flatten)]
    pub(super) questions: QuestionArgs,
    /// Rows a second that come in for the live figures, 0 for none [default: 100000; quick: 50000]
    #[arg(long, value_name = "ROWS", value_parser = clap::value_parser!(u32).range(0..=10_000_000))]
    live: Option<u32>,
    /// Chunks outside of what is asked for, to see whether the store's size matters, 0 for none [default: 1000; quick: 100]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=10_000))]
    further_chunks: Option<u32>,
    /// Measure computing alone, on blocks made in memory, without any database; time by series is told up to --series
    /// [default: 200000, or what fits into memory; quick: 10000]
    #[arg(long, conflicts_with_all = ["questions", "live", "further_chunks"])]
    pub(super) from_blocks: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  chunkwise bench window --quick
      A look within a minute, on the embedded database.

It makes a database of its own on the server, fills a table by COPY, runs `chunkwise up` on it, and drops it at the end.
Ratios come first: frame_to_copy compares rows of a window with rows that two connections get by COPY ... TO STDOUT.
Measure with a release build, and with nothing else running.")]
pub(super) struct WindowArgs {
    #[command(flatten)]
    pub(super) questions: QuestionArgs,
}

#[derive(Debug, Args)]
pub(super) struct QuestionArgs {
    /// A smaller table and fewer questions
    #[arg(long)]
    quick: bool,
    /// Series of the table [default: 100000; quick: 10000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    series: Option<u32>,
    /// Buckets of the table, a minute each [default: 2000; quick: 250]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(20..=1_000_000))]
    buckets: Option<u32>,
    /// Questions of each kind [default: 200; quick: 50]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    questions: Option<u16>,
    /// Write the report to a file as JSON
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
}

impl CorrelationArgs {
    pub(super) fn options(&self) -> QuestionBenchOptions {
        let base = self.questions.options();
        QuestionBenchOptions {
            live_rows_per_second: self.live.unwrap_or(base.live_rows_per_second),
            further_chunks: self.further_chunks.unwrap_or(base.further_chunks),
            ..base
        }
    }

    /// The same of computing alone.
    pub(super) fn compute_options(&self) -> ComputeBenchOptions {
        let QuestionArgs { quick, series, buckets, .. } = self.questions;
        let base = if quick { ComputeBenchOptions::quick() } else { ComputeBenchOptions::full() };
        ComputeBenchOptions {
            series: series.unwrap_or(base.series),
            buckets: buckets.unwrap_or(base.buckets),
            most_series: series.unwrap_or(base.most_series),
            ..base
        }
    }
}

impl QuestionArgs {
    pub(super) fn options(&self) -> QuestionBenchOptions {
        let base = if self.quick { QuestionBenchOptions::quick() } else { QuestionBenchOptions::full() };
        QuestionBenchOptions {
            series: self.series.unwrap_or(base.series),
            buckets: self.buckets.unwrap_or(base.buckets),
            questions: self.questions.map_or(base.questions, usize::from),
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

    fn correlation(flags: &str) -> Result<CorrelationArgs, clap::Error> {
        let line = format!("chunkwise bench correlation {flags}");
        let Command::Bench(BenchArgs { what: What::Correlation(args) }) =
            Cli::try_parse_from(line.split_whitespace())?.command
        else {
            panic!("{line}")
        };
        Ok(args)
    }

    #[test]
    fn correlations_are_of_a_table_or_of_blocks_alone() {
        assert_eq!(correlation("").unwrap().options(), QuestionBenchOptions::full());
        let expected =
            QuestionBenchOptions { live_rows_per_second: 0, further_chunks: 7, ..QuestionBenchOptions::quick() };
        assert_eq!(correlation("--quick --live 0 --further-chunks 7").unwrap().options(), expected);
        let blocks = |flags: &str| correlation(&format!("--from-blocks {flags}")).map(|args| args.compute_options());
        assert_eq!(blocks("").unwrap(), ComputeBenchOptions::full());
        let expected =
            ComputeBenchOptions { series: 50_000, most_series: 50_000, buckets: 500, ..ComputeBenchOptions::full() };
        assert_eq!(blocks("--series 50000 --buckets 500").unwrap(), expected);
        for flags in ["--questions 5", "--live 0", "--further-chunks 0"] {
            assert!(blocks(flags).is_err(), "{flags}");
        }
    }
}
