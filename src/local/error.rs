//! Errors say what is wrong and what to do; the texts of other programs and of the operating system are kept as sources or quoted.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

use super::PassedOver;

/// Why there is no local server, or why it cannot be stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LocalError {
    /// No PostgreSQL with TimescaleDB here, and none could be fetched. The text names the ways to get one.
    #[error(
        "no PostgreSQL with TimescaleDB found on this machine{}, and none could be fetched. Ways to get one: \
         `docker compose up` in chunkwise's repository; on Debian and Ubuntu the packages of Timescale \
         (postgresql-17 and timescaledb-2-postgresql-17); on macOS `brew install timescale/tap/timescaledb`; or a server of your \
         own with --database-url",
        passed_over_text(passed_over)
    )]
    NoInstallation { passed_over: Vec<PassedOver>, source: FetchError },

    /// Started as root, and neither `postgres` nor `nobody` exists to run the server as.
    #[error(
        "PostgreSQL refuses to run as root, and this machine has neither an account `postgres` nor `nobody` to run it as"
    )]
    NoAccount,

    /// Started as root, and the server's account cannot enter a folder that it needs.
    #[error(
        "PostgreSQL must run as the account `{account}`, which cannot enter {} (on the way to {}): open it by `chmod o+x \
         {}`, use a --data-dir elsewhere, or run chunkwise as an ordinary user",
        blocked_by.display(), path.display(), blocked_by.display()
    )]
    Unreachable { path: PathBuf, blocked_by: PathBuf, account: String },

    /// The files belong to another user.
    #[error("{} belongs to {owner}: run chunkwise as that user, or with another --data-dir", path.display())]
    ForeignOwner { path: PathBuf, owner: String },

    /// The cluster was made by another major version of PostgreSQL.
    #[error(
        "the cluster in {} was made by PostgreSQL {cluster}, but the programs found are of {programs} ({}): install version \
         {cluster}, or move the data with pg_dump or pg_upgrade",
        data.display(), bin_dir.display()
    )]
    MajorVersion { data: PathBuf, cluster: u32, programs: u32, bin_dir: PathBuf },

    /// The server ended, or did not answer in time. `log` has its last lines.
    #[error("PostgreSQL did not start ({reason}); the last lines of its log:\n{log}")]
    DidNotStart { reason: String, log: String },

    /// Processes of a crashed server have not ended, although they were asked to.
    #[error("processes of a crashed server still use {}: {pids:?}; wait for them to end, or end them", data.display())]
    OldProcesses { data: PathBuf, pids: Vec<i32> },

    /// The server is still shutting down after `waited_s` seconds.
    #[error("the server (process {pid}) has not stopped within {waited_s} s; it is still shutting down, see {}", log.display())]
    StopTimedOut { pid: i32, waited_s: u64, log: PathBuf },

    /// Other processes use the server.
    #[error(
        "the embedded database is in use{}: end what uses it first, or stop it anyway with --force",
        pids_text(pids)
    )]
    InUse {
        /// Who, as far as the system tells.
        pids: Vec<i32>,
    },

    /// Somebody has stopped the server on purpose, and only a start on purpose brings it back.
    #[error("the embedded database was stopped on purpose: start it with `chunkwise db start` or `chunkwise up`")]
    StoppedOnPurpose,

    /// The data folder cannot be made.
    #[error("the data folder {} cannot be made: choose another with --data-dir", path.display())]
    DataDir { path: PathBuf, source: io::Error },

    /// No TCP port of the range that chunkwise uses is free.
    #[error("no free TCP port between {from} and {to} on 127.0.0.1")]
    NoPort { from: u16, to: u16 },

    /// The password file is gone or damaged, so that nobody can log in any more.
    #[error("{} does not hold the password that was generated with the cluster: restore that file", path.display())]
    Password { path: PathBuf },

    /// This user has no home folder for the data.
    #[error("this user has no home folder: say where the data goes with --data-dir")]
    NoHome,

    #[error("cannot {doing}")]
    Io { doing: String, source: io::Error },

    #[error("cannot {doing}")]
    Database { doing: &'static str, source: sqlx::Error },

    #[error(transparent)]
    Command(#[from] CommandError),
}

/// Why the packages of Debian were not fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// Packages are fetched for Debian alone.
    #[error("packages are fetched on Debian only, this is {system}")]
    NotDebian { system: String },

    #[error("packages are fetched for amd64 and arm64 only, this is {0}")]
    Architecture(String),

    /// apt has no source with Debian's main component.
    #[error("apt names no mirror of Debian here (see /etc/apt/sources.list.d)")]
    NoMirror,

    /// The keys that sign Debian 13 are missing or older than Debian 13.
    #[error("{} has no key of Debian 13: update the package debian-archive-keyring (2023.3+deb12u2 or newer)", keyring.display())]
    Keyring { keyring: PathBuf },

    /// Mostly: no network.
    #[error("apt-get cannot {doing}: {said}")]
    Apt { doing: &'static str, said: String },

    /// The packages came, but what they hold does not run or is not what was expected.
    #[error("the fetched packages are not usable: {0}")]
    Unusable(String),

    /// The disk may be full: the packages need 600 MB while they are unpacked.
    #[error("cannot {doing}")]
    Io { doing: String, source: io::Error },

    #[error(transparent)]
    Command(#[from] CommandError),
}

/// Another program could not be run, or failed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    #[error("cannot run {}", program.display())]
    NotRun { program: PathBuf, source: io::Error },
    #[error("{} failed ({status}): {said}", program.display())]
    Failed { program: PathBuf, status: ExitStatus, said: String },
}

/// For `map_err`: says what was being done to which path.
pub(super) fn doing(what: &'static str, path: &std::path::Path) -> impl FnOnce(io::Error) -> LocalError {
    let doing = format!("{what} {}", path.display());
    move |source| LocalError::Io { doing, source }
}

/// The same for a fetch.
pub(super) fn fetching(what: &'static str, path: &std::path::Path) -> impl FnOnce(io::Error) -> FetchError {
    let doing = format!("{what} {}", path.display());
    move |source| FetchError::Io { doing, source }
}

/// The error's text and those of its sources, in one line; some errors repeat their source in their own text.
pub(super) fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let said = error.to_string();
        if !text.contains(&said) {
            text.extend([": ", &said]);
        }
        source = error.source();
    }
    text
}

fn pids_text(pids: &[i32]) -> String {
    let pids: Vec<_> = pids.iter().map(ToString::to_string).collect();
    match pids.as_slice() {
        [] => String::new(),
        [pid] => format!(" by process {pid}"),
        pids => format!(" by processes {}", pids.join(", ")),
    }
}

fn passed_over_text(passed_over: &[PassedOver]) -> String {
    if passed_over.is_empty() {
        return String::new();
    }
    let each: Vec<_> = passed_over.iter().map(ToString::to_string).collect();
    format!(" ({})", each.join("; "))
}
