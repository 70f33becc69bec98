//! `bench correlation` and `bench window`: questions over REST against a table that was made for them.
//!
//! ```text
//! series x buckets -> COPY -> ticks (chunks of 250 buckets) -> `chunkwise up`, a child process -> questions over HTTP
//!                                                          \-> COPY ... TO STDOUT over two connections: a window's control
//! memory as large as what a question computes with -> read once by all cores: a correlation's control
//! 10, 100, 1,000 chunks before the buckets that are asked for -> the same questions: whether the store's size matters
//! ```

mod asking;
mod correlation;
mod growth;
mod table;
mod window;

use std::path::PathBuf;

use sqlx::postgres::PgConnectOptions;

use super::{BenchError, Environment, Report, scratch::ScratchDatabase};

/// How large the table is, and what is asked of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuestionBenchOptions {
    /// Series, up to 1,000,000.
    pub series: u32,
    /// Buckets of a minute, each with a value of every series.
    pub buckets: u32,
    /// Questions of each kind.
    pub questions: usize,
    /// Rows a second that come in while correlations are asked for once more; 0 for none.
    pub live_rows_per_second: u32,
    /// Chunks that are made outside of what correlations ask for, a hundredth, a tenth and all of them, to see whether answers
    /// take longer; 0 for none.
    pub further_chunks: u32,
}

impl QuestionBenchOptions {
    /// 100,000 series over 2,000 buckets: 200 million rows, 10 GB on disk, and some minutes to make them.
    #[must_use]
    pub fn full() -> Self {
        Self { series: 100_000, buckets: 2_000, questions: 200, live_rows_per_second: 100_000, further_chunks: 1_000 }
    }

    /// A look within a minute.
    #[must_use]
    pub fn quick() -> Self {
        Self { series: 10_000, buckets: 250, questions: 50, live_rows_per_second: 50_000, further_chunks: 100 }
    }
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuestionKind {
    /// One series against all.
    Correlation,
    /// The values of all series.
    Window,
}

/// A database of the benchmark's own, which must be [discarded](Self::discard).
#[derive(Debug)]
pub struct QuestionBench {
    scratch: ScratchDatabase,
    program: PathBuf,
    options: QuestionBenchOptions,
    kind: QuestionKind,
}

impl QuestionBench {
    /// Makes a database on `server`, on which `program up` is going to run.
    ///
    /// # Errors
    /// The server cannot be used; nothing is left behind.
    pub async fn prepare(
        kind: QuestionKind,
        options: QuestionBenchOptions,
        server: &PgConnectOptions,
        program: PathBuf,
    ) -> Result<Self, BenchError> {
        Ok(Self { scratch: ScratchDatabase::create(server).await?, program, options, kind })
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
        let stage = table::Stage::set(&self.scratch, &self.program, &self.options, tell).await?;
        match self.kind {
            QuestionKind::Correlation => correlation::measure(&stage, tell, &mut report).await?,
            QuestionKind::Window => window::measure(&stage, tell, &mut report).await?,
        }
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
