//! Why a chunk's life did not go on.

use crate::db::{Failure, classify};

/// Why a chunk was not sealed or dropped; nothing is lost, and it is tried again.
#[derive(Debug, thiserror::Error)]
pub enum LifeError {
    /// Another session held what was needed for too long.
    #[error("others hold the chunk locked, or an old transaction keeps its index from being finished: tried again")]
    InTheWay(#[source] sqlx::Error),
    /// It was given too little time.
    #[error("it took longer than its deadline, mostly because of an old transaction somewhere: tried again")]
    Deadline(#[source] sqlx::Error),
    /// The chunk or the measurement is gone.
    #[error("the chunk is gone")]
    Gone(#[source] sqlx::Error),
    /// The server is away or full.
    #[error("the database is away, full or not ready")]
    Unavailable(#[source] sqlx::Error),
    /// Anything else.
    #[error("the database refused it; its log says why")]
    Refused(#[source] sqlx::Error),
}

impl From<sqlx::Error> for LifeError {
    fn from(error: sqlx::Error) -> Self {
        match classify(&error) {
            Failure::Contention => Self::InTheWay(error),
            Failure::Timeout => Self::Deadline(error),
            Failure::Stale => Self::Gone(error),
            Failure::Unavailable => Self::Unavailable(error),
            Failure::Data | Failure::Defect => Self::Refused(error),
        }
    }
}

impl From<LifeError> for sqlx::Error {
    fn from(error: LifeError) -> Self {
        match error {
            LifeError::InTheWay(error)
            | LifeError::Deadline(error)
            | LifeError::Gone(error)
            | LifeError::Unavailable(error)
            | LifeError::Refused(error) => error,
        }
    }
}
