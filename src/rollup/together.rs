//! Last values of the rows that bars are made of, so that these are read once.

use sqlx::PgConnection;

use super::{
    Shape, last_values,
    make::{Step, Target, move_to, pending, take_away},
    newest::Newest,
    observe::{add, watermark},
    read::RollupError,
    sql::LATEST,
};
use crate::hypertable::changes::{Stretch, without};

/// What last values want of a step's rows.
#[derive(Debug)]
pub(super) enum Together {
    /// They begin where the bars do, and go as far.
    New,
    /// Some of what is pending.
    Pending(Vec<i64>, Vec<Stretch>),
}

impl Together {
    /// With the [places](Shape::latest_places) of the fields with bars among those with last values. `None` where they want
    /// other rows: these are read by a step of their own. Nobody else is at the last values from here on.
    pub(super) async fn look(
        connection: &mut PgConnection,
        shape: &Shape,
        step: &Step,
    ) -> Result<Option<(Self, Vec<usize>)>, sqlx::Error> {
        let id = shape.measurement.id;
        let Some(places) = shape.latest_places().filter(|_| !shape.latest.is_empty()) else { return Ok(None) };
        let Some(watermark_us) = watermark(connection, id, LATEST, "FOR UPDATE").await? else { return Ok(None) };
        if step.moved_us.is_some() {
            return Ok((watermark_us == step.watermark_us).then_some((Self::New, places)));
        }
        // Rows behind the watermark are not to be in the table yet.
        let are_before = step.stretches.iter().all(|stretch| stretch.to_us <= watermark_us);
        let (ids, dirty) = pending(connection, id, Target::Latest).await?;
        Ok((are_before && !ids.is_empty()).then_some((Self::Pending(ids, dirty), places)))
    }

    /// Brings the table up to date with what the step's rows say.
    pub(super) async fn keep(
        &self,
        connection: &mut PgConnection,
        shape: &Shape,
        step: &Step,
        newest: &Newest,
    ) -> Result<(), RollupError> {
        let id = shape.measurement.id;
        let are_new = matches!(self, Self::New);
        last_values::keep(connection, shape, &step.stretches, newest, are_new).await?;
        match self {
            Self::New => {
                if let Some(moved_us) = step.moved_us {
                    move_to(connection, id, Target::Latest, moved_us).await?;
                }
            }
            Self::Pending(ids, dirty) => {
                take_away(connection, ids).await?;
                add(connection, id, LATEST, &without(dirty, &step.stretches)).await?;
            }
        }
        Ok(())
    }
}
