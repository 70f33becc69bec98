//! Rows that this process has written itself a moment ago: they are still in memory, and need not be read.
//!
//! It is known of which time all is here: all rows that the last look at the change log could see. What others have changed,
//! and batches for which there was no room, are holes in it; what somebody has changed nobody knows where lets it begin anew
//! behind the newest row, and so does a look after one that was taken by another process. What lies in holes is read. What is
//! committed after the last look is found by the next one, as it is where rows are read.

use std::time::{Duration, Instant};

use hashbrown::HashMap;

use super::{
    Shape,
    ahead::Rows,
    bars::{Bars, Key},
    make::Target,
    metric,
    newest::{self, Newest},
    read::{RollupError, finished},
};
use crate::{
    batch::{Batch, Recent, RecentBatch, Value},
    hypertable::{
        ColumnType,
        changes::{Entry, Extent, Stretch, merged},
    },
};

/// What is in memory of a measurement that was not looked at for so long is given up; and a batch that was not used up after
/// so long, as one of its rows is of years to come.
const KEPT: Duration = Duration::from_secs(120);

/// What a look at a measurement's change log has found.
#[derive(Debug)]
pub(super) struct Found {
    /// When the look before it was taken, by whomever.
    pub(super) before_us: Option<i64>,
    pub(super) looked_us: i64,
    /// What it saw and the one before did not.
    pub(super) entries: Vec<Entry>,
    /// Whether these tell all that has changed.
    pub(super) is_all: bool,
    /// Whether rows are stored as they were sent.
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
    /// All rows that the look could see are in these batches, but for those of this time; ascending and apart.
    holes: Vec<Stretch>,
    looked_us: i64,
    looked: Instant,
    batches: Vec<RecentBatch>,
}

impl Known {
    /// Gives up batches that have become old, which are holes then, and those of which all is in a hole.
    fn give_up(&mut self) {
        let old = self.batches.extract_if(.., |batch| batch.age() >= KEPT).filter_map(|batch| extent(&batch));
        let holes: Vec<Stretch> = old.collect();
        if !holes.is_empty() {
            self.holes = merged(self.holes.iter().copied().chain(holes).collect());
        }
        let is_hole = |of: Stretch| self.holes.iter().any(|hole| hole.intersection(of) == of);
        self.batches.retain(|batch| extent(batch).is_some_and(|extent| !is_hole(extent)));
    }
}

/// The time of a batch's rows; none without rows.
fn extent(batch: &Batch) -> Option<Stretch> {
    batch.time_bounds().map(|(first_us, last_us)| Stretch { from_us: first_us, to_us: last_us.saturating_add(1) })
}

/// What is in memory from some time on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waiting {
    pub(super) rows: u64,
    /// From its first time to its last, in microseconds.
    pub(super) time_us: i64,
    /// How long ago the first of it came.
    pub(super) age: Duration,
}

/// Where the rows are from some time on, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// All are in memory.
    Here { until_us: i64 },
    /// Some are in the database alone.
    There { until_us: i64 },
}

impl Fresh {
    /// Of what writers leave there.
    pub(super) fn of(recent: Recent) -> Self {
        Self { recent, known: HashMap::new() }
    }

    /// Lets writers know that there is somebody who takes what they leave; and gives up what is here of measurements that nobody
    /// writes to any more, or that have gone.
    pub(super) fn follow(&mut self) {
        self.recent.follow();
        self.known.retain(|_, known| known.looked.elapsed() < KEPT);
        self.known.values_mut().for_each(Known::give_up);
    }

    /// Whether much waits there.
    pub(super) fn is_filling(&self) -> bool {
        self.recent.is_filling()
    }

