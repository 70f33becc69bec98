//! One transaction: the ledger, the change log, and a COPY a measurement.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection, Postgres, Row, Transaction};
use uuid::Uuid;

use super::{
    PartialWrites, Protocol, Refused,
    prepare::{Part, off_the_async_threads},
    request::RequestId,
};
use crate::{
    batch::{Batch, Put, Recent},
    copy,
    hypertable::{Measurement, learn_sleeping},
};

/// A request as the writers see it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: RequestId,
    pub(super) parts: Vec<Part>,
    pub(super) rows: usize,
    pub(super) refused: Vec<Refused>,
    pub(super) source: Protocol,
    pub(super) partial: PartialWrites,
}

/// What a transaction did with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Its rows were committed now.
    Committed,
    /// They had been before; this was the answer then.
    Duplicate { body_hash: Uuid, written: u64, refused: Vec<Refused>, dead_lettered: u64 },
    /// Some of them were committed now; the database refused others, which are dead letters. `refused` has these too.
    Partial { written: u64, refused: Vec<Refused>, dead_lettered: u64 },
    /// The database refused some, and the request asked for all or nothing: nothing was written.
    Refused(Vec<Refused>),
    /// Another session holds this measurement, which the request or one before it touches: nothing was written, and nobody
    /// waits for the measurement. Only requests from the spool get this answer.
    Held { measurement: i32 },
}

/// Why nothing was committed.
#[derive(Debug)]
pub(super) struct CommitError {
    pub(super) error: sqlx::Error,
    /// The measurement whose rows were being copied.
    pub(super) measurement: Option<i32>,
}

impl From<sqlx::Error> for CommitError {
    fn from(error: sqlx::Error) -> Self {
        Self { error, measurement: None }
    }
}

/// Commits all entries, whose ids must differ from each other; returns an outcome for each. What was committed is left in
/// `recent`.
pub(super) async fn commit(
    connection: &mut PgConnection,
    entries: &[&Entry],
    recent: &Recent,
) -> Result<Vec<Outcome>, CommitError> {
    let Begun { mut transaction, xid, new } = begin(connection, entries).await?;
    if new.is_empty() {
        transaction.rollback().await?;
    } else {
        let mut left = Vec::new();
        for (measurement, batches) in by_measurement(entries, &new) {
            let batch = match batches.as_slice() {
                [one] => Cow::Borrowed(*one),
                many => Cow::Owned(Batch::concat(many).map_err(|error| sqlx::Error::Encode(Box::new(error)))?),
            };
            sort(&batch);
            let copied = copy::copy_in(&mut transaction, measurement, &batch).await;
            copied.map_err(|error| CommitError { error, measurement: Some(measurement.id) })?;
            left.extend(xid.and_then(|xid| recent.put(measurement.id, xid, batch)));
        }
        transaction.commit().await?;
        left.into_iter().for_each(Put::committed);
    }
    if new.len() == entries.len() {
        return Ok(vec![Outcome::Committed; entries.len()]);
    }
    let earlier = first_answers(connection, entries, &new).await?;
    entries
        .iter()
        .map(|entry| {
            if new.contains(&entry.id.id) {
                return Ok(Outcome::Committed);
            }
            // Expired between the two statements: whoever asks again gets a fresh answer.
            earlier
                .iter()
                .find(|(id, _)| *id == entry.id.id)
                .map(|(_, outcome)| outcome.clone())
                .ok_or_else(|| sqlx::Error::RowNotFound.into())
        })
        .collect()
}

/// Brings rows into the order in which they are copied; what is sorted already takes no time.
pub(super) fn sort(batch: &Batch) {
    const LONG_ROWS: usize = 20_000;
    if batch.len() < LONG_ROWS {
        batch.sort();
    } else {
        off_the_async_threads(|| batch.sort());
    }
}

/// Batches of the new requests by measurement, in the order of measurements: every transaction locks them in the same.
fn by_measurement<'e>(entries: &[&'e Entry], new: &HashSet<Uuid>) -> Vec<(&'e Measurement, Vec<&'e Batch>)> {
    let mut groups: BTreeMap<i32, (&Measurement, Vec<&Batch>)> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| new.contains(&entry.id.id)) {
        for Part { measurement, batch, .. } in &entry.parts {
            groups.entry(measurement.id).or_insert_with(|| (measurement, Vec::new())).1.push(batch);
        }
    }
    groups.into_values().collect()
}

/// A transaction in which requests are entered in the ledger.
pub(super) struct Begun<'c> {
    pub(super) transaction: Transaction<'c, Postgres>,
    /// Its number, if any request is new.
    pub(super) xid: Option<u64>,
    /// The ids of the requests that are new.
    pub(super) new: HashSet<Uuid>,
}

/// Begins a transaction: enters requests in the ledger and their ranges in the change log, and wakes their series that sleep.
/// Where series were retired that this process does not know of, it learns which first.
pub(super) async fn begin<'c>(connection: &'c mut PgConnection, entries: &[&Entry]) -> Result<Begun<'c>, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    let error = match open(&mut transaction, entries).await {
        Ok((xid, new)) => return Ok(Begun { transaction, xid, new }),
        Err(error) => error,
    };
    let is_news = matches!(&error, sqlx::Error::Database(error) if error.code().is_some_and(|code| code == "CW003"));
    if !is_news {
        return Err(error);
    }
    // It failed, and does nothing more until it ends.
    sqlx::query("ROLLBACK AND CHAIN").execute(&mut *transaction).await?;
    let mut told: Vec<&Arc<Measurement>> = Vec::new();
    for Part { measurement, .. } in entries.iter().flat_map(|entry| &entry.parts) {
        if !told.iter().any(|other| Arc::ptr_eq(other, measurement)) {
            learn_sleeping(&mut transaction, measurement).await?;
            told.push(measurement);
        }
    }
    let (xid, new) = open(&mut transaction, entries).await?;
    Ok(Begun { transaction, xid, new })
}

