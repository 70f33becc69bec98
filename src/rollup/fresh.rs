//! Rows that this process has written itself a moment ago: they are still in memory, and need not be read.
//!
//! What is here is all that there is: of every row from some time on that the last look at the change log could see, the batch
//! is here. A look that finds anything else, somebody else's rows, a DELETE, a batch for which there was no room, drops what is
//! here, and it begins anew behind the newest row; what lies before that is read. So does a look after one that was taken by
//! another process. What is committed after the last look is found by the next one, as it is where rows are read.

use hashbrown::HashMap;
use tokio::task::yield_now;

use super::{
    Shape,
    ahead::Rows,
    bars::{Bars, Key},
    make::Target,
    metric,
    newest::{self, Newest},
    read::{RollupError, YIELD_AFTER, finished},
};
use crate::{
    batch::{Batch, Recent, RecentBatch, Value},
    hypertable::{ColumnType, changes::Stretch},
};

/// What a look at a measurement's change log has found.
#[derive(Debug)]
pub(super) struct Found {
    /// When the look before it was taken, by whomever.
    pub(super) before_us: Option<i64>,
    pub(super) looked_us: i64,
    /// The transactions that it saw and the one before did not.
    pub(super) xids: Vec<u64>,
    /// Whether all that has changed is that these have added rows.
    pub(super) is_all: bool,
    /// Whether rows are stored as they were sent: no trigger of somebody else's may have changed them.
    pub(super) are_as_sent: bool,
    /// No row that it could see is later.
    pub(super) newest_us: i64,
}

/// What is in memory of the newest rows of each measurement.
#[derive(Debug, Default)]
pub(super) struct Fresh {
    recent: Recent,
    known: HashMap<i32, Known>,
}

#[derive(Debug)]
struct Known {
    /// All rows from here on that the look could see are in these batches.
    from_us: i64,
    looked_us: i64,
    batches: Vec<RecentBatch>,
}

impl Fresh {
    /// Of what writers leave there.
    pub(super) fn of(recent: Recent) -> Self {
        Self { recent, known: HashMap::new() }
    }

    /// Lets writers know that there is somebody who takes what they leave.
    pub(super) fn follow(&self) {
        self.recent.follow();
    }

    /// Whether much waits there.
    pub(super) fn is_filling(&self) -> bool {
        self.recent.is_filling()
    }

    /// Takes the batches of what a look has found, which must be committed.
    pub(super) fn looked(&mut self, measurement_id: i32, found: &Found) {
        self.follow();
        let taken: Vec<Option<RecentBatch>> =
            found.xids.iter().map(|xid| self.recent.take(measurement_id, *xid)).collect();
        let taken: Option<Vec<RecentBatch>> = taken.into_iter().collect();
        let known = self.known.get_mut(&measurement_id);
        let known = known.filter(|known| found.is_all && found.before_us == Some(known.looked_us));
        if let (Some(known), Some(taken)) = (known, taken)
            && found.are_as_sent
        {
            known.looked_us = found.looked_us;
            known.batches.extend(taken);
            return;
        }
        let from_us = if found.are_as_sent { found.newest_us.saturating_add(1) } else { i64::MAX };
        let known = Known { from_us, looked_us: found.looked_us, batches: Vec::new() };
        self.known.insert(measurement_id, known);
    }

    /// The time from which on all rows are here that a look at `looked_us` could see.
    pub(super) fn whole_from(&self, measurement_id: i32, looked_us: Option<i64>) -> i64 {
        let known = self.known.get(&measurement_id).filter(|known| looked_us == Some(known.looked_us));
        known.map_or(i64::MAX, |known| known.from_us)
    }

    /// Gives up what is before a time: nobody is going to ask for it.
    pub(super) fn release(&mut self, measurement_id: i32, before_us: i64) {
        if let Some(known) = self.known.get_mut(&measurement_id) {
            known.batches.retain(|batch| batch.time_bounds().is_some_and(|(_, last_us)| last_us >= before_us));
        }
    }

    /// Gives up what is here of a measurement.
    pub(super) fn forget(&mut self, measurement_id: i32) {
        self.known.remove(&measurement_id);
    }

