//! Looks at the change log in a question's state.

use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, Row};

use super::{
    journal::{Entry, Journal, Look},
    visibility::PgSnapshot,
};
use crate::hypertable::Measurement;

/// Which database's rows are kept, and which of its lives: after a restore or a recovery to a point in time, what was read
/// before says nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    system: String,
    timeline: i32,
    database: i64,
    measurement: i32,
    epoch: i64,
}

impl Identity {
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

/// One round trip: who the database is, which transactions this state sees, and which entries it sees that the state
/// before did not.
const LOOK: &str = "\
SELECT facts.*, a.*, c.id, c.xid::text AS xid,
       CASE WHEN isfinite(c.lo) THEN (extract(epoch FROM c.lo) * 1000000)::int8 WHEN c.lo IS NOT NULL
            THEN CASE WHEN c.lo < 'epoch' THEN -9223372036854775808 ELSE 9223372036854775807 END END AS lo,
       CASE WHEN isfinite(c.hi) THEN (extract(epoch FROM c.hi) * 1000000)::int8 WHEN c.hi IS NOT NULL
            THEN CASE WHEN c.hi < 'epoch' THEN -9223372036854775808 ELSE 9223372036854775807 END END AS hi
FROM (SELECT (SELECT system_identifier::text FROM pg_control_system()) AS system,
             (SELECT timeline_id FROM pg_control_checkpoint()) AS timeline,
             (SELECT oid::int8 FROM pg_database WHERE datname = current_database()) AS database,
             pg_current_snapshot()::text AS snapshot, pg_is_in_recovery() AS replica,
             (SELECT coalesce(max(id), 0) FROM chunkwise.change) AS last_id) AS facts
LEFT JOIN LATERAL (
     SELECT attnum::int4 AS column_number, atttypid::int8 AS column_kind FROM pg_attribute
     WHERE attrelid = to_regclass($4) AND attname = $5 AND NOT attisdropped) AS a ON true
LEFT JOIN chunkwise.change c
     ON c.measurement_id = $1 AND c.id > $2 AND NOT pg_visible_in_snapshot(c.xid, $3::pg_snapshot)";

/// Looks, from where the journal ends.
pub(super) async fn look(
    connection: &mut PgConnection,
    measurement: &Measurement,
    column: &str,
    as_of_us: i64,
    from: Option<(i64, String)>,
) -> Result<(Identity, Column, Look), sqlx::Error> {
    let (after_id, seen) = from.unzip();
    let rows = sqlx::query(LOOK)
        .bind(measurement.id)
        .bind(after_id)
        .bind(seen)
        .bind(measurement.storage())
        .bind(column)
        .fetch_all(connection)
        .await?;
    let first = rows.first().ok_or(sqlx::Error::RowNotFound)?;
    let identity = Identity {
        system: first.try_get("system")?,
        timeline: first.try_get("timeline")?,
        database: first.try_get("database")?,
        measurement: measurement.id,
        epoch: measurement.epoch,
    };
    let column = Column {
        name: column.to_owned(),
        number: first.try_get("column_number")?,
        kind: first.try_get("column_kind")?,
    };
    let text: &str = first.try_get("snapshot")?;
    let snapshot = PgSnapshot::parse(text, first.try_get("replica")?)
        .ok_or_else(|| sqlx::Error::Decode(format!("`{text}` is no snapshot").into()))?;
    let mut entries = Vec::new();
    for row in &rows {
        let Some(id) = row.try_get("id")? else { continue };
        let xid: &str = row.try_get("xid")?;
        let xid = xid.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        let times_us = Option::zip(row.try_get("lo")?, row.try_get("hi")?);
        entries.push(Entry { id, xid, times_us });
    }
    Ok((identity, column, Look { snapshot, as_of_us, last_id: first.try_get("last_id")?, entries }))
}

/// Where the next look begins.
pub(super) fn from(journal: &Journal) -> (i64, String) {
    (journal.after_id(), journal.last().text())
}
