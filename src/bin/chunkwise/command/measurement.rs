//! `chunkwise measurement`

use chunkwise::config::Config;
use clap::{Args, Subcommand};

use super::removal::{self, DeleteRangeArgs, DropArgs};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  chunkwise measurement drop ticks                     all of it; a line that is written afterwards makes it anew
  chunkwise measurement delete-range ticks --from 2024-05-01 --to 2024-05-02 --tag symbol=AAPL --yes")]
pub(crate) struct MeasurementArgs {
    #[command(subcommand)]
    command: MeasurementCommand,
}

#[derive(Debug, Subcommand)]
enum MeasurementCommand {
    /// Drop a measurement with all its rows, after asking.
    Drop(DropArgs),
    /// Delete the rows of a range of time, of some series or all, after asking.
    DeleteRange(DeleteRangeArgs),
}

pub(crate) async fn run(args: &MeasurementArgs, config: &Config) -> anyhow::Result<()> {
    match &args.command {
        MeasurementCommand::Drop(args) => removal::drop(args, config).await,
        MeasurementCommand::DeleteRange(args) => removal::delete_range(args, config).await,
    }
}
