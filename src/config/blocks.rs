//! `[blocks]`: what correlations keep.

use std::num::NonZeroU64;

use serde::Deserialize;

/// `[blocks]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BlocksConfig {
    /// Bytes of memory that blocks take, besides those of questions under way; beyond, what was not used for longest goes.
    pub memory_bytes: NonZeroU64,
    /// Bytes of their files in the data folder; beyond, what was not used for longest goes.
    pub disk_bytes: NonZeroU64,
}

impl Default for BlocksConfig {
    fn default() -> Self {
        let bytes = |gigabytes: u64| NonZeroU64::new(gigabytes << 30).unwrap_or(NonZeroU64::MAX);
        Self { memory_bytes: bytes(4), disk_bytes: bytes(20) }
    }
}
