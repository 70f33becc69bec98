//! `bench storage`: what a chunk takes hot, sealed and with its rollups, how long its sealing and its drop take, and what
//! the life of chunks costs ingestion.
//!
//! ```text
//! rounds   alone -> the usual way -> half of that rate, alone -> half with sealing and rollups over ten chunks
//!                -> as fast as it goes with sealing -> as fast as it goes until everything is sealed and rolled up
//! one chunk  written -> sealed -> rolled up -> dropped, and the same rows in a table beside it: indexed, deleted
//! ```
//!
//! The rows are of 2024, so that a chunk's time is over as soon as the rows have passed it, and sealed a second later. That
//! is harder than real time for all but the clock: a day goes by in seconds.

mod chunk;
mod rounds;
mod stage;
mod watch;

use std::path::PathBuf;

use sqlx::postgres::PgConnectOptions;

use super::{BenchError, Environment, Report, scratch::ScratchDatabase};
use stage::Stage;

/// What is measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageBenchOptions {
    /// Rows of the chunk that is sealed, rolled up and dropped; rounded up to a multiple of [`Self::ROWS_STEP`].
    pub chunk_rows: u64,
    /// Chunks of a tenth of that, which pass while ingestion is measured.
    pub chunks: u32,
    /// Series that the rows are of, up to 1,000,000.
    pub series: u32,
    /// How often ingestion is measured with and without what is done to its chunks.
    pub rounds: usize,
}

impl StorageBenchOptions {
    /// Whole transactions in a tenth of it, and chunks of whole seconds.
    pub const ROWS_STEP: u64 = 500_000;

    /// A day of 10 million rows; a quarter of an hour.
    #[must_use]
    pub fn full() -> Self {
        Self { chunk_rows: 10_000_000, chunks: 10, series: 1_000, rounds: 2 }
    }

    /// A look within two minutes.
    #[must_use]
    pub fn quick() -> Self {
        Self { chunk_rows: 1_000_000, rounds: 1, ..Self::full() }
    }
}

/// A database of the benchmark's own, which must be [discarded](Self::discard).
#[derive(Debug)]
pub struct StorageBench {
    scratch: ScratchDatabase,
    program: PathBuf,
    options: StorageBenchOptions,
}

impl StorageBench {
    /// Makes a database on `server`, on which `program ingest` is going to run.
    ///
    /// # Errors
    /// The server cannot be used; nothing is left behind.
    pub async fn prepare(
        options: StorageBenchOptions,
        server: &PgConnectOptions,
        program: PathBuf,
    ) -> Result<Self, BenchError> {
        let chunk_rows = options.chunk_rows.max(1).next_multiple_of(StorageBenchOptions::ROWS_STEP);
        let options = StorageBenchOptions { chunk_rows, ..options };
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
        let mut stage = Stage::set(&self.scratch, &self.program, &self.options, connection).await?;
        rounds::measure(&mut stage, tell, &mut report).await?;
        chunk::measure(&mut stage, tell, &mut report).await?;
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
