//! `chunkwise db`

use std::{ffi::OsString, os::unix::process::CommandExt, process::Command as Process};

use anyhow::Context;
use chunkwise::{
    config::Config,
    db::{self, RoleFault},
    local::{self, Check, Installation, Running, Server, Status, Stop, Subject, Verdict},
};
use clap::{Args, Subcommand};
use sqlx::{ConnectOptions, Connection, postgres::PgConnectOptions};

use crate::{
    database::{self, NoDatabase, STOP_LIMIT},
    exit::{Exit, Reported},
    libpq, output,
    progress::StartProgress,
    table,
};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  chunkwise db start && psql \"$(chunkwise db url)\"
  chunkwise db psql -- -c 'SELECT * FROM prices LIMIT 5'
  chunkwise db doctor --database-url postgres://db.example/ticks")]
pub(crate) struct DbArgs {
    #[command(subcommand)]
    command: DbCommand,
}

#[derive(Debug, Subcommand)]
enum DbCommand {
    /// Start the embedded database, making it first if there is none; it goes on when this command ends.
    Start,
    /// Stop the embedded database, unless `up` or another command uses it; nothing committed is lost.
    Stop {
        /// Also where others use it: their connections end, and nobody starts it again but `db start` and `up`
        #[arg(long)]
        force: bool,
    },
    /// Say whether the embedded database runs; exit code 3 if it does not.
    Status,
    /// Print a URL that psql and every other libpq client takes. It holds the password.
    Url,
    /// Open psql on the database; what follows `--` is passed on.
    Psql {
        /// For psql, such as -c 'SELECT 1'
        #[arg(last = true)]
        args: Vec<OsString>,
    },
    /// Bring the database's schema and the rights of chunkwise's roles up to date. `up` and `ingest` do so by themselves.
    Migrate,
    /// Check everything that chunkwise needs of the database, with advice; exit code 1 if something fails,
    /// 3 if the database cannot be reached.
    Doctor,
}

pub(crate) async fn run(args: DbArgs, config: &Config) -> anyhow::Result<()> {
    match args.command {
        DbCommand::Start => {
            let running = start(config).await?;
            output::print(format!("running, process {}, 127.0.0.1:{}\n", running.pid(), running.port()).as_bytes())
        }
        DbCommand::Stop { force } => stop(config, if force { Stop::Anyway } else { Stop::IfUnused }).await,
        DbCommand::Status => status(config),
        DbCommand::Url => output::print(format!("{}\n", url(config)?).as_bytes()),
        DbCommand::Psql { args } => psql(config, &args).await,
        DbCommand::Migrate => migrate(config).await,
        DbCommand::Doctor => doctor(config).await,
    }
}

async fn start(config: &Config) -> anyhow::Result<Running> {
    let server = Server::new(database::local_config(config)?);
    // Held until it is known to be kept, so that nobody who leaves stops it in between.
    let _membership = server.join(&StartProgress::new().callback()).await?;
    let running = database::start(&server).await?;
    server.keep(&StartProgress::new().callback()).await?;
    Ok(running)
}

async fn stop(config: &Config, stop: Stop) -> anyhow::Result<()> {
    let server = Server::new(database::local_config(config)?);
    let was_running = server.stop(stop, STOP_LIMIT, &StartProgress::new().callback()).await?;
    output::print(if was_running { b"stopped\n" } else { b"was not running\n" })
}

fn status(config: &Config) -> anyhow::Result<()> {
    let local = database::local_config(config)?;
    let folder = local.data_dir.join("postgres");
    let folder = folder.display();
    let (text, exit) = match Server::new(local.clone()).status()? {
        Status::Running(running) => {
            let text = format!("running, process {}, 127.0.0.1:{}, data in {folder}", running.pid(), running.port());
            (text, Exit::Success)
        }
        Status::Starting { pid } => (format!("starting, process {pid}, data in {folder}"), Exit::Database),
        Status::Stopping { pid } => (format!("stopping, process {pid}, data in {folder}"), Exit::Database),
        Status::Stopped => (format!("stopped, data in {folder}"), Exit::Database),
        Status::Absent => (format!("there is none in {folder}; `chunkwise db start` makes it"), Exit::Database),
    };
    output::print(format!("{text}\n").as_bytes())?;
    if exit == Exit::Success { Ok(()) } else { Err(Reported(exit).into()) }
}

/// The configured database's URL, else the embedded one's if it runs.
fn url(config: &Config) -> anyhow::Result<String> {
    if let Some(url) = config.database.owner() {
        return libpq::url(url);
    }
    match Server::new(database::local_config(config)?).status()? {
        Status::Running(running) => Ok(running.url()),
        _ => Err(NoDatabase.into()),
    }
}

async fn psql(config: &Config, args: &[OsString]) -> anyhow::Result<()> {
    let (url, password) = libpq::without_password(&url(config)?)?;
    let found = Installation::find(&database::local_config(config)?).await.found;
    let program = found.map_or_else(|| "psql".into(), |installation| installation.program("psql"));
    let mut process = Process::new(&program);
    process.arg(url).args(args);
    if let Some(password) = password {
        // An argument would show in the list of processes.
        process.env("PGPASSWORD", password);
    }
    Err(process.exec()).with_context(|| format!("running {}", program.display()))
}

