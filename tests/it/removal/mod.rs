//! What is taken away, and what goes to sleep: over the port, from a shell, under load.

mod commands;
mod load;
mod retired;
mod routes;

use chunkwise::{
    db::Database,
    ingest::{Ingest, IngestOptions},
};

use crate::support::{App, TestDatabase};

/// Three hours of two series, a row a minute of each, from 2024-01-01 on.
pub(super) fn lines(minutes: std::ops::Range<i64>) -> String {
    minutes
        .flat_map(|minute| ["A", "B"].map(|symbol| format!("m,s={symbol} v={minute} {}", 1_704_067_200 + minute * 60)))
        .collect::<Vec<_>>()
        .join("\n")
}

/// A program on a database, with the three hours in chunks of an hour.
async fn filled() -> (TestDatabase, App) {
    let database = TestDatabase::new().await;
    let app = App::start_with(
        &["up", "--database-url", &database.url()],
        &[("CHUNKWISE_MEASUREMENT__M__CHUNK_INTERVAL", "1h")],
    );
    assert_eq!(app.post("/write?precision=s", lines(0..180).as_bytes()).status, 204);
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM show_chunks('public_store.m')").await, 3);
    (database, app)
}

fn ingest(database: &Database) -> Ingest {
    Ingest::start(database.clone(), IngestOptions::default())
}
