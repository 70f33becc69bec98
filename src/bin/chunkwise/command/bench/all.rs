//! `chunkwise bench all`

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use chunkwise::{
    bench::{AllBenchOptions, BenchSize, QuestionKind, Report},
    config::Config,
};
use clap::{Args, ValueEnum};

use super::{
    kept,
    steadiness::{Begin, Run, Unfinished},
};
use crate::{
    exit,
    listen::StopSignal,
    output::{self, Output},
};

/// The file of tables among the charts.
const TABLES: &str = "figures.md";

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  chunkwise bench all
      Under a quarter of an hour on 2 cores, with 10 GB of disk; then open chunkwise-bench.html.
  chunkwise bench all --size server --json server.json --html server.html
      Hours: 200 million rows and more.
  chunkwise bench all --json report/all.json --html report/all.html --charts report
      Also each chart as SVG and the figures as Markdown, to be shown elsewhere.
  chunkwise bench compare chunkwise-bench.json another.json
      What another machine, version or setting has changed.

It runs ingest, steadiness, queries, correlation, correlation --from-blocks and storage one after another, as their own
commands do; steadiness on a server of its own, with 256 MB of memory, unless --database-url or DATABASE_URL names one. The
figures' names begin with the benchmark's. The page needs nothing else and asks for nothing: it opens offline, and says first
what was better and by how much. All files are written anew after each benchmark, so what is done is there if the machine is
switched off; a benchmark that fails costs its own figures alone, and the exit code is not 0 then. Measure with a release
build, and with nothing else running.")]
pub(super) struct AllArgs {
    /// How much is measured
    #[arg(long, value_enum, default_value_t = Size::Laptop, conflicts_with = "quick")]
    size: Size,
    /// Only whether all of it runs: the figures say nothing
    #[arg(long)]
    quick: bool,
    /// Write the report to this file as JSON
    #[arg(long, value_name = "FILE", default_value = "chunkwise-bench.json")]
    json: PathBuf,
    /// Write the report to this file as a page
    #[arg(long, value_name = "FILE", default_value = "chunkwise-bench.html")]
    html: PathBuf,
    /// Also write each chart to this folder as SVG, and the figures as tables of Markdown (figures.md)
    #[arg(long, value_name = "FOLDER")]
    charts: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Size {
    /// Under a quarter of an hour on 2 cores
    Laptop,
    /// Hours
    Server,
}

impl AllArgs {
    fn options(&self) -> AllBenchOptions {
        AllBenchOptions::of(match (self.quick, self.size) {
            (true, _) => BenchSize::Quick,
            (false, Size::Laptop) => BenchSize::Laptop,
            (false, Size::Server) => BenchSize::Server,
        })
    }

    /// Writes all files anew.
    fn write(&self, found: &Found) -> anyhow::Result<Report> {
        let report = found.report();
        Output::new(Some(self.json.clone())).write(&serde_json::to_vec_pretty(&report)?)?;
        Output::new(Some(self.html.clone())).write(report.html().as_bytes())?;
        if let Some(folder) = &self.charts {
            for (name, svg) in report.charts() {
                Output::new(Some(folder.join(name))).write(svg.as_bytes())?;
            }
            Output::new(Some(folder.join(TABLES))).write(report.markdown().as_bytes())?;
        }
        Ok(report)
    }

    /// A file that cannot be written is found before there are figures for it.
    fn check_files(&self) -> anyhow::Result<()> {
        let folder = |file: &Path| file.parent().filter(|folder| !folder.as_os_str().is_empty()).map(Path::to_owned);
        for folder in [folder(&self.json), folder(&self.html), self.charts.clone()].into_iter().flatten() {
            let is_folder = std::fs::metadata(&folder).map(|metadata| metadata.is_dir());
            if !is_folder.with_context(|| format!("looking for the folder {}", folder.display()))? {
                bail!("{} is no folder", folder.display());
            }
        }
        Ok(())
    }
}

/// What is run, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Ingest,
    Steadiness,
    Queries,
    Correlation,
    Computing,
    Storage,
}

impl Part {
    const ALL: [Self; 6] =
        [Self::Ingest, Self::Steadiness, Self::Queries, Self::Correlation, Self::Computing, Self::Storage];

