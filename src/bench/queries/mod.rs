//! `bench queries`: three aggregations over exactly so many records, while rows come in and at rest.
//!
//! ```text
//! HTTP -> `chunkwise up`, a child process -> ticks (sealed) and their bars -+-> an analyst's SQL over rows
//!                                                                          +-> a window over REST
//!                                                                          +-> SQL over bars
//!                                                                          \-> the same rows in a plain table -> the same SQL
//! 1, 10 and 100 times as many rows as are asked for -> the same questions: whether the store's size matters
//! ```
//!
//! What is asked and why stands with `question`. Each number of records has a stretch of whole hours to itself, so that all
//! paths are about exactly these: a window and a bar are about whole buckets. A window asks for all aggregates of its question
//! at once, as arrays. The plain table holds nothing but the stretches.

mod ask;
mod cells;
mod growth;
mod question;
mod stage;

use std::path::PathBuf;

use sqlx::{Connection, postgres::PgConnectOptions};

use super::{BenchError, Environment, Published, Report, disk, scratch::ScratchDatabase};
use stage::Stage;

/// The table beside chunkwise's.
const PLAIN: &str = "bench_plain";
/// A row takes less, with its indexes, its bars and its copy in the plain table.
const ROW_BYTES: u64 = 150;
/// All questions take less, asked once while rows come in.
const LIVE_ROUND_SECONDS: u64 = 120;
/// What was published of questions of this kind, while rows came in.
const PUBLISHED: Published = Published {
    what: "three aggregation queries over 1,098,212 to 2,498,503 records while rows came in",
    software: "TimescaleDB 0.4.2, 2018",
    seconds: [18.29, 48.06],
};

/// How large the store is, and what is asked of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryBenchOptions {
    /// Series, up to 1,000.
    pub series: u32,
    /// How many records each question is about.
    pub records: Vec<u64>,
    /// Over how many hours these are spread: a chunk each.
    pub hours: u32,
    /// How many hours the questions are about that are asked in stores of 1, 10 and 100 times as many hours.
    pub pruning_hours: u32,
    /// The rows of such an hour.
    pub pruning_hour_rows: u64,
    /// Rows a second that come in while everything is asked once more; 0 for none.
    pub live_rows_per_second: u32,
    /// So often windows and bars are asked for.
    pub rounds: usize,
    /// So often SQL over rows is asked, at most as often, which takes far longer; half as often while rows come in.
    pub sql_rounds: usize,
}

impl QueryBenchOptions {
    /// 109 million rows in the end.
    #[must_use]
    pub fn full() -> Self {
        Self {
            series: 100,
            records: vec![1_098_212, 1_431_323, 1_790_467, 2_152_595, 2_498_503],
            hours: 12,
            pruning_hours: 10,
            pruning_hour_rows: 100_000,
            live_rows_per_second: 100_000,
            rounds: 5,
            sql_rounds: 5,
        }
    }

    /// 11 million rows in the end.
    #[must_use]
    pub fn laptop() -> Self {
        Self { pruning_hours: 1, pruning_hour_rows: 25_000, rounds: 4, sql_rounds: 2, ..Self::full() }
    }

    /// A look within two minutes: a hundredth of the records.
    #[must_use]
    pub fn quick() -> Self {
        let full = Self::full();
        Self {
            records: full.records.iter().map(|records| records / 100).collect(),
            hours: 2,
            pruning_hours: 1,
            pruning_hour_rows: 2_500,
            live_rows_per_second: 10_000,
            rounds: 2,
            sql_rounds: 2,
            ..full
        }
    }

    /// About the rows of the store in the end.
    fn store_rows(&self) -> u64 {
        let rounds = self.rounds.max(self.sql_rounds) as u64;
        let live = u64::from(self.live_rows_per_second).saturating_mul(LIVE_ROUND_SECONDS).saturating_mul(rounds);
        (self.pruning_rows(growth::MOST_TIMES) + self.records.iter().sum::<u64>()).saturating_add(live)
    }

    /// Rows of a store that is so many times as long as what is asked for.
    fn pruning_rows(&self, times: u32) -> u64 {
        u64::from(self.pruning_hours * times) * self.pruning_hour_rows
    }
}

/// A database of the benchmark's own, which must be [discarded](Self::discard).
#[derive(Debug)]
pub struct QueryBench {
    scratch: ScratchDatabase,
    program: PathBuf,
    options: QueryBenchOptions,
}

impl QueryBench {
    /// Makes a database on `server`, on which `program up` is going to run.
    ///
    /// # Errors
    /// The server cannot be used, or its disk is too small; nothing is left behind.
    pub async fn prepare(
        options: QueryBenchOptions,
        server: &PgConnectOptions,
        program: PathBuf,
    ) -> Result<Self, BenchError> {
        let mut options = options;
        // Each number has one stretch.
        options.records.sort_unstable();
        options.records.dedup();
        let mut connection = sqlx::PgConnection::connect_with(server).await?;
        disk::check(
            &mut connection,
            options.store_rows().saturating_mul(ROW_BYTES),
            "--live, --rounds or --pruning-hours",
        )
        .await?;
        connection.close().await?;
        Ok(Self { scratch: ScratchDatabase::create(server).await?, program, options })
    }

    /// The name of its database: whoever kills the benchmark has to drop it.
    #[must_use]
    pub fn database_name(&self) -> &str {
        self.scratch.name()
    }

    /// Measures. `tell` gets a line about each step as it begins.
    ///
    /// # Errors
    /// Any request or statement that fails: figures of a run with errors would mean nothing.
    pub async fn run(&self, tell: &(dyn Fn(&str) + Sync)) -> Result<Report, BenchError> {
        let mut connection = self.scratch.connect().await?;
        let mut report = Report::new(Environment::read(&mut connection).await?);
        report.published = Some(PUBLISHED);
        let mut stage = Stage::set(&self.scratch, &self.program, &self.options, connection).await?;
        growth::measure(&mut stage, tell, &mut report).await?;
        tell("the records for what follows are written, sealed and rolled up");
        stage.write_records().await?;
        cells::measure(&mut stage, tell, &mut report).await?;
        stage.end().await;
        report.sort_ratios_first();
        Ok(report)
    }

    /// Drops the database.
    ///
    /// # Errors
    /// The database's; the database may then be left behind.
    pub async fn discard(self) -> Result<(), BenchError> {
        self.scratch.discard().await
    }
}
