//! Where the rows come from that a step makes new bars and last values of.
//!
//! ```text
//!        watermark                                            newest
//! made ---->|--- in memory ---|--- read, a part ahead ---|--- in memory --->|
//! ```

use std::time::Duration;

use super::{
    Shape,
    ahead::{Ahead, Rows},
    cut::{Part, REACH_US, Sized, widest},
    fresh::{Fresh, Place},
    make::Target,
    read::RollupError,
};
use crate::{db::Database, hypertable::changes::Stretch};

/// So long rows wait in memory for the end of an hour or a day.
const PATIENCE: Duration = Duration::from_secs(2);

/// Rows in memory, of the newest time and read ahead.
#[derive(Debug, Default)]
pub(super) struct Source {
    pub(super) fresh: Fresh,
    pub(super) ahead: Ahead,
    /// Whether newest rows were left alone as a load goes on.
    pub(super) leaves_newest: bool,
}

impl Source {
    /// In which steps a load of old rows is followed that has come from the watermark to `newest_us`: of the widest buckets of
    /// which one's rows are not too many, so that its bar too is made of what is in memory. Where that would keep rows waiting
    /// for long, of five minutes.
    pub(super) fn reach_us(&self, shape: &Shape, looked_us: Option<i64>, from_us: i64, newest_us: i64) -> i64 {
        let id = shape.measurement.id;
        let is_here = self.fresh.place(id, looked_us, from_us, REACH_US) == Place::Here { until_us: i64::MAX };
        let Some(waiting) = self.fresh.waiting(id, from_us).filter(|_| is_here) else { return REACH_US };
        let widest = widest(&shape.levels, [(waiting.rows, waiting.time_us)]);
        let width_us = widest.map_or(REACH_US, |level| level.width_us().max(REACH_US));
        let is_whole = newest_us - newest_us.rem_euclid(width_us) > from_us;
        if is_whole || waiting.age < PATIENCE { width_us } else { REACH_US }
    }

    /// The first part of the time `between` a watermark and where it is to go; with its rows if they are in memory. The change
    /// log was last looked at at `looked_us`. With a database the part behind it is read meanwhile.
    pub(super) async fn first(
        &mut self,
        shape: &Shape,
        target: Target,
        between: Stretch,
        chunks: &[Sized],
        (looked_us, database): (Option<i64>, Option<&Database>),
    ) -> Result<(Part, Option<Rows>), RollupError> {
        let id = shape.measurement.id;
        let width_us = match target {
            // So that wider bars are made of these while they are in memory.
            Target::Bars(level) => {
                let here = self.fresh.waiting(id, between.from_us).map(|waiting| (waiting.rows, waiting.time_us));
                let there = chunks.iter().filter(|chunk| !chunk.extent.intersection(between).is_empty());
                let there = there.map(|chunk| (chunk.rows, chunk.extent.to_us.saturating_sub(chunk.extent.from_us)));
                let widest = widest(&shape.levels, here.into_iter().chain(there));
                shape.above(level).max(widest).unwrap_or(level).width_us()
            }
            Target::Latest => target.width_us(),
        };
        let until_us = match self.fresh.place(id, looked_us, between.from_us, target.width_us()) {
            Place::Here { until_us } => {
                let between = Stretch { to_us: between.to_us.min(until_us), ..between };
                let part = Part::first(between, chunks, width_us);
                if let Some(rows) = self.fresh.rows(shape, target, &part.stretches).await? {
                    return Ok((part, Some(rows)));
                }
                self.fresh.forget(id);
                i64::MAX
            }
            Place::There { until_us } => until_us,
        };
        let between = Stretch { to_us: between.to_us.min(until_us), ..between };
        let Target::Bars(level) = target else { return Ok((Part::first(between, chunks, width_us), None)) };
        let (part, rows) = match self.ahead.take(between.from_us, looked_us).await? {
            Some((part, rows)) => (part, Some(rows)),
            None => (Part::first(between, chunks, width_us), None),
        };
        let next = Part::first(Stretch { from_us: part.to_us, ..between }, chunks, width_us);
        if let (Some(database), false) = (database, next.stretches.is_empty()) {
            self.ahead.begin(database, shape, level, (part.to_us, looked_us), next).await?;
        }
        Ok((part, rows))
    }
}
