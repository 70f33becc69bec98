//! `chunkwise bench all`

use std::path::PathBuf;

use anyhow::Context;
use chunkwise::{
    bench::{AllBenchOptions, BenchSize, QuestionKind, Report},
    config::Config,
};
use clap::{Args, ValueEnum};

use super::steadiness::{Begin, Run};
use crate::output::Output;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  chunkwise bench all
      Under a quarter of an hour on 2 cores, with 10 GB of disk; then open chunkwise-bench.html.
  chunkwise bench all --size server --json server.json --html server.html
      Hours: 200 million rows and more.
  chunkwise bench compare chunkwise-bench.json another.json
      What another machine, version or setting has changed.

It runs ingest, steadiness, queries, correlation, correlation --from-blocks and storage one after another, as their own
commands do; steadiness on a server of its own, with 256 MB of memory, unless --database-url or DATABASE_URL names one. The
figures' names begin with the benchmark's. The page needs nothing else and asks for nothing: it opens offline, and says first
what was better and by how much. Both files are written anew after each benchmark, so what is done is there if a later one
fails. Measure with a release build, and with nothing else running.")]
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

    fn write(&self, parts: &[(&'static str, Report)]) -> anyhow::Result<Report> {
        let report = Report::gather(parts);
        Output::new(Some(self.json.clone())).write(&serde_json::to_vec_pretty(&report)?)?;
        Output::new(Some(self.html.clone())).write(report.html().as_bytes())?;
        Ok(report)
    }
}

/// Runs all of them; the files are written.
pub(super) async fn run(args: &AllArgs, config: &Config) -> anyhow::Result<Report> {
    let options = args.options();
    // A file that cannot be written is found now rather than in the end.
    for file in [&args.json, &args.html] {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder {
            std::fs::metadata(folder).with_context(|| format!("looking for the folder of {}", file.display()))?;
        }
    }
    let mut parts: Vec<(&'static str, Report)> = Vec::new();
    eprintln!("1 of 6: ingest");
    parts.push(("ingest", Box::pin(super::ingest(options.ingest, config)).await.context("bench ingest")?));
    args.write(&parts)?;
    eprintln!("2 of 6: steadiness");
    let own = config.database.owner().is_none().then_some(options.shared_buffers_mb);
    let steadiness = Run { begin: Begin::Anew(options.steadiness), shared_buffers_mb: own };
    parts.push(("steadiness", Box::pin(super::steadiness::run(steadiness, config)).await.context("bench steadiness")?));
    args.write(&parts)?;
    eprintln!("3 of 6: queries");
    parts.push(("queries", Box::pin(super::queries(options.queries, config)).await.context("bench queries")?));
    args.write(&parts)?;
    eprintln!("4 of 6: correlation");
    let correlation = Box::pin(super::questions(QuestionKind::Correlation, options.correlation, config)).await;
    parts.push(("correlation", correlation.context("bench correlation")?));
    args.write(&parts)?;
    eprintln!("5 of 6: computing, without a database");
    parts.push(("computing", super::compute(options.computing).await.context("bench correlation --from-blocks")?));
    args.write(&parts)?;
    eprintln!("6 of 6: storage");
    parts.push(("storage", Box::pin(super::storage(options.storage, config)).await.context("bench storage")?));
    let report = args.write(&parts)?;
    eprintln!("{} and {} are written", args.json.display(), args.html.display());
    Ok(report)
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
