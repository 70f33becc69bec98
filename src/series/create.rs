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
    /// The tags that it has: each one's place among the measurement's, and its value.
    pub tags: Vec<(usize, Box<str>)>,
}

/// So many values of tags go in one statement.
const STATEMENT_VALUES: usize = 200_000;

/// Gives an id to each series that has none, in the order given, and returns the ids of all of them.
///
/// Three round trips, or a few more where there are many thousands: then not all of them at once take the memory.
///
/// # Errors
/// The database's.
pub async fn create(
    connection: &mut PgConnection,
    measurement: &Measurement,
    series: &[NewSeries],
) -> Result<Vec<(SeriesKey, i64)>, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    sqlx::query("SELECT pg_advisory_xact_lock($1, $2)")
        .bind(LOCK_CLASS)
        .bind(measurement.id)
        .execute(&mut *transaction)
        .await?;

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
    let mut ids = Vec::with_capacity(series.len());
    for some in series.chunks((STATEMENT_VALUES / (measurement.tags.len() + 1)).max(1)) {
        let keys: Vec<_> = some.iter().map(|series| series.key.to_uuid()).collect();
        let mut values = vec![vec![None; some.len()]; measurement.tags.len()];
        for (row, NewSeries { tags, .. }) in some.iter().enumerate() {
            for (tag, value) in tags {
                values[*tag][row] = Some(&**value);
            }
        }
        let mut query = sqlx::query(&insert).bind(keys);
        for column in values {
            query = query.bind(column);
        }
        for row in query.persistent(false).fetch_all(&mut *transaction).await? {
            ids.push((SeriesKey::from_uuid(row.try_get("tag_hash")?), row.try_get("series_id")?));
        }
    }
    transaction.commit().await?;
    Ok(ids)
}
