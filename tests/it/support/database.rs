//! A migrated database per test, copied from a template.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use chunkwise::db::{self, Database, DatabaseOptions};
use sqlx::{ConnectOptions, Connection, Executor, PgConnection, postgres::PgConnectOptions};
use tokio::sync::OnceCell;

use super::server;

/// A test's database outlives its process at most this long.
const LEFTOVER: Duration = Duration::from_secs(3600);
/// One maker of templates at a time, among all processes that test on this server.
const LOCK: i64 = 0x6377_7465_7374;

static TEMPLATE: OnceCell<String> = OnceCell::const_new();
static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A database of a test's own, migrated, dropped at the end.
#[derive(Debug)]
pub(crate) struct TestDatabase {
    name: String,
    server: PgConnectOptions,
    /// The library's pools on it.
    pub(crate) database: Database,
}

impl TestDatabase {
    /// Copies the template.
    pub(crate) async fn new() -> Self {
        Self::with(|options| options).await
    }

    /// The same with pools of other settings than the defaults.
    pub(crate) async fn with(settings: impl FnOnce(DatabaseOptions) -> DatabaseOptions) -> Self {
        let server = server::options().await;
        let template = TEMPLATE.get_or_init(|| make_template(server.clone())).await;
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("chunkwise_test_{seconds}_{}_{number}", std::process::id());
        let mut connection = server.connect().await.unwrap();
        connection.execute(format!("CREATE DATABASE {name} TEMPLATE {template}").as_str()).await.unwrap();
        // A role's settings for a database are not copied with it; the role may be named like the schema `chunkwise`.
        connection.execute(format!("ALTER DATABASE {name} SET search_path = public").as_str()).await.unwrap();
        connection.close().await.unwrap();
        let options = DatabaseOptions::single(server.clone().database(&name));
        Self { name, server, database: Database::new(settings(options)) }
    }

    /// How to connect to it.
    pub(crate) fn options(&self) -> PgConnectOptions {
        self.server.clone().database(&self.name)
    }

    /// Its URL, for the program's `--database-url`.
    pub(crate) fn url(&self) -> String {
        self.options().to_url_lossy().to_string()
    }

    /// A connection as an analyst has it.
    pub(crate) async fn connect(&self) -> PgConnection {
        self.options().connect().await.unwrap()
    }

    /// One value.
    pub(crate) async fn scalar<T>(&self, sql: &str) -> T
    where
        T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
    {
        let mut connection = self.connect().await;
        let value =
            sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        connection.close().await.unwrap();
        value
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let (name, server) = (self.name.clone(), self.server.clone());
        // The test's runtime may be ending: a thread and a runtime of its own.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let mut connection = server.connect().await?;
                connection.execute(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)").as_str()).await?;
                connection.close().await
            })
        });
        // A leftover is swept by a later run.
        drop(dropped.join());
    }
}

/// The template's name says which migrations it holds, so that it is made once for many runs.
async fn make_template(server: PgConnectOptions) -> String {
    let name = format!("chunkwise_template_{}_{}", db::latest_version(), migrations_hash());
    let mut connection = server.connect().await.unwrap();
    sqlx::query("SELECT pg_advisory_lock($1)").bind(LOCK).execute(&mut connection).await.unwrap();
    sweep(&mut connection).await;
    let there: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1 AND datistemplate)")
            .bind(&name)
            .fetch_one(&mut connection)
            .await
            .unwrap();
    if !there {
        connection.execute(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)").as_str()).await.unwrap();
        connection
            .execute(format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'").as_str())
            .await
            .unwrap();
        let mut own = server.clone().database(&name).connect().await.unwrap();
        db::migrate(&mut own).await.unwrap();
        own.close().await.unwrap();
        let alter = format!("ALTER DATABASE {name} IS_TEMPLATE true ALLOW_CONNECTIONS false");
        connection.execute(alter.as_str()).await.unwrap();
        // TimescaleDB's scheduler is still in it, and does not come back to a template.
        sqlx::query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1")
            .bind(&name)
            .execute(&mut connection)
            .await
            .unwrap();
    }
    connection.close().await.unwrap();
    name
}

fn migrations_hash() -> String {
    let mut hasher = blake3::Hasher::new();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files {
        hasher.update(&std::fs::read(file).unwrap());
    }
    hasher.finalize().to_hex().chars().take(12).collect()
}

/// Drops what crashed runs left behind.
async fn sweep(connection: &mut PgConnection) {
    let before = SystemTime::now().checked_sub(LEFTOVER).unwrap().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let names: Vec<String> = sqlx::query_scalar(
        r"SELECT datname::text FROM pg_database
          WHERE datname ~ '^chunkwise_test_\d+_' AND split_part(datname, '_', 3)::int8 < $1",
    )
    .bind(i64::try_from(before).unwrap())
    .fetch_all(&mut *connection)
    .await
    .unwrap();
    for name in names {
        connection.execute(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)").as_str()).await.unwrap();
    }
}
