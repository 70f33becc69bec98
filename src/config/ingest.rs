//! `[ingest]`: what writes may cost, and when two of them count as one.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

use serde::{Deserialize, Deserializer, de};

use super::{InvalidSetting, duration};

/// What a second request with the same bytes is, if no `Idempotency-Key` tells them apart.
///
/// Clients resend the same bytes when an answer did not reach them. Only requests in which every line carries a time
/// are compared, over the namespace, the kind of route, the precision and the inflated body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SameBody {
    /// A resend, if it comes within this time: it gets the first answer and writes nothing. Two requests that happen to
    /// be equal count as one as well.
    CountsOnceWithin(Duration),
    /// New rows. A client's resend after a timeout then writes its rows twice.
    CountsAgain,
}

impl<'de> Deserialize<'de> for SameBody {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "off" => Ok(Self::CountsAgain),
            text => duration::parse(text)
                .map(Self::CountsOnceWithin)
                .map_err(|reason| de::Error::custom(format_args!("{reason}, or \"off\""))),
        }
    }
}

/// `[ingest]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IngestConfig {
    /// How far in the future a line's time may lie; a later one is refused, because it mostly is a wrong precision, and
    /// a chunk for it would have to be made.
    #[serde(deserialize_with = "duration::deserialize")]
    pub future_limit: Duration,
    /// How long a body counts once; `"off"` turns that off.
    #[serde(rename = "same_body_within")]
    pub same_body: SameBody,
    /// How long the answer to an `Idempotency-Key` is kept; after that the key is new.
    #[serde(deserialize_with = "duration::deserialize")]
    pub key_retention: Duration,
    /// Fields of one measurement; a line that would add another is refused. PostgreSQL ends at 1,600 columns.
    pub max_fields: NonZeroUsize,
    /// Measurements of one namespace; a line that would add another is refused. Each is a table with its chunks.
    pub max_measurements: NonZeroUsize,
    /// Connections that write. Too low: cores of the server idle; too high: they wait for each other.
    pub writers: NonZeroU32,
    /// Bytes that all requests under way may take, bodies and what is made of them. When they are used up, writes get
    /// 503 with `Retry-After`. Rows that rollups are still to be made of may take twice as much again.
    pub memory_bytes: NonZeroUsize,
    /// Series that may be made within a minute; a line that would make another is refused. Each is a row of a table and
    /// some 130 bytes of memory, and mostly too many come from a tag that is really a value.
    pub max_new_series_per_minute: NonZeroUsize,
}

impl Default for IngestConfig {
    fn default() -> Self {
        const fn size(number: usize) -> NonZeroUsize {
            NonZeroUsize::new(number).expect("a constant above zero")
        }
        Self {
            future_limit: Duration::from_secs(86_400),
            same_body: SameBody::CountsOnceWithin(Duration::from_secs(3_600)),
            key_retention: Duration::from_secs(7 * 86_400),
            max_fields: const { size(500) },
            max_measurements: const { size(2_000) },
            writers: const { NonZeroU32::new(4).expect("a constant above zero") },
            memory_bytes: const { size(256 << 20) },
            max_new_series_per_minute: const { size(1_000_000) },
        }
    }
}

impl IngestConfig {
    /// Columns of a table in PostgreSQL are at most 1,600; two are time and series.
    const MOST_FIELDS: usize = 1_598;

    pub(super) fn validate(&self) -> Result<(), InvalidSetting> {
        if self.max_fields.get() > Self::MOST_FIELDS {
            return Err(InvalidSetting::new(
                "ingest.max_fields",
                format!("is {}, but a table of PostgreSQL takes {}", self.max_fields, Self::MOST_FIELDS),
            ));
        }
        Ok(())
    }
}
