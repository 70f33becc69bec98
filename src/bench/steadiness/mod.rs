//! `bench steadiness`: whether writing gets slower as the data grow, beside the usual ways.
//!
//! ```text
//! the same rows, a step each in turn -+-> COPY -> a table of PostgreSQL, B-tree on (series_id, time DESC)
//!                                     +-> COPY -> a hypertable with the same index
//!                                     \-> HTTP -> `chunkwise ingest` -> its chunks, each sealed once it is passed
//! ```
//!
//! Rows, their order, rows a transaction and connections are the same. Who is first changes from step to step, so what the
//! machine does besides falls on all alike. A turn of chunkwise's ends when its rows are acknowledged and the chunks that
//! the rows before have filled are sealed, which happens meanwhile, as in a service that runs on. There are no rollups, as
//! the other two have none. What is done is kept in the benchmark's database, so a run can be interrupted and gone on with.

mod figures;
mod stage;
mod state;
mod way;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sqlx::{Connection, postgres::PgConnectOptions};

use super::{BenchError, Better, Environment, Report, disk, scratch::ScratchDatabase};
use stage::Stage;
use way::Way;

/// What is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SteadinessBenchOptions {
    /// Rows of each way, at most [`Self::MOST_ROWS`]; rounded up to whole steps.
    pub rows: u64,
    /// Rows that one way gets before it is the next one's turn.
    pub step_rows: u64,
    /// Rows of a chunk.
    pub chunk_rows: u64,
    /// Series that the rows are of, up to 1,000,000: the more, the more pages of an index are written to at once.
    pub series: u32,
}

impl SteadinessBenchOptions {
    /// More would be in the future, and refused.
    pub const MOST_ROWS: u64 = 10_000_000_000;
    /// Below that the plain table's index fits into any memory.
    pub const FEWEST_ROWS: u64 = 10_000_000;

    /// 50 million rows of each way, a million in turn.
    #[must_use]
    pub fn full() -> Self {
        Self { rows: 50_000_000, step_rows: 1_000_000, chunk_rows: 1_000_000, series: 100_000 }
    }

    fn whole_steps(self) -> Self {
        Self { rows: self.rows.next_multiple_of(self.step_rows), ..self }
    }

    /// A look within a minute. It says nothing about what more rows do.
    #[must_use]
    pub fn quick() -> Self {
        Self { rows: 300_000, step_rows: 30_000, chunk_rows: 30_000, series: 1_000 }
    }
}

/// A row takes less in all ways together, with its indexes.
const ROW_BYTES: u64 = 330;

/// A database of the benchmark's own, which must be [discarded](Self::discard), or [kept](Self::keep) to be gone on with.
#[derive(Debug)]
pub struct SteadinessBench {
    scratch: ScratchDatabase,
    program: PathBuf,
    options: SteadinessBenchOptions,
}

impl SteadinessBench {
    /// Makes a database on `server`, on which `program ingest` is going to run.
    ///
    /// # Errors
    /// The server cannot be used, or its disk is too small; nothing is left behind.
    pub async fn prepare(
        options: SteadinessBenchOptions,
        server: &PgConnectOptions,
        program: PathBuf,
    ) -> Result<Self, BenchError> {
        let options = options.whole_steps();
        check_disk(server, options.rows).await?;
        let scratch = ScratchDatabase::create(server).await?;
        match stage::set_up(&scratch, &program, &options).await {
            Ok(()) => Ok(Self { scratch, program, options }),
            Err(error) => {
                // The first error is the one worth telling.
                drop(scratch.discard().await);
                Err(error)
            }
        }
    }

