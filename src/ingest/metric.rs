//! The names of ingestion's metrics; docs/metrics.md describes them.

/// Counter: lines by `protocol` and `outcome`.
pub(super) const LINES: &str = "chunkwise_ingest_lines_total";
/// Counter: requests by `protocol`.
pub(super) const REQUESTS: &str = "chunkwise_ingest_requests_total";
/// Counter: bytes of bodies by `protocol`.
pub(super) const BYTES: &str = "chunkwise_ingest_bytes_total";
/// Counter: refused lines by `protocol` and class of `reason`.
pub(super) const REFUSED: &str = "chunkwise_ingest_refused_lines_total";
/// Histogram: from taking a request to its answer, by `protocol`.
pub(super) const ACKNOWLEDGE: &str = "chunkwise_ingest_acknowledge_seconds";
/// Histogram: reading a request and looking its series up.
pub(super) const PREPARE: &str = "chunkwise_ingest_prepare_seconds";
/// Histogram: one write transaction.
pub(super) const COMMIT: &str = "chunkwise_ingest_commit_seconds";
/// Histogram: rows of a write transaction.
pub(super) const COMMIT_ROWS: &str = "chunkwise_ingest_commit_rows";
/// Counter: write transactions that were tried again.
pub(super) const RETRIES: &str = "chunkwise_ingest_retries_total";
/// Gauge: requests that wait for a writer, by `lane`.
pub(super) const QUEUE_REQUESTS: &str = "chunkwise_ingest_queue_requests";
/// Gauge: memory that requests take.
pub(super) const MEMORY: &str = "chunkwise_ingest_memory_bytes";
/// Counter: writers that ended by a defect and were started again.
pub(super) const WRITER_RESTARTS: &str = "chunkwise_ingest_writer_restarts_total";
/// Gauge: requests in the spool.
pub(super) const SPOOL_REQUESTS: &str = "chunkwise_spool_requests";
/// Gauge: their bytes.
pub(super) const SPOOL_BYTES: &str = "chunkwise_spool_bytes";
/// Gauge: bytes of the spool's files.
pub(super) const SPOOL_DISK_BYTES: &str = "chunkwise_spool_disk_bytes";
/// Gauge: how long ago the oldest request in the spool came.
pub(super) const SPOOL_OLDEST: &str = "chunkwise_spool_oldest_seconds";
/// Gauge: 1 while requests go to the spool.
pub(super) const SPOOL_AWAY: &str = "chunkwise_spool_database_away";
/// Gauge: files that were set aside.
pub(super) const SPOOL_QUARANTINED: &str = "chunkwise_spool_quarantined_files";
/// Gauge: damaged bytes in the files that are there.
pub(super) const SPOOL_DAMAGED: &str = "chunkwise_spool_damaged_bytes";
/// Counter: requests that the spool did not take, by `reason`.
pub(super) const SPOOL_REFUSED: &str = "chunkwise_spool_refused_requests_total";
