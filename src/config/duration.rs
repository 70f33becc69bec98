//! Durations in settings: the same texts as in questions, but of a fixed length.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

use crate::question::Width;

/// Reads `250ms`, `10s`, `5m`, `1h`, `7d`, `1w`; always more than zero.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let width: Width = text.parse().map_err(|error: crate::question::WidthError| error.to_string())?;
    width
        .fixed_us()
        .and_then(|us| u64::try_from(us).ok())
        .map(Duration::from_micros)
        .ok_or_else(|| format!("`{text}` has no fixed length; write days, such as 30d"))
}

/// For `#[serde(deserialize_with)]`.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
}
