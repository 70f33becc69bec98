//! Wider bars of narrower ones that have just been made and are still in memory.

use sqlx::{Executor, PgConnection};

use super::{
    Level, Shape,
    bars::Finished,
    make::{Step, Target, move_to},
    observe::{add, watermark},
    read::{RollupError, write},
    sql,
};
use crate::hypertable::changes::{Stretch, without};

/// Whether a level's table may have bars where others are to be put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// It may.
    Filled,
    /// It has none: behind a watermark there is nothing.
    Empty,
}

impl Place {
    /// Of the level that a step is about.
    pub(super) fn of(step: &Step) -> Self {
        if step.moved_us.is_some() { Self::Empty } else { Self::Filled }
    }
}

#[derive(Debug)]
struct WiderLevel {
    level: Level,
    /// Its bars are made before this time: its watermark.
    to_us: i64,
    place: Place,
    /// What is left to be made of the table of narrower bars: buckets that are only partly in memory.
    rest: Vec<Stretch>,
}

/// The levels that are wider than one, of which some time is made anew.
#[derive(Debug)]
pub(super) struct Wider {
    /// Ascending.
    levels: Vec<WiderLevel>,
}

impl Wider {
    /// Nobody else is at those levels from here on. All lock them in the same order.
    ///
    /// A level whose watermark is where the narrower one's is goes along with it, if the step is about whole buckets of its own.
    pub(super) async fn begin(
        connection: &mut PgConnection,
        shape: &Shape,
        than: Level,
        step: &Step,
    ) -> Result<Self, sqlx::Error> {
        let mut levels = Vec::new();
        let mut next = shape.above(than);
        while let Some(level) = next {
            // Where there is no such row yet nothing is made of this level, nor of those that are made of it.
            let Some(us) = watermark(connection, shape.measurement.id, level.name(), "FOR UPDATE").await? else {
                break;
            };
            let (to_us, place) = match step.moves_along(level, us) {
                Some(to_us) => (to_us, Place::Empty),
                None => (us, Place::Filled),
            };
            levels.push(WiderLevel { level, to_us, place, rest: Vec::new() });
            next = shape.above(level);
        }
        Ok(Self { levels })
    }

    /// Makes what the bars of a stretch hold whole, as far as it lies before the watermarks.
    async fn make(
        &mut self,
        connection: &mut PgConnection,
        shape: &Shape,
        mut stretch: Stretch,
        mut bars: Finished,
    ) -> Result<(), RollupError> {
        for WiderLevel { level, to_us, place, rest } in &mut self.levels {
            let made = Stretch { from_us: i64::MIN, to_us: *to_us };
            let touched = stretch.widened(level.width_us()).intersection(made);
            let whole = stretch.narrowed(level.width_us()).intersection(made);
            rest.extend(without(&[touched], &[whole]));
            if whole.is_empty() {
                break;
            }
            let within = |us: i64| whole.from_us <= us && us < whole.to_us;
            let wider = bars.wider(within, |us| level.floor(us));
            replace(connection, shape, *level, *place, whole, &wider).await?;
            (stretch, bars) = (whole, wider);
        }
        Ok(())
    }

    /// Moves the watermarks that go along, and puts what is left on the list.
    pub(super) async fn end(self, connection: &mut PgConnection, shape: &Shape) -> Result<(), sqlx::Error> {
        let id = shape.measurement.id;
        for WiderLevel { level, to_us, place, rest } in self.levels {
            if place == Place::Empty {
                move_to(connection, id, Target::Bars(level), to_us).await?;
            }
            add(connection, id, level.name(), &rest).await?;
        }
        Ok(())
    }
}

/// Puts a level's bars of a stretch in the place of those that its table has, and what they say of the wider levels into these.
pub(super) async fn replace_all(
    connection: &mut PgConnection,
    shape: &Shape,
    level: Level,
    place: Place,
    (stretch, bars): (Stretch, Finished),
    wider: &mut Wider,
) -> Result<(), RollupError> {
    replace(connection, shape, level, place, stretch, &bars).await?;
    wider.make(connection, shape, stretch, bars).await
}

/// Puts bars in the place of those that a level's table has within a stretch.
async fn replace(
    connection: &mut PgConnection,
    shape: &Shape,
    level: Level,
    place: Place,
    stretch: Stretch,
    bars: &Finished,
) -> Result<(), RollupError> {
    if place == Place::Filled {
        let delete = format!("DELETE FROM {} WHERE {}", shape.bars(level), sql::within(stretch));
        connection.execute(delete.as_str()).await?;
    }
    write(connection, shape, level, bars).await
}
