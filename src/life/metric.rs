//! The names of the life cycle's metrics; docs/metrics.md describes them.

/// Counter: chunks by `event`: `sealed`, `resealed`, `dropped`.
pub(super) const CHUNKS: &str = "chunkwise_chunks_total";
/// Counter: attempts that failed and are repeated, by `event`.
pub(super) const FAILURES: &str = "chunkwise_chunk_failures_total";
/// Histogram: how long it took, by `event`.
pub(super) const SECONDS: &str = "chunkwise_chunk_seconds";
/// Gauge: for how long the oldest chunk that should be sealed is due; 0 if none is.
pub(super) const LAG: &str = "chunkwise_chunk_seal_lag_seconds";
/// Gauge: chunks that should be sealed and are not.
pub(super) const DUE: &str = "chunkwise_chunks_due";
