//! `chunkwise bench`

mod all;
mod compare;
mod kept;
mod queries;
mod questions;
mod steadiness;
mod tsbs;

use std::path::PathBuf;

use anyhow::{Context, bail};
use chunkwise::{
    bench::{
        BenchError, ComputeBenchOptions, IngestBench, IngestBenchOptions, QueryBench, QueryBenchOptions, QuestionBench,
        QuestionBenchOptions, QuestionKind, Report, StorageBench, StorageBenchOptions, Transport, measure_compute,
    },
    config::Config,
};
use clap::{Args, Subcommand};

use self::{
    all::AllArgs,
    compare::CompareArgs,
    queries::QueriesArgs,
    questions::{CorrelationArgs, WindowArgs},
    steadiness::SteadinessArgs,
    tsbs::TsbsArgs,
};
use crate::{
    database::{Embedded, Place},
    listen::StopSignal,
    output::{self, Output},
};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  chunkwise bench all
      Everything, under a quarter of an hour on 2 cores, as JSON and as a page to look at.
  chunkwise bench ingest --quick
      A look within a minute, on the embedded database; `chunkwise bench ingest --help` has more.
  chunkwise bench storage --quick
      What a row takes on disk, and what finishing and dropping chunks costs, within two minutes.
  chunkwise bench steadiness --shared-buffers 256MB
      Whether writing gets slower as the data grow, beside a plain table and a hypertable.
  chunkwise bench queries --quick
      How long aggregations over exactly so many records take, at rest and while rows come in, beside a plain table.
  chunkwise bench correlation --quick
      How long one series against all others takes over REST, idle and while rows come in.
  chunkwise bench correlation --from-blocks --quick
      What of that is computing, within seconds and without any database.

Each run's report is kept in the data folder, below reports/, and `chunkwise up` shows it on its web page, two of them side
by side; --json FILE writes it elsewhere too.")]
pub(crate) struct BenchArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// How fast lines become committed rows, beside what the database takes of ready-made bytes.
    Ingest(IngestArgs),
    /// Whether writing gets slower as the data grow, beside a plain table and a hypertable.
    Steadiness(SteadinessArgs),
    /// What a row takes on disk, how long sealing and dropping take, and what they cost ingestion.
    Storage(StorageArgs),
    /// How long three aggregations take, at rest and while rows come in, beside a plain table.
    Queries(QueriesArgs),
    /// How long questions about one series against all others take, beside a plain read of as much memory.
    Correlation(CorrelationArgs),
    /// Data and questions of TSBS, the Time Series Benchmark Suite, made here or from its own files.
    Tsbs(TsbsArgs),
    /// All of them one after another, with a page that shows what was better and by how much.
    All(AllArgs),
    /// Two reports beside each other: what has changed by more than its noise.
    Compare(CompareArgs),
    /// How fast windows are read, beside what the database gives away to two connections.
    Window(WindowArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  chunkwise bench ingest --quick
      A look within a minute, on the embedded database.
  chunkwise bench ingest --steady 50000000 --json ingest.json
      Also 50 million rows in one go, and whether the rate falls on the way.

It makes a database of its own on the server, runs `chunkwise ingest` on it, and drops it at the end. Ratios come
first: service_to_ceiling compares with ready-made COPY by 4 connections into the same kind of table, service_to_naive
with COPY into a table with TimescaleDB's default index and one on (series_id, time). Measure with a release build,
and with nothing else running: the database's CPU time is that of the whole server.")]
struct IngestArgs {
    /// Fewer rows, rounds and combinations
    #[arg(long)]
    quick: bool,
    /// Rows of each measurement [default: 1000000; quick: 200000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1_000..=1_000_000_000))]
    rows: Option<u64>,
    /// Series that the rows are of
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    series: u32,
    /// Many more series, to see what their number costs
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    many_series: u32,
    /// Ways in to compare, with commas between: http, tcp, websocket, telnet
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "http", value_parser = transport)]
    protocols: Vec<Transport>,
    /// Also write so many rows in one go, and tell whether the rate falls
    #[arg(long, value_name = "ROWS", value_parser = clap::value_parser!(u64).range(100_000..=10_000_000_000))]
    steady: Option<u64>,
    /// Write the report to a file as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn transport(name: &str) -> Result<Transport, &'static str> {
    let found = Transport::ALL.into_iter().find(|transport| transport.name() == name);
    found.ok_or("write http, tcp, websocket or telnet")
}

