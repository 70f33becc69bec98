//! Start, stop, status.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tokio::net::UnixStream;

use super::cluster::{Cluster, NAME};
use super::error::doing;
use super::launch::{Begun, RECOVERY, launch, wait_until_ready};
use super::postmaster::{Phase, Postmaster, is_alive};
use super::provision::provision;
use super::users::{Membership, Wish};
use super::{Installation, LocalConfig, LocalError, Progress, file_lock};

const GLANCE: Duration = Duration::from_millis(25);
/// A live server accepts on its socket at once, however busy it is.
const ALIVE: Duration = Duration::from_secs(1);

const RETRY: Duration = Duration::from_millis(100);
/// A server that was killed is gone within this time, however much memory it had.
const DYING: Duration = Duration::from_secs(10);
/// SQLSTATE of a server that is starting, recovering or stopping.
const CANNOT_CONNECT_NOW: &str = "57P03";

/// The local server of one data folder.
#[derive(Debug, Clone)]
pub struct Server {
    config: LocalConfig,
}

/// What the server is doing.
#[derive(Debug)]
pub enum Status {
    /// There is no cluster yet.
    Absent,
    Stopped,
    /// Starting, or recovering from a crash.
    Starting {
        pid: i32,
    },
    Stopping {
        pid: i32,
    },
    Running(Running),
}

/// Which process the server owes its life to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartedBy {
    /// This call of [`Server::start`].
    Us,
    /// It was running before.
    Before,
}

/// What a stop does about others who use the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Refuses to take it from them.
    IfUnused,
    /// Ends their connections.
    Anyway,
}

/// What became of the server when somebody left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Left {
    /// Nobody else used it: it was stopped.
    Stopped,
    /// It was not running any more.
    NotRunning,
    /// Others use it; their process ids, as far as the system tells. The last of them stops it.
    InUse(Vec<i32>),
    /// It goes on until it is stopped on purpose, as [`Server::keep`] asked.
    Kept,
}

/// A server that takes connections, and how to reach it.
#[derive(Clone)]
pub struct Running {
    pid: i32,
    port: u16,
    socket_dir: PathBuf,
    password: String,
    started_by: StartedBy,
}

impl Server {
    /// Names the server; touches nothing.
    #[must_use]
    pub fn new(config: LocalConfig) -> Self {
        Self { config }
    }

    #[must_use]
    pub fn config(&self) -> &LocalConfig {
        &self.config
    }

    /// Finds the running server, or starts it, making whatever is missing first: programs, cluster, database, extension. Recovers
    /// from a crash or a power cut. Two processes may call it at once: the second finds the first's server.
    ///
    /// A server that this call starts goes on until the last of its users [leaves](Self::leave), unless [`Self::keep`] is called.
    /// Dropping the future tells a server that it was starting to stop.
    ///
    /// # Errors
    /// [`LocalError`]; nothing is left behind that keeps a second call from succeeding once the cause is gone.
    pub async fn start(&self, progress: Progress<'_>) -> Result<Running, LocalError> {
        let cluster = Cluster::new(&self.config)?;
        cluster.make_folders()?;
        let _lock = lock(&cluster, progress).await?;
        let running = self.start_under_lock(&cluster, progress).await?;
        if running.started_by == StartedBy::Us || cluster.wish() == Wish::Stopped {
            cluster.set_wish(Wish::WhileUsed)?;
        }
        Ok(running)
    }

    /// The same for a server that has crashed: how long it goes on stays as it was.
    ///
    /// # Errors
    /// [`LocalError::StoppedOnPurpose`] where it has not crashed but was stopped; else as [`Self::start`].
    pub async fn start_again(&self, progress: Progress<'_>) -> Result<Running, LocalError> {
        let cluster = Cluster::new(&self.config)?;
        cluster.make_folders()?;
        let _lock = lock(&cluster, progress).await?;
        if cluster.wish() == Wish::Stopped {
            return Err(LocalError::StoppedOnPurpose);
        }
        self.start_under_lock(&cluster, progress).await
    }

    /// Makes the server go on, from now on, until [`Self::stop`].
    ///
    /// # Errors
    /// Files that this user may not write.
    pub async fn keep(&self, progress: Progress<'_>) -> Result<(), LocalError> {
        let cluster = Cluster::new(&self.config)?;
        let _lock = lock(&cluster, progress).await?;
        cluster.set_wish(Wish::Keep)
    }