async fn open(
    transaction: &mut Transaction<'_, Postgres>,
    entries: &[&Entry],
) -> Result<(Option<u64>, HashSet<Uuid>), sqlx::Error> {
    // A measurement's range over all requests, and its lowest epoch: an old one is refused for all.
    let mut measurements: BTreeMap<i32, (i64, i64, i64)> = BTreeMap::new();
    // As little as any of them knows: less than there is to know is refused.
    let mut retirements: BTreeMap<i32, i64> = BTreeMap::new();
    let mut wake: Vec<i64> = Vec::new();
    for part in entries.iter().flat_map(|entry| &entry.parts) {
        let Some((lo, hi)) = part.batch.time_bounds() else { continue };
        let epoch = part.measurement.epoch;
        let range = measurements.entry(part.measurement.id).or_insert((epoch, lo, hi));
        *range = (range.0.min(epoch), range.1.min(lo), range.2.max(hi));
        let (known, asleep) = part.measurement.sleeping.known();
        let least = retirements.entry(part.measurement.id).or_insert(known);
        *least = known.min(*least);
        if !asleep.is_empty() {
            wake.extend(part.batch.series_ids().iter().filter(|id| asleep.contains(id)));
        }
    }
    let column = |pick: fn(&(i64, i64, i64)) -> i64| measurements.values().map(pick).collect::<Vec<i64>>();
    let times = |us: Vec<i64>| us.into_iter().map(time).collect::<Vec<DateTime<Utc>>>();

    wake.sort_unstable();
    wake.dedup();
    let rows = sqlx::query(
        "SELECT open_write AS id, pg_current_xact_id()::text AS xid
         FROM chunkwise.open_write($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(entries.iter().map(|entry| entry.id.id).collect::<Vec<_>>())
    .bind(entries.iter().map(|entry| entry.id.body_hash).collect::<Vec<_>>())
    .bind(entries.iter().map(|entry| i32::try_from(entry.rows).unwrap_or(i32::MAX)).collect::<Vec<_>>())
    .bind(entries.iter().map(|entry| refused_json(&entry.refused)).collect::<Vec<_>>())
    .bind(entries.iter().map(|entry| entry.id.keep.as_secs_f64()).collect::<Vec<_>>())
    .bind(measurements.keys().copied().collect::<Vec<i32>>())
    .bind(column(|range| range.0))
    .bind(times(column(|range| range.1)))
    .bind(times(column(|range| range.2)))
    .bind(retirements.into_values().collect::<Vec<i64>>())
    .bind(wake)
    .fetch_all(&mut **transaction)
    .await?;
    let xid = match rows.first() {
        Some(row) => {
            let xid: &str = row.try_get("xid")?;
            Some(xid.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?)
        }
        None => None,
    };
    Ok((xid, rows.iter().map(|row| row.try_get("id")).collect::<Result<_, _>>()?))
}

/// Lines' times are within the years 1 to 9999, which every calendar here has.
fn time(us: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(us).unwrap_or(DateTime::UNIX_EPOCH)
}

fn refused_json(refused: &[Refused]) -> Option<serde_json::Value> {
    if refused.is_empty() { None } else { serde_json::to_value(refused).ok() }
}

/// What the ledger has of those requests that are not new.
pub(super) async fn first_answers(
    connection: &mut PgConnection,
    entries: &[&Entry],
    new: &HashSet<Uuid>,
) -> Result<Vec<(Uuid, Outcome)>, sqlx::Error> {
    let old = entries.iter().map(|entry| entry.id.id).filter(|id| !new.contains(id));
    recorded(connection, old.collect()).await
}

/// What the ledger has of these requests, each an [`Outcome::Duplicate`]. Also what has expired and is not deleted yet: it
/// was written all the same.
pub(super) async fn recorded(
    connection: &mut PgConnection,
    ids: Vec<Uuid>,
) -> Result<Vec<(Uuid, Outcome)>, sqlx::Error> {
    let rows =
        sqlx::query("SELECT id, body_hash, written, refused, dead_lettered FROM chunkwise.ledger WHERE id = ANY ($1)")
            .bind(ids)
            .fetch_all(connection)
            .await?;
    rows.iter()
        .map(|row| {
            let refused = match row.try_get::<Option<serde_json::Value>, _>("refused")? {
                Some(refused) => {
                    serde_json::from_value(refused).map_err(|error| sqlx::Error::Decode(Box::new(error)))?
                }
                None => Vec::new(),
            };
            let count = |name: &str| Ok::<_, sqlx::Error>(u64::try_from(row.try_get::<i32, _>(name)?).unwrap_or(0));
            let outcome = Outcome::Duplicate {
                body_hash: row.try_get("body_hash")?,
                written: count("written")?,
                refused,
                dead_lettered: count("dead_lettered")?,
            };
            Ok((row.try_get("id")?, outcome))
        })
        .collect()
}
