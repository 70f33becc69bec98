//! `[[source]]`: foreign feeds over WebSocket.

use std::path::PathBuf;

use serde::Deserialize;
use url::Url;

use super::{Hidden, InvalidSetting};
use crate::protocol::json::Mapping;

/// `[[source]]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceConfig {
    /// `ws://` or `wss://`. Hidden, because feeds want their tokens in it.
    pub url: Hidden,
    /// With `wss` the CAs that may have signed the feed's certificate, in PEM; those that the system trusts if missing.
    pub ca_file: Option<PathBuf>,
    /// What is sent after each connect; logins stand here too.
    #[serde(default)]
    pub subscribe: Vec<Hidden>,
    /// Which parts of a message are what.
    pub mapping: Mapping,
    /// The namespace of the rows; `namespace` if missing.
    pub namespace: Option<String>,
}

impl SourceConfig {
    /// Where to connect.
    ///
    /// # Errors
    /// What is no URL of a WebSocket.
    pub fn url(&self) -> Result<Url, InvalidSetting> {
        self.checked_url("source.url")
    }

    fn checked_url(&self, key: &str) -> Result<Url, InvalidSetting> {
        let url = Url::parse(self.url.expose())
            .map_err(|error| InvalidSetting::new(key, format!("is not a URL ({error}); write wss://HOST/PATH")))?;
        match url.scheme() {
            "ws" | "wss" if url.host_str().is_some_and(|host| !host.is_empty()) => Ok(url),
            _ => Err(InvalidSetting::new(key, "must begin with ws:// or wss://, and name a host")),
        }
    }

    /// `key` is what its keys begin with.
    pub(super) fn validate(&self, key: &str) -> Result<(), InvalidSetting> {
        let url = self.checked_url(&format!("{key}.url"))?;
        if self.ca_file.is_some() && url.scheme() != "wss" {
            let reason = "is for wss://: without TLS no certificate is looked at";
            return Err(InvalidSetting::new(format!("{key}.ca_file"), reason));
        }
        self.mapping
            .validate()
            .map_err(|error| InvalidSetting::new(format!("{key}.mapping.{}", error.key), error.reason))?;
        super::check_namespace(&format!("{key}.namespace"), self.namespace.as_deref())
    }
}
