//! Logs, on standard error: standard output is for results.

use std::io::{IsTerminal, stderr};

use anyhow::Context;
use chunkwise::config::{LogConfig, LogFormat};
use tracing_subscriber::{Layer, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// Starts logging; once a process.
pub(crate) fn init(config: &LogConfig) -> anyhow::Result<()> {
    // That a line cannot be written is told on standard error too, and ends whoever tells it where nobody reads that.
    let lines = fmt::layer().log_internal_errors(false).with_writer(stderr).with_ansi(stderr().is_terminal());
    let lines = match config.format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry().with(lines.with_filter(config.filter()?)).try_init().context("starting the log")
}