    /// What its figures' names begin with.
    fn name(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Steadiness => "steadiness",
            Self::Queries => "queries",
            Self::Correlation => "correlation",
            Self::Computing => "computing",
            Self::Storage => "storage",
        }
    }

    async fn run(self, options: &AllBenchOptions, config: &Config) -> anyhow::Result<Report> {
        let options = options.clone();
        match self {
            Self::Ingest => super::ingest(options.ingest, config).await,
            Self::Steadiness => {
                let own = config.database.owner().is_none().then_some(options.shared_buffers_mb);
                let run = Run {
                    begin: Begin::Anew(options.steadiness),
                    shared_buffers_mb: own,
                    unfinished: Unfinished::Drop,
                };
                Box::pin(super::steadiness::run(run, config)).await
            }
            Self::Queries => super::queries(options.queries, config).await,
            Self::Correlation => super::questions(QuestionKind::Correlation, options.correlation, config).await,
            Self::Computing => super::compute(options.computing).await,
            Self::Storage => super::storage(options.storage, config).await,
        }
    }
}

/// What there is so far.
#[derive(Debug, Default)]
struct Found {
    reports: Vec<(&'static str, Report)>,
    failed: Vec<(&'static str, anyhow::Error)>,
}

impl Found {
    fn report(&self) -> Report {
        let mut report = Report::gather(&self.reports);
        for part in Part::ALL {
            if !self.reports.iter().any(|(name, _)| *name == part.name()) {
                let error = self.failed.iter().find(|(name, _)| *name == part.name()).map(|(_, error)| error);
                let why = error.map_or_else(|| "it was not run to its end".to_owned(), exit::chain);
                report.missing.insert(part.name().to_owned(), why);
            }
        }
        report
    }
}

/// Runs all of them; what one has found is in the files before the next begins, and what fails costs itself alone.
pub(super) async fn run(args: &AllArgs, config: &Config) -> anyhow::Result<()> {
    let options = args.options();
    args.check_files()?;
    // Each benchmark hears a signal for itself; this one tells afterwards that there was one.
    let mut stop = StopSignal::listen()?;
    let mut found = Found::default();
    for (part, number) in Part::ALL.into_iter().zip(1..) {
        output::tell(format_args!("{number} of {}: {}", Part::ALL.len(), part.name()));
        let measured = Box::pin(part.run(&options, config)).await;
        match measured.with_context(|| format!("the benchmark {} failed", part.name())) {
            Ok(report) => found.reports.push((part.name(), report)),
            Err(error) => {
                output::tell(format_args!("error: {}", exit::chain(&error)));
                found.failed.push((part.name(), error));
            }
        }
        let report = args.write(&found)?;
        if stop.has_come() {
            kept::keep("all", &report, config);
            let done = found.reports.len();
            bail!(
                "stopped by {}: {} and {} hold the figures of {done} of {}",
                stop.name(),
                args.json.display(),
                args.html.display(),
                Part::ALL.len()
            );
        }
    }
    let report = args.write(&found)?;
    kept::keep("all", &report, config);
    output::tell(format_args!("{} and {} are written", args.json.display(), args.html.display()));
    output::print(report.to_string().as_bytes())?;
    let failed: Vec<&str> = found.failed.iter().map(|(name, _)| *name).collect();
    match found.failed.into_iter().next() {
        None => Ok(()),
        Some((_, error)) => Err(error.context(format!("without figures: {}", failed.join(", ")))),
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

    #[test]
    fn sizes_are_words() {
        for (flags, size) in [
            ("", BenchSize::Laptop),
            ("--size laptop", BenchSize::Laptop),
            ("--size server", BenchSize::Server),
            ("--quick", BenchSize::Quick),
        ] {
            let line = format!("chunkwise bench all {flags}");
            let Command::Bench(BenchArgs { what: What::All(args) }) =
                Cli::try_parse_from(line.split_whitespace()).unwrap().command
            else {
                panic!("{line}")
            };
            assert_eq!(args.options(), AllBenchOptions::of(size), "{flags}");
        }
        assert!(Cli::try_parse_from(["chunkwise", "bench", "all", "--quick", "--size", "server"]).is_err());
    }
}
