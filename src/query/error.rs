//! Why a question has no answer.

use std::time::Duration;

use crate::{
    db::{Failure, classify},
    question::{Invalid, Selector},
    rollup::RollupError,
    series::SelectError,
    window::ReadError,
};

/// A series by id and the tags that it has.
pub type SeriesName = (i64, Vec<(String, String)>);

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// A field of the question makes no sense, or not for this measurement.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The namespace has no such measurement.
    #[error("there is no measurement `{name}`")]
    UnknownMeasurement {
        /// As asked.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// The measurement has no such field.
    #[error("the measurement `{measurement}` has no field `{name}`")]
    UnknownField {
        /// The measurement.
        measurement: String,
        /// As asked.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// A selector that must match one series matches none.
    #[error("no series of `{measurement}` matches `{path}`")]
    NoSeries {
        /// The measurement.
        measurement: String,
        /// Where the selector stands in the question.
        path: &'static str,
        /// The selector.
        selector: Box<Selector>,
    },
    /// A selector that must match one series matches several.
    #[error("`target` matches {total} series and must match exactly one")]
    AmbiguousTarget {
        /// How many match.
        total: usize,
        /// Up to [`QueryError::MAX_NAMED`] of them.
        matches: Vec<SeriesName>,
    },
    /// The question would take more memory than allowed.
    #[error("the question would take about {estimate_bytes} bytes, more than the limit of {limit_bytes}")]
    TooLarge {
        /// What it would take, at least.
        estimate_bytes: u64,
        /// What it may take.
        limit_bytes: u64,
    },
    /// Too many questions are ahead of this one.
    #[error("too many questions are waiting")]
    Busy,
    /// The question took too long, and was given up.
    #[error("the question took longer than {limit:?}")]
    Timeout {
        /// How long it may take.
        limit: Duration,
    },
    /// The database is away, or changes faster than it can be read.
    #[error("the database is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A defect.
    #[error("the question failed")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl QueryError {
    /// So many series of an ambiguous target are named.
    pub const MAX_NAMED: usize = 10;

    /// What a selector at `path` of the question met.
    pub(super) fn of_selector(path: &str, error: SelectError) -> Attempt {
        match error {
            SelectError::UnknownTag { tag, known } => {
                let known = known.iter().map(|tag| format!("`{tag}`")).collect::<Vec<_>>().join(", ");
                let known = if known.is_empty() { "none".to_owned() } else { known };
                let reason = format!("there is no such tag; the measurement's tags are: {known}");
                Attempt::Failed(Invalid::new(format!("{path}.{tag}"), reason).into())
            }
            SelectError::Database(error) => error.into(),
        }
    }
}

/// How one attempt to answer a question ended without an answer.
#[derive(Debug)]
pub(super) enum Attempt {
    /// What was planned is not there any more: worth another attempt.
    Stale(Box<dyn std::error::Error + Send + Sync>),
    /// For good. The connection is in order.
    Failed(QueryError),
    /// For good, by a failure of the connection or in the middle of reading.
    Broken(QueryError),
}

/// A question whose chunks are dropped under it begins again so often.
const ATTEMPTS: usize = 3;

/// Counts the attempts to answer one question.
#[derive(Debug, Default)]
pub(super) struct Attempts(usize);

impl Attempts {
    /// Whether to begin again after this one.
    ///
    /// # Errors
    /// The attempt's, if another one is of no use or there were enough.
    pub(super) fn again(&mut self, ended: Attempt) -> Result<(), QueryError> {
        self.0 += 1;
        match ended {
            Attempt::Failed(error) | Attempt::Broken(error) => Err(error),
            Attempt::Stale(error) if self.0 >= ATTEMPTS => Err(QueryError::Unavailable(error)),
            Attempt::Stale(error) => {
                tracing::debug!(attempt = self.0, error = %error, "a question is planned again");
                Ok(())
            }
        }
    }
}

impl From<QueryError> for Attempt {
    fn from(error: QueryError) -> Self {
        Self::Failed(error)
    }
}

impl From<Invalid> for Attempt {
    fn from(error: Invalid) -> Self {
        Self::Failed(error.into())
    }
}

impl From<sqlx::Error> for Attempt {
    fn from(error: sqlx::Error) -> Self {
        match classify(&error) {
            Failure::Stale | Failure::Contention => Self::Stale(Box::new(error)),
            // Zero stands for the limit, which whoever set it fills in.
            Failure::Timeout => Self::Broken(QueryError::Timeout { limit: Duration::ZERO }),
            Failure::Unavailable => Self::Broken(QueryError::Unavailable(Box::new(error))),
            Failure::Data | Failure::Defect => Self::Broken(QueryError::Internal(Box::new(error))),
        }
    }
}

impl From<RollupError> for Attempt {
    fn from(error: RollupError) -> Self {
        match error {
            RollupError::Database(error) => error.into(),
            error => Self::Broken(QueryError::Internal(Box::new(error))),
        }
    }
}

impl Attempt {
    /// A chunk was dropped while it was to be read.
    pub(super) fn gone() -> Self {
        Self::Stale("a chunk was dropped while it was to be read".into())
    }

    /// The error of an attempt that is the only one.
    pub(super) fn into_error(self) -> QueryError {
        match self {
            Self::Failed(error) | Self::Broken(error) => error,
            Self::Stale(error) => QueryError::Unavailable(error),
        }
    }
}

impl From<ReadError> for Attempt {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Database(error) => error.into(),
            error => Self::Broken(QueryError::Internal(Box::new(error))),
        }
    }
}
