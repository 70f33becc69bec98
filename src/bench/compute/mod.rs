//! `bench correlation --from-blocks`: what one series against all others costs once its blocks are in memory.
//!
//! ```text
//! changes at random -> base panels -> compute panels -+-> the kernel: one range, five ranges, with gaps, in short chunks
//!                                                     \-> the values are read once by all cores: the controls
//! ```
//!
//! There is no database, and none is started. Panels are cut and derived as those of a measurement are; a compute panel has
//! 4 bytes a value, and where something is missing a bit a value besides, and what its deviations are counted from where
//! that is not 0. The controls read the values of the same panels, those of missing values too, which take as much room, but
//! nothing else: once plainly, as the whole-system benchmark's control does, and once with the widest instructions that the
//! machine has. Kernel and controls take turns, and a ratio is that of two neighbours in time.

mod figures;
mod made;
mod scaling;

use super::{BenchError, Environment, Report};

/// How much is computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComputeBenchOptions {
    /// Series, of which one is correlated with all.
    pub series: u32,
    /// Buckets, each with a value of every series.
    pub buckets: u32,
    /// Up to so many series it is told how the time grows with them; with fewer where more do not fit into memory.
    pub most_series: u32,
    /// Up to so many buckets it is told how the time grows with them, with as many series as take 2 GB.
    pub most_buckets: u32,
    /// So often everything is measured.
    pub rounds: usize,
}

impl ComputeBenchOptions {
    /// 100,000 series over 2,000 buckets: 0.9 GB of memory, and up to twice as much for how the time grows; a minute.
    #[must_use]
    pub fn full() -> Self {
        Self { series: 100_000, buckets: 2_000, most_series: 200_000, most_buckets: 8_000, rounds: 15 }
    }

    /// A look within seconds.
    #[must_use]
    pub fn quick() -> Self {
        Self { series: 10_000, buckets: 250, most_series: 10_000, most_buckets: 2_000, rounds: 5 }
    }
}

/// Measures on all cores, and returns when it is done. `tell` gets a line about each step as it begins.
///
/// # Errors
/// There is not enough memory; nothing has been measured then.
pub fn measure_compute(options: &ComputeBenchOptions, tell: &(dyn Fn(&str) + Sync)) -> Result<Report, BenchError> {
    let mut report = Report::new(Environment::without_server());
    figures::measure(options, tell, &mut report)?;
    scaling::measure(options, tell, &mut report)?;
    report.sort_ratios_first();
    Ok(report)
}
