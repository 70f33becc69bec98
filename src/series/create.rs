//! New series, in bulk.

use sqlx::{Connection, PgConnection, Row};

use super::SeriesKey;
use crate::hypertable::{Measurement, Tag, quote_ident};

/// "cwse" in ASCII: chunkwise, series. Whoever makes series of a measurement holds it: two makers can neither wait for
/// each other in a circle nor use up numbers for what the other has made.
const LOCK_CLASS: i32 = 1_668_772_709;

/// A series that has no id yet, as far as the caller knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSeries {
    /// Its key.
    pub key: SeriesKey,
    /// The values of the measurement's tags, in the measurement's order; `None` where the series lacks the tag.
    pub tags: Vec<Option<String>>,
}

/// Gives an id to each series that has none, in the order given, and returns the ids of all of them.
///
/// Three round trips, whatever the number. Every `tags` must be as long as the measurement has tags.
///
/// # Errors
/// The database's.
pub async fn create(
    connection: &mut PgConnection,
    measurement: &Measurement,
    series: Vec<NewSeries>,
) -> Result<Vec<(SeriesKey, i64)>, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    sqlx::query("SELECT pg_advisory_xact_lock($1, $2)")
        .bind(LOCK_CLASS)
        .bind(measurement.id)
        .execute(&mut *transaction)
        .await?;

    let keys: Vec<_> = series.iter().map(|series| series.key.to_uuid()).collect();
    let columns: String =
        measurement.tags.iter().map(|Tag { column, .. }| format!(", {}", quote_ident(column))).collect();
    let arrays: String = (0..measurement.tags.len()).map(|tag| format!(", ${}::text[]", tag + 2)).collect();
    let table = measurement.series_table();
    // What another process made since has its id already and keeps it. The place in the list is called `time` because no
    // tag can be.
    let insert = format!(
        "WITH given AS (
             SELECT * FROM unnest($1::uuid[]{arrays}) WITH ORDINALITY AS g (tag_hash{columns}, \"time\")
         ), made AS (
             INSERT INTO {table} (tag_hash{columns})
             SELECT tag_hash{columns} FROM given g
             WHERE NOT EXISTS (SELECT FROM {table} s WHERE s.tag_hash = g.tag_hash)
             ORDER BY g.\"time\"
             RETURNING tag_hash, series_id
         )
         SELECT tag_hash, series_id FROM made
         UNION ALL
         SELECT s.tag_hash, s.series_id FROM {table} s JOIN given USING (tag_hash)"
    );
    let mut values: Vec<Vec<Option<String>>> =
        measurement.tags.iter().map(|_| Vec::with_capacity(series.len())).collect();
    for NewSeries { tags, .. } in series {
        for (column, value) in values.iter_mut().zip(tags) {
            column.push(value);
        }
    }
    let mut query = sqlx::query(&insert).bind(keys);
    for column in values {
        query = query.bind(column);
    }
    let rows = query.persistent(false).fetch_all(&mut *transaction).await?;
    let ids = rows
        .iter()
        .map(|row| Ok((SeriesKey::from_uuid(row.try_get("tag_hash")?), row.try_get("series_id")?)))
        .collect::<Result<_, sqlx::Error>>()?;
    transaction.commit().await?;
    Ok(ids)
}
