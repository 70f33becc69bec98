//! `chunkwise bench tsbs`

use std::path::PathBuf;

use anyhow::Context;
use chunkwise::{
    bench::{Report, TsbsBench, TsbsBenchOptions},
    config::Config,
};
use clap::Args;

use crate::{
    database::{Embedded, Place},
    listen::StopSignal,
    output,
};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  chunkwise bench tsbs --quick
      Whether it runs, within a minute, on the embedded database.
  chunkwise bench tsbs --scale 4000 --days 3 --json tsbs.json
      The data that TSBS's documentation generates: 104 million rows.
  tsbs_generate_data --use-case cpu-only --scale 100 --seed 1 --format timescaledb \\
    --timestamp-start 2024-01-01T00:00:00Z --timestamp-end 2024-01-02T00:00:00Z | gzip > data.gz
  chunkwise bench tsbs --file data.gz
      TSBS's own data; `--format influx`, and the use case devops, whose rows of `cpu` are asked about, as well.

TSBS is Timescale's Time Series Benchmark Suite. Rows are written 10000 a request over 4 connections, or loaded as `chunkwise
load` loads them; insert_rate counts rows and insert_metrics_rate the values of their fields, as TSBS does, from the first
request to the last acknowledgement, and settled_after is how much longer it takes until all chunks are sealed and have their
bars. Then each of TSBS's types of questions about processors is asked: NAME_sql are its statements over rows, NAME_bars
statements over bars, NAME_rest windows or last values over REST, as many at once as there are cores; each about other hosts
and times each time, the same in every run. Bars and windows begin at a whole minute or hour, where TSBS's ranges begin
anywhere. Types for which the data have too few hosts or hours are left out, which is told.
Measure with a release build, and with nothing else running.")]
pub(super) struct TsbsArgs {
    /// 20 hosts over 13 hours, and 5 questions of each type
    #[arg(long)]
    quick: bool,
    /// Files that `tsbs_generate_data` has written, in its formats `timescaledb` or `influx`, plain or gzip [default: rows are
    /// made]
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with_all = ["scale", "hours", "days"])]
    file: Vec<PathBuf>,
    /// Hosts [default: 1000]
    #[arg(long, value_name = "HOSTS", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    scale: Option<u32>,
    /// Hours of data, a row a host every ten seconds [default: 24]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    hours: Option<u32>,
    /// The same in days
    #[arg(long, value_name = "N", conflicts_with = "hours", value_parser = clap::value_parser!(u32).range(1..=400))]
    days: Option<u32>,
    /// Questions of each type [default: 100]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    queries: Option<u16>,
    /// Write the report to a file as JSON
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
}

impl TsbsArgs {
    fn options(&self) -> TsbsBenchOptions {
        let base = if self.quick { TsbsBenchOptions::quick() } else { TsbsBenchOptions::full() };
        TsbsBenchOptions {
            files: self.file.clone(),
            hosts: self.scale.unwrap_or(base.hosts),
            hours: self.days.map(|days| days * 24).or(self.hours).unwrap_or(base.hours),
            queries: self.queries.map_or(base.queries, usize::from),
        }
    }
}

pub(super) async fn run(args: &TsbsArgs, config: &Config) -> anyhow::Result<Report> {
    let mut stop = StopSignal::listen()?;
    for file in &args.file {
        std::fs::metadata(file).with_context(|| format!("looking for {}", file.display()))?;
    }
    let program = std::env::current_exe().context("finding this program's file")?;
    let place = Place::for_everything(config, Embedded::Start).await?;
    let bench = TsbsBench::prepare(args.options(), &place.database.owner().connect_options(), program).await?;
    output::tell(super::told(bench.database_name()));
    let measured = stop.unless_heard(Box::pin(bench.run(&|step| output::tell(step)))).await;
    super::finish(measured, bench.discard().await, place, &stop).await
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{
        super::{BenchArgs, What},
        *,
    };
    use crate::cli::{Cli, Command};

    fn options(flags: &str) -> Result<TsbsBenchOptions, clap::Error> {
        let line = format!("chunkwise bench tsbs {flags}");
        let Command::Bench(BenchArgs { what: What::Tsbs(args) }) =
            Cli::try_parse_from(line.split_whitespace())?.command
        else {
            panic!("{line}")
        };
        Ok(args.options())
    }

    #[test]
    fn flags_change_the_usual_options() {
        assert_eq!(options("").unwrap(), TsbsBenchOptions::full());
        assert_eq!(options("--quick").unwrap(), TsbsBenchOptions::quick());
        let found = options("--scale 4000 --days 3 --queries 7").unwrap();
        assert_eq!((found.hosts, found.hours, found.queries), (4_000, 72, 7));
        assert_eq!(options("--file a.gz b --queries 1").unwrap().files, [PathBuf::from("a.gz"), PathBuf::from("b")]);
        for flags in ["--scale 0", "--hours 1 --days 1", "--file a --scale 5", "--queries 0"] {
            assert!(options(flags).is_err(), "{flags}");
        }
    }
}
