//! What a question's failure is as an answer.

use super::error::{ApiError, SeriesMatch, near_matches};
use crate::{db::Failure, query::QueryError};

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> Self {
        let near = |name: &str, known: &[String]| near_matches(name, known.iter().map(String::as_str));
        let retry_after = Failure::RETRY_AFTER;
        match error {
            QueryError::Invalid(invalid) => Self::InvalidQuestion(invalid),
            QueryError::UnknownMeasurement { name, known } => {
                Self::UnknownMeasurement { near: near(&name, &known), name }
            }
            QueryError::UnknownField { measurement, name, known } => {
                Self::UnknownField { near: near(&name, &known), measurement, name }
            }
            QueryError::NoSeries { measurement, path, selector } => {
                Self::UnknownSeries { measurement, path, selector: *selector }
            }
            QueryError::AmbiguousTarget { total, matches } => {
                let named = |(series_id, tags): (i64, Vec<(String, String)>)| SeriesMatch {
                    series_id,
                    tags: tags.into_iter().collect(),
                };
                Self::AmbiguousTarget { matches: matches.into_iter().map(named).collect(), total }
            }
            QueryError::TooLarge { estimate_bytes, limit_bytes } => Self::TooLarge { estimate_bytes, limit_bytes },
            QueryError::Busy => Self::Overloaded { retry_after },
            QueryError::Timeout { limit } => Self::Timeout { limit },
            QueryError::Unavailable(cause) => Self::DatabaseUnavailable { retry_after, cause },
            QueryError::Internal(cause) => Self::Internal(cause),
        }
    }
}
