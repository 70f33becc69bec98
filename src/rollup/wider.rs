//! Wider bars of narrower ones that have just been made and are still in memory.

use sqlx::{Executor, PgConnection};

use super::{
    Level, Shape,
    bars::Finished,
    observe::{add, watermark},
    read::{RollupError, write},
    sql,
};
use crate::hypertable::changes::{Stretch, without};

/// The levels that are wider than one, of which some time is made anew.
#[derive(Debug)]
pub(super) struct Wider {
    /// Ascending, with their watermarks: behind these nothing is in the tables.
    levels: Vec<(Level, i64)>,
    /// What is left to be made of the tables of narrower bars: buckets that are only partly in memory.
    rest: Vec<(Level, Vec<Stretch>)>,
}

impl Wider {
    /// Nobody else is at those levels from here on. All lock them in the same order.
    pub(super) async fn begin(connection: &mut PgConnection, shape: &Shape, than: Level) -> Result<Self, sqlx::Error> {
        let mut levels = Vec::new();
        let mut next = shape.above(than);
        while let Some(level) = next {
            // Where there is no such row yet nothing is made of this level, nor of those that are made of it.
            let Some(us) = watermark(connection, shape.measurement.id, level.name(), "FOR UPDATE").await? else {
                break;
            };
            levels.push((level, us));
            next = shape.above(level);
        }
        let rest = levels.iter().map(|(level, _)| (*level, Vec::new())).collect();
        Ok(Self { levels, rest })
    }

    /// Makes what the bars of a stretch hold whole, as far as it lies before the watermarks.
    pub(super) async fn make(
        &mut self,
        connection: &mut PgConnection,
        shape: &Shape,
        mut stretch: Stretch,
        mut bars: Finished,
    ) -> Result<(), RollupError> {
        for ((level, to_us), (_, rest)) in self.levels.iter().zip(&mut self.rest) {
            let made = Stretch { from_us: i64::MIN, to_us: *to_us };
            let touched = stretch.widened(level.width_us()).intersection(made);
            let whole = stretch.narrowed(level.width_us()).intersection(made);
            rest.extend(without(&[touched], &[whole]));
            if whole.is_empty() {
                break;
            }
            let within = |us: i64| whole.from_us <= us && us < whole.to_us;
            let wider = bars.wider(within, |us| level.floor(us));
            replace(connection, shape, *level, whole, &wider).await?;
            (stretch, bars) = (whole, wider);
        }
        Ok(())
    }

    /// Puts what is left on the list.
    pub(super) async fn end(self, connection: &mut PgConnection, shape: &Shape) -> Result<(), sqlx::Error> {
        for (level, rest) in self.rest {
            add(connection, shape.measurement.id, level.name(), &rest).await?;
        }
        Ok(())
    }
}

/// Puts bars in the place of those that a level's table has within a stretch.
pub(super) async fn replace(
    connection: &mut PgConnection,
    shape: &Shape,
    level: Level,
    stretch: Stretch,
    bars: &Finished,
) -> Result<(), RollupError> {
    let delete = format!("DELETE FROM {} WHERE {}", shape.bars(level), sql::within(stretch));
    connection.execute(delete.as_str()).await?;
    write(connection, shape, level, bars).await
}
