//! Last values that were answered before, and what has changed since.
//!
//! An answer is kept with the state of the database that it is of. A later question compares the change log of its own
//! snapshot with that: what was written since is read, and nothing else, so that the answer is right whoever wrote, in this
//! process or in another, and after a restart.
//!
//! ```text
//! nothing written since                      the same answer, and the same bytes
//! some stretches of time                     their rows are read and put in
//! a last value was deleted, series fell asleep or woke, INSERTs of other clients, very many rows -> all is read anew
//! ```

use std::{
    cmp::Ordering,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use hashbrown::HashMap;

use super::{Found, LatestAnswer, LatestValues, Written};
use crate::{
    hypertable::{
        ColumnType, Field, Measurement,
        changes::{Seen, Stretch},
    },
    query::{SelectedSeries, TaggedSeries},
    series,
};

/// An answer that nobody has asked for in so long is not kept.
const KEPT_FOR: Duration = Duration::from_secs(3_600);
/// The answers that are kept have together not more series than this, or are one.
const MOST_SERIES: usize = 500_000;

/// Which series sleep: their number, and all their ids in one.
pub(super) type Asleep = (i64, Option<i64>);

/// An answer and what it is of.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) answer: Arc<LatestAnswer>,
    pub(super) seen: Seen,
    pub(super) asleep: Asleep,
    epoch: i64,
    kind: ColumnType,
    tags: usize,
    used: Instant,
}

/// The answers that are kept, by measurement and column.
#[derive(Debug, Default)]
pub(in crate::query) struct KeptAnswers(Mutex<HashMap<(i32, String), Kept>>);

impl KeptAnswers {
    /// The answer that was kept of a field, if it is of the measurement as it is now.
    pub(super) fn get(&self, measurement: &Measurement, field: &Field) -> Option<Kept> {
        let kept = self.lock().get(&(measurement.id, field.column.clone())).cloned()?;
        let is_of_it = kept.epoch == measurement.epoch
            && kept.kind == field.kind
            && kept.tags == measurement.tags.len()
            && kept.used.elapsed() < KEPT_FOR;
        is_of_it.then_some(kept)
    }

    /// Keeps an answer, and lets others go that were not asked for in the longest time.
    pub(super) fn put(
        &self,
        measurement: &Measurement,
        field: &Field,
        answer: &Arc<LatestAnswer>,
        seen: Seen,
        asleep: Asleep,
    ) {
        let kept = Kept {
            answer: Arc::clone(answer),
            seen,
            asleep,
            epoch: measurement.epoch,
            kind: field.kind,
            tags: measurement.tags.len(),
            used: Instant::now(),
        };
        let mut all = self.lock();
        all.insert((measurement.id, field.column.clone()), kept);
        all.retain(|_, kept| kept.used.elapsed() < KEPT_FOR);
        while all.len() > 1 && all.values().map(|kept| kept.answer.times_us.len()).sum::<usize>() > MOST_SERIES {
            let oldest = all.iter().min_by_key(|(_, kept)| kept.used).map(|(key, _)| key.clone());
            let Some(oldest) = oldest else { break };
            all.remove(&oldest);
        }
    }

    /// Whether one more could be kept without another having to go.
    pub(in crate::query) fn has_room(&self) -> bool {
        self.lock().values().map(|kept| kept.answer.times_us.len()).sum::<usize>() < MOST_SERIES
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(i32, String), Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The answer with what was found in stretches of time that have changed since, the newest value of each series there;
/// `None` where a last value has gone from its stretch and what was before it is not known. `new` are series that the answer
/// does not have, ascending by id.
pub(super) fn refreshed(
    measurement: &Measurement,
    kind: ColumnType,
    answer: &LatestAnswer,
    dirty: &[Stretch],
    found: &Found,
    new: Vec<TaggedSeries>,
) -> Option<LatestAnswer> {
    let stretch_of = |us: i64| {
        let at = dirty.partition_point(|stretch| stretch.to_us <= us);
        dirty.get(at).filter(|stretch| stretch.from_us <= us).map(|_| at)
    };
    let (mut times_us, mut values) = (answer.times_us.clone(), answer.values.clone());
    for (at, series) in answer.rows.series.iter().enumerate() {
        let known_us = answer.times_us.get(at).copied()?;
        let found = found.get(&series.series_id);
        let later = found.is_some_and(|(us, value)| {
            *us > known_us || (*us == known_us && answer.values.compared(at, value) == Ordering::Less)
        });
        let changed = stretch_of(known_us);
        if !later && changed.is_none() {
            continue;
        }
        let (us, value) = found?;
        if !later && stretch_of(*us) != changed {
            return None;
        }
        times_us[at] = *us;
        values.set(at, value)?;
    }
    if new.is_empty() {
        return Some(LatestAnswer { rows: Arc::clone(&answer.rows), times_us, values, written: Written::default() });
    }
    let SelectedSeries { tag_names, series, .. } = &*answer.rows;
    let mut merged = LatestAnswer {
        rows: Arc::default(),
        times_us: Vec::with_capacity(series.len() + new.len()),
        values: LatestValues::of(kind),
        written: Written::default(),
    };
    let mut all = Vec::with_capacity(series.len() + new.len());
    let mut new = new.into_iter().peekable();
    for (at, series) in series.iter().enumerate() {
        while let Some(new) = new.next_if(|new| new.series_id < series.series_id) {
            merged.push(new, found, &mut all);
        }
        merged.times_us.push(times_us[at]);
        merged.values.push_from(&values, at);
        all.push(series.clone());
    }
    for new in new {
        merged.push(new, found, &mut all);
    }
    let version = series::version(measurement, all.iter().map(|series| series.series_id));
    merged.rows = Arc::new(SelectedSeries { tag_names: tag_names.clone(), series: all, version });
    Some(merged)
}

impl LatestAnswer {
    fn push(&mut self, series: TaggedSeries, found: &Found, all: &mut Vec<TaggedSeries>) {
        if let Some((us, value)) = found.get(&series.series_id)
            && self.values.push(value)
        {
            self.times_us.push(*us);
            all.push(series);
        }
    }
}

#[cfg(test)]
mod tests;
