//! Rows that the database refused, kept beside it with the reason.

use chrono::{DateTime, Utc};
use hashbrown::HashMap;
use smallvec::SmallVec;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Protocol, Refused, request::RequestId};
use crate::{
    batch::{Batch, Row, Value},
    db::Database,
    hypertable::Measurement,
    protocol::{FieldValue, Fields, Line},
    question::Selector,
    series::{self, SelectError, TaggedSeries},
};

/// A row that the database refused.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct DeadLetter {
    pub(super) namespace: String,
    pub(super) measurement: String,
    /// The row's time.
    pub(super) time_us: i64,
    pub(super) reason: String,
    /// The row in line protocol, its time in microseconds.
    pub(super) line: String,
}

/// What the ledger has to say of a request of which rows were set aside.
#[derive(Debug)]
pub(super) struct Correction<'r> {
    pub(super) id: RequestId,
    pub(super) source: Protocol,
    /// Rows that are committed.
    pub(super) written: usize,
    /// All lines that were refused, the dead letters' among them.
    pub(super) refused: &'r [Refused],
}

/// Keeps dead letters of a request that this transaction has entered in the ledger, and corrects its entry.
pub(super) async fn set_aside(
    transaction: &mut PgConnection,
    correction: &Correction<'_>,
    letters: &[DeadLetter],
) -> Result<(), sqlx::Error> {
    fn column<T>(letters: &[DeadLetter], pick: impl Fn(&DeadLetter) -> T) -> Vec<T> {
        letters.iter().map(pick).collect()
    }
    let refused = serde_json::to_value(correction.refused).map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
    sqlx::query("SELECT chunkwise.set_aside($1, $2, $3, $4, $5, $6, $7, $8, $9)")
        .bind(correction.id.id)
        .bind(i32::try_from(correction.written).unwrap_or(i32::MAX))
        .bind(refused)
        .bind(correction.source.label())
        .bind(column(letters, |letter| letter.namespace.clone()))
        .bind(column(letters, |letter| letter.measurement.clone()))
        .bind(column(letters, |letter| time(letter.time_us)))
        .bind(column(letters, |letter| letter.reason.clone()))
        .bind(column(letters, |letter| letter.line.clone()))
        .execute(transaction)
        .await?;
    Ok(())
}

/// Keeps lines of a spooled request that nobody waits for any more, each with the reason why it cannot be written. A line
/// of the request that is kept already is not kept twice.
pub(super) async fn keep_lines(
    database: &Database,
    namespace: &str,
    source: Protocol,
    request: Uuid,
    lines: &[(Line<'_>, String)],
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO chunkwise.dead_letter (namespace, measurement, source, request_id, time, reason, line)
         SELECT $1, l.measurement, $2, $3, l.time, l.reason, l.line
         FROM unnest($4::text[], $5::timestamptz[], $6::text[], $7::text[]) WITH ORDINALITY
             AS l (measurement, time, reason, line, place)
         WHERE NOT EXISTS (
             SELECT FROM chunkwise.dead_letter d
             WHERE d.namespace = $1 AND d.measurement = l.measurement AND d.request_id = $3 AND d.line = l.line)
         ORDER BY l.place",
    )
    .bind(namespace)
    .bind(source.label())
    .bind(request)
    .bind(lines.iter().map(|(line, _)| line.measurement.replace('\0', "\u{fffd}")).collect::<Vec<_>>())
    .bind(lines.iter().map(|(line, _)| time(line.time_us.unwrap_or_default())).collect::<Vec<_>>())
    .bind(lines.iter().map(|(_, reason)| reason.clone()).collect::<Vec<_>>())
    .bind(lines.iter().map(|(line, _)| line.render()).collect::<Vec<_>>())
    .execute(database.owner())
    .await?;
    Ok(())
}

/// Batches' times are within the years 1 to 9999, which every calendar here has.
fn time(us: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(us).unwrap_or(DateTime::UNIX_EPOCH)
}

/// A series' tags, in the measurement's order.
type TagsBySeries = HashMap<i64, Vec<Option<String>>>;

/// The rows at some places of a batch in line protocol. A row has only its series' id: the tags are read from the database.
pub(super) async fn rendered(
    transaction: &mut PgConnection,
    measurement: &Measurement,
    batch: &Batch,
    places: impl Iterator<Item = usize> + Clone,
) -> Result<Vec<String>, sqlx::Error> {
    let ids: Vec<i64> = places.clone().map(|place| batch.row(place).series_id()).collect();
    let selector = Selector { series_ids: Some(ids), ..Selector::default() };
    let tags: TagsBySeries = match series::select(transaction, measurement, &selector).await {
        Ok(selected) => selected.series.into_iter().map(|TaggedSeries { series_id, tags }| (series_id, tags)).collect(),
        Err(SelectError::Database(error)) => return Err(error),
        // A selection by ids names no tags.
        Err(SelectError::UnknownTag { .. }) => TagsBySeries::new(),
    };
    Ok(places.map(|place| line(measurement, batch, batch.row(place), &tags).render()).collect())
}

fn line<'b>(measurement: &'b Measurement, batch: &'b Batch, row: Row<'b>, tags: &'b TagsBySeries) -> Line<'b> {
    let values = tags.get(&row.series_id()).map_or(&[][..], Vec::as_slice);
    let tags = measurement.tags.iter().zip(values);
    let tags = tags.filter_map(|(tag, value)| Some((tag.name.as_str().into(), value.as_deref()?.into()))).collect();
    let fields: Fields<'b> = batch
        .columns()
        .iter()
        .zip(row.cells())
        .filter_map(|(column, cell)| {
            let field = measurement.fields.iter().find(|field| field.column == column.name);
            Some((field.map_or(column.name.as_str(), |field| field.name.as_str()).into(), field_value(cell?)))
        })
        .collect::<SmallVec<_>>();
    Line {
        number: 1,
        measurement: measurement.name.as_str().into(),
        tags,
        fields,
        time_us: Some(row.time_us()),
        rounded: false,
        bytes: 0..0,
    }
}

fn field_value(value: Value<'_>) -> FieldValue<'_> {
    match value {
        Value::Float8(value) => FieldValue::Float(value),
        Value::Int8(value) => FieldValue::Integer(value),
        Value::Bool(value) => FieldValue::Boolean(value),
        Value::Text(text) => FieldValue::Text(text.into()),
        Value::Timestamptz(us) => FieldValue::Timestamp(us),
    }
}
