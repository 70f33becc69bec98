//! What the program's exit code says, and how an error looks.

use std::{error::Error, io::ErrorKind, process::ExitCode};

use chunkwise::{
    bench::{BenchError, CompareError},
    config::{ConfigError, InvalidSetting},
    db::{self, Failure, MigrateError, ServerError},
    feed::{FeedError, journal::JournalError, send::TargetError},
    format::FormatError,
    http::error::ApiError,
    ingest::IngestError,
    load::LoadError,
    local::LocalError,
    question::{Invalid, SelectorError},
};

use crate::{
    database::NoDatabase,
    output::{self, Closed},
};

/// For `--help`.
pub(crate) const HELP: &str = "\
Exit codes: 0 done; 1 it failed; 2 the command line, the settings or the question are wrong; 3 the database cannot be
reached or is not ready; 4 rows of a file were refused, the others are loaded.";

/// The exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Success = 0,
    Failure = 1,
    /// As clap exits for flags that it does not know.
    Usage = 2,
    Database = 3,
    /// A load wrote the good rows only, or stopped at a bad one.
    BadRows = 4,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An outcome that the command's own output has told already.
#[derive(Debug, thiserror::Error)]
#[error("see above")]
pub(crate) struct Reported(pub(crate) Exit);

/// Prints the error with its causes to standard error.
///
/// Whoever reads standard output may stop reading (`chunkwise ... | head`): that is neither an error nor worth a word.
pub(crate) fn report(error: &anyhow::Error) -> Exit {
    let exit = classify(error);
    if exit != Exit::Success && !error.is::<Reported>() {
        output::tell(format_args!("error: {}", chain(error)));
    }
    exit
}

/// The error and its causes, without those that the one before has told already.
pub(crate) fn chain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

fn classify(error: &anyhow::Error) -> Exit {
    error.chain().find_map(exit_of).unwrap_or(Exit::Failure)
}

fn exit_of(cause: &(dyn Error + 'static)) -> Option<Exit> {
    if cause.is::<Closed>() {
        return Some(Exit::Success);
    }
    if let Some(Reported(exit)) = cause.downcast_ref() {
        return Some(*exit);
    }
    if let Some(error) = cause.downcast_ref() {
        return exit_of_load(error);
    }
    if let Some(exit) = cause.downcast_ref().and_then(exit_of_local) {
        return Some(exit);
    }
    if cause.is::<ConfigError>()
        || cause.is::<InvalidSetting>()
        || cause.is::<Invalid>()
        || cause.is::<SelectorError>()
        || cause.is::<FeedError>()
        || cause.is::<CompareError>()
        || matches!(
            cause.downcast_ref(),
            Some(
                BenchError::Memory { .. }
                    | BenchError::Disk { .. }
                    | BenchError::NotResumable(_)
                    | BenchError::FewerRows { .. }
                    | BenchError::NoProcessors
            )
        )
        || cause.is::<TargetError>()
        || cause.downcast_ref().is_some_and(is_another_journal_wanted)
        || matches!(cause.downcast_ref(), Some(FormatError::TooManyRanked { .. } | FormatError::NotOffered { .. }))
        || cause.downcast_ref::<ApiError>().is_some_and(|error| error.status().is_client_error())
    {
        return Some(Exit::Usage);
    }
    if cause.is::<NoDatabase>()
        || cause.is::<ServerError>()
        || cause.is::<MigrateError>()
        || matches!(cause.downcast_ref(), Some(IngestError::Unavailable(_)))
    {
        return Some(Exit::Database);
    }
    let is_away = |error| db::classify(error) == Failure::Unavailable;
    cause.downcast_ref::<sqlx::Error>().is_some_and(is_away).then_some(Exit::Database)
}

/// What another file or another flag would mend is the command line's; what the file holds is not.
fn exit_of_load(error: &LoadError) -> Option<Exit> {
    match error {
        LoadError::BadRow(_) => Some(Exit::BadRows),
        LoadError::Read { source, .. } => is_named_wrongly(source).then_some(Exit::Usage),
        LoadError::UnknownColumn { .. }
        | LoadError::NoTimeColumn(_)
        | LoadError::ManyTimeColumns(_)
        | LoadError::AmbiguousDate { .. }
        | LoadError::UnknownTimeFormat { .. }
        | LoadError::InvalidTimeFormat(_)
        | LoadError::TextInWide(_)
        | LoadError::SameName(_)
        | LoadError::NoMeasurement
        | LoadError::OnlyForTables(_)
        | LoadError::OnlyForCsv(_)
        | LoadError::ParquetIn(_)
        | LoadError::UnsupportedColumn { .. }
        | LoadError::NotFollowed(_) => Some(Exit::Usage),
        _ => None,
    }
}

fn is_another_journal_wanted(error: &JournalError) -> bool {
    match error {
        JournalError::File { source, .. } => is_named_wrongly(source),
        error => matches!(error, JournalError::Exists(_)),
    }
}

/// Another file's name would mend it.
fn is_named_wrongly(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied | ErrorKind::IsADirectory)
}

fn exit_of_local(error: &LocalError) -> Option<Exit> {
    match error {
        LocalError::NoHome
        | LocalError::DataDir { .. }
        | LocalError::Unreachable { .. }
        | LocalError::ForeignOwner { .. } => Some(Exit::Usage),
        LocalError::NoInstallation { .. }
        | LocalError::DidNotStart { .. }
        | LocalError::OldProcesses { .. }
        | LocalError::StoppedOnPurpose
        | LocalError::MajorVersion { .. } => Some(Exit::Database),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use anyhow::{Context, anyhow};

    use super::*;

    #[test]
    fn causes_decide_the_exit_code() {
        let wrapped = |error: anyhow::Error| classify(&Err::<(), _>(error).context("answering").unwrap_err());
        assert_eq!(wrapped(Invalid::new("to", "must be later").into()), Exit::Usage);
        assert_eq!(wrapped(ApiError::from(Invalid::new("series.colour", "no such tag")).into()), Exit::Usage);
        assert_eq!(wrapped(ApiError::internal("a defect").into()), Exit::Failure);
        assert_eq!(wrapped(NoDatabase.into()), Exit::Database);
        assert_eq!(wrapped(ServerError::NoTimescaleDb.into()), Exit::Database);
        assert_eq!(wrapped(Reported(Exit::Database).into()), Exit::Database);
        assert_eq!(wrapped(sqlx::Error::PoolTimedOut.into()), Exit::Database);
        assert_eq!(wrapped(IngestError::Unavailable(None).into()), Exit::Database);
        assert_eq!(wrapped(LoadError::NoMeasurement.into()), Exit::Usage);
        assert_eq!(wrapped(LoadError::Empty.into()), Exit::Failure);
        assert_eq!(wrapped(LocalError::NoHome.into()), Exit::Usage);
        assert_eq!(wrapped(TargetError::Protocol.into()), Exit::Usage);
        assert_eq!(wrapped(JournalError::Exists("j".into()).into()), Exit::Usage);
        assert_eq!(wrapped(JournalError::Broken.into()), Exit::Failure);
        assert_eq!(wrapped(LocalError::InUse { pids: vec![1] }.into()), Exit::Failure);
        assert_eq!(wrapped(Closed.into()), Exit::Success);
        assert_eq!(wrapped(anyhow!("anything else")), Exit::Failure);
    }
}