    /// Goes on with a run that was interrupted: its database is `name`. It may be made longer: `rows`.
    ///
    /// # Errors
    /// There is no such run on that server; it has more rows already; the server's disk is too small.
    pub async fn resume(
        name: &str,
        rows: Option<u64>,
        server: &PgConnectOptions,
        program: PathBuf,
    ) -> Result<Self, BenchError> {
        let not_there = || BenchError::NotResumable(name.to_owned());
        let mut connection = sqlx::PgConnection::connect_with(server).await?;
        let is_there: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
            .bind(name)
            .fetch_one(&mut connection)
            .await?;
        connection.close().await?;
        if !is_there {
            return Err(not_there());
        }
        let scratch = ScratchDatabase::open(server, name);
        let mut connection = scratch.connect().await?;
        let former = state::options(&mut connection).await?.ok_or_else(not_there)?;
        let options = SteadinessBenchOptions { rows: rows.unwrap_or(former.rows), ..former }.whole_steps();
        let there =
            state::turns(&mut connection).await?.iter().map(|turn| turn.step * options.step_rows + turn.rows).max();
        let there = there.unwrap_or(0);
        if options.rows < there {
            return Err(BenchError::FewerRows { there });
        }
        check_disk(server, options.rows - there).await?;
        state::set_options(&mut connection, &options).await?;
        connection.close().await?;
        Ok(Self { scratch, program, options })
    }

    /// The name of its database: to go on with it, or to drop it.
    #[must_use]
    pub fn database_name(&self) -> &str {
        self.scratch.name()
    }

    /// Measures what is not measured yet. `tell` gets a line about each step as it ends.
    ///
    /// # Errors
    /// Any request or statement that fails. What was measured so far stays.
    pub async fn run(&self, tell: &(dyn Fn(&str) + Sync)) -> Result<Report, BenchError> {
        let mut connection = self.scratch.connect().await?;
        let mut report = Report::new(Environment::read(&mut connection).await?);
        let mut turns = state::turns(&mut connection).await?;
        let mut stage = Stage::open(&self.scratch, &self.program, &self.options, connection).await?;
        let options = &self.options;
        if !turns.is_empty() {
            tell("what an interrupted step has written is removed");
        }
        for way in Way::ALL {
            let done = turns.iter().filter(|turn| turn.way == way).count() as u64;
            stage.remove_from(way, done).await?;
        }
        let steps = options.rows / options.step_rows;
        for step in 0..steps {
            for way in Way::of_step(step) {
                if !turns.iter().any(|turn| (turn.step, turn.way) == (step, way)) {
                    let turn = stage.turn(way, step).await?;
                    state::save(&mut stage.connection, &turn).await?;
                    turns.push(turn);
                }
            }
            let rate = |way: Way| {
                let turn = turns.iter().rfind(|turn| (turn.step, turn.way) == (step, way));
                format!("{} {:.0}", way.name(), turn.map_or(0.0, state::Turn::rate))
            };
            tell(&format!("step {} of {steps}: {} rows/s", step + 1, Way::ALL.map(rate).join(", ")));
        }
        turns.sort_by_key(|turn| turn.step);
        figures::report(&turns, options.step_rows, &mut report);
        report.add("step_rows", options.step_rows as f64, "rows", Better::Higher);
        tell("counting what is there");
        for way in Way::ALL {
            let (found, bytes) = way.size(&mut stage.connection).await?;
            if found != options.rows {
                return Err(BenchError::Miscounted { sent: options.rows, found });
            }
            let name = format!("{}_row_bytes", way.name());
            report.add(name, bytes as f64 / found as f64, "bytes", Better::Lower);
        }
        stage.end().await;
        Ok(report)
    }

    /// Leaves the database on the server, to be gone on with.
    pub async fn keep(self) {
        self.scratch.keep().await;
    }

    /// Drops the database.
    ///
    /// # Errors
    /// The database's; the database may then be left behind.
    pub async fn discard(self) -> Result<(), BenchError> {
        self.scratch.discard().await
    }
}

async fn check_disk(server: &PgConnectOptions, rows: u64) -> Result<(), BenchError> {
    let mut connection = sqlx::PgConnection::connect_with(server).await?;
    disk::check(&mut connection, rows.saturating_mul(ROW_BYTES), "--rows").await?;
    Ok(connection.close().await?)
}