    /// Takes the batches of what a look has found, which must be committed.
    pub(super) fn looked(&mut self, measurement_id: i32, found: &Found) {
        self.recent.follow();
        let mut batches = Vec::new();
        let mut holes = Vec::new();
        let mut is_all = found.is_all;
        for entry in &found.entries {
            match (self.recent.take(measurement_id, entry.xid), entry.extent) {
                (Some(batch), _) => batches.push(batch),
                (None, Extent::Within(stretch)) => holes.push(stretch),
                (None, Extent::Unknown | Extent::Everything) => is_all = false,
            }
        }
        let known = self.known.remove(&measurement_id);
        let known = known.filter(|known| is_all && found.before_us == Some(known.looked_us));
        let known = match known {
            Some(mut known) => {
                (known.looked_us, known.looked) = (found.looked_us, Instant::now());
                known.batches.append(&mut batches);
                known.holes = merged(known.holes.into_iter().chain(holes).collect());
                known
            }
            None => {
                // Where there is no row yet there is no hole either.
                let before = (found.newest_us > i64::MIN)
                    .then_some(Stretch { from_us: i64::MIN, to_us: found.newest_us.saturating_add(1) });
                Known {
                    holes: before.into_iter().collect(),
                    looked_us: found.looked_us,
                    looked: Instant::now(),
                    batches: Vec::new(),
                }
            }
        };
        if found.are_as_sent {
            self.known.insert(measurement_id, known);
        }
    }

    /// Where all the rows are that a look at `looked_us` could see, from a time on, in whole buckets of `width_us`.
    pub(super) fn place(&self, measurement_id: i32, looked_us: Option<i64>, from_us: i64, width_us: i64) -> Place {
        let known = self.known.get(&measurement_id).filter(|known| looked_us == Some(known.looked_us));
        let Some(known) = known else { return Place::There { until_us: i64::MAX } };
        let holes = merged(known.holes.iter().map(|hole| hole.widened(width_us)).collect());
        match holes.iter().find(|hole| hole.to_us > from_us) {
            Some(hole) if hole.from_us <= from_us => Place::There { until_us: hole.to_us },
            next => Place::Here { until_us: next.map_or(i64::MAX, |hole| hole.from_us) },
        }
    }

    /// What is in memory from a time on; `None` if that is nothing.
    pub(super) fn waiting(&self, measurement_id: i32, from_us: i64) -> Option<Waiting> {
        let (mut rows, mut age, mut hull) = (0, Duration::ZERO, None::<Stretch>);
        for batch in self.known.get(&measurement_id).iter().flat_map(|known| &known.batches) {
            let Some(extent) = extent(batch).filter(|extent| extent.to_us > from_us) else { continue };
            rows += batch.len() as u64;
            age = age.max(batch.age());
            hull = Some(hull.map_or(extent, |hull| Stretch {
                from_us: hull.from_us.min(extent.from_us),
                to_us: hull.to_us.max(extent.to_us),
            }));
        }
        hull.map(|hull| Waiting { rows, time_us: hull.to_us.saturating_sub(hull.from_us), age })
    }

    /// Gives up what is before a time: nobody is going to ask for it.
    pub(super) fn release(&mut self, measurement_id: i32, before_us: i64) {
        if let Some(known) = self.known.get_mut(&measurement_id) {
            let before = Stretch { from_us: i64::MIN, to_us: before_us };
            known.holes = merged(known.holes.iter().copied().chain([before]).collect());
            known.give_up();
        }
    }

    /// Gives up what is here of a measurement.
    pub(super) fn forget(&mut self, measurement_id: i32) {
        self.known.remove(&measurement_id);
    }

    /// Gives up everything, also what waits: the next session may be another server's, whose transactions have the same
    /// numbers.
    pub(super) fn forget_all(&mut self) {
        self.known.clear();
        self.recent.forget();
    }

