//! Why a request was not written.

use std::sync::Arc;

use super::Refused;
use crate::db::{Failure, classify};

/// Why a request was not written.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// Lines are bad and the request asked for all or nothing.
    #[error("nothing was written: {} of the request's lines are bad, and it asked for all or nothing", .0.len())]
    AllOrNothing(Vec<Refused>),
    /// The namespace cannot be had; the text says why.
    #[error("{0}")]
    Namespace(String),
    /// The key was used with another body.
    #[error("the Idempotency-Key was used before with another body: use a new key for new data")]
    KeyMismatch,
    /// More rows at once than may wait.
    #[error(
        "the request takes {bytes} bytes, more than the {limit_bytes} of all together: send it in several requests"
    )]
    TooLarge {
        /// What they take.
        bytes: usize,
        /// What may wait.
        limit_bytes: usize,
    },
    /// It is spread over more time than its measurement's chunks are made for.
    #[error(
        "the lines of {measurement:?} lie in {chunks} chunks, more than the {limit} that one request may touch: check that \
         the precision is right, and send a long history in order of time, in several requests"
    )]
    TooManyChunks {
        /// The measurement.
        measurement: String,
        /// The chunks that its lines lie in.
        chunks: usize,
        /// The most that they may lie in.
        limit: usize,
    },
    /// Too much waits already.
    #[error("the writers are behind: send it again in a few seconds")]
    Overloaded,
    /// The database is away.
    #[error("the database is unavailable: send it again in a few seconds")]
    Unavailable(#[source] Option<Arc<sqlx::Error>>),
    /// The measurement was dropped or made anew in the meantime.
    #[error("the measurement was dropped while it was written to: send it again")]
    Stale,
    /// What the database refused could not be told apart by row.
    #[error("the database refused the rows")]
    Database(#[source] Arc<sqlx::Error>),
}

impl IngestError {
    pub(super) fn database(error: sqlx::Error) -> Self {
        match classify(&error) {
            Failure::Unavailable | Failure::Contention | Failure::Timeout => Self::Unavailable(Some(Arc::new(error))),
            Failure::Stale => Self::Stale,
            Failure::Data => Self::Database(Arc::new(error)),
            Failure::Defect => {
                // Nobody knows that the rows are at fault, so their sender keeps them.
                tracing::error!(error = %error, "the database failed in an unknown way; rows are sent back");
                Self::Unavailable(Some(Arc::new(error)))
            }
        }
    }

    /// Whether the same may work a little later.
    pub(super) fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    /// The same error for the next of several requests that it befell.
    pub(super) fn again(&self) -> Self {
        match self {
            Self::Unavailable(source) => Self::Unavailable(source.clone()),
            Self::Database(source) => Self::Database(Arc::clone(source)),
            _ => Self::Stale,
        }
    }
}
