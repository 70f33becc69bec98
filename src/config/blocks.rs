//! `[blocks]`: what correlations keep.

use std::num::NonZeroU64;

use serde::Deserialize;

/// `[blocks]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BlocksConfig {
    /// Bytes of memory that blocks take, besides those of questions under way; beyond, what was not used for longest goes.
    pub memory_bytes: NonZeroU64,
}

impl Default for BlocksConfig {
    fn default() -> Self {
        Self { memory_bytes: const { NonZeroU64::new(2 << 30).expect("a constant above zero") } }
    }
}
