//! The `chunkwise` program: flags, settings, logs; the work itself is the library's.
//!
//! One file a subcommand, in [`command`].

mod cli;
mod command;
mod database;
mod demo;
mod engine;
mod exit;
mod jobs;
mod libpq;
mod listen;
mod loader;
mod logs;
mod output;
mod own_server;
mod passing;
mod progress;
mod question_args;
mod service;
mod subscriptions;
mod supervise;
mod table;

use std::process::ExitCode;

use chunkwise::config::Config;
use clap::Parser;

use cli::{Cli, Command};
use exit::Exit;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(()) => Exit::Success.into(),
        Err(error) => exit::report(&error).into(),
    }
}

/// What can fail for reasons of this machine comes before the runtime, and so before any thread.
fn run(cli: Cli) -> anyhow::Result<()> {
    match &cli.command {
        Command::Completions(args) => return command::completions::run(args),
        Command::Man(args) => return command::man::run(args),
        _ => {}
    }
    let config = Config::load(&cli.globals.config_file(), std::env::vars(), cli.settings())?;
    logs::init(&config.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(command::dispatch(cli.command, &config));
    if ended.is_err() {
        // A thread may still compute what nobody waits for any more.
        runtime.shutdown_background();
    }
    ended
}