async fn migrate(config: &Config) -> anyhow::Result<()> {
    let place = database::Place::for_everything(config, database::Embedded::Start).await?;
    let mut connection = place.database.connect(db::Role::Owner).await.context("connecting to the database")?;
    db::ensure_extension(&mut connection).await?;
    db::check_server(&mut connection).await?;
    let migrated = db::migrate(&mut connection).await?;
    database::set_up_roles(&mut connection).await;
    connection.close().await?;
    let text = match migrated.applied.as_slice() {
        [] => format!("up to date at version {}\n", migrated.version),
        applied => format!("applied {} migrations, now at version {}\n", applied.len(), migrated.version),
    };
    place.leave().await?;
    output::print(text.as_bytes())
}

async fn doctor(config: &Config) -> anyhow::Result<()> {
    let local = database::local_config(config)?;
    let (mut checks, connect) = match config.database.owner() {
        Some(url) => {
            let options = database::parse(url)?;
            (local::examine(Subject::Url(&options)).await, Some(options))
        }
        None => {
            let checks = local::examine(Subject::Local(&local)).await;
            let running = match Server::new(local).status() {
                Ok(Status::Running(running)) => Some(running.connect_options()),
                // The checks say so.
                _ => None,
            };
            (checks, running)
        }
    };
    if let Some(options) = connect.filter(|_| !checks.iter().any(|check| check.name == Check::CONNECTION)) {
        checks.extend(roles(&options).await);
    }
    output::print(render(&checks).as_bytes())?;
    let mut failed = checks.iter().filter(|check| check.verdict == Verdict::Fail).peekable();
    if failed.peek().is_none() {
        return Ok(());
    }
    let is_away = failed.any(|check| check.name == Check::CONNECTION);
    Err(Reported(if is_away { Exit::Database } else { Exit::Failure }).into())
}

/// So many faults of the roles are told one by one.
const TOLD_FAULTS: usize = 8;

/// The roles and their rights, where the schema is there already and is this program's.
async fn roles(options: &PgConnectOptions) -> Vec<Check> {
    let examined = async {
        let mut connection = options.connect().await?;
        if db::verify(&mut connection).await.is_err() {
            return Ok(None);
        }
        let faults = db::examine_roles(&mut connection).await?;
        connection.close().await?;
        Ok::<_, sqlx::Error>(Some(faults))
    };
    match examined.await {
        Ok(None) => vec![Check::judged("roles", Verdict::Info, "not looked at: the schema is not this program's", "")],
        Ok(Some(faults)) => role_checks(&faults),
        Err(error) => {
            vec![Check::judged(
                "roles",
                Verdict::Warn,
                format!("{error}"),
                "look with a role that may read the catalogs",
            )]
        }
    }
}

fn role_checks(faults: &[RoleFault]) -> Vec<Check> {
    if faults.is_empty() {
        let found = "chunkwise_owner, chunkwise_writer and chunkwise_reader have the rights that they are to have";
        return vec![Check::judged("roles", Verdict::Ok, found, "")];
    }
    let mut checks: Vec<_> = faults
        .iter()
        .take(TOLD_FAULTS)
        .map(|RoleFault { found, remedy }| {
            let advice = match remedy {
                Some(statement) => format!("{statement}; or `chunkwise db migrate`, which puts all rights right"),
                None => {
                    "`chunkwise db migrate` makes it where the connected role may make roles; else an operator does, \
                         as docs/configuration.md says"
                        .to_owned()
                }
            };
            Check::judged("roles", Verdict::Warn, found, advice)
        })
        .collect();
    if faults.len() > TOLD_FAULTS {
        let found = format!("and {} more", faults.len() - TOLD_FAULTS);
        checks.push(Check::judged("roles", Verdict::Warn, found, "put these right, and look again"));
    }
    checks
}

fn render(checks: &[Check]) -> String {
    let mut table = table::table(["check", "verdict", "found", "advice"].map(str::to_owned));
    for check in checks {
        let verdict = match check.verdict {
            Verdict::Info => "info",
            Verdict::Ok => "ok",
            Verdict::Warn => "warn",
            Verdict::Fail => "FAIL",
        };
        let advice = check.advice.as_deref().map(table::printable).unwrap_or_default();
        table.add_row([check.name, verdict, &table::printable(&check.found), &advice]);
    }
    format!("{table}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_of_roles_come_with_what_to_do_and_not_by_the_hundred() {
        assert_eq!(role_checks(&[])[0].verdict, Verdict::Ok);
        let fault = |remedy: Option<&str>| RoleFault { found: "f".to_owned(), remedy: remedy.map(str::to_owned) };
        let two = role_checks(&[fault(None), fault(Some("REVOKE x FROM y"))]);
        assert!(two.iter().all(|check| check.verdict == Verdict::Warn && check.advice.is_some()), "{two:?}");
        assert!(two[1].advice.as_deref().unwrap().starts_with("REVOKE x FROM y"));
        let many = role_checks(&vec![fault(None); 100]);
        assert_eq!((many.len(), many[TOLD_FAULTS].found.as_str()), (TOLD_FAULTS + 1, "and 92 more"));
    }

    #[test]
    fn a_diagnosis_has_a_line_for_every_check() {
        let check = |name, verdict, advice: Option<&str>| Check {
            name,
            verdict,
            found: "something".to_owned(),
            advice: advice.map(str::to_owned),
        };
        let text = render(&[check("fsync", Verdict::Fail, Some("turn it on")), check("clock", Verdict::Ok, None)]);
        let line = text.lines().find(|line| line.contains("fsync")).unwrap();
        assert!(line.contains("FAIL") && line.contains("turn it on"), "{text}");
        assert!(text.lines().any(|line| line.contains("clock") && line.contains("ok")), "{text}");
    }
}
