//! `POST /api/v1/bars`.

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::{
    Invalid, Selector, Timestamp, Width,
    shared::{check_range, public, timezone, timezone_name, utc},
};

/// `POST /api/v1/bars`: the bars of some series over one range.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BarsQuestion {
    /// The namespace, `public` by default.
    #[serde(default = "public")]
    pub namespace: String,
    /// The measurement.
    pub measurement: String,
    /// Which series; all by default.
    #[serde(default)]
    pub series: Selector,
    /// The first moment.
    pub from: Timestamp,
    /// The first moment after.
    pub to: Timestamp,
    /// The width of a bar.
    pub bucket: Width,
    /// The zone in which buckets of a day or more are cut.
    #[serde(default = "utc", deserialize_with = "timezone", serialize_with = "timezone_name")]
    pub timezone: Tz,
    /// The most bytes that the question may take in memory, if less than the server's own limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_bytes: Option<u64>,
}

impl BarsQuestion {
    /// Checks what types cannot say.
    ///
    /// # Errors
    /// The first field that makes no sense.
    pub fn validate(&self) -> Result<(), Invalid> {
        check_range("", self.from, self.to)
    }
}
