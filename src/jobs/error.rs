//! Why a job's run ended early.

use std::error::Error;

/// Why a job's run ended early; it is tried again after a pause.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The database's: it is away, or something was in the way.
    #[error("the database did not do what the job asked")]
    Database(#[from] sqlx::Error),
    /// Anything else.
    #[error(transparent)]
    Other(#[from] Box<dyn Error + Send + Sync>),
    /// A defect of the job: it panicked.
    #[error("the job ended by a defect: {0}")]
    Defect(String),
}
