//! A dry run: the whole file read and counted, nothing written.

use crate::hypertable::{Rate, interval_for, row_bytes};

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
    /// The chunk interval that the whole file's rate asks for, in microseconds; `None` where all rows are at one time. Of
    /// line protocol with several measurements, that of all of them together.
    pub chunk_interval_us: Option<i64>,
}

impl Census {
    fn see_time(&mut self, us: i64) {
        let (low, high) = self.range_us.unwrap_or((us, us));
        self.range_us = Some((low.min(us), high.max(us)));
    }
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
            match &part.content {
                Content::Rows(rows) => {
                    series.add(rows);
                    bytes += stored_bytes(rows) * rows.len() as f64;
                    rows.times_us.iter().for_each(|&us| census.see_time(us));
                }
                Content::LineProtocol { .. } | Content::Tsbs(_) => {
                    for line in part.lines() {
                        match line {
                            Ok(mut line) => {
                                census.tally.rows += 1;
                                census.tally.rounded_times += u64::from(line.rounded);
                                bytes += row_bytes(line.fields.len(), 0.0);
                                series.add_line(&mut line);
                                line.time_us.into_iter().for_each(|us| census.see_time(us));
                            }
                            Err(error) => census.tally.refuse(part.row_error(&error)),
                        }
                    }
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
