//! `chunkwise bench steadiness`

use std::path::PathBuf;

use anyhow::{Context, bail};
use chunkwise::{
    bench::{BenchError, Report, SteadinessBench, SteadinessBenchOptions},
    config::Config,
};
use clap::Args;
use sqlx::{ConnectOptions, Connection, postgres::PgConnectOptions};

use crate::{
    database::{Embedded, Place},
    listen::StopSignal,
    output,
    own_server::{Files, OwnServer},
};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  chunkwise bench steadiness --quick
      Whether it runs, within a minute, on the embedded database.
  chunkwise bench steadiness --shared-buffers 256MB --json steadiness.json
      50 million rows of each way on a server of its own, whose memory the plain table's index outgrows.
  chunkwise bench steadiness --shared-buffers 256MB --rows 1000000000
      A billion rows; may be interrupted with Ctrl-C, or killed.
  chunkwise bench steadiness --shared-buffers 256MB --resume chunkwise_bench_1704067200_4711
      Goes on where that run was interrupted; its first line has told the name. With --rows it may be made longer.

It makes a database of its own on the server, and writes the same rows in the same order into a table of PostgreSQL with
an index on (series_id, time DESC), into a hypertable with the same index, and through `chunkwise ingest`, whose chunks are
sealed as soon as rows have passed them: a million rows each in turn, over 4 connections with 10000 rows a request or
transaction. Ratios come first: chunkwise_to_plain compares neighbours in time, chunkwise_to_plain_at_the_end only those of
the last tenth. NAME_rate has a sample a million rows, NAME_slope says in percent how it changes with each million, with its
95 % interval from NAME_slope_low to NAME_slope_high: where that includes 0, the rate is steady as far as can be seen.
NAME_second_p50 and NAME_second_p1 are the rows of a usual and of a bad second, NAME_worst_stall is the longest time
without an acknowledgement. At the end the database is dropped, and a server of the benchmark's own is removed.
Measure with a release build, and with nothing else running.")]
pub(super) struct SteadinessArgs {
    /// 300000 rows, 30000 each in turn: says nothing about more
    #[arg(long, conflicts_with_all = ["rows", "series", "chunk_rows"])]
    quick: bool,
    /// Rows of each way, in steps of a million, from 10 million to 10 billion [default: 50000000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64)
        .range(SteadinessBenchOptions::FEWEST_ROWS..=SteadinessBenchOptions::MOST_ROWS))]
    rows: Option<u64>,
    /// Series that the rows are of: the more, the more pages of the index are written to at once [default: 100000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    series: Option<u32>,
    /// Rows of a chunk, whose index fits into the least memory; of billions of rows take more [default: 1000000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(10_000..=1_000_000_000))]
    chunk_rows: Option<u64>,
    /// Run on a server of the benchmark's own with so much memory, such as 256MB or 4GB
    #[arg(long, value_name = "SIZE", value_parser = megabytes)]
    shared_buffers: Option<u32>,
    /// Go on with a run that was interrupted, in the database that it has named
    #[arg(long, value_name = "DATABASE", conflicts_with_all = ["quick", "series", "chunk_rows"])]
    resume: Option<String>,
    /// Write the report to a file as JSON
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
}

/// `256MB`, `4GB`: as PostgreSQL writes them.
fn megabytes(text: &str) -> Result<u32, String> {
    let advice = || "write a number with MB or GB, from 16MB to 1024GB, such as 256MB".to_owned();
    let (number, unit) = match (text.strip_suffix("MB"), text.strip_suffix("GB")) {
        (Some(number), _) => (number, 1),
        (_, Some(number)) => (number, 1_024),
        _ => return Err(advice()),
    };
    let number: u32 = number.trim().parse().map_err(|_| advice())?;
    number.checked_mul(unit).filter(|megabytes| (16..=1 << 20).contains(megabytes)).ok_or_else(advice)
}

/// A run, and where it takes place.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) begin: Begin,
    /// The memory of a server of its own, if it is to have one.
    pub(super) shared_buffers_mb: Option<u32>,
    pub(super) unfinished: Unfinished,
}

/// What becomes of a run that is interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unfinished {
    /// Its database stays, to be gone on with.
    Keep,
    Drop,
}

#[derive(Debug)]
pub(super) enum Begin {
    Anew(SteadinessBenchOptions),
    /// Where a run was interrupted, whose database is named; with so many rows.
    Again(String, Option<u64>),
}

impl SteadinessArgs {
    pub(super) fn run(&self) -> Run {
        let begin = match &self.resume {
            Some(name) => Begin::Again(name.clone(), self.rows),
            None => Begin::Anew(self.options()),
        };
        Run { begin, shared_buffers_mb: self.shared_buffers, unfinished: Unfinished::Keep }
    }

    fn options(&self) -> SteadinessBenchOptions {
        let base = if self.quick { SteadinessBenchOptions::quick() } else { SteadinessBenchOptions::full() };
        SteadinessBenchOptions {
            rows: self.rows.unwrap_or(base.rows),
            series: self.series.unwrap_or(base.series),
            chunk_rows: self.chunk_rows.unwrap_or(base.chunk_rows),
            ..base
        }
    }
}

/// The server that it runs on.
#[derive(Debug)]
enum Ground {
    Own(Box<OwnServer>),
    Usual(Box<Place>),
}

impl Ground {
    async fn take(config: &Config, shared_buffers_mb: Option<u32>) -> anyhow::Result<Self> {
        Ok(match shared_buffers_mb {
            Some(megabytes) => Self::Own(Box::new(Box::pin(OwnServer::start(config, megabytes)).await?)),
            None => Self::Usual(Box::new(Place::for_everything(config, Embedded::Start).await?)),
        })
    }

