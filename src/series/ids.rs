//! Series ids in memory.

use std::sync::{Arc, PoisonError, RwLock};

use hashbrown::HashMap;

use super::SeriesKey;
use crate::hypertable::Measurement;

type Ids = Arc<RwLock<HashMap<SeriesKey, i64>>>;

/// The ids that this process knows, by measurement and epoch. Never wrong: an id belongs to its key for ever, within an
/// epoch; what another process made is simply not known yet.
#[derive(Debug, Default)]
pub struct SeriesIds {
    measurements: RwLock<HashMap<(i32, i64), Ids>>,
}

impl SeriesIds {
    /// Looks up many keys under one lock; `None` where an id is not known.
    #[must_use]
    pub fn get(&self, measurement: &Measurement, keys: &[SeriesKey]) -> Vec<Option<i64>> {
        let ids = self.of(measurement);
        let ids = ids.read().unwrap_or_else(PoisonError::into_inner);
        keys.iter().map(|key| ids.get(key).copied()).collect()
    }

    /// Remembers ids.
    pub fn put(&self, measurement: &Measurement, known: impl IntoIterator<Item = (SeriesKey, i64)>) {
        let ids = self.of(measurement);
        ids.write().unwrap_or_else(PoisonError::into_inner).extend(known);
    }

    /// Forgets a measurement that is gone.
    pub fn forget(&self, measurement: &Measurement) {
        let mut measurements = self.measurements.write().unwrap_or_else(PoisonError::into_inner);
        measurements.remove(&(measurement.id, measurement.epoch));
    }

    fn of(&self, measurement: &Measurement) -> Ids {
        let key = (measurement.id, measurement.epoch);
        if let Some(ids) = self.measurements.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Arc::clone(ids);
        }
        let mut measurements = self.measurements.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(measurements.entry(key).or_default())
    }
}
