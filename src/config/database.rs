//! `[database]`: where it is, as whom, and how long to wait for it.

use std::{num::NonZeroU32, time::Duration};

use serde::Deserialize;

use super::{InvalidSetting, Secret, duration};

/// `[database]`
///
/// Three roles, which may be three URLs: the owner creates and alters tables, the writer only adds rows, the reader only
/// reads. With one URL its account needs the rights of all three.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseConfig {
    /// The database; without it chunkwise uses the embedded server of its data folder.
    pub url: Option<Secret>,
    /// For migrations and the growth of tables; `url` where it is missing.
    pub owner_url: Option<Secret>,
    /// For rows; `url` where it is missing.
    pub writer_url: Option<Secret>,
    /// For questions, may be a replica; `url` where it is missing.
    pub reader_url: Option<Secret>,
    /// Connections for questions, which also read the chunks of one question in parallel. Too low: questions queue; too
    /// high: they take the server's memory and cores from the writers.
    pub reader_connections: NonZeroU32,
    /// How long a request waits for a connection. Too short: a server that is starting up looks dead; too long: clients
    /// wait before they get their 503.
    #[serde(deserialize_with = "duration::deserialize")]
    pub connect_timeout: Duration,
    /// How long the server may work on one statement of a question; then the question is answered 504.
    #[serde(deserialize_with = "duration::deserialize")]
    pub statement_timeout: Duration,
}

impl Default for DatabaseConfig {
    fn default() -> Self {
        Self {
            url: None,
            owner_url: None,
            writer_url: None,
            reader_url: None,
            reader_connections: const { NonZeroU32::new(12).expect("a constant above zero") },
            connect_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(60),
        }
    }
}

impl DatabaseConfig {
    /// The owner's URL, where a database is configured.
    #[must_use]
    pub fn owner(&self) -> Option<&Secret> {
        self.owner_url.as_ref().or(self.url.as_ref())
    }

    /// The writer's URL, where a database is configured.
    #[must_use]
    pub fn writer(&self) -> Option<&Secret> {
        self.writer_url.as_ref().or(self.url.as_ref())
    }

    /// The reader's URL, where a database is configured.
    #[must_use]
    pub fn reader(&self) -> Option<&Secret> {
        self.reader_url.as_ref().or(self.url.as_ref())
    }

    pub(super) fn validate(&self) -> Result<(), InvalidSetting> {
        let urls = [
            ("database.url", &self.url),
            ("database.owner_url", &self.owner_url),
            ("database.writer_url", &self.writer_url),
            ("database.reader_url", &self.reader_url),
        ];
        for (key, url) in urls {
            if let Some(url) = url {
                url.check().map_err(|reason| InvalidSetting::new(key, reason))?;
            }
        }
        Ok(())
    }
}
