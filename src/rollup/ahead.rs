//! Reads the rows of the next step while those of the present one are written, on a session beside it: where much is to be made,
//! the server reads with one core and writes with another.
//!
//! What was read ahead is used by the very next step or not at all, and never after another look at the change log, whoever
//! looked. So whatever is committed after it was read is found by the next look, when the watermark has passed it, and is made
//! anew.

use sqlx::PgConnection;
use tokio::task::JoinSet;

use super::{
    Level, Shape,
    bars::{Bars, Finished},
    cut::Part,
    make::Target,
    metric,
    newest::Newest,
    read::{RollupError, finished, take_rows, take_rows_once},
    summarize::summarize,
};
use crate::{
    db::Database,
    hypertable::changes::Stretch,
    jobs::{Priority, session},
};

/// What the rows of some stretches say.
#[derive(Debug)]
pub(super) struct Rows {
    /// Bars of the narrowest level, stretch by stretch.
    pub(super) bars: Vec<(Stretch, Finished)>,
    /// Their newest values, if these were asked for.
    pub(super) newest: Option<Newest>,
}

impl Rows {
    /// Reads them; `places` are [those of the fields with bars among those with last values](Shape::latest_places) where last
    /// values are to be taken of the same rows.
    pub(super) async fn read(
        connection: &mut PgConnection,
        shape: &Shape,
        level: Level,
        stretches: &[Stretch],
        places: Option<&[usize]>,
    ) -> Result<Self, RollupError> {
        let mut newest = places.map(|_| Newest::of(shape));
        let mut read = Vec::with_capacity(stretches.len());
        for stretch in stretches.iter().copied() {
            let mut bars = Bars::new(shape.numbers(), shape.weighting());
            let bucket = |us| level.floor(us);
            let rows = match (&mut newest, places) {
                (Some(newest), Some(places)) => {
                    take_rows_once(connection, shape, stretch, bucket, &mut bars, (newest, places)).await?
                }
                _ => take_rows(connection, shape, stretch, None, bucket, &mut bars).await?,
            };
            metric::count(metric::DATABASE, rows);
            read.push((stretch, finished(bars).await?));
        }
        Ok(Self { bars: read, newest })
    }
}

/// What is being read for the next step, and the session that reads it.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    connection: Option<PgConnection>,
    next: Option<Next>,
}

#[derive(Debug)]
struct Next {
    /// Where the watermark is then.
    watermark_us: i64,
    looked_us: Option<i64>,
    part: Part,
    /// One task; it ends with this.
    task: JoinSet<Result<(PgConnection, Rows), RollupError>>,
}

impl Ahead {
    /// Begins to read what the next step will be about, if the present one brings the watermark to `watermark_us`. The change log
    /// was last looked at at `looked_us`.
    pub(super) async fn begin(
        &mut self,
        database: &Database,
        shape: &Shape,
        level: Level,
        (watermark_us, looked_us): (i64, Option<i64>),
        part: Part,
    ) -> Result<(), RollupError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => session(database, Priority::Lowest).await?,
        };
        let (shape, stretches) = (shape.clone(), part.stretches.clone());
        let mut task = JoinSet::new();
        task.spawn(async move {
            let places = shape.latest_places().filter(|_| !shape.latest.is_empty());
            summarize(&mut connection, &shape, Target::Bars(level), &stretches).await?;
            let rows = Rows::read(&mut connection, &shape, level, &stretches, places.as_deref()).await?;
            Ok((connection, rows))
        });
        self.next = Some(Next { watermark_us, looked_us, part, task });
        Ok(())
    }

    /// What was read for a step that begins where the watermark is now, if the last look is still the last. To be called outside of transactions: whoever keeps the
    /// reading session waiting may himself wait for what the other one holds.
    pub(super) async fn take(
        &mut self,
        watermark_us: i64,
        looked_us: Option<i64>,
    ) -> Result<Option<(Part, Rows)>, RollupError> {
        let is_it = |next: &mut Next| next.watermark_us == watermark_us && next.looked_us == looked_us;
        let Some(mut next) = self.next.take_if(is_it) else {
            self.forget();
            return Ok(None);
        };
        let Some(read) = next.task.join_next().await else { return Ok(None) };
        let (connection, rows) = read.map_err(|_| sqlx::Error::WorkerCrashed)??;
        self.connection = Some(connection);
        Ok(Some((next.part, rows)))
    }

    /// Gives up what is being read: nobody is going to use it.
    pub(super) fn forget(&mut self) {
        self.next = None;
    }
}
