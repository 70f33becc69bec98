//! `[[mqtt]]`: brokers to subscribe to.

use std::path::PathBuf;

use serde::{Deserialize, Deserializer, de};
use url::Url;

use super::{Hidden, InvalidSetting};
use crate::protocol::{Precision, TopicTags, is_topic_filter, json::Mapping};

/// `[[mqtt]]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MqttConfig {
    /// `mqtt://host:port` or, with TLS, `mqtts://host:port`.
    #[serde(deserialize_with = "url")]
    pub url: Url,
    /// With `mqtts` the CAs that may have signed the broker's certificate, in PEM; those that the system trusts if missing.
    pub ca_file: Option<PathBuf>,
    /// `"5"` or `"3.1.1"`.
    #[serde(default)]
    pub version: MqttProtocol,
    /// What the broker knows the session by; by default a name that the machine's and the URL make.
    pub client_id: Option<String>,
    /// The user.
    pub username: Option<String>,
    /// The user's password.
    pub password: Option<Hidden>,
    /// Topic filters.
    pub topics: Vec<String>,
    /// What messages are.
    #[serde(default)]
    pub payload: MqttPayload,
    /// What times in line protocol count; nanoseconds if missing.
    #[serde(default, deserialize_with = "precision")]
    pub precision: Option<Precision>,
    /// Which parts of a JSON message are what.
    pub mapping: Option<Mapping>,
    /// Levels of the topic that are tags of a JSON message's rows.
    pub topic_tags: Option<TopicTags>,
    /// The namespace of the rows; `namespace` if missing.
    pub namespace: Option<String>,
}

/// A version of MQTT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum MqttProtocol {
    /// 5.
    #[default]
    #[serde(rename = "5")]
    V5,
    /// 3.1.1.
    #[serde(rename = "3.1.1")]
    V311,
}

/// What messages are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MqttPayload {
    /// Line protocol.
    #[default]
    LineProtocol,
    /// JSON, read by the mapping.
    Json,
}

/// Reads a URL; its scheme is looked at later.
pub(super) fn url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Url, D::Error> {
    // The text is not shown: a password or a token may stand in it.
    String::deserialize(deserializer)?.parse().map_err(|error| de::Error::custom(format_args!("is no URL: {error}")))
}

fn precision<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Precision>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| text.parse()).transpose().map_err(de::Error::custom)
}

impl MqttConfig {
    /// `key` is what its keys begin with.
    pub(super) fn validate(&self, key: &str, earlier: &[Self]) -> Result<(), InvalidSetting> {
        let wrong = |name: &str, reason: String| Err(InvalidSetting::new(format!("{key}.{name}"), reason));
        if !matches!(self.url.scheme(), "mqtt" | "mqtts") || self.url.host_str().is_none_or(str::is_empty) {
            return wrong("url", "must be mqtt://HOST:PORT or mqtts://HOST:PORT".to_owned());
        }
        if !self.url.username().is_empty() || self.url.password().is_some() {
            return wrong("url", "must not carry a user: write username and password".to_owned());
        }
        if !matches!(self.url.path(), "" | "/") || self.url.query().is_some() {
            return wrong("url", "must end behind the port".to_owned());
        }
        if self.ca_file.is_some() && self.url.scheme() != "mqtts" {
            return wrong("ca_file", "is for mqtts://: without TLS no certificate is looked at".to_owned());
        }
        if self.client_id.as_ref().is_some_and(|id| id.is_empty() || id.len() > 65_535 || id.contains('\0')) {
            return wrong("client_id", "must be a name".to_owned());
        }
        if earlier.iter().any(|other| other.url == self.url && other.client_id == self.client_id) {
            return wrong("client_id", "must be another one than that of the same broker's other entry".to_owned());
        }
        if self.password.is_some() && self.username.is_none() {
            return wrong("username", "is missing: a password needs one".to_owned());
        }
        if self.topics.is_empty() {
            return wrong("topics", "must name at least one topic, such as \"sensors/#\"".to_owned());
        }
        if let Some(topic) = self.topics.iter().find(|topic| !is_topic_filter(topic)) {
            return wrong("topics", format!("has `{topic}`: + and # stand for whole levels, and # only at the end"));
        }
        match (self.payload, &self.mapping) {
            (MqttPayload::Json, None) => {
                return wrong("mapping", "is missing: JSON needs one, with measurement and fields".to_owned());
            }
            (MqttPayload::LineProtocol, Some(_)) => {
                return wrong("mapping", "is for payload = \"json\"".to_owned());
            }
            (MqttPayload::LineProtocol, None) if self.topic_tags.is_some() => {
                return wrong("topic_tags", "is for payload = \"json\": lines have tags of their own".to_owned());
            }
            (MqttPayload::Json, Some(_)) if self.precision.is_some() => {
                return wrong("precision", "is for line protocol: a mapping says `time.unit`".to_owned());
            }
            (MqttPayload::Json, Some(mapping)) => mapping
                .validate()
                .map_err(|error| InvalidSetting::new(format!("{key}.mapping.{}", error.key), error.reason))?,
            (MqttPayload::LineProtocol, None) => {}
        }
        super::check_namespace(&format!("{key}.namespace"), self.namespace.as_deref())
    }
}
