//! Series that sleep: retired, left out of questions, until they are written again.

use std::{
    collections::HashSet,
    sync::{Arc, PoisonError, RwLock},
};

use sqlx::PgConnection;

use super::Measurement;

/// The sleeping series of a measurement as a writer knows them. A series that is taken for asleep and is awake is woken in vain;
/// the other way round cannot be, because `chunkwise.open_write` asks for the state that this is.
#[derive(Debug, Default)]
pub struct Sleeping {
    known: RwLock<(i64, Arc<HashSet<i64>>)>,
}

impl Sleeping {
    /// How often series had been retired when this was read, and the ids of those that slept then.
    #[must_use]
    pub fn known(&self) -> (i64, Arc<HashSet<i64>>) {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn learn(&self, retirements: i64, ids: HashSet<i64>) {
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = (retirements, Arc::new(ids));
    }
}

/// Reads which series of a measurement sleep.
///
/// # Errors
/// The database's.
pub async fn learn_sleeping(connection: &mut PgConnection, measurement: &Measurement) -> Result<(), sqlx::Error> {
    // One statement, so one state.
    let (retirements, ids): (i64, Vec<i64>) = sqlx::query_as(
        "SELECT coalesce((SELECT retirements FROM chunkwise.measurement WHERE id = $1), 0),
                ARRAY (SELECT series_id FROM chunkwise.retired_series WHERE measurement_id = $1)",
    )
    .bind(measurement.id)
    .fetch_one(connection)
    .await?;
    measurement.sleeping.learn(retirements, ids.into_iter().collect());
    Ok(())
}
