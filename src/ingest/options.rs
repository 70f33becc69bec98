//! How the service works.

use std::time::Duration;

use super::Repetition;
use crate::{batch::Recent, hypertable::SchemaLimits};

/// How the service works; the defaults suit one machine.
#[derive(Debug, Clone)]
pub struct IngestOptions {
    /// A line so far ahead of the clock is refused, in microseconds.
    pub ahead_us: i64,
    /// Memory of all requests under way, in bytes, with what is made of them; beyond it requests are told to come back.
    pub memory_bytes: usize,
    /// Transactions at once. More than the server has cores gains nothing.
    pub writers: usize,
    /// When two requests without a key are the same.
    pub repetition: Repetition,
    /// How long the ledger keeps a client's key.
    pub key_keep: Duration,
    /// New series within a minute, of all measurements.
    pub new_series_a_minute: u64,
    /// Chunks that one request may touch in a measurement.
    pub chunks: usize,
    /// How far schemas may grow.
    pub schema: SchemaLimits,
    /// Where batches that were committed are left, for a reader in this process that follows it.
    pub recent: Recent,
}

impl Default for IngestOptions {
    fn default() -> Self {
        Self {
            ahead_us: 86_400_000_000,
            memory_bytes: 256 << 20,
            writers: 3,
            repetition: Repetition::SameBody { within: Duration::from_secs(3600) },
            key_keep: Duration::from_secs(7 * 86_400),
            new_series_a_minute: 1_000_000,
            chunks: 1_000,
            schema: SchemaLimits::default(),
            recent: Recent::default(),
        }
    }
}
