//! Over how many chunks a request may spread.

use std::collections::HashSet;

use super::{IngestError, service::Core};
use crate::{
    batch::Batch,
    hypertable::{LADDER_US, Measurement},
};

impl Core {
    /// Refuses a batch that would make or touch more chunks than are good for one transaction: each of them is a table
    /// with its indexes and a lock.
    pub(super) async fn check_chunks(&self, measurement: &Measurement, batch: &Batch) -> Result<(), IngestError> {
        let limit = self.options.chunks;
        let Some((first_us, last_us)) = batch.time_bounds() else { return Ok(()) };
        let most = |interval_us: i64| last_us.div_euclid(interval_us) - first_us.div_euclid(interval_us) + 1;
        let fits = |chunks: i64| usize::try_from(chunks).is_ok_and(|chunks| chunks <= limit);
        // Nearly always: not even with the shortest interval.
        if fits(most(LADDER_US[0])) || batch.len() <= limit {
            return Ok(());
        }
        let interval_us = self.interval_us(measurement).await.map_err(IngestError::database)?.max(1);
        if fits(most(interval_us)) {
            return Ok(());
        }
        let chunks: HashSet<i64> = batch.times_us().iter().map(|us| us.div_euclid(interval_us)).collect();
        if chunks.len() > limit {
            return Err(IngestError::TooManyChunks {
                measurement: measurement.name.clone(),
                chunks: chunks.len(),
                limit,
            });
        }
        Ok(())
    }

    async fn interval_us(&self, measurement: &Measurement) -> Result<i64, sqlx::Error> {
        let [schema, table] = measurement.storage_names();
        sqlx::query_scalar(
            "SELECT (extract(epoch FROM time_interval) * 1000000)::int8 FROM timescaledb_information.dimensions
             WHERE hypertable_schema = $1 AND hypertable_name = $2 AND time_interval IS NOT NULL",
        )
        .bind(schema)
        .bind(table)
        .fetch_one(self.database.owner())
        .await
    }
}
