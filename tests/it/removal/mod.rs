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
    let app = App::start(&["up", "--database-url", &database.url()]);
    assert_eq!(app.post("/write?precision=s", lines(0..1).as_bytes()).status, 204);
    let interval = "SELECT set_chunk_time_interval('public_store.m', interval '1 hour')";
    sqlx::query(interval).execute(&mut database.connect().await).await.unwrap();
    // The first chunk is of another length; the rest are an hour's.
    assert_eq!(app.post("/write?precision=s", lines(1..180).as_bytes()).status, 204);
    (database, app)
}

fn ingest(database: &Database) -> Ingest {
    Ingest::start(database.clone(), IngestOptions::default())
}