    /// Counts this process among those who use the server, whether it runs yet or not. To be called before [`Self::start`] or
    /// [`Self::status`]: then nobody stops the server in between.
    ///
    /// # Errors
    /// Files that this user may not write.
    pub async fn join(&self, progress: Progress<'_>) -> Result<Membership, LocalError> {
        let cluster = Cluster::new(&self.config)?;
        cluster.make_folders()?;
        cluster.users().join(progress).await
    }

    /// Stops the server as [`Self::stop`] does if nobody else uses it and nobody asked for it to be [kept](Self::keep).
    ///
    /// # Errors
    /// As [`Self::stop`].
    pub async fn leave(
        &self,
        membership: Membership,
        limit: Duration,
        progress: Progress<'_>,
    ) -> Result<Left, LocalError> {
        let cluster = Cluster::new(&self.config)?;
        // Of several who leave at once the last one to get the lock finds nobody.
        let _lock = lock(&cluster, progress).await?;
        drop(membership);
        let users = cluster.users();
        let Some(_nobody) = users.nobody()? else { return Ok(Left::InUse(users.pids())) };
        if cluster.wish() == Wish::Keep {
            return Ok(Left::Kept);
        }
        Ok(if end(&cluster, limit).await? { Left::Stopped } else { Left::NotRunning })
    }

    async fn start_under_lock(&self, cluster: &Cluster, progress: Progress<'_>) -> Result<Running, LocalError> {
        let mut begun = Begun::default();
        let started = self.find_or_launch_and_provision(cluster, progress, &mut begun).await;
        begun.keep();
        started
    }

    async fn find_or_launch_and_provision(
        &self,
        cluster: &Cluster,
        progress: Progress<'_>,
        process: &mut Begun,
    ) -> Result<Running, LocalError> {
        let begun = Instant::now();
        let mut by_us = StartedBy::Before;
        loop {
            let (postmaster, started_by) = self.find_or_launch(cluster, progress, process).await?;
            if started_by == StartedBy::Us {
                by_us = StartedBy::Us;
            }
            let running = Running::new(cluster, postmaster, by_us)?;
            match provision(&running.connect_options()).await {
                Ok(()) => return Ok(running),
                Err(LocalError::Database { source, .. })
                    if patience(&source).is_some_and(|limit| begun.elapsed() < limit) =>
                {
                    tokio::time::sleep(RETRY).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// A server that is ready by its own account.
    async fn find_or_launch(
        &self,
        cluster: &Cluster,
        progress: Progress<'_>,
        process: &mut Begun,
    ) -> Result<(Postmaster, StartedBy), LocalError> {
        match Postmaster::find(&cluster.data())? {
            Some(ready) if ready.phase == Phase::Ready => return Ok((ready, StartedBy::Before)),
            Some(starting) if starting.phase == Phase::Starting => {
                return Ok((wait_until_ready(cluster, None).await?, StartedBy::Before));
            }
            // However long it takes: a second server on the same files would be worse. `status` shows it meanwhile.
            Some(stopping) => wait_for_end(cluster, &stopping, Duration::MAX).await?,
            None => {}
        }
        let installation = Installation::find_or_fetch(&self.config, progress).await?;
        cluster.create(&installation, progress).await?;
        cluster.check_version(&installation)?;
        // A server that nobody can log in to is not worth starting.
        cluster.password()?;
        Ok((launch(cluster, &installation, progress, process).await?, StartedBy::Us))
    }

    /// Stops the server, ending its connections (PostgreSQL's fast mode), and waits for its checkpoint and its end. `false` if it
    /// was not running. From then on only [`Self::start`] starts it.
    ///
    /// # Errors
    /// [`LocalError::InUse`] where others use it and `stop` respects that; [`LocalError::StopTimedOut`] after `limit`: the server
    /// goes on shutting down.
    pub async fn stop(&self, stop: Stop, limit: Duration, progress: Progress<'_>) -> Result<bool, LocalError> {
        let cluster = Cluster::new(&self.config)?;
        if !cluster.exists() {
            return Ok(false);
        }
        let _lock = lock(&cluster, progress).await?;
        let users = cluster.users();
        let nobody = users.nobody()?;
        if nobody.is_none() && stop == Stop::IfUnused {
            return Err(LocalError::InUse { pids: users.pids() });
        }
        cluster.set_wish(Wish::Stopped)?;
        end(&cluster, limit).await
    }

    /// Looks without changing anything.
    ///
    /// # Errors
    /// Files that this user may not read.
    pub fn status(&self) -> Result<Status, LocalError> {
        let cluster = Cluster::new(&self.config)?;
        if !cluster.exists() {
            return Ok(Status::Absent);
        }
        let Some(found) = Postmaster::find(&cluster.data())? else { return Ok(Status::Stopped) };
        let pid = found.pid.as_raw_pid();
        Ok(match found.phase {
            Phase::Starting => Status::Starting { pid },
            Phase::Stopping => Status::Stopping { pid },
            Phase::Ready => Status::Running(Running::new(&cluster, found, StartedBy::Before)?),
        })
    }
}

impl Running {
    fn new(cluster: &Cluster, postmaster: Postmaster, started_by: StartedBy) -> Result<Self, LocalError> {
        let Postmaster { pid, port, socket_dir, .. } = postmaster;
        let pid = pid.as_raw_pid();
        Ok(Self { pid, port, socket_dir, password: cluster.password()?, started_by })
    }

    /// A URL over loopback TCP that psql and every other libpq client takes. It holds the password.
    #[must_use]
    pub fn url(&self) -> String {
        let Self { port, password, .. } = self;
        // The password is letters and digits: nothing to escape.
        format!("postgresql://{NAME}:{password}@127.0.0.1:{port}/{NAME}")
    }

    /// Options for connections over the Unix socket, which is the fastest way. Of the `PG...` variables only `PGOPTIONS` and
    /// `PGAPPNAME` still count.
    #[must_use]
    pub fn connect_options(&self) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(&self.socket_dir)
            .port(self.port)
            .username(NAME)
            .password(&self.password)
            .database(NAME)
            .ssl_mode(PgSslMode::Disable)
    }

    /// Whether the server's socket accepts. Cheap enough for a supervisor to ask every second.
    pub async fn is_alive(&self) -> bool {
        let socket = self.socket_dir.join(format!(".s.PGSQL.{}", self.port));
        matches!(tokio::time::timeout(ALIVE, UnixStream::connect(socket)).await, Ok(Ok(_)))
    }

    /// Process id of the server.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// TCP port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of the Unix socket, which libpq takes as a host.
    #[must_use]
    pub fn socket_dir(&self) -> &Path {
        &self.socket_dir
    }

    #[must_use]
    pub fn started_by(&self) -> StartedBy {
        self.started_by
    }
}

/// How long to go on trying after this error, if at all: the server may be dying, or recovering from the crash of one of its processes.
fn patience(error: &sqlx::Error) -> Option<Duration> {
    match error {
        sqlx::Error::Io(_) => Some(DYING),
        sqlx::Error::Database(error) if error.code().as_deref() == Some(CANNOT_CONNECT_NOW) => Some(RECOVERY),
        _ => None,
    }
}

/// Leaves the password out.
impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pid, port, socket_dir, password: _, started_by } = self;
        f.debug_struct("Running")
            .field("pid", pid)
            .field("port", port)
            .field("socket_dir", socket_dir)
            .field("started_by", started_by)
            .finish_non_exhaustive()
    }
}

