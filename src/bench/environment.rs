//! Where figures were measured.

use std::{collections::BTreeMap, fmt, fs};

use chrono::{SecondsFormat, Utc};
use serde::Serialize;
use sqlx::{PgConnection, Row};

use super::BenchError;
use crate::{db, feed::AssetsOptions};

/// Settings of the server that a rate of writes depends on.
const SETTINGS: [&str; 10] = [
    "shared_buffers",
    "max_wal_size",
    "checkpoint_timeout",
    "wal_compression",
    "synchronous_commit",
    "fsync",
    "full_page_writes",
    "wal_level",
    "jit",
    "max_connections",
];

/// Machine, server and settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Environment {
    /// When the benchmark began, RFC 3339 in UTC.
    pub date: String,
    /// This program's version.
    pub chunkwise: String,
    /// The revision of its source, where it is a release and the history was there; `-dirty` behind it means that it differs.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub revision: String,
    /// What all made-up data begin from: equal seeds give equal data.
    pub seed: u64,
    /// How it was compiled: `release` or `debug`. Figures of the latter say nothing about the former.
    pub build: String,
    /// The processor's model, as the system calls it.
    pub cpu: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// The machine's memory.
    pub memory_bytes: u64,
    /// The system and its version.
    pub kernel: String,
    /// PostgreSQL's version; this and what follows is left out where there was no server.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub postgres: String,
    /// TimescaleDB's version.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub timescaledb: String,
    /// TimescaleDB's edition.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub edition: String,
    /// The server's settings that matter.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
}

impl Environment {
    /// Reads this machine, and asks the server.
    pub(super) async fn read(connection: &mut PgConnection) -> Result<Self, BenchError> {
        let server = db::check_server(connection).await?;
        let rows = sqlx::query("SELECT name, current_setting(name) AS value FROM pg_settings WHERE name = ANY ($1)")
            .bind(SETTINGS)
            .fetch_all(connection)
            .await?;
        let mut settings = BTreeMap::new();
        for row in rows {
            settings.insert(row.try_get("name")?, row.try_get("value")?);
        }
        Ok(Self {
            postgres: server.postgres,
            timescaledb: server.timescaledb,
            edition: server.edition.to_string(),
            settings,
            ..Self::without_server()
        })
    }

    /// Reads this machine.
    pub(super) fn without_server() -> Self {
        let system = rustix::system::uname();
        Self {
            date: Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true),
            chunkwise: env!("CARGO_PKG_VERSION").to_owned(),
            revision: option_env!("BUILD_REVISION").unwrap_or_default().to_owned(),
            seed: AssetsOptions::default().seed,
            build: if cfg!(debug_assertions) { "debug" } else { "release" }.to_owned(),
            cpu: cpu_model(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: meminfo("MemTotal:").unwrap_or(0),
            kernel: format!("{} {}", system.sysname().to_string_lossy(), system.release().to_string_lossy()),
            ..Self::default()
        }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gib = self.memory_bytes >> 30;
        let revision = if self.revision.is_empty() { String::new() } else { format!(", {}", self.revision) };
        write!(
            f,
            "chunkwise {} ({}{revision}) on {}, {} cores, {gib} GiB, {}, seed {}",
            self.chunkwise, self.build, self.cpu, self.cores, self.kernel, self.seed
        )?;
        if self.postgres.is_empty() {
            return Ok(());
        }
        write!(f, "\nPostgreSQL {}, TimescaleDB {} ({})", self.postgres, self.timescaledb, self.edition)?;
        for (name, value) in &self.settings {
            write!(f, ", {name} {value}")?;
        }
        Ok(())
    }
}

fn cpu_model() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    model.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, model)| model.trim().to_owned())
}

/// The memory that programs can still have; `None` where the system does not tell.
pub(super) fn available_memory_bytes() -> Option<u64> {
    meminfo("MemAvailable:")
}

fn meminfo(name: &str) -> Option<u64> {
    kibibytes(&fs::read_to_string("/proc/meminfo").ok()?, name)
}

/// A line such as `MemTotal:   24689604 kB`, in bytes.
pub(super) fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let kib: u64 = text.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok())?;
    kib.checked_mul(1024)
}
