//! `[chunk]` and `[measurement.NAME]`: the life of chunks, in general and of one measurement.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

use super::{BarsConfig, InvalidSetting, RollupLevel, duration};

/// A setting of a measurement that can also be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetOrNot {
    /// This long.
    For(Duration),
    /// As if nobody had set it.
    Unset,
}

impl SetOrNot {
    /// Reads a duration, or `word`.
    fn read<'de, D: Deserializer<'de>>(deserializer: D, word: &str) -> Result<Option<Self>, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == word {
            return Ok(Some(Self::Unset));
        }
        let read = duration::parse(&text).map(|time| Some(Self::For(time)));
        read.map_err(|reason| de::Error::custom(format_args!("{reason}, or \"{word}\"")))
    }
}

fn or_default<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SetOrNot>, D::Error> {
    SetOrNot::read(deserializer, "default")
}

fn or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SetOrNot>, D::Error> {
    SetOrNot::read(deserializer, "none")
}

fn or_auto<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SetOrNot>, D::Error> {
    SetOrNot::read(deserializer, "auto")
}

/// What sealing does with the order of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RowOrderSetting {
    /// They stay where they came.
    Arrival,
    /// They are rewritten by series and time.
    Series,
}

/// `[measurement.NAME]`, of the namespace that the setting `namespace` names. What is missing stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MeasurementConfig {
    /// How long after its end a chunk is sealed; `"default"` as `chunk.seal_after` says.
    #[serde(deserialize_with = "or_default")]
    pub seal_after: Option<SetOrNot>,
    /// How long rows are kept; `"none"` keeps them for ever.
    #[serde(deserialize_with = "or_none")]
    pub retention: Option<SetOrNot>,
    /// How long new chunks are; `"auto"` follows the rate of the data.
    #[serde(deserialize_with = "or_auto")]
    pub chunk_interval: Option<SetOrNot>,
    /// How many chunks a slice of time has, by hash of the series. Heeded when the measurement is made, as it cannot be
    /// changed afterwards. More: questions about few series read less, and there are as many times more chunks.
    pub space_partitions: Option<u8>,
    /// What sealing does with the order of rows.
    pub row_order: Option<RowOrderSetting>,
    /// The widths that bars are kept at; as the setting `rollups` says if missing.
    pub rollups: Option<Vec<RollupLevel>>,
    /// The fields with prices and sizes; `price` and `size`, else `close` and `volume`, if missing.
    pub bars: Option<BarsConfig>,
    /// How long bars are kept; `"none"` keeps them for ever.
    #[serde(deserialize_with = "or_none")]
    pub bars_retention: Option<SetOrNot>,
}

impl MeasurementConfig {
    /// A chunk that is shorter than this would be one of too many.
    pub const LEAST_INTERVAL: Duration = Duration::from_secs(60);

    pub(super) fn validate(&self, key: &str) -> Result<(), InvalidSetting> {
        if self.space_partitions.is_some_and(|partitions| !(2..=64).contains(&partitions)) {
            return Err(InvalidSetting::new(
                format!("{key}.space_partitions"),
                "must be 2 to 64; without it there is one",
            ));
        }
        match self.chunk_interval {
            Some(SetOrNot::For(interval)) if interval < Self::LEAST_INTERVAL => {
                Err(InvalidSetting::new(format!("{key}.chunk_interval"), "must be a minute or more"))
            }
            _ => Ok(()),
        }
    }
}

/// `[chunk]`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChunkConfig {
    /// How long after its end a chunk is sealed, where its measurement says nothing else.
    #[serde(deserialize_with = "duration::deserialize")]
    pub seal_after: Duration,
    /// Nothing may have been written to a chunk for so long before it is sealed. Too short: rows that come in bursts meet a
    /// sealed chunk; too long: questions read a chunk that has no index yet.
    #[serde(deserialize_with = "duration::deserialize")]
    pub quiet_period: Duration,
}

impl Default for ChunkConfig {
    fn default() -> Self {
        Self { seal_after: Duration::from_secs(3_600), quiet_period: Duration::from_secs(600) }
    }
}
