//! Bars and last values, in general and of one measurement.

use serde::Deserialize;

/// A width that bars are kept at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub enum RollupLevel {
    /// A minute.
    #[serde(rename = "1m")]
    Minute,
    /// Five minutes.
    #[serde(rename = "5m")]
    FiveMinutes,
    /// An hour.
    #[serde(rename = "1h")]
    Hour,
    /// A day.
    #[serde(rename = "1d")]
    Day,
}

impl RollupLevel {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Minute, Self::FiveMinutes, Self::Hour, Self::Day];
}

/// Which fields make `open, high, low, close` and `volume`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BarsConfig {
    /// The field with prices.
    pub price: String,
    /// The field with sizes; without it there is no `volume` and no `vwap`.
    pub size: Option<String>,
}
