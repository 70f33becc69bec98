//! A server of a benchmark's own, beside the embedded one: its settings are the benchmark's, and nobody's data is on it.

use std::path::{Path, PathBuf};

use anyhow::Context;
use chunkwise::{
    config::Config,
    local::{LocalConfig, Membership, Server, Stop},
    question::Invalid,
};
use sqlx::{ConnectOptions, Connection, Executor, postgres::PgConnectOptions};

use crate::{
    database::{STOP_LIMIT, local_config},
    progress::StartProgress,
};

/// A running server, in a folder of its own.
#[derive(Debug)]
pub(crate) struct OwnServer {
    server: Server,
    membership: Membership,
    options: PgConnectOptions,
    folder: PathBuf,
}

/// What becomes of the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Files {
    /// Somebody is going to go on with what is there.
    Keep,
    Remove,
}

impl OwnServer {
    /// Makes and starts one with so much memory, or starts the one that an interrupted run has left.
    pub(crate) async fn start(config: &Config, shared_buffers_mb: u32) -> anyhow::Result<Self> {
        if config.database.owner().is_some() {
            return Err(Invalid::new(
                "--shared-buffers",
                "is for a server of the benchmark's own: leave --database-url and DATABASE_URL away, or set \
                 shared_buffers on the server that they name and restart it",
            )
            .into());
        }
        let usual = local_config(config)?;
        let folder = usual.data_dir.join("bench");
        let server = Server::new(LocalConfig { data_dir: folder.clone(), cache_dir: usual.cache_dir });
        let is_new = !folder.exists();
        let begun = Self::begin(&server, shared_buffers_mb).await;
        if begun.is_err() && is_new {
            // What does not start with so much memory would not start with less either: the setting is among its files.
            let progress = StartProgress::new();
            drop(server.stop(Stop::Anyway, STOP_LIMIT, &progress.callback()).await);
            drop(tokio::fs::remove_dir_all(&folder).await);
        }
        let what = || format!("starting the benchmark's own database in {}", folder.display());
        let (membership, options) = begun.with_context(what)?;
        Ok(Self { server, membership, options, folder })
    }

    async fn begin(server: &Server, shared_buffers_mb: u32) -> anyhow::Result<(Membership, PgConnectOptions)> {
        let progress = StartProgress::new();
        let told = progress.callback();
        let mut connection = server.start(&told).await?.connect_options().connect().await.context("connecting")?;
        let set = format!("ALTER SYSTEM SET shared_buffers = '{shared_buffers_mb}MB'");
        connection.execute(set.as_str()).await.context("setting shared_buffers")?;
        connection.close().await.context("disconnecting")?;
        // It takes effect at a start. Another benchmark that uses the server is an error here.
        server.stop(Stop::IfUnused, STOP_LIMIT, &told).await.context("restarting")?;
        let membership = server.join(&told).await?;
        let with = || format!("with shared_buffers = {shared_buffers_mb}MB: where that is too much, ask for less");
        Ok((membership, server.start(&told).await.with_context(with)?.connect_options()))
    }

    pub(crate) fn connect_options(&self) -> PgConnectOptions {
        self.options.clone()
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Stops it.
    pub(crate) async fn end(self, files: Files) -> anyhow::Result<()> {
        let progress = StartProgress::new();
        self.server
            .leave(self.membership, STOP_LIMIT, &progress.callback())
            .await
            .context("stopping the benchmark's own database")?;
        if files == Files::Remove {
            let removing = || format!("removing {}", self.folder.display());
            tokio::fs::remove_dir_all(&self.folder).await.with_context(removing)?;
        }
        Ok(())
    }
}
