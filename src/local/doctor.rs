//! What is well and what is not with a server, the local one or any other. Data only: the command line renders it.

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

use super::error::with_sources;
use super::installation::OLDEST_TIMESCALEDB;
use super::machine::free_bytes;
use super::{Installation, LocalConfig, Origin, Server, Status};

mod database;

const GIB: u64 = 1 << 30;

/// Which server is looked at.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    /// One given by a URL.
    Url(&'a PgConnectOptions),
    /// The one that chunkwise starts for itself.
    Local(&'a LocalConfig),
}

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Nothing to judge, but good to know.
    Info,
    Ok,
    /// It works, with less speed, safety or function than it could have.
    Warn,
    /// chunkwise does not work, or commits are not durable.
    Fail,
}

/// One line of a diagnosis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// A word or two, such as `free disk`.
    pub name: &'static str,
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
    /// What to do about it; always there for [`Verdict::Warn`] and [`Verdict::Fail`].
    pub advice: Option<String>,
}

impl Check {
    /// The name of the check that fails where the server cannot be asked at all.
    pub const CONNECTION: &str = "connection";

    fn new(name: &'static str, verdict: Verdict, found: impl Into<String>) -> Self {
        Self { name, verdict, found: found.into(), advice: None }
    }

    /// A check that came out this way for a reason that the advice removes; good ones need none.
    #[must_use]
    pub fn judged(name: &'static str, verdict: Verdict, found: impl Into<String>, advice: impl Into<String>) -> Self {
        let advice = (verdict >= Verdict::Warn).then(|| advice.into());
        Self { name, verdict, found: found.into(), advice }
    }
}

/// Looks at a server without changing anything: programs, files, version, extension, durability, settings, disk, clock. What cannot
/// be reached is a check that failed, not an error.
pub async fn examine(subject: Subject<'_>) -> Vec<Check> {
    match subject {
        Subject::Url(options) => {
            let place = options
                .get_socket()
                .map_or_else(|| options.get_host().to_owned(), |socket| socket.display().to_string());
            let database = options.get_database().unwrap_or(options.get_username());
            let found = format!("the one given by URL: {place}, port {}, database {database}", options.get_port());
            let mut checks = vec![Check::new("server", Verdict::Info, found)];
            checks.extend(connect_and_examine(options).await);
            checks
        }
        Subject::Local(config) => examine_local(config).await,
    }
}

async fn examine_local(config: &LocalConfig) -> Vec<Check> {
    let found = format!("chunkwise's own, in {}", config.data_dir.join("postgres").display());
    let mut checks = vec![Check::new("server", Verdict::Info, found)];
    checks.extend(programs(config).await);
    checks.push(match free_bytes(&config.data_dir) {
        Some(bytes) => free_disk(bytes),
        None => Check::judged(
            "free disk",
            Verdict::Warn,
            format!("cannot be asked for {}", config.data_dir.display()),
            "look at that folder's permissions",
        ),
    });
    let (verdict, found, advice) = match Server::new(config.clone()).status() {
        Ok(Status::Running(running)) => {
            let found = format!("running, process {}, port {} on 127.0.0.1", running.pid(), running.port());
            checks.push(Check::new("state", Verdict::Ok, found));
            checks.extend(connect_and_examine(&running.connect_options()).await);
            return checks;
        }
        Ok(Status::Absent) => (Verdict::Info, "no cluster yet; the first start makes it".to_owned(), ""),
        Ok(Status::Stopped) => (Verdict::Warn, "not running".to_owned(), "`chunkwise db start`, or `chunkwise up`"),
        Ok(Status::Starting { pid }) => {
            (Verdict::Warn, format!("starting or recovering, process {pid}"), "wait; its log is in postgres/log")
        }
        Ok(Status::Stopping { pid }) => {
            (Verdict::Warn, format!("stopping, process {pid}"), "wait, then start it again")
        }
        Err(error) => {
            (Verdict::Fail, with_sources(&error), "run this as the user whom the files belong to, or repair them")
        }
    };
    checks.push(Check::judged("state", verdict, found, advice));
    checks
}

async fn programs(config: &LocalConfig) -> Vec<Check> {
    let search = Installation::find(config).await;
    let passed_over = search.passed_over.iter().map(|one| Check::new("passed over", Verdict::Info, one.to_string()));
    let mut checks: Vec<_> = passed_over.collect();
    checks.push(match search.found {
        Some(found) => {
            let origin = match found.origin() {
                Origin::System => "this machine's own",
                Origin::Fetched => "fetched by chunkwise",
            };
            let (major, bin_dir) = (found.major(), found.bin_dir().display());
            let found = format!("PostgreSQL {major} with TimescaleDB {}, {origin}, in {bin_dir}", found.timescaledb());
            Check::new("programs", Verdict::Ok, found)
        }
        None => Check::judged(
            "programs",
            Verdict::Warn,
            "no PostgreSQL with TimescaleDB on this machine",
            "on Debian `chunkwise db start` fetches one; elsewhere install TimescaleDB, use docker compose, or --database-url",
        ),
    });
    checks
}

async fn connect_and_examine(options: &PgConnectOptions) -> Vec<Check> {
    match PgConnection::connect_with(options).await {
        Ok(mut connection) => {
            let examined = database::examine(&mut connection).await;
            // The answers are in; how the connection ends changes none of them.
            drop(connection.close().await);
            examined.unwrap_or_else(|error| {
                let advice = "look at the server's log; the connection was made, but its settings could not be read";
                vec![Check::judged(Check::CONNECTION, Verdict::Fail, with_sources(&error), advice)]
            })
        }
        Err(error) => {
            let advice = "is the server running, and are host, port, user, password and database right?";
            vec![Check::judged(Check::CONNECTION, Verdict::Fail, with_sources(&error), advice)]
        }
    }
}

/// The server keeps up to 8 GB of log of its own, so little room fills fast.
fn free_disk(bytes: u64) -> Check {
    let verdict = if bytes < GIB {
        Verdict::Fail
    } else if bytes < 10 * GIB {
        Verdict::Warn
    } else {
        Verdict::Ok
    };
    Check::judged(
        "free disk",
        verdict,
        format!("{:.1} GiB", bytes as f64 / GIB as f64),
        "make room, or move the data with --data-dir",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_fails_and_a_nearly_full_one_warns() {
        assert_eq!(free_disk(GIB - 1).verdict, Verdict::Fail);
        assert_eq!(free_disk(GIB).verdict, Verdict::Warn);
        assert_eq!(free_disk(10 * GIB).verdict, Verdict::Ok);
        assert_eq!(free_disk(10 * GIB).advice, None);
        assert!(free_disk(0).advice.is_some());
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_a_failed_check() {
        let folder = tempfile::tempdir().unwrap();
        let options = PgConnectOptions::new_without_pgpass().socket(folder.path()).username("nobody").database("none");
        let checks = examine(Subject::Url(&options)).await;
        assert_eq!((checks[0].name, checks[0].verdict), ("server", Verdict::Info));
        assert_eq!((checks[1].name, checks[1].verdict), ("connection", Verdict::Fail));
    }

    #[tokio::test]
    async fn an_empty_data_folder_has_no_cluster_yet_and_stays_empty() {
        let folder = tempfile::tempdir().unwrap();
        let config = LocalConfig { data_dir: folder.path().join("data"), cache_dir: folder.path().join("cache") };
        let checks = examine(Subject::Local(&config)).await;
        let state = checks.iter().find(|check| check.name == "state").unwrap();
        assert_eq!(state.verdict, Verdict::Info, "{checks:?}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
