//! `bench ingest`: how fast lines become committed rows, what that costs, and what the database could take at best.

mod figures;
mod runner;

use std::path::PathBuf;

use sqlx::postgres::PgConnectOptions;

use super::{
    BenchError, Environment, Report, Transport,
    scratch::ScratchDatabase,
    service::{Role, Service},
};
use runner::Runner;

/// What is measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IngestBenchOptions {
    /// Rows of each measurement.
    pub rows: u64,
    /// Series that they are of, up to 1,000,000.
    pub series: u32,
    /// Many more series, for what their number costs.
    pub many_series: u32,
    /// How often service and controls, and the ways in, are measured in turn.
    pub rounds: usize,
    /// Numbers of connections, each with each of `request_rows`, over HTTP.
    pub connections: Vec<usize>,
    /// Lines a request.
    pub request_rows: Vec<usize>,
    /// The ways in that are compared, 4 connections each.
    pub transports: Vec<Transport>,
    /// How long requests of one line are sent at a set rate, in seconds.
    pub single_line_seconds: u64,
    /// Rows in one go at the end, for whether the rate falls.
    pub steady_rows: Option<u64>,
}

impl IngestBenchOptions {
    /// A million rows each; some minutes.
    #[must_use]
    pub fn full() -> Self {
        Self {
            rows: 1_000_000,
            series: 1_000,
            many_series: 100_000,
            rounds: 5,
            connections: vec![1, 2, 4, 8],
            request_rows: vec![100, 1_000, 10_000, 100_000],
            transports: vec![Transport::Http],
            single_line_seconds: 20,
            steady_rows: None,
        }
    }

    /// A look within a minute: fewer rows, rounds and combinations.
    #[must_use]
    pub fn quick() -> Self {
        Self {
            rows: 200_000,
            rounds: 2,
            connections: vec![1, 4],
            request_rows: vec![1_000, 10_000],
            single_line_seconds: 2,
            ..Self::full()
        }
    }
}

/// A database of the benchmark's own and a service on it, which must be [discarded](Self::discard).
#[derive(Debug)]
pub struct IngestBench {
    scratch: ScratchDatabase,
    service: Service,
    options: IngestBenchOptions,
}

impl IngestBench {
    /// Makes a database on `server` and starts `program ingest` on it.
    ///
    /// # Errors
    /// The server cannot be used, or the service does not start; nothing is left behind.
    pub async fn prepare(
        options: IngestBenchOptions,
        server: &PgConnectOptions,
        program: PathBuf,
    ) -> Result<Self, BenchError> {
        let scratch = ScratchDatabase::create(server).await?;
        match Service::start(Role::Ingest, &program, &scratch.options(), &options.transports, &[]).await {
            Ok(service) => Ok(Self { scratch, service, options }),
            Err(error) => {
                // The first error is the one worth telling.
                drop(scratch.discard().await);
                Err(error)
            }
        }
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
        let mut runner = Runner::prepare(&self.scratch, &self.service, &self.options, connection).await?;
        tell("the service and the controls in turn");
        runner.rounds(&mut report).await?;
        for &connections in &self.options.connections {
            for &request_rows in &self.options.request_rows {
                tell(&format!("HTTP, {connections} connections, {request_rows} lines a request"));
                runner.combination(connections, request_rows, &mut report).await?;
            }
        }
        tell("the ways in, in turn");
        runner.transports(&mut report).await?;
        tell("requests of one line");
        runner.single_lines(&mut report).await?;
        if let Some(rows) = self.options.steady_rows {
            tell(&format!("{rows} rows in one go, and the control's"));
            runner.steady(rows, &mut report).await?;
        }
        tell("counting what is there");
        runner.account(&mut report).await?;
        Ok(report)
    }

    /// Ends the service and drops the database.
    ///
    /// # Errors
    /// The database's; the database may then be left behind.
    pub async fn discard(self) -> Result<(), BenchError> {
        self.service.stop().await;
        self.scratch.discard().await
    }
}
