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

A figure is better or worse if two things hold, else it is unclear. The intervals of both reports do not touch: that in which
the median of its raw samples lies with 95 % probability, wider where neighbours resemble each other, or from the least to the
greatest where there are fewer than six. And it has changed by more than the machine has: each run measures controls, which
chunkwise has no part in (a plain read of memory, COPY of ready-made bytes, a plain table), and what they have changed by
between the two runs, more where there are few of them, is told first and not believed of other figures. Ratios to a control
have that behind them, and need 5 %. Nothing is said of so few samples that they would lie apart by chance once in twenty times
(fewer than four and four), of what is counted, and of the controls themselves. What differs between machines, versions and
settings is told first. Two reports of the same program show what is left.")]
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
