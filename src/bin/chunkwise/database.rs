//! Which database a command works on: the configured one, else the embedded one.

use anyhow::Context;
use chunkwise::{
    config::{Config, Secret},
    db::{self, Database, DatabaseOptions, Role, Roles},
    local::{Left, LocalConfig, Membership, Running, Server, StartedBy, Status},
};
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};

use crate::progress::StartProgress;

/// No database is configured, and the embedded one does not run.
#[derive(Debug, thiserror::Error)]
#[error(
    "there is no database: the embedded one is not running (start it with `chunkwise up` or `chunkwise db start`), and \
     neither --database-url nor DATABASE_URL names another"
)]
pub(crate) struct NoDatabase;

/// What to do about an embedded server that is needed and does not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Embedded {
    /// Start it, fetching it first if need be.
    Start,
    /// Fail with [`NoDatabase`]: a question is no reason to start a server.
    MustRun,
}

/// A database to work on, and the embedded server where it is that.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) database: Database,
    /// The embedded server, where it is the database.
    pub(crate) embedded: Option<Use>,
}

/// The embedded server, which others do not stop while this is held.
#[derive(Debug)]
pub(crate) struct Use {
    pub(crate) server: Server,
    membership: Membership,
    started_by: StartedBy,
}

impl Place {
    /// A database for reading and writing. Roles without a URL of their own are the embedded server's.
    pub(crate) async fn for_everything(config: &Config, embedded: Embedded) -> anyhow::Result<Self> {
        let settings = &config.database;
        match (settings.owner(), settings.writer(), settings.reader()) {
            (Some(owner), Some(writer), Some(reader)) => {
                Ok(Self::new(config, parse(owner)?, parse(writer)?, parse(reader)?, None))
            }
            (owner, writer, reader) => {
                let (running, used) = embedded.server(config).await?;
                let role = |url: Option<&Secret>| url.map_or_else(|| Ok(running.connect_options()), parse);
                Ok(Self::new(config, role(owner)?, role(writer)?, role(reader)?, Some(used)))
            }
        }
    }

    /// A database for questions alone: only the reader's URL is needed, so it may be a replica's.
    pub(crate) async fn for_questions(config: &Config) -> anyhow::Result<Self> {
        let (reader, used) = match config.database.reader() {
            Some(url) => (parse(url)?, None),
            None => {
                let (running, used) = Embedded::MustRun.server(config).await?;
                (running.connect_options(), Some(used))
            }
        };
        Ok(Self::new(config, reader.clone(), reader.clone(), reader, used))
    }

    fn new(
        config: &Config,
        owner: PgConnectOptions,
        writer: PgConnectOptions,
        reader: PgConnectOptions,
        embedded: Option<Use>,
    ) -> Self {
        let settings = &config.database;
        let options = DatabaseOptions {
            owner,
            writer,
            reader,
            reader_connections: settings.reader_connections.get(),
            statement_timeout: settings.statement_timeout,
            acquire_timeout: settings.connect_timeout,
        };
        Self { database: Database::new(options), embedded }
    }

    /// Makes sure that the server can be relied on, and brings its schema up to date.
    pub(crate) async fn prepare(&self) -> anyhow::Result<()> {
        let mut connection = self.database.connect(Role::Owner).await.context("connecting to the database")?;
        db::ensure_extension(&mut connection).await?;
        let server = db::check_server(&mut connection).await?;
        let migrated = db::migrate(&mut connection).await?;
        set_up_roles(&mut connection).await;
        tracing::info!(
            postgres = server.postgres,
            timescaledb = server.timescaledb,
            edition = %server.edition,
            schema = migrated.version,
            applied = migrated.applied.len(),
            "the database is ready"
        );
        connection.close().await.context("disconnecting")
    }

    /// Makes sure that the schema is this program's, without changing anything.
    pub(crate) async fn verify(&self) -> anyhow::Result<()> {
        let mut connection = self.database.connect(Role::Reader).await.context("connecting to the database")?;
        db::verify(&mut connection).await?;
        connection.close().await.context("disconnecting")
    }

