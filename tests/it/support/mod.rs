//! A database for each test: a copy of a migrated template, dropped when the test is over.

use std::{fs, path::Path, str::FromStr, time::Duration};

use chunkwise::db::{Database, DatabaseOptions, migrate};
use sqlx::{ConnectOptions, Connection, Executor, PgConnection, postgres::PgConnectOptions};
use tokio::sync::OnceCell;

/// The server that tests make their databases on, as a URL of any of its databases.
pub(crate) fn server_url() -> String {
    std::env::var("DATABASE_URL").expect("DATABASE_URL names the server that tests make their databases on")
}

/// A migrated database of the test's own.
pub(crate) struct TestDatabase {
    name: String,
    pub(crate) database: Database,
}

impl TestDatabase {
    pub(crate) async fn new() -> Self {
        static TEMPLATE: OnceCell<String> = OnceCell::const_new();
        let template = TEMPLATE.get_or_init(make_template).await;
        let name = format!("test_{:016x}", rand::random::<u64>());
        let mut admin = admin().await;
        admin.execute(format!("CREATE DATABASE {name} TEMPLATE {template}").as_str()).await.unwrap();
        admin.close().await.unwrap();
        let options = DatabaseOptions::single(options().database(&name));
        Self { database: Database::new(options), name }
    }

    /// Options of a connection to this database that is none of chunkwise's.
    pub(crate) fn options(&self) -> PgConnectOptions {
        options().database(&self.name)
    }

    /// A connection to this database that is none of chunkwise's.
    pub(crate) async fn connect(&self) -> PgConnection {
        self.options().connect().await.unwrap()
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async { admin().await.execute(sql.as_str()).await.map(|_| ()) })
        });
        if !matches!(dropped.join(), Ok(Ok(()))) && !std::thread::panicking() {
            panic!("the test's database was not dropped");
        }
    }
}

fn options() -> PgConnectOptions {
    PgConnectOptions::from_str(&server_url()).unwrap().log_statements(log::LevelFilter::Off)
}

async fn admin() -> PgConnection {
    options().connect().await.unwrap()
}

/// A database with this source's migrations, made by the first test that ever needs it. Its name says which migrations it
/// has, so that runs share it.
async fn make_template() -> String {
    let mut hasher = blake3::Hasher::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files {
        hasher.update(&fs::read(file).unwrap());
    }
    let template = format!("chunkwise_template_{}", &hasher.finalize().to_hex()[..16]);

    let mut admin = admin().await;
    // One process at a time; the lock goes with the connection.
    admin.execute("SELECT pg_advisory_lock(hashtext('chunkwise test template'))").await.unwrap();
    let there: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1 AND datistemplate)")
            .bind(&template)
            .fetch_one(&mut admin)
            .await
            .unwrap();
    if !there {
        admin.execute(format!("DROP DATABASE IF EXISTS {template} WITH (FORCE)").as_str()).await.unwrap();
        admin.execute(format!("CREATE DATABASE {template} TEMPLATE template0").as_str()).await.unwrap();
        let mut connection = options().database(&template).connect().await.unwrap();
        migrate(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        let finish = format!("ALTER DATABASE {template} IS_TEMPLATE true ALLOW_CONNECTIONS false");
        admin.execute(finish.as_str()).await.unwrap();
    }
    // TimescaleDB's scheduler may still be connected, and would make every copy fail; it does not come back to a template.
    sqlx::query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1")
        .bind(&template)
        .execute(&mut admin)
        .await
        .unwrap();
    wait_until("nobody is connected to the template", async || {
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_stat_activity WHERE datname = $1")
            .bind(&template)
            .fetch_one(&mut admin)
            .await
            .unwrap();
        count == 0
    })
    .await;
    admin.close().await.unwrap();
    template
}

/// Asks again and again until it is so; fails after ten seconds.
pub(crate) async fn wait_until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let patience = Duration::from_secs(10);
    let asked = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(patience, asked).await.unwrap_or_else(|_| panic!("after {patience:?} still not: {what}"));
}
