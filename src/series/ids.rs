//! Series ids in memory.

use std::sync::{Arc, PoisonError, RwLock};

use hashbrown::HashMap;

use super::SeriesKey;
use crate::hypertable::Measurement;

/// So many ids of one measurement are kept; then all are forgotten, and those that are still needed are read again. A
/// million take 56 MB, two 112.
const MOST_IDS: usize = 2_000_000;

/// The ids that this process knows, by measurement and epoch. Never wrong: an id belongs to its key for ever, within an
/// epoch; what another process made is simply not known yet.
#[derive(Debug, Default)]
pub struct SeriesIds {
    measurements: RwLock<HashMap<(i32, i64), MeasurementIds>>,
}

/// The ids of one measurement. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct MeasurementIds {
    ids: Arc<RwLock<HashMap<PackedKey, i64>>>,
}

/// A key with the alignment of its halves: a map's entry takes 24 bytes, not 32.
type PackedKey = (u64, u64);

fn pack(key: SeriesKey) -> PackedKey {
    key.to_uuid().as_u64_pair()
}

impl SeriesIds {
    /// The ids of a measurement, as it is in this epoch.
    #[must_use]
    pub fn of(&self, measurement: &Measurement) -> MeasurementIds {
        let key = (measurement.id, measurement.epoch);
        if let Some(ids) = self.measurements.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return ids.clone();
        }
        let mut measurements = self.measurements.write().unwrap_or_else(PoisonError::into_inner);
        measurements.entry(key).or_default().clone()
    }

    /// Forgets a measurement that is gone.
    pub fn forget(&self, measurement: &Measurement) {
        let mut measurements = self.measurements.write().unwrap_or_else(PoisonError::into_inner);
        measurements.remove(&(measurement.id, measurement.epoch));
    }
}

impl MeasurementIds {
    /// The id of a key, if it is known.
    #[must_use]
    pub fn get(&self, key: SeriesKey) -> Option<i64> {
        self.ids.read().unwrap_or_else(PoisonError::into_inner).get(&pack(key)).copied()
    }

    /// Remembers ids.
    pub fn put(&self, known: &[(SeriesKey, i64)]) {
        let mut ids = self.ids.write().unwrap_or_else(PoisonError::into_inner);
        if ids.len() + known.len() > MOST_IDS {
            *ids = HashMap::new();
        }
        ids.extend(known.iter().map(|&(key, id)| (pack(key), id)));
    }
}
