//! The server that test databases are made on: `DATABASE_URL`'s, else an embedded one of the tests' own, found or
//! fetched and started by the same code as `chunkwise up`.

use std::path::PathBuf;

use chunkwise::local::{LocalConfig, Server, Step};
use sqlx::postgres::PgConnectOptions;
use tokio::sync::OnceCell;

static SERVER: OnceCell<PgConnectOptions> = OnceCell::const_new();

/// How to connect to the server; its database is one that always exists.
pub(super) async fn options() -> PgConnectOptions {
    SERVER.get_or_init(find_or_start).await.clone()
}

async fn find_or_start() -> PgConnectOptions {
    if let Ok(url) = std::env::var("DATABASE_URL") {
        return url.parse().expect("DATABASE_URL is a PostgreSQL URL");
    }
    let usual = LocalConfig::default_for_this_user().expect("this user has a data folder");
    let data_dir = beside(&usual.data_dir);
    let server = Server::new(LocalConfig { data_dir, ..usual });
    let running = server.start(&announce).await.unwrap_or_else(|error| panic!("{:#}", anyhow::Error::from(error)));
    // Over TCP, as `DATABASE_URL`s mostly are: the program under test gets it as a URL.
    running.url().parse().expect("the embedded server's URL is one")
}

/// The tests' own cluster stands beside the user's, so that no test can touch a user's data.
fn beside(data_dir: &std::path::Path) -> PathBuf {
    let mut name = data_dir.file_name().unwrap_or_default().to_owned();
    name.push("-test");
    data_dir.with_file_name(name)
}

fn announce(step: Step) {
    if !matches!(step, Step::Downloading { .. } | Step::Unpacking { .. }) {
        eprintln!("embedded TimescaleDB: {step:?}");
    }
}
