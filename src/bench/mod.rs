//! Benchmarks of the program against a real database, each beside controls that are measured in the same run.
//!
//! ```text
//! Lines (made beforehand) -> Sink: HTTP, TCP, WebSocket, telnet -> the service, a child process -> a database of its own
//! CopyRows (made beforehand) -> Sink: COPY                                         -> the same kind of table: the ceiling
//! ```
//!
//! Machines differ and busy machines differ from themselves, so what counts are ratios to the controls. The ceiling is what
//! the database takes of ready-made bytes; the naive way is what a table takes that is kept as most people would make it.

mod control;
mod environment;
mod error;
mod ingest;
mod lines;
mod load;
mod process;
mod report;
mod scratch;
mod service;
mod sink;
mod statistics;

pub use self::{
    environment::Environment,
    error::BenchError,
    ingest::{IngestBench, IngestBenchOptions},
    report::{Better, Metric, Report},
    sink::Transport,
};

/// 2024-01-01 UTC: the time of the first row. All of a benchmark's rows are in the past, or they would be refused.
const START_US: i64 = 1_704_067_200_000_000;
/// From row to row: ten thousand rows a second.
const STEP_US: i64 = 100;

/// The time of a row, microseconds since 1970 UTC.
fn row_time_us(row: u64) -> i64 {
    START_US + i64::try_from(row).unwrap_or(i64::MAX / STEP_US / 2) * STEP_US
}
