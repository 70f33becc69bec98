//! A dry run: the whole file read and counted, nothing written.

use crate::hypertable::{Rate, interval_for};

use super::{
    Content, LoadError, Plan, Progress, Tally,
    sample::{SeriesSet, stored_bytes},
};

/// What a whole file holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Census {
    /// What became of the records.
    pub tally: Tally,
    /// Parts that the file has.
    pub parts: u64,
    /// Series among the rows.
    pub series: usize,
    /// The earliest and the latest time, microseconds since 1970 UTC; `None` without rows.
    pub range_us: Option<(i64, i64)>,
    /// The chunk interval that the whole file's rate asks for, in microseconds; `None` where all rows are at one time.
    pub chunk_interval_us: Option<i64>,
}

impl Plan {
    /// Reads the whole file and counts what a load would write. Calls `on_part` after each part. Blocks.
    ///
    /// # Errors
    /// As [`parts`](Self::parts) and [`read`](Self::read).
    pub fn dry_run(&self, mut on_part: impl FnMut(&Progress)) -> Result<Census, LoadError> {
        let parts = self.parts()?;
        let progress = parts.progress();
        let mut census =
            Census { tally: Tally::default(), parts: 0, series: 0, range_us: None, chunk_interval_us: None };
        let mut series = SeriesSet::default();
        let mut bytes = 0.0;
        for raw in parts {
            let part = self.read(raw?)?;
            census.parts += 1;
            census.tally.absorb(&part.tally);
            if let Content::Rows(rows) = &part.content {
                series.add(rows);
                bytes += stored_bytes(rows) * rows.len() as f64;
                for &us in &rows.times_us {
                    let (low, high) = census.range_us.unwrap_or((us, us));
                    census.range_us = Some((low.min(us), high.max(us)));
                }
            }
            on_part(&progress);
        }
        census.series = series.len();
        census.chunk_interval_us = census.range_us.and_then(|(low, high)| {
            let rows = census.tally.rows;
            Rate::over(rows, high.saturating_sub(low), bytes / rows as f64).map(interval_for)
        });
        Ok(census)
    }
}