    /// Gives up everything.
    pub(super) fn forget_all(&mut self) {
        self.known.clear();
    }

    /// What the rows of stretches say that lie [where all rows are here](Self::whole_from): bars, and last values with them where
    /// each field with bars has one; or last values alone. `None` where a column has another type than the rows had.
    pub(super) async fn rows(
        &self,
        shape: &Shape,
        target: Target,
        stretches: &[Stretch],
    ) -> Result<Option<Rows>, RollupError> {
        let Some(known) = self.known.get(&shape.measurement.id) else { return Ok(None) };
        let level = match target {
            Target::Bars(level) => Some(level),
            Target::Latest => None,
        };
        let has_newest = !shape.latest.is_empty() && (level.is_none() || shape.latest_places().is_some());
        let mut newest = has_newest.then(|| Newest::of(shape));
        let mut read = Vec::with_capacity(stretches.len());
        let mut keys: Vec<Option<Key>> = vec![None; shape.fields.len()];
        let mut rows = 0;
        for stretch in stretches.iter().copied() {
            let mut bars = Bars::new(shape.numbers(), shape.weighting());
            for batch in known.batches.iter().filter(|batch| may_lie_within(batch, stretch)) {
                let Some(columns) = Columns::of(batch, shape) else { return Ok(None) };
                for (at, row) in batch.rows().enumerate() {
                    if at % YIELD_AFTER == 0 {
                        yield_now().await;
                    }
                    let (time_us, series_id) = (row.time_us(), row.series_id());
                    if !(stretch.from_us..stretch.to_us).contains(&time_us) {
                        continue;
                    }
                    rows += 1;
                    if let Some(level) = level {
                        for (key, column) in keys.iter_mut().zip(&columns.bars) {
                            *key = column.and_then(|column| row.cell(column)).and_then(key_of);
                        }
                        bars.add(level.floor(time_us), time_us, series_id, &keys);
                    }
                    if let Some(newest) = &mut newest {
                        let value = |at: usize, _| row.cell(columns.latest[at]?).and_then(newest_of);
                        newest.add_with(time_us, series_id, value);
                    }
                }
            }
            if level.is_some() {
                read.push((stretch, finished(bars).await?));
            }
        }
        metric::count(metric::MEMORY, rows);
        Ok(Some(Rows { bars: read, newest }))
    }
}

fn may_lie_within(batch: &Batch, stretch: Stretch) -> bool {
    batch.time_bounds().is_some_and(|(first_us, last_us)| first_us < stretch.to_us && last_us >= stretch.from_us)
}

/// The places of a shape's fields among the columns of a batch; none where its rows have no such field.
struct Columns {
    bars: Vec<Option<usize>>,
    latest: Vec<Option<usize>>,
}

impl Columns {
    /// `None` where a field has another type by now.
    fn of(batch: &Batch, shape: &Shape) -> Option<Self> {
        let place = |name: &str, kind: ColumnType| {
            let Some(at) = batch.columns().iter().position(|column| column.name == name) else { return Some(None) };
            (batch.columns()[at].kind == kind).then_some(Some(at))
        };
        Some(Self {
            bars: shape.fields.iter().map(|field| place(&field.column, field.kind)).collect::<Option<_>>()?,
            latest: shape.latest.iter().map(|field| place(&field.column, field.kind)).collect::<Option<_>>()?,
        })
    }
}

fn key_of(value: Value<'_>) -> Option<Key> {
    match value {
        Value::Float8(value) => Key::of_float(value),
        Value::Int8(value) => Some(Key::of_int(value)),
        Value::Bool(value) => Some(Key::of_int(i64::from(value))),
        Value::Text(_) | Value::Timestamptz(_) => None,
    }
}

fn newest_of(value: Value<'_>) -> Option<newest::Value> {
    match value {
        Value::Text(text) => Some(newest::Value::Text(text.to_owned())),
        Value::Timestamptz(us) => Some(newest::Value::Time(us)),
        number => key_of(number).map(newest::Value::Number),
    }
}