/// Stops the server; `false` if it does not run. Call it under the lock.
async fn end(cluster: &Cluster, limit: Duration) -> Result<bool, LocalError> {
    let Some(postmaster) = Postmaster::find(&cluster.data())? else { return Ok(false) };
    match kill_process(postmaster.pid, Signal::INT) {
        // It has just ended.
        Ok(()) | Err(rustix::io::Errno::SRCH) => {}
        Err(error) => return Err(doing("stop the server in", &cluster.data())(error.into())),
    }
    wait_for_end(cluster, &postmaster, limit).await?;
    Ok(true)
}

async fn lock(cluster: &Cluster, progress: Progress<'_>) -> Result<std::fs::File, LocalError> {
    let path = cluster.lock_file();
    file_lock::exclusive(&path, progress).await.map_err(doing("lock", &path))
}

async fn wait_for_end(cluster: &Cluster, postmaster: &Postmaster, limit: Duration) -> Result<(), LocalError> {
    let begun = Instant::now();
    loop {
        // Its file goes with it; a process that nobody has reaped yet still counts as alive, so both are asked.
        let gone = Postmaster::find(&cluster.data())?.is_none_or(|found| found.pid != postmaster.pid);
        if gone || !is_alive(postmaster.pid) {
            return Ok(());
        }
        if begun.elapsed() > limit {
            let pid = postmaster.pid.as_raw_pid();
            return Err(LocalError::StopTimedOut { pid, waited_s: limit.as_secs(), log: cluster.log_dir() });
        }
        tokio::time::sleep(GLANCE).await;
    }
}
