//! The names of the rollups' metrics; docs/metrics.md describes them.

/// Counter: rows that rollups and last values were made of, by where they came `from`.
const ROWS: &str = "chunkwise_rollup_rows_total";
/// They were in memory.
pub(super) const MEMORY: &str = "memory";
/// They were read.
pub(super) const DATABASE: &str = "database";

pub(super) fn count(from: &'static str, rows: u64) {
    metrics::counter!(ROWS, "from" => from).increment(rows);
}
