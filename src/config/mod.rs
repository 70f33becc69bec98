//! Settings: `chunkwise.toml`, then the environment, then flags; a later one wins, key by key.
//!
//! 1. the file: `--config FILE`, else `./chunkwise.toml`, else `chunkwise.toml` in the platform's configuration folder;
//! 2. `DATABASE_URL`, which is `database.url`;
//! 3. `CHUNKWISE_*`, nested by two underscores: `CHUNKWISE_HTTP__LISTEN` is `http.listen`;
//! 4. flags.
//!
//! An unknown key is an error, never ignored: a misspelt limit would otherwise be no limit. Durations are texts such as
//! `250ms`, `10s`, `1h`, `7d`; sizes are integers in bytes. No other module of the library reads the configuration: the
//! binary hands each part what it needs.

mod blocks;
mod database;
mod duration;
mod error;
mod http;
mod ingest;
mod layers;
mod listen;
mod log;
mod measurement;
mod mqtt;
mod place;
mod rollup;
mod secret;
mod source;
mod spool;

use std::{collections::BTreeMap, path::PathBuf};

use serde::Deserialize;

pub use self::{
    blocks::BlocksConfig,
    database::DatabaseConfig,
    error::{ConfigError, InvalidSetting},
    http::{Exposure, HttpConfig, QuestionConfig},
    ingest::{IngestConfig, SameBody},
    layers::{ConfigFile, Setting},
    listen::{LineProtocolConfig, OpenTsdbConfig},
    log::{LogConfig, LogFormat},
    measurement::{ChunkConfig, MeasurementConfig, RowOrderSetting, SetOrNot},
    mqtt::{MqttConfig, MqttPayload, MqttProtocol},
    rollup::{BarsConfig, RollupLevel},
    secret::{Hidden, Secret},
    source::SourceConfig,
    spool::{SpoolConfig, WhenAway},
};

/// All settings, each with its default.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The namespace of commands and of requests that name none.
    pub namespace: String,
    /// Where the embedded server keeps its data; the platform's data folder where it is missing.
    pub data_dir: Option<PathBuf>,
    /// The database.
    pub database: DatabaseConfig,
    /// The HTTP listener.
    pub http: HttpConfig,
    /// The listener for line protocol over TCP.
    pub line_protocol: LineProtocolConfig,
    /// The listener for OpenTSDB.
    pub opentsdb: OpenTsdbConfig,
    /// What questions may cost.
    pub question: QuestionConfig,
    /// What correlations keep.
    pub blocks: BlocksConfig,
    /// What writes may cost, and when two of them are one.
    pub ingest: IngestConfig,
    /// When chunks are finished.
    pub chunk: ChunkConfig,
    /// The widths that bars are kept at, where a measurement says nothing else; none for no bars and no last values.
    pub rollups: Vec<RollupLevel>,
    /// What is set of single measurements, by name.
    pub measurement: BTreeMap<String, MeasurementConfig>,
    /// Brokers to subscribe to.
    pub mqtt: Vec<MqttConfig>,
    /// Foreign feeds to follow.
    pub source: Vec<SourceConfig>,
    /// What happens to writes while the database is away.
    pub spool: SpoolConfig,
    /// Logs, on standard error.
    pub log: LogConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            namespace: "public".to_owned(),
            data_dir: None,
            database: DatabaseConfig::default(),
            http: HttpConfig::default(),
            line_protocol: LineProtocolConfig::default(),
            opentsdb: OpenTsdbConfig::default(),
            question: QuestionConfig::default(),
            blocks: BlocksConfig::default(),
            ingest: IngestConfig::default(),
            chunk: ChunkConfig::default(),
            rollups: RollupLevel::ALL.to_vec(),
            measurement: BTreeMap::new(),
            mqtt: Vec::new(),
            source: Vec::new(),
            spool: SpoolConfig::default(),
            log: LogConfig::default(),
        }
    }
}

impl Config {
    /// Reads the file, then applies `variables` (the process's environment: others than chunkwise's own are passed
    /// over), then `flags`.
    ///
    /// # Errors
    /// A named file that does not exist or is no TOML; a key that does not exist, a value of the wrong type or without
    /// sense, each with where it came from.
    pub fn load(
        file: &ConfigFile,
        variables: impl IntoIterator<Item = (String, String)>,
        flags: impl IntoIterator<Item = Setting>,
    ) -> Result<Self, ConfigError> {
        layers::load(file, variables, flags)
    }

    /// Checks what types cannot say.
    ///
    /// # Errors
    /// The first setting that makes no sense, by its key.
    pub fn validate(&self) -> Result<(), InvalidSetting> {
        check_namespace("namespace", Some(&self.namespace))?;
        if self.data_dir.as_ref().is_some_and(|folder| folder.as_os_str().is_empty()) {
            return Err(InvalidSetting::new("data_dir", "must not be empty"));
        }
        self.database.validate()?;
        self.http.validate()?;
        self.ingest.validate()?;
        for (name, measurement) in &self.measurement {
            measurement.validate(&format!("measurement.{name}"))?;
        }
        for (index, mqtt) in self.mqtt.iter().enumerate() {
            mqtt.validate(&format!("mqtt.{index}"), &self.mqtt[..index])?;
        }
        for (index, source) in self.source.iter().enumerate() {
            source.validate(&format!("source.{index}"))?;
        }
        self.log.validate()
    }
}

fn check_namespace(key: &str, name: Option<&str>) -> Result<(), InvalidSetting> {
    match name {
        Some(name) if name.is_empty() || name.len() > 48 => Err(InvalidSetting::new(key, "must have 1 to 48 bytes")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
