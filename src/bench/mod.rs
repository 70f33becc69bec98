//! Benchmarks of the program against a real database, each beside controls that are measured in the same run.
//!
//! ```text
//! Lines (made beforehand) -> Sink: HTTP, TCP, WebSocket, telnet -> the service, a child process -> a database of its own
//! CopyRows (made beforehand) -> Sink: COPY                                         -> the same kind of table: the ceiling
//! Panels of blocks (made beforehand) -> the kernel, without any database      -> a plain read of their values
//! ```
//!
//! Machines differ and busy machines differ from themselves, so what counts are ratios to the controls. The ceiling is what
//! the database takes of ready-made bytes; the naive way is what a table takes that is kept as most people would make it.

mod all;
mod client;
mod compare;
mod compute;
mod control;
mod disk;
mod environment;
mod error;
mod ingest;
mod lines;
mod load;
mod page;
mod process;
mod queries;
mod questions;
mod read_pass;
mod report;
mod scratch;
mod service;
mod settled;
mod sink;
mod statistics;
mod steadiness;
mod storage;
mod tsbs;

pub use self::{
    all::{AllBenchOptions, BenchSize},
    compare::{CompareError, Compared, Comparison, Judgement, Side},
    compute::{ComputeBenchOptions, measure_compute},
    environment::Environment,
    error::BenchError,
    ingest::{IngestBench, IngestBenchOptions},
    queries::{QueryBench, QueryBenchOptions},
    questions::{QuestionBench, QuestionBenchOptions, QuestionKind},
    report::{Better, Metric, Plan, Published, Report},
    sink::Transport,
    steadiness::{SteadinessBench, SteadinessBenchOptions},
    storage::{StorageBench, StorageBenchOptions},
    tsbs::{TsbsBench, TsbsBenchOptions},
};

/// 2024-01-01 UTC: the time of the first row. All of a benchmark's rows are in the past, or they would be refused.
const START_US: i64 = 1_704_067_200_000_000;

/// The times of rows that follow each other, microseconds since 1970 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct RowTimes {
    first_us: i64,
    step_us: i64,
}

impl RowTimes {
    /// Ten thousand rows a second.
    const DENSE: Self = Self { first_us: START_US, step_us: 100 };

    fn of(self, row: u64) -> i64 {
        let most = i64::MAX / self.step_us / 2;
        self.first_us + i64::try_from(row).unwrap_or(most).min(most) * self.step_us
    }

    /// The row from which on rows have this time or a later one.
    fn row_at(self, us: i64) -> u64 {
        u64::try_from(us.saturating_sub(self.first_us) / self.step_us).unwrap_or(0)
    }
}
