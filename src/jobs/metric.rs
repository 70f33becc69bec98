//! The names of the runner's metrics; docs/metrics.md describes them.

/// Counter: runs by `job` and `outcome`: `done` or `failed`.
pub(super) const RUNS: &str = "chunkwise_job_runs_total";
/// Histogram: how long a run took, by `job`.
pub(super) const SECONDS: &str = "chunkwise_job_run_seconds";
/// Gauge, by `job`: 1 while this process holds the job's lock.
pub(super) const HELD: &str = "chunkwise_job_lock_held";