    /// Disconnects; an embedded server that was started goes on, for the commands that come next.
    pub(crate) async fn leave(self) -> anyhow::Result<()> {
        self.database.close().await;
        if let Some(Use { server, started_by: StartedBy::Us, .. }) = &self.embedded {
            server.keep(&StartProgress::new().callback()).await.context("keeping the embedded database running")?;
        }
        Ok(())
    }

    /// Disconnects, and stops the embedded server unless others use it or `db start` asked for it to go on.
    pub(crate) async fn close(self) -> anyhow::Result<()> {
        self.database.close().await;
        let Some(Use { server, membership, .. }) = self.embedded else { return Ok(()) };
        let left = server
            .leave(membership, STOP_LIMIT, &StartProgress::new().callback())
            .await
            .context("stopping the embedded database")?;
        match left {
            Left::Stopped => tracing::info!("the embedded database is stopped"),
            Left::NotRunning => {}
            Left::InUse(pids) => tracing::info!(?pids, "the embedded database goes on: other processes use it"),
            Left::Kept => {
                tracing::info!("the embedded database goes on, as it was asked to; `chunkwise db stop` stops it");
            }
        }
        Ok(())
    }
}

/// Makes the roles and brings their rights in order. Without them everything works with the rights of whoever is connected.
pub(crate) async fn set_up_roles(connection: &mut PgConnection) {
    match db::ensure_roles(connection).await {
        Ok(Roles::Ready) => {}
        Ok(Roles::NotAllowed) => tracing::debug!("this role may not make roles; see docs/configuration.md"),
        Err(error) => {
            tracing::warn!(
                error = %error,
                "the rights of chunkwise_writer and chunkwise_reader could not be set up; `chunkwise db doctor` tells them"
            );
        }
    }
}

/// A fast shutdown writes a checkpoint, which takes as long as the disk does.
pub(crate) const STOP_LIMIT: std::time::Duration = std::time::Duration::from_secs(60);

impl Embedded {
    async fn server(self, config: &Config) -> anyhow::Result<(Running, Use)> {
        let server = Server::new(local_config(config)?);
        if self == Self::MustRun && matches!(server.status()?, Status::Absent | Status::Stopped) {
            return Err(NoDatabase.into());
        }
        let membership = server.join(&StartProgress::new().callback()).await?;
        let running = match (self, server.status()?) {
            (Self::MustRun, Status::Running(running)) => running,
            // Also where it seems to run: a server that was killed a moment ago still does, and only trying it tells.
            (Self::Start, _) | (Self::MustRun, Status::Starting { .. }) => start(&server).await?,
            (Self::MustRun, _) => return Err(NoDatabase.into()),
        };
        let started_by = running.started_by();
        Ok((running, Use { server, membership, started_by }))
    }
}

/// Starts the embedded server, or finds it running.
pub(crate) async fn start(server: &Server) -> anyhow::Result<Running> {
    let progress = StartProgress::new();
    server.start(&progress.callback()).await.context("starting the embedded database")
}

/// Where the embedded server's files go.
pub(crate) fn local_config(config: &Config) -> anyhow::Result<LocalConfig> {
    let usual = LocalConfig::default_for_this_user();
    match &config.data_dir {
        Some(data_dir) => {
            // An account without a home still has the folder it names.
            let cache_dir = usual.map_or_else(|_| data_dir.join("cache"), |usual| usual.cache_dir);
            Ok(LocalConfig { data_dir: data_dir.clone(), cache_dir })
        }
        None => Ok(usual?),
    }
}

/// Reads a URL as the database driver wants it.
pub(crate) fn parse(url: &Secret) -> anyhow::Result<PgConnectOptions> {
    url.expose().parse().with_context(|| format!("reading the database URL {url}"))
}