impl IngestArgs {
    fn options(&self) -> IngestBenchOptions {
        let base = if self.quick { IngestBenchOptions::quick() } else { IngestBenchOptions::full() };
        IngestBenchOptions {
            rows: self.rows.unwrap_or(base.rows),
            series: self.series,
            many_series: self.many_series,
            transports: self.protocols.clone(),
            steady_rows: self.steady,
            ..base
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  chunkwise bench storage --quick
      A look within two minutes, on the embedded database.
  chunkwise bench storage --json storage.json
      A day of 10 million rows, sealed, rolled up and dropped.

It makes a database of its own on the server, runs `chunkwise ingest` on it, and drops it at the end. Ratios come
first: all_costs_to_naive compares rows a second until everything is sealed and rolled up with COPY into a table with
TimescaleDB's default index and one on (series_id, time), and without rollups; sealing_to_alone compares ingestion with
and without sealing; half_rate_ack_p99_growth compares acknowledgements at half of what ingestion takes alone, with and
without sealing and rollups. half_rate_seal_lag has a sample a chunk: one that grows from chunk to chunk does not keep up.
half_rate_rollup_lag is the age of the oldest acknowledged row that the minute bars did not have.
delete_to_drop compares how long it takes until no other session finds a chunk's rows any more: by DELETE from the
measurement, whose triggers note what has changed, and by retention's drop. delete_and_vacuum_to_drop compares how long it
takes until the space is free: by DELETE and VACUUM, and by the drop until its files are removed.
Measure with a release build, and with nothing else running.")]
struct StorageArgs {
    /// Fewer rows
    #[arg(long)]
    quick: bool,
    /// Rows of the chunk that is sealed and dropped, in steps of 500000; the others have a tenth [default: 10000000;
    /// quick: 1000000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    chunk_rows: Option<u64>,
    /// Chunks that pass while ingestion is measured
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    chunks: u32,
    /// Series that the rows are of
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    series: u32,
    /// How often ingestion is measured with and without sealing and rollups [default: 2; quick: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=100))]
    rounds: Option<u16>,
    /// Write the report to a file as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl StorageArgs {
    fn options(&self) -> StorageBenchOptions {
        let base = if self.quick { StorageBenchOptions::quick() } else { StorageBenchOptions::full() };
        StorageBenchOptions {
            chunk_rows: self.chunk_rows.unwrap_or(base.chunk_rows),
            chunks: self.chunks,
            series: self.series,
            rounds: self.rounds.map_or(base.rounds, usize::from),
        }
    }
}

pub(crate) async fn run(args: &BenchArgs, config: &Config) -> anyhow::Result<()> {
    // Named as in the report of all.
    let (benchmark, report, json) = match &args.what {
        What::Compare(args) => return compare::run(args),
        What::All(args) => return Box::pin(all::run(args, config)).await,
        What::Ingest(args) => ("ingest", ingest(args.options(), config).await?, args.json.as_ref()),
        What::Steadiness(args) => {
            ("steadiness", Box::pin(steadiness::run(args.run(), config)).await?, args.json.as_ref())
        }
        What::Tsbs(args) => ("tsbs", Box::pin(tsbs::run(args, config)).await?, args.json.as_ref()),
        What::Queries(args) => ("queries", queries(args.options(), config).await?, args.json.as_ref()),
        What::Storage(args) => ("storage", storage(args.options(), config).await?, args.json.as_ref()),
        What::Correlation(args) if args.from_blocks => {
            ("computing", compute(args.compute_options()).await?, args.questions.json.as_ref())
        }
        What::Correlation(args) => {
            let report = questions(QuestionKind::Correlation, args.options(), config).await?;
            ("correlation", report, args.questions.json.as_ref())
        }
        What::Window(args) => {
            let report = questions(QuestionKind::Window, args.questions.options(), config).await?;
            ("window", report, args.questions.json.as_ref())
        }
    };
    kept::keep(benchmark, &report, config);
    if let Some(file) = json {
        Output::new(Some(file.clone())).write(&serde_json::to_vec_pretty(&report)?)?;
    }
    output::print(report.to_string().as_bytes())
}

async fn ingest(options: IngestBenchOptions, config: &Config) -> anyhow::Result<Report> {
    let mut stop = StopSignal::listen()?;
    let program = std::env::current_exe().context("finding this program's file")?;
    let place = Place::for_everything(config, Embedded::Start).await?;
    let bench = IngestBench::prepare(options, &place.database.owner().connect_options(), program).await?;
    output::tell(told(bench.database_name()));
    let measured = stop.unless_heard(Box::pin(bench.run(&|step| output::tell(step)))).await;
    finish(measured, bench.discard().await, place, &stop).await
}

async fn storage(options: StorageBenchOptions, config: &Config) -> anyhow::Result<Report> {
    let mut stop = StopSignal::listen()?;
    let program = std::env::current_exe().context("finding this program's file")?;
    let place = Place::for_everything(config, Embedded::Start).await?;
    let bench = StorageBench::prepare(options, &place.database.owner().connect_options(), program).await?;
    output::tell(told(bench.database_name()));
    let measured = stop.unless_heard(Box::pin(bench.run(&|step| output::tell(step)))).await;
    finish(measured, bench.discard().await, place, &stop).await
}

async fn queries(options: QueryBenchOptions, config: &Config) -> anyhow::Result<Report> {
    let mut stop = StopSignal::listen()?;
    let program = std::env::current_exe().context("finding this program's file")?;
    let place = Place::for_everything(config, Embedded::Start).await?;
    let bench = QueryBench::prepare(options, &place.database.owner().connect_options(), program).await?;
    output::tell(told(bench.database_name()));
    let measured = stop.unless_heard(Box::pin(bench.run(&|step| output::tell(step)))).await;
    finish(measured, bench.discard().await, place, &stop).await
}

async fn questions(kind: QuestionKind, options: QuestionBenchOptions, config: &Config) -> anyhow::Result<Report> {
    let mut stop = StopSignal::listen()?;
    let program = std::env::current_exe().context("finding this program's file")?;
    let place = Place::for_everything(config, Embedded::Start).await?;
    let bench = QuestionBench::prepare(kind, options, &place.database.owner().connect_options(), program).await?;
    output::tell(told(bench.database_name()));
    let measured = stop.unless_heard(Box::pin(bench.run(&|step| output::tell(step)))).await;
    finish(measured, bench.discard().await, place, &stop).await
}

/// There is nothing to clean up after a signal. The thread that computes hears nothing of it; the program ends without it.
async fn compute(options: ComputeBenchOptions) -> anyhow::Result<Report> {
    let mut stop = StopSignal::listen()?;
    let measuring = tokio::task::spawn_blocking(move || measure_compute(&options, &|step| output::tell(step)));
    let Some(measured) = stop.unless_heard(measuring).await else {
        bail!("stopped before there were figures, by {}", stop.name());
    };
    Ok(measured.context("measuring")??)
}

fn told(database: &str) -> String {
    format!("in the database {database}, which is dropped at the end")
}

/// Also after Ctrl-C: a database that nobody drops would stay on the server.
async fn finish(
    measured: Option<Result<Report, BenchError>>,
    discarded: Result<(), BenchError>,
    place: Place,
    stop: &StopSignal,
) -> anyhow::Result<Report> {
    let left = place.leave().await;
    told_of(measured, discarded, left, stop)
}

/// The figures; where there are none, or something stays behind, the first error is the one worth telling.
fn told_of(
    measured: Option<Result<Report, BenchError>>,
    discarded: Result<(), BenchError>,
    left: anyhow::Result<()>,
    stop: &StopSignal,
) -> anyhow::Result<Report> {
    let Some(report) = measured else { bail!("stopped before there were figures, by {}", stop.name()) };
    let report = report?;
    discarded.context("dropping the benchmark's database")?;
    left?;
    Ok(report)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn options(flags: &str) -> Result<IngestBenchOptions, clap::Error> {
        let line = format!("chunkwise bench ingest {flags}");
        let Command::Bench(BenchArgs { what: What::Ingest(args) }) =
            Cli::try_parse_from(line.split_whitespace())?.command
        else {
            panic!("{line}")
        };
        Ok(args.options())
    }

    #[test]
    fn flags_change_the_usual_and_the_quick_options() {
        assert_eq!(options("").unwrap(), IngestBenchOptions::full());
        assert_eq!(options("--quick").unwrap(), IngestBenchOptions::quick());
        let options =
            options("--quick --rows 20000 --series 100000 --protocols http,telnet --steady 50000000").unwrap();
        assert_eq!((options.rows, options.series, options.steady_rows), (20_000, 100_000, Some(50_000_000)));
        assert_eq!(options.transports, [Transport::Http, Transport::Telnet]);
    }

    #[test]
    fn a_chunk_s_size_is_a_flag() {
        let line = "chunkwise bench storage --quick --chunk-rows 500000 --chunks 3";
        let Command::Bench(BenchArgs { what: What::Storage(args) }) =
            Cli::try_parse_from(line.split_whitespace()).unwrap().command
        else {
            panic!("{line}")
        };
        let expected = StorageBenchOptions { chunk_rows: 500_000, chunks: 3, ..StorageBenchOptions::quick() };
        assert_eq!(args.options(), expected);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for flags in ["--rows 0", "--series 0", "--protocols carrier-pigeon", "--steady 1"] {
            assert!(options(flags).is_err(), "{flags}");
        }
    }
}
