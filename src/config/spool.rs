//! `[spool]`: what happens to writes while the database is away.

use std::num::NonZeroU64;

use serde::Deserialize;

/// What becomes of writes while the database is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WhenAway {
    /// They are put on this machine's disk, answered `spooled`, and written when the database is back.
    #[default]
    Spool,
    /// They are sent back with 503: their clients keep them.
    Refuse,
}

/// `[spool]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SpoolConfig {
    /// Whether there is a spool.
    pub when_away: WhenAway,
    /// Bytes of the spool's files at most; when they are used up, writes get 503 with `Retry-After`.
    pub max_bytes: NonZeroU64,
    /// Bytes that stay free on the disk of the data folder, which the database may share.
    pub reserve_bytes: u64,
}

impl Default for SpoolConfig {
    fn default() -> Self {
        Self {
            when_away: WhenAway::default(),
            max_bytes: const { NonZeroU64::new(10 << 30).expect("a constant above zero") },
            reserve_bytes: 1 << 30,
        }
    }
}
