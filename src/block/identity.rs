//! What blocks are of: which database, which measurement, which column.

use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, Row};

use crate::hypertable::{
    Measurement,
    changes::{PgSnapshot, Seen},
};

/// Which database's rows are kept, and which of its lives: after a restore or a recovery to a point in time, what was read
/// before says nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    system: i64,
    timeline: i32,
    database: i64,
    measurement: i32,
    epoch: i64,
}

impl Identity {
    /// What a measurement is where somebody has looked.
    pub(super) fn of(measurement: &Measurement, seen: &Seen) -> Self {
        let Seen { system, timeline, database, .. } = *seen;
        Self { system, timeline, database, measurement: measurement.id, epoch: measurement.epoch }
    }

    /// A state there of which an earlier process has kept what it knew.
    pub(super) fn seen(&self, snapshot: PgSnapshot, looked_us: i64) -> Seen {
        let Self { system, timeline, database, .. } = *self;
        Seen { snapshot, system, timeline, database, looked_us }
    }

    /// A name for a folder that nobody else's has.
    pub(super) fn folder(&self) -> String {
        let Self { system, timeline, database, measurement, epoch } = self;
        format!("{system}-{timeline}-{database}-{measurement}-{epoch}")
    }
}

/// A column of a measurement's table. One that is dropped and made anew by hand is another, and so is one of another type.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Column {
    name: String,
    /// None where somebody has dropped it.
    number: Option<i32>,
    kind: Option<i64>,
}

impl Column {
    /// The column as a question's state has it.
    pub(super) async fn find(
        connection: &mut PgConnection,
        measurement: &Measurement,
        name: &str,
    ) -> Result<Self, sqlx::Error> {
        let row = sqlx::query(
            "SELECT attnum::int4 AS number, atttypid::int8 AS kind FROM pg_attribute
             WHERE attrelid = to_regclass($1) AND attname = $2 AND NOT attisdropped",
        )
        .bind(measurement.storage())
        .bind(name)
        .fetch_optional(connection)
        .await?;
        let (number, kind) = match row {
            Some(row) => (Some(row.try_get("number")?), Some(row.try_get("kind")?)),
            None => (None, None),
        };
        Ok(Self { name: name.to_owned(), number, kind })
    }
}
