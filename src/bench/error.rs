//! Why a benchmark gives no figures.

use std::io;

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
    /// What is made of the rows is not finished a quarter of an hour after them.
    #[error(
        "chunks are not sealed, or rollups not made, long after the last row: `chunkwise chunks explain` shows such chunks"
    )]
    Unsettled,
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
