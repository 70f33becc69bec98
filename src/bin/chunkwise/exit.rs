//! What the program's exit code says, and how an error looks.

use std::process::ExitCode;

use chunkwise::{
    config::{ConfigError, InvalidSetting},
    question::{Invalid, SelectorError},
};

use crate::output::Closed;

/// For `--help`.
pub(crate) const HELP: &str = "\
Exit codes: 0 done; 1 it failed; 2 the command line, the settings or the question are wrong; 3 the database cannot be
reached or is not ready.";

/// The exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Success = 0,
    Failure = 1,
    /// As clap exits for flags that it does not know.
    Usage = 2,
    Database = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Prints the error with its causes to standard error.
///
/// Whoever reads standard output may stop reading (`chunkwise ... | head`): that is neither an error nor worth a word.
pub(crate) fn report(error: &anyhow::Error) -> Exit {
    let exit = classify(error);
    if exit != Exit::Success {
        eprintln!("error: {error:#}");
    }
    exit
}

fn classify(error: &anyhow::Error) -> Exit {
    for cause in error.chain() {
        if cause.is::<Closed>() {
            return Exit::Success;
        }
        if cause.is::<ConfigError>() || cause.is::<InvalidSetting>() || cause.is::<Invalid>() || cause.is::<SelectorError>() {
            return Exit::Usage;
        }
        if let Some(error) = cause.downcast_ref::<sqlx::Error>()
            && chunkwise::db::classify(error) == chunkwise::db::Failure::Unavailable
        {
            return Exit::Database;
        }
    }
    Exit::Failure
}

#[cfg(test)]
mod tests {
    use anyhow::{Context, anyhow};

    use super::*;

    #[test]
    fn causes_decide_the_exit_code() {
        let wrapped = |error: anyhow::Error| classify(&Err::<(), _>(error).context("answering").unwrap_err());
        assert_eq!(wrapped(Invalid::new("to", "must be later").into()), Exit::Usage);
        assert_eq!(wrapped(ConfigError::NoHome.into()), Exit::Usage);
        assert_eq!(wrapped(sqlx::Error::PoolTimedOut.into()), Exit::Database);
        assert_eq!(wrapped(Closed.into()), Exit::Success);
        assert_eq!(wrapped(anyhow!("anything else")), Exit::Failure);
    }
}
