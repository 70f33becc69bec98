//! One file a subcommand: its flags, and the wiring of the library's parts to them.

pub(crate) mod asof;
pub(crate) mod bench;
pub(crate) mod chunks;
pub(crate) mod completions;
pub(crate) mod correlate;
pub(crate) mod db;
pub(crate) mod feed;
pub(crate) mod ingest;
pub(crate) mod load;
pub(crate) mod man;
pub(crate) mod measurement;
mod removal;
pub(crate) mod series;
pub(crate) mod serve;
pub(crate) mod up;
pub(crate) mod warm;
pub(crate) mod window;

use chunkwise::config::Config;

use crate::cli::Command;
pub(crate) use crate::engine::advised as engine_error;

/// Runs a subcommand that needs settings.
pub(crate) async fn dispatch(command: Command, config: &Config) -> anyhow::Result<()> {
    match command {
        Command::Up(args) => up::run(&args, config).await,
        Command::Ingest(_) => ingest::run(config).await,
        Command::Serve(_) => serve::run(config).await,
        Command::Load(args) => load::run(&args, config).await,
        Command::Feed(args) => feed::run(&args, config).await,
        Command::Warm(args) => warm::run(&args, config).await,
        Command::Window(args) => window::run(&args, config).await,
        Command::Correlate(args) => Box::pin(correlate::run(&args, config)).await,
        Command::Asof(args) => Box::pin(asof::run(&args, config)).await,
        Command::Bench(args) => bench::run(&args, config).await,
        Command::Measurement(args) => measurement::run(args, config).await,
        Command::Chunks(args) => chunks::run(args, config).await,
        Command::Series(args) => series::run(&args, config).await,
        Command::Db(args) => db::run(args, config).await,
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
    }
}
