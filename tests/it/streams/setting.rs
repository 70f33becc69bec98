//! The program with a configuration that names who it is to listen to.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use tempfile::TempDir;

use crate::support::{App, Publisher, TestDatabase};

/// A configuration file, and the database that the program is to write to.
pub(super) struct Setting {
    pub(super) database: TestDatabase,
    _folder: TempDir,
    file: PathBuf,
}

impl Setting {
    pub(super) async fn new(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("chunkwise.toml");
        std::fs::write(&file, config).unwrap();
        Self { database: TestDatabase::new().await, _folder: folder, file }
    }

    pub(super) fn start(&self) -> App {
        self.start_on(&self.database.url())
    }

    pub(super) fn start_on(&self, database_url: &str) -> App {
        App::start(&["up", "--config", self.file.to_str().unwrap(), "--database-url", database_url])
    }

    /// Starts it with all that it logs in a file.
    pub(super) fn start_logging(&self, log: &Path) -> App {
        let arguments = ["--log", "debug", "up", "--config", self.file.to_str().unwrap()];
        let database_url = self.database.url();
        App::start_logging(&[&arguments[..], &["--database-url", &database_url]].concat(), log)
    }

    /// How many rows a measurement has; -1 as long as it does not exist.
    pub(super) async fn rows(&self, measurement: &str) -> i64 {
        let there = format!("SELECT to_regclass('{measurement}') IS NOT NULL");
        if !self.database.scalar::<bool>(&there).await {
            return -1;
        }
        self.database.scalar(&format!("SELECT count(*) FROM {measurement}")).await
    }

    pub(super) async fn wait_for_rows(&self, measurement: &str, rows: i64) {
        let arrived = async {
            while self.rows(measurement).await < rows {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let limit = Duration::from_secs(60);
        tokio::time::timeout(limit, arrived).await.unwrap_or_else(|_| panic!("{measurement} has not {rows} rows"));
        assert_eq!(self.rows(measurement).await, rows);
    }
}

/// Until the subscription stands nothing is kept for it: publishes until a first message arrives.
pub(super) async fn wait_for_subscription(setting: &Setting, publisher: &mut Publisher, topic: &str) {
    for number in 0..100 {
        publisher.publish(topic, &format!("ready n={number}i {}", 1_700_000_000_000_000_000_i64 + number)).await;
        for _ in 0..20 {
            if setting.rows("ready").await > 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }
    panic!("nothing that is published arrives");
}
