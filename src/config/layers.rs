//! The layers of settings, and from which of them a value came.

use std::path::{Path, PathBuf};

use figment::{
    Error, Figment, Metadata, Profile, Provider, Source,
    error::Kind,
    providers::{Format, Toml},
    util::nest,
    value::{Dict, Map, Value},
};

use super::{Config, ConfigError, InvalidSetting, error::nearest, place};

/// What the name of chunkwise's own environment variables begins with.
const PREFIX: &str = "CHUNKWISE_";
/// Variables of the test-suite, which are no settings.
const TEST_PREFIX: &str = "CHUNKWISE_TEST_";

/// Which file to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigFile {
    /// This one, which must exist.
    Named(PathBuf),
    /// `./chunkwise.toml`, else `chunkwise.toml` in the platform's configuration folder (for root `/etc/chunkwise`),
    /// else none.
    Usual,
    /// None: tests are not to depend on the account that runs them.
    None,
}

impl ConfigFile {
    fn path(&self) -> Result<Option<PathBuf>, ConfigError> {
        const NAME: &str = "chunkwise.toml";
        match self {
            Self::Named(path) => match std::fs::File::open(path) {
                Ok(_) => Ok(Some(path.clone())),
                Err(source) => Err(ConfigError::Unreadable { path: path.clone(), source }),
            },
            Self::Usual => {
                let candidates = [Some(PathBuf::from(NAME)), place::config_folder().map(|folder| folder.join(NAME))];
                Ok(candidates.into_iter().flatten().find(|path| path.is_file()))
            }
            Self::None => Ok(None),
        }
    }
}

/// One setting from an environment variable or a flag.
#[derive(Debug, Clone)]
pub struct Setting {
    origin: String,
    key: String,
    value: Value,
}

impl Setting {
    /// What the flag `name` (such as `--listen`) says about `key` (such as `http.listen`).
    pub fn flag(name: &str, key: &str, value: impl Into<Value>) -> Self {
        Self { origin: name.to_owned(), key: key.to_owned(), value: value.into() }
    }

    /// The setting of an environment variable; `None` if it is not one of chunkwise's.
    fn variable(name: &str, text: &str) -> Option<Self> {
        let origin = format!("the environment variable {name}");
        if name == "DATABASE_URL" {
            return Some(Self { origin, key: "database.url".to_owned(), value: text.into() });
        }
        if name.starts_with(TEST_PREFIX) {
            return None;
        }
        let key = name.strip_prefix(PREFIX)?.to_ascii_lowercase().replace("__", ".");
        // TOML's own notation for numbers, booleans and lists; anything else is text.
        let value = text.parse().unwrap_or_else(|never| match never {});
        Some(Self { origin, key, value })
    }
}

impl Provider for Setting {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.origin.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        let dict = nest(&self.key, self.value.clone()).into_dict().unwrap_or_default();
        Ok(Map::from([(Profile::Default, dict)]))
    }
}

pub(super) fn load(
    file: &ConfigFile,
    variables: impl IntoIterator<Item = (String, String)>,
    flags: impl IntoIterator<Item = Setting>,
) -> Result<Config, ConfigError> {
    let path = file.path()?;
    let mut figment = Figment::new();
    if let Some(path) = &path {
        figment = figment.merge(Toml::file_exact(path));
    }
    let mut settings: Vec<Setting> =
        variables.into_iter().filter_map(|(name, text)| Setting::variable(&name, &text)).collect();
    // `DATABASE_URL` is everybody's, so chunkwise's own variable for the same setting comes after it.
    settings.sort_by_key(|setting| !setting.origin.ends_with(" DATABASE_URL"));
    for setting in settings.into_iter().chain(flags) {
        figment = figment.merge(setting);
    }
    let config: Config = figment.extract().map_err(|error| explain(error, &figment, path.as_deref()))?;
    config
        .validate()
        .map_err(|setting| ConfigError::Invalid { origin: origin(&figment, &setting.key, path.as_deref()), setting })?;
    Ok(config)
}

fn origin(figment: &Figment, key: &str, file: Option<&Path>) -> String {
    match figment.find_metadata(key) {
        Some(Metadata { source: Some(Source::File(path)), .. }) => path.display().to_string(),
        Some(metadata) => metadata.name.to_string(),
        None => file.map_or_else(|| "the default".to_owned(), |path| path.display().to_string()),
    }
}

fn explain(error: Error, figment: &Figment, file: Option<&Path>) -> ConfigError {
    let path = error.path.join(".");
    match error.kind {
        Kind::UnknownField(key, known) => {
            // The path ends with the unknown key itself.
            let section = path.strip_suffix(&key).unwrap_or_default().to_owned();
            ConfigError::UnknownKey {
                origin: origin(figment, &path, file),
                near: nearest(&key, known).map(|near| format!("{section}{near}")),
                key: path,
                known,
            }
        }
        kind if path.is_empty() => {
            ConfigError::Malformed { origin: origin(figment, "", file), reason: kind.to_string() }
        }
        kind => ConfigError::Invalid {
            origin: origin(figment, &path, file),
            setting: InvalidSetting { key: path, reason: kind.to_string() },
        },
    }
}
