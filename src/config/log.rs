//! `[log]`

use serde::Deserialize;
use tracing_subscriber::filter::{LevelFilter, Targets};

use super::InvalidSetting;

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people; coloured on a terminal.
    #[default]
    Text,
    /// One JSON object a line, for a log collector.
    Json,
}

/// `[log]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// `error`, `warn`, `info`, `debug` or `trace`, also by module: `warn,chunkwise::ingest=debug`.
    pub level: String,
    /// Text or JSON.
    pub format: LogFormat,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Text }
    }
}

impl LogConfig {
    /// The filter that `level` describes. A bare level holds for chunkwise; other crates stay at `warn` unless named.
    ///
    /// # Errors
    /// A text that is no filter.
    pub fn filter(&self) -> Result<Targets, InvalidSetting> {
        let error = || {
            InvalidSetting::new(
                "log.level",
                format!("is `{}`; write error, warn, info, debug or trace, or MODULE=LEVEL pairs", self.level),
            )
        };
        // `Targets` would take a misspelt level for the name of a module.
        if !self.level.split(',').all(|part| part.contains('=') || part.parse::<LevelFilter>().is_ok()) {
            return Err(error());
        }
        let named: Targets = self.level.parse().map_err(|_| error())?;
        match named.default_level() {
            Some(level) if level > tracing::Level::WARN => {
                let quiet = Targets::new().with_default(tracing::Level::WARN).with_target("chunkwise", level);
                Ok(quiet.with_targets(named.iter().map(|(target, level)| (target.to_owned(), level))))
            }
            _ => Ok(named),
        }
    }

    pub(super) fn validate(&self) -> Result<(), InvalidSetting> {
        self.filter().map(drop)
    }
}
