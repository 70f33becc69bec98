//! `chunkwise feed` against the service, and the proof of `chunkwise feed --verify`.

mod doubt;
mod kinds;
mod planted;
mod protocols;

use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{App, TestDatabase, run};

/// The faults that a proof counts.
const FAULTS: [&str; 7] = ["lost", "twice", "phantom", "wrong", "torn", "ledger_without_rows", "root_rows"];

/// A database, a service that writes to it, and a folder for journals.
#[derive(Debug)]
struct Stand {
    database: TestDatabase,
    app: App,
    folder: TempDir,
}

impl Stand {
    async fn new() -> Self {
        let database = TestDatabase::new().await;
        let app = App::start(&["up", "--database-url", &database.url()]);
        Self { database, app, folder: TempDir::new().unwrap() }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The arguments of a feed into the measurement `fed` with the journal `journal`.
    fn arguments<'a>(journal: &'a str, url: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let mut arguments = vec!["feed", "--measurement", "fed", "--journal", journal, "--url", url, "--json", "-"];
        arguments.extend_from_slice(more);
        arguments
    }

    /// Sends a feed to the service; gives the exit code and the summary.
    fn feed(&self, more: &[&str]) -> (i32, Value) {
        let journal = self.file("journal").to_str().unwrap().to_owned();
        let finished = run(&Self::arguments(&journal, &self.app.base, more));
        let summary = serde_json::from_slice(&finished.stdout).unwrap_or_else(|_| panic!("{}", finished.stderr));
        (finished.code, summary)
    }

    /// Compares the database with the journal; gives the exit code and the proof.
    fn verify(&self) -> (i32, Value) {
        let journal = self.file("journal");
        let arguments = ["feed", "--verify", journal.to_str().unwrap(), "--json", "-"];
        let finished = run(&[&arguments[..], &["--database-url", &self.database.url()]].concat());
        let proof = serde_json::from_slice(&finished.stdout).unwrap_or_else(|_| panic!("{}", finished.stderr));
        (finished.code, proof)
    }

    /// The proof must find so many of these faults, and no other.
    #[track_caller]
    fn assert_found(&self, expected: &[(&str, u64)]) -> Value {
        let (code, proof) = self.verify();
        for fault in FAULTS {
            let count = expected.iter().find(|(name, _)| *name == fault).map_or(0, |(_, count)| *count);
            assert_eq!(proof[fault], count, "{fault}: {proof:#}");
        }
        assert_eq!(code, i32::from(!expected.is_empty()), "{proof:#}");
        proof
    }

    /// Runs a statement as an administrator would; gives how many rows it changed.
    async fn execute(&self, sql: &str) -> u64 {
        let mut connection = self.database.connect().await;
        sqlx::query(sql).execute(&mut connection).await.unwrap_or_else(|error| panic!("{sql}: {error}")).rows_affected()
    }
}