    /// What the rows of stretches say that lie [where all rows are](Self::place): bars, and last values with them where
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
            for batch in known.batches.iter().filter(|batch| lies_within(batch, stretch)) {
                let Some(columns) = Columns::of(batch, shape) else { return Ok(None) };
                for row in batch.rows() {
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

fn lies_within(batch: &Batch, stretch: Stretch) -> bool {
    extent(batch).is_some_and(|extent| !extent.intersection(stretch).is_empty())
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

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::batch::BatchColumn;

    const MINUTE_US: i64 = 60_000_000;

    fn minutes(from: i64, to: i64) -> Stretch {
        Stretch { from_us: from * MINUTE_US, to_us: to * MINUTE_US }
    }

    /// What a look finds: transactions by their numbers, with the time of their rows.
    fn found(looks: [i64; 2], entries: &[(u64, Stretch)], newest: i64) -> Found {
        let entry = |&(xid, stretch)| Entry { id: 1, xid, extent: Extent::Within(stretch) };
        Found {
            before_us: Some(looks[0]),
            looked_us: looks[1],
            entries: entries.iter().map(entry).collect(),
            is_all: true,
            are_as_sent: true,
            newest_us: newest * MINUTE_US - 1,
        }
    }

    fn put(recent: &Recent, xid: u64, stretch: Stretch) {
        let mut batch = Batch::new(vec![BatchColumn { name: "price".to_owned(), kind: ColumnType::Float8 }]);
        for us in [stretch.from_us, stretch.to_us - 1] {
            batch.push_row(us, 1, &[(0, Value::Float8(1.0))]).unwrap();
        }
        recent.put(7, xid, Cow::Owned(batch)).unwrap().committed();
    }

    #[test]
    fn what_is_not_here_is_a_hole_and_a_look_that_was_missed_the_end_of_all() {
        let recent = Recent::new(1 << 20);
        let mut fresh = Fresh::of(recent.clone());
        let place = |fresh: &Fresh, look, at| fresh.place(7, Some(look), at * MINUTE_US, MINUTE_US);
        let here = |until: i64| Place::Here { until_us: until * MINUTE_US };
        let there = |until: i64| Place::There { until_us: until * MINUTE_US };
        let (all_here, nothing) = (Place::Here { until_us: i64::MAX }, Place::There { until_us: i64::MAX });
        assert_eq!(place(&fresh, 1, 0), nothing);
        fresh.looked(7, &found([0, 1], &[], 3));
        assert_eq!((place(&fresh, 1, 2), place(&fresh, 1, 3)), (there(3), all_here));
        put(&recent, 10, minutes(3, 5));
        put(&recent, 12, minutes(7, 9));
        fresh.looked(7, &found([1, 2], &[(10, minutes(3, 5)), (11, minutes(5, 6)), (12, minutes(7, 9))], 9));
        assert_eq!(place(&fresh, 1, 3), nothing, "the last look is another");
        assert_eq!((place(&fresh, 2, 3), place(&fresh, 2, 5), place(&fresh, 2, 6)), (here(5), there(6), all_here));
        // Wider buckets have the hole in them.
        let five = |at: i64| fresh.place(7, Some(2), at * MINUTE_US, 5 * MINUTE_US);
        assert_eq!((five(5), five(10)), (there(10), all_here));
        // The minutes of a feed: the watermark is somewhere in five minutes.
        fresh.release(7, 8 * MINUTE_US);
        assert_eq!((place(&fresh, 2, 7), place(&fresh, 2, 8)), (there(8), all_here));
        assert_eq!(fresh.known[&7].batches.len(), 1);
        fresh.looked(7, &found([3, 4], &[], 9));
        assert_eq!((place(&fresh, 4, 8), place(&fresh, 4, 9)), (there(9), all_here), "another has looked meanwhile");
        fresh.looked(7, &Found { are_as_sent: false, ..found([4, 5], &[], 9) });
        assert_eq!(place(&fresh, 5, 9), nothing);
    }

    #[test]
    fn what_somebody_has_changed_nobody_knows_where_is_the_end_of_all() {
        let recent = Recent::new(1 << 20);
        let mut fresh = Fresh::of(recent.clone());
        for extent in [Extent::Unknown, Extent::Everything] {
            fresh.looked(7, &found([0, 1], &[], 3));
            put(&recent, 10, minutes(3, 5));
            let mut changed = found([1, 2], &[(10, minutes(3, 5))], 6);
            changed.entries.push(Entry { id: 2, xid: 11, extent });
            fresh.looked(7, &changed);
            assert_eq!(fresh.place(7, Some(2), 3 * MINUTE_US, MINUTE_US), Place::There { until_us: 6 * MINUTE_US });
            assert_eq!(fresh.known[&7].batches.len(), 0);
        }
    }
}
