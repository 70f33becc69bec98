//! `bench tsbs`: data and questions of TSBS (the Time Series Benchmark Suite), use case `cpu-only`.
//!
//! ```text
//! made lines, 10,000 a request -> HTTP -> `chunkwise up` -+-> cpu (sealed) and its bars -> TSBS's questions: SQL over rows,
//! TSBS's own files -> `chunkwise load`                   -+                                SQL over bars, windows over REST
//! ```
//!
//! Rows and metrics a second are counted as TSBS counts them: a metric is a value of a field. What each question is stands with
//! `kind`.

mod kind;
mod stage;

use std::path::PathBuf;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use sqlx::{Connection, postgres::PgConnectOptions};

use super::{BenchError, Better, Environment, Report, disk, scratch::ScratchDatabase, statistics::median};
use kind::{Kind, Path};
use stage::{Stage, Written};

/// A row takes less, with its indexes and bars.
const ROW_BYTES: u64 = 400;
/// Seconds between a host's rows.
const EVERY_SECONDS: u64 = 10;

/// What is written and asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TsbsBenchOptions {
    /// Files that TSBS has generated; where there are none, rows are made.
    pub files: Vec<PathBuf>,
    /// Hosts of made rows: TSBS's `--scale`.
    pub hosts: u32,
    /// Hours of made rows, one a host every ten seconds.
    pub hours: u32,
    /// How often each type of question is asked, about other hosts and times each time.
    pub queries: usize,
}

impl TsbsBenchOptions {
    /// 8.6 million rows, a day of 1,000 hosts.
    #[must_use]
    pub fn full() -> Self {
        Self { files: Vec::new(), hosts: 1_000, hours: 24, queries: 100 }
    }

    /// A look within a minute: 94,000 rows. Some questions are about twelve hours.
    #[must_use]
    pub fn quick() -> Self {
        Self { hosts: 20, hours: 13, queries: 5, ..Self::full() }
    }

    fn rows(&self) -> u64 {
        u64::from(self.hosts) * u64::from(self.hours) * 3_600 / EVERY_SECONDS
    }
}

/// A database of the benchmark's own, which must be [discarded](Self::discard).
#[derive(Debug)]
pub struct TsbsBench {
    scratch: ScratchDatabase,
    program: PathBuf,
    options: TsbsBenchOptions,
}

impl TsbsBench {
    /// Makes a database on `server`, on which `program up` and `program load` are going to run.
    ///
    /// # Errors
    /// The server cannot be used, or its disk is too small; nothing is left behind.
    pub async fn prepare(
        options: TsbsBenchOptions,
        server: &PgConnectOptions,
        program: PathBuf,
    ) -> Result<Self, BenchError> {
        if options.files.is_empty() {
            let mut connection = sqlx::PgConnection::connect_with(server).await?;
            disk::check(&mut connection, options.rows().saturating_mul(ROW_BYTES), "--scale or --hours").await?;
            connection.close().await?;
        }
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
        let (mut stage, written) = Stage::fill(&self.scratch, &self.program, &self.options, connection, tell).await?;
        tell_written(&written, &mut report);
        self.ask_all(&mut stage, tell, &mut report).await?;
        stage.end().await;
        report.sort_ratios_first();
        Ok(report)
    }

    async fn ask_all(
        &self,
        stage: &mut Stage,
        tell: &(dyn Fn(&str) + Sync),
        report: &mut Report,
    ) -> Result<(), BenchError> {
        let mut random = ChaCha8Rng::seed_from_u64(report.environment.seed);
        for kind in Kind::ALL {
            let name = kind.name();
            let Some(first) = kind.pick(&stage.data, &mut random) else {
                tell(&format!("{name}: left out, the data have too few hosts or hours for it"));
                continue;
            };
            tell(&format!("{name}, {} times", self.options.queries));
            for path in Path::ALL {
                // Once without a clock.
                stage.ask(kind, path, &first).await?;
            }
            let mut found = Path::ALL.map(|_| (Vec::new(), Vec::new()));
            for _ in 0..self.options.queries {
                let Some(picked) = kind.pick(&stage.data, &mut random) else { continue };
                for (path, (times, sizes)) in Path::ALL.into_iter().zip(&mut found) {
                    if let Some(asked) = stage.ask(kind, path, &picked).await? {
                        times.push(asked.ms);
                        sizes.push(asked.size);
                    }
                }
            }
            for (path, (times, sizes)) in Path::ALL.into_iter().zip(found) {
                report.add_latencies(&format!("{name}_{}", path.name()), &times);
                if path != Path::Rest && !sizes.is_empty() {
                    report.add(format!("{name}_{}_rows", path.name()), median(&sizes), "rows", Better::Higher);
                }
            }
        }
        Ok(())
    }

    /// Drops the database.
    ///
    /// # Errors
    /// The database's; the database may then be left behind.
    pub async fn discard(self) -> Result<(), BenchError> {
        self.scratch.discard().await
    }
}

fn tell_written(written: &Written, report: &mut Report) {
    let Written { rows, metrics, hosts, seconds, settled_seconds, ack_ms } = written;
    let (rows, metrics) = (*rows as f64, *metrics as f64);
    report.add("insert_rate", rows / seconds, "rows/s", Better::Higher);
    report.add("insert_metrics_rate", metrics / seconds, "metrics/s", Better::Higher);
    for (percent, ms) in ack_ms.iter().flatten() {
        report.add(format!("insert_ack_p{percent}"), *ms, "ms", Better::Lower);
    }
    report.add("settled_after", *settled_seconds, "s", Better::Lower);
    report.add("rows", rows, "rows", Better::Higher);
    report.add("metrics", metrics, "metrics", Better::Higher);
    report.add("hosts", *hosts as f64, "hosts", Better::Higher);
}
