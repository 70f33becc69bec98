//! What is wrong with the settings, where it stands, and what was probably meant.

use std::path::PathBuf;

/// A setting that is well-formed but makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{key}` {reason}")]
pub struct InvalidSetting {
    /// The key with its sections, such as `http.listen`.
    pub key: String,
    /// What is wrong and what to write instead.
    pub reason: String,
}

impl InvalidSetting {
    /// A complaint about `key`.
    pub(super) fn new(key: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { key: key.into(), reason: reason.into() }
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file of `--config` cannot be read.
    #[error("cannot read the configuration file {}", path.display())]
    Unreadable {
        /// The file as named.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A key that does not exist.
    #[error("{origin}: there is no setting `{key}`{}", hint(near, known))]
    UnknownKey {
        /// The file, the environment variable or the flag.
        origin: String,
        /// The key with its sections.
        key: String,
        /// The key that was probably meant, with its sections.
        near: Option<String>,
        /// All keys of that section.
        known: &'static [&'static str],
    },
    /// A value of the wrong type or without sense.
    #[error("{origin}: {setting}")]
    Invalid {
        /// The file, the environment variable or the flag; `the default` where none gave it.
        origin: String,
        /// The setting and what is wrong with it.
        setting: InvalidSetting,
    },
    /// The text is no TOML, or says the same key twice.
    #[error("{origin}: {reason}")]
    Malformed {
        /// The file or the environment variable.
        origin: String,
        /// What is wrong, with line and column.
        reason: String,
    },
}

fn hint(near: &Option<String>, known: &[&str]) -> String {
    match near {
        Some(near) => format!("; did you mean `{near}`?"),
        None => format!("; there are {}", known.join(", ")),
    }
}

/// Which of `known` the misspelt `word` is nearest to, if it is near at all.
pub(super) fn nearest(word: &str, known: &'static [&'static str]) -> Option<&'static str> {
    const NEAR: f64 = 0.75;
    known
        .iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), *candidate))
        .filter(|(similarity, _)| *similarity > NEAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}
