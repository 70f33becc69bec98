//! Where the rows come from that a step makes new bars and last values of.
//!
//! ```text
//!        watermark                                            newest
//! made ---->|--- in memory ---|--- read, a part ahead ---|--- in memory --->|
//! ```

use super::{
    Shape,
    ahead::{Ahead, Rows},
    cut::{Part, Sized},
    fresh::{Fresh, Place},
    make::Target,
    read::RollupError,
};
use crate::{db::Database, hypertable::changes::Stretch};

/// Rows in memory, of the newest time and read ahead.
#[derive(Debug, Default)]
pub(super) struct Source {
    pub(super) fresh: Fresh,
    pub(super) ahead: Ahead,
    /// Whether newest rows were left alone as a load goes on.
    pub(super) leaves_newest: bool,
}

impl Source {
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
            // So that the next level's bars are made of these while they are in memory.
            Target::Bars(level) => shape.above(level).unwrap_or(level).width_us(),
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
