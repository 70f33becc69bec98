//! Why nothing was taken away.

use crate::{question::Invalid, series::SelectError};

/// Why nothing, or not everything, was taken away.
#[derive(Debug, thiserror::Error)]
pub enum RemovalError {
    /// A parameter makes no sense, or not for this measurement.
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
    /// Somebody has built upon the measurement.
    #[error(
        "{} depend on the measurement `{measurement}`: drop them first, or ask for them to be dropped with it",
        names(on)
    )]
    Depended {
        /// The measurement.
        measurement: String,
        /// What depends on it, as in `view public.my_ticks`.
        on: Vec<String>,
    },
    /// Somebody has used it the whole time.
    #[error(
        "`{measurement}` is in use by others, such as a long query or a transaction that is still open: try again later"
    )]
    InUse {
        /// The measurement.
        measurement: String,
        /// What was waited for.
        #[source]
        source: sqlx::Error,
    },
    /// The database's.
    #[error("the database cannot take it away")]
    Database(#[from] sqlx::Error),
}

fn names(on: &[String]) -> String {
    const MOST: usize = 10;
    let named = on.iter().take(MOST).cloned().collect::<Vec<_>>().join(", ");
    match on.len() {
        0..=MOST => named,
        more => format!("{named} and {} more", more - MOST),
    }
}

impl From<SelectError> for RemovalError {
    fn from(error: SelectError) -> Self {
        match error {
            SelectError::UnknownTag { tag, known } => {
                let reason = format!("there is no such tag; the measurement's tags are: {}", known.join(", "));
                Invalid::new(format!("tag.{tag}"), reason).into()
            }
            SelectError::Database(error) => error.into(),
        }
    }
}
