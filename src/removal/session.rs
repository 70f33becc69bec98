//! Transactions that wait for others a little, again and again, rather than long: who waits behind them waits as well.

use std::time::Duration;

use sqlx::{Connection, Executor, PgConnection, Postgres, Transaction};
use tokio::time::Instant;

use super::RemovalError;
use crate::{
    db::{Database, Failure, Role, classify},
    hypertable::{Measurement, load_measurement, load_measurements},
};

/// While a transaction of this module waits for a lock, writers wait behind it.
const LOCK_TIMEOUT: &str = "SET lock_timeout = '1s'";
const PAUSE: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(30);

/// The owner's session for one removal, and the measurement that it is about.
pub(super) struct Session {
    pub(super) connection: PgConnection,
    pub(super) measurement: Measurement,
    until: Instant,
}

impl Session {
    /// Connects, and finds the measurement.
    pub(super) async fn open(database: &Database, namespace: &str, name: &str) -> Result<Self, RemovalError> {
        let mut connection = database.connect(Role::Owner).await?;
        connection.execute(LOCK_TIMEOUT).await?;
        let measurement = find(&mut connection, namespace, name).await?;
        Ok(Self { connection, measurement, until: Instant::now() + PATIENCE })
    }

    /// Does `work` in a transaction, and again while others are in the way.
    pub(super) async fn transact<T>(
        &mut self,
        mut work: impl AsyncFnMut(&mut Transaction<'_, Postgres>, &Measurement) -> Result<T, RemovalError>,
    ) -> Result<T, RemovalError> {
        loop {
            let mut transaction = self.connection.begin().await?;
            let done = match work(&mut transaction, &self.measurement).await {
                Ok(done) => transaction.commit().await.map(|()| done).map_err(RemovalError::from),
                Err(error) => {
                    // The first error is the one worth telling.
                    drop(transaction.rollback().await);
                    Err(error)
                }
            };
            match done {
                Err(RemovalError::Database(error)) if classify(&error) == Failure::Contention => {
                    if Instant::now() >= self.until {
                        let measurement = self.measurement.name.clone();
                        return Err(RemovalError::InUse { measurement, source: error });
                    }
                    tracing::debug!(measurement = self.measurement.name, error = %error, "a removal waits for others");
                    tokio::time::sleep(PAUSE).await;
                }
                done => return done,
            }
        }
    }

    pub(super) async fn close(self) -> Result<(), RemovalError> {
        Ok(self.connection.close().await?)
    }
}

async fn find(connection: &mut PgConnection, namespace: &str, name: &str) -> Result<Measurement, RemovalError> {
    // PostgreSQL's text cannot hold NUL, so that nothing has such a name, and binding it would be an error.
    let impossible = namespace.contains('\0') || name.contains('\0');
    if !impossible && let Some(found) = load_measurement(&mut *connection, namespace, name).await? {
        return Ok(found);
    }
    let known = load_measurements(connection, &namespace.replace('\0', "")).await?;
    Err(RemovalError::UnknownMeasurement {
        name: name.to_owned(),
        known: known.into_iter().map(|measurement| measurement.name).collect(),
    })
}
