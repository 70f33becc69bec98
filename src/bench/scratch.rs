//! The benchmark's own database: made on the given server, dropped at the end.

use std::process;

use chrono::Utc;
use sqlx::{ConnectOptions, Connection, Executor, PgConnection, postgres::PgConnectOptions};

use super::BenchError;
use crate::{
    db::{self, Database, DatabaseOptions},
    hypertable::quote_ident,
};

/// A database that holds nothing but what the benchmark writes.
#[derive(Debug)]
pub(super) struct ScratchDatabase {
    name: String,
    server: PgConnectOptions,
    pub(super) database: Database,
}

impl ScratchDatabase {
    /// Makes it, with chunkwise's schema.
    pub(super) async fn create(server: &PgConnectOptions) -> Result<Self, BenchError> {
        let name = format!("chunkwise_bench_{}_{}", Utc::now().timestamp(), process::id());
        let mut connection = server.connect().await?;
        let create = format!("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'", quote_ident(&name));
        connection.execute(create.as_str()).await?;
        connection.close().await?;
        let database = Database::new(DatabaseOptions::single(server.clone().database(&name)));
        let scratch = Self { name, server: server.clone(), database };
        match scratch.prepare().await {
            Ok(()) => Ok(scratch),
            Err(error) => {
                // The first error is the one worth telling.
                drop(scratch.discard().await);
                Err(error)
            }
        }
    }

    /// One that an earlier benchmark has made and not dropped.
    pub(super) fn open(server: &PgConnectOptions, name: &str) -> Self {
        let database = Database::new(DatabaseOptions::single(server.clone().database(name)));
        Self { name: name.to_owned(), server: server.clone(), database }
    }

    async fn prepare(&self) -> Result<(), BenchError> {
        let mut connection = self.connect().await?;
        db::ensure_extension(&mut connection).await?;
        db::check_server(&mut connection).await?;
        db::migrate(&mut connection).await?;
        Ok(connection.close().await?)
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// How to connect to it.
    pub(super) fn options(&self) -> PgConnectOptions {
        self.server.clone().database(&self.name)
    }

    pub(super) async fn connect(&self) -> Result<PgConnection, BenchError> {
        let options = self.options().log_statements(log::LevelFilter::Off);
        Ok(options.log_slow_statements(log::LevelFilter::Off, std::time::Duration::ZERO).connect().await?)
    }

    /// Leaves it on the server.
    pub(super) async fn keep(self) {
        self.database.close().await;
    }

    /// Drops it, whoever is still connected.
    pub(super) async fn discard(self) -> Result<(), BenchError> {
        self.database.close().await;
        let mut connection = self.server.connect().await?;
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quote_ident(&self.name));
        connection.execute(drop.as_str()).await?;
        Ok(connection.close().await?)
    }
}
