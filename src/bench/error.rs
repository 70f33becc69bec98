//! Why a benchmark gives no figures.

use std::{io, path::PathBuf};

use crate::{
    db::{MigrateError, ServerError},
    feed::FeedError,
};

/// Why a benchmark gives no figures.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The database failed, or cannot be reached.
    #[error("the database failed during the benchmark")]
    Database(#[from] sqlx::Error),
    /// The server is one that chunkwise does not rely on.
    #[error("the server cannot be used")]
    Server(#[from] ServerError),
    /// The benchmark's own database could not be prepared.
    #[error("the benchmark's database could not be prepared")]
    Migrate(#[from] MigrateError),
    /// The service that is to be measured did not come up.
    #[error("the service did not start: run the benchmark with --log info to see why")]
    NotStarted(#[source] io::Error),
    /// The service could not be connected to, or hung up.
    #[error("the connection to the service failed ({transport}): is it still running, and does it listen for that?")]
    Connection {
        /// The way that was used.
        transport: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The service refused lines.
    #[error("the service answered {status} to lines that are right: {answer}")]
    Refused {
        /// The status, or what stands for it.
        status: String,
        /// The beginning of the answer.
        answer: String,
    },
    /// Rows were acknowledged that are not in the database, or rows are there twice.
    #[error("{sent} rows were acknowledged, and {found} are in the database: the figures mean nothing")]
    Miscounted {
        /// Rows that were acknowledged.
        sent: u64,
        /// Rows that there are.
        found: u64,
    },
    /// Two ways to the same answer differ.
    #[error(
        "{question} has {sql} rows from chunkwise's table and {plain} from the plain one: the figures mean nothing"
    )]
    Disagreement {
        /// The question's name.
        question: &'static str,
        /// Rows of the answer.
        sql: f64,
        /// Rows of the answer.
        plain: f64,
    },
    /// What is made of the rows is not finished a quarter of an hour after them.
    #[error(
        "chunks are not sealed, or rollups not made, long after the last row: `chunkwise chunks explain` shows such chunks"
    )]
    Unsettled,
    /// TSBS's files could not be loaded as a whole.
    #[error("`chunkwise load` did not load all of the files ({0}): what it said stands above")]
    NotLoaded(String),
    /// TSBS's files are not of a use case that is asked about.
    #[error("the files have no rows of `cpu` with its ten fields: take those of the use cases cpu-only or devops")]
    NoProcessors,
    /// An option is out of range.
    #[error("the benchmark's data cannot be made")]
    Feed(#[from] FeedError),
    /// What is to be measured does not fit into memory.
    #[error(
        "{series} series over {buckets} buckets take {} MB of memory, and {} MB are free: lower --series or --buckets",
        needed.div_ceil(1_000_000),
        available / 1_000_000
    )]
    Memory {
        /// As asked for.
        series: usize,
        /// As asked for.
        buckets: usize,
        /// Bytes.
        needed: u64,
        /// Bytes.
        available: u64,
    },
    /// What is to be measured does not fit on the server's disk.
    #[error(
        "the rows, their indexes and the server's log take about {} GB, and {} GB are free in {}: free some, or lower {lower}",
        needed.div_ceil(1_000_000_000),
        free / 1_000_000_000,
        path.display()
    )]
    Disk {
        /// Bytes.
        needed: u64,
        /// Bytes.
        free: u64,
        /// The server's folder.
        path: PathBuf,
        /// The flag that asks for less.
        lower: &'static str,
    },
    /// The database that is to be gone on with is not there, or not one of an unfinished run.
    #[error(
        "{0} holds no unfinished run on this server: give the name that the run has told, and the same server's flags"
    )]
    NotResumable(String),
    /// More rows are there than are asked for.
    #[error("{there} rows of each way are there already: ask for as many or more with --rows")]
    FewerRows {
        /// Rows.
        there: u64,
    },
    /// The benchmark's own task failed.
    #[error("a sender of the benchmark failed")]
    Sender(#[from] tokio::task::JoinError),
}

impl BenchError {
    pub(super) fn connection(
        transport: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Connection { transport, source: io::Error::other(source) }
    }
}
