//! `chunkwise bench compare`

use std::path::{Path, PathBuf};

use anyhow::Context;
use chunkwise::bench::Comparison;
use clap::Args;

use crate::output::{self, Output};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  chunkwise bench ingest --json before.json
  chunkwise bench ingest --json after.json
  chunkwise bench compare before.json after.json
      What has become better or worse, and what has only moved within its noise.

A figure's noise is that of its raw samples: the interval in which their median lies with 95 % probability, or from the
least to the greatest where there are fewer than six. Where the intervals of both reports do not touch, the second one is
better or worse, else it is unclear. Of so few samples that they would lie apart by chance once in twenty times (fewer than
four and four) nothing is said: unknown. Of many figures some are better or worse by chance all the same, and two runs differ
by what else the machine did: compare two reports of the same program first. What differs between machines, versions and
settings is told first.")]
pub(super) struct CompareArgs {
    /// A report that was written with --json
    a: PathBuf,
    /// Another one of the same benchmark
    b: PathBuf,
    /// Write the comparison to a file as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

pub(super) fn run(args: &CompareArgs) -> anyhow::Result<()> {
    let read = |path: &Path| std::fs::read(path).with_context(|| format!("reading {}", path.display()));
    let (a, b) = (read(&args.a)?, read(&args.b)?);
    let name = |path: &Path| path.display().to_string();
    let comparison = Comparison::read((&name(&args.a), &a), (&name(&args.b), &b))?;
    if let Some(file) = &args.json {
        Output::new(Some(file.clone())).write(&serde_json::to_vec_pretty(&comparison)?)?;
    }
    output::print(comparison.to_string().as_bytes())
}