    fn connect_options(&self) -> PgConnectOptions {
        match self {
            Self::Own(server) => server.connect_options(),
            Self::Usual(place) => (*place.database.owner().connect_options()).clone(),
        }
    }

    async fn leave(self, files: Files) -> anyhow::Result<()> {
        match self {
            Self::Own(server) => server.end(files).await,
            Self::Usual(place) => place.leave().await,
        }
    }
}

pub(super) async fn run(run: Run, config: &Config) -> anyhow::Result<Report> {
    let mut stop = StopSignal::listen()?;
    let ground = Ground::take(config, run.shared_buffers_mb).await?;
    let bench = match prepare(&run.begin, &ground).await {
        Ok(bench) => bench,
        Err(error) => {
            // Where nothing is left to go on with, nothing is left.
            let files = match left_over(&ground).await {
                Ok(None) => Files::Remove,
                _ => Files::Keep,
            };
            ground.leave(files).await?;
            return Err(error);
        }
    };
    let name = bench.database_name().to_owned();
    if run.unfinished == Unfinished::Drop {
        output::tell(super::told(&name));
        let measured = stop.unless_heard(Box::pin(bench.run(&|step| output::tell(step)))).await;
        return finish(measured, bench, ground, &stop).await;
    }
    let memory = run.shared_buffers_mb.map(|megabytes| format!(" --shared-buffers {megabytes}MB")).unwrap_or_default();
    let again = format!("`chunkwise bench steadiness{memory} --resume {name}`");
    output::tell(format_args!(
        "in the database {name}, which is dropped at the end; {again} goes on with an interrupted run"
    ));
    let measured = stop.unless_heard(Box::pin(bench.run(&|step| output::tell(step)))).await;
    match measured {
        Some(Ok(report)) => finish(Some(Ok(report)), bench, ground, &stop).await,
        interrupted => {
            bench.keep().await;
            ground.leave(Files::Keep).await?;
            match interrupted {
                Some(Err(error)) => Err(error).with_context(|| format!("what was measured is kept: {again} goes on")),
                _ => bail!("stopped before there were figures, by {}; {again} goes on", stop.name()),
            }
        }
    }
}

/// Nothing stays, however it has ended.
async fn finish(
    measured: Option<Result<Report, BenchError>>,
    bench: SteadinessBench,
    ground: Ground,
    stop: &StopSignal,
) -> anyhow::Result<Report> {
    let discarded = bench.discard().await;
    let left = ground.leave(Files::Remove).await;
    super::told_of(measured, discarded, left, stop)
}

async fn prepare(begin: &Begin, ground: &Ground) -> anyhow::Result<SteadinessBench> {
    let program = std::env::current_exe().context("finding this program's file")?;
    let server = ground.connect_options();
    let options = match begin {
        Begin::Again(name, rows) => return Ok(SteadinessBench::resume(name, *rows, &server, program).await?),
        Begin::Anew(options) => options.clone(),
    };
    if let Some(name) = left_over(ground).await? {
        let Ground::Own(own) = ground else { bail!("{name} is in the way") };
        bail!(
            "an interrupted run's {name} is on the benchmark's own server: go on with --resume {name}, or remove {} to \
             begin anew",
            own.folder().display()
        );
    }
    Ok(SteadinessBench::prepare(options, &server, program).await?)
}

/// The database of an interrupted run on a server of the benchmark's own. On others there may be any number, of others too.
async fn left_over(ground: &Ground) -> Result<Option<String>, BenchError> {
    let Ground::Own(server) = ground else { return Ok(None) };
    let mut connection = server.connect_options().connect().await?;
    let name =
        sqlx::query_scalar("SELECT datname::text FROM pg_database WHERE datname LIKE 'chunkwise\\_bench\\_%' LIMIT 1")
            .fetch_optional(&mut connection)
            .await?;
    connection.close().await?;
    Ok(name)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{
        super::{BenchArgs, What},
        *,
    };
    use crate::cli::{Cli, Command};

    fn args(flags: &str) -> Result<SteadinessArgs, clap::Error> {
        let line = format!("chunkwise bench steadiness {flags}");
        let Command::Bench(BenchArgs { what: What::Steadiness(args) }) =
            Cli::try_parse_from(line.split_whitespace())?.command
        else {
            panic!("{line}")
        };
        Ok(args)
    }

    #[test]
    fn flags_change_the_usual_options() {
        assert_eq!(args("").unwrap().options(), SteadinessBenchOptions::full());
        assert_eq!(args("--quick").unwrap().options(), SteadinessBenchOptions::quick());
        let found = args("--rows 10000000 --series 5 --chunk-rows 1000000").unwrap().options();
        assert_eq!((found.rows, found.series, found.chunk_rows), (10_000_000, 5, 1_000_000));
        for flags in ["--rows 9999999", "--quick --rows 10000000", "--resume x --series 5", "--shared-buffers 256"] {
            assert!(args(flags).is_err(), "{flags}");
        }
    }

    #[test]
    fn memory_is_written_as_postgresql_writes_it() {
        assert_eq!(args("--shared-buffers 256MB").unwrap().shared_buffers, Some(256));
        assert_eq!(megabytes("4GB"), Ok(4_096));
        for wrong in ["1MB", "9999999GB", "-1MB", "MB", "256kB"] {
            assert!(megabytes(wrong).is_err(), "{wrong}");
        }
    }
}
