//! Chunks, from TimescaleDB's information views: its catalog tables differ from version to version.

use std::fmt;

use chrono::{DateTime, Utc};
use hashbrown::HashMap;
use sqlx::{PgConnection, Row, postgres::PgRow};

use super::{Measurement, schema::store_schema};

/// A slice of time that has a chunk, or several with space partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Chunk {
    /// The number (OID) of its table.
    pub id: i64,
    /// The first time that belongs to it, microseconds since 1970.
    pub from_us: i64,
    /// The first time after it.
    pub to_us: i64,
}

/// Chunks of a measurement in order of time.
///
/// # Errors
/// The database's.
pub async fn list_chunks(connection: &mut PgConnection, measurement: &Measurement) -> Result<Vec<Chunk>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT r.oid::int8 AS id, c.range_start AS lo, c.range_end AS hi
         FROM timescaledb_information.chunks c
         JOIN pg_namespace n ON n.nspname = c.chunk_schema
         JOIN pg_class r ON r.relnamespace = n.oid AND r.relname = c.chunk_name
         WHERE c.hypertable_schema = $1 AND c.hypertable_name = $2
         ORDER BY lo, id",
    )
    .bind(store_schema(&measurement.namespace))
    .bind(&measurement.relation)
    .fetch_all(connection)
    .await?;
    rows.iter().map(chunk_of).collect()
}

fn chunk_of(row: &PgRow) -> Result<Chunk, sqlx::Error> {
    let us = |column: &str| Ok::<_, sqlx::Error>(row.try_get::<DateTime<Utc>, _>(column)?.timestamp_micros());
    Ok(Chunk { id: row.try_get("id")?, from_us: us("lo")?, to_us: us("hi")? })
}

/// Which of a slice's chunks one is, where there are space partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partition {
    /// From 1.
    pub number: i32,
    /// How many there are.
    pub of: i32,
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.number, self.of)
    }
}

/// What TimescaleDB's hash of a series can be at most; the partitions share the numbers up to it.
const MOST_HASH: i32 = i32::MAX;

/// The bounds of the hashes in a chunk, read from its CHECK constraint: the catalog's tables differ from version to version,
/// and the function that would tell is not there on the Apache edition. For a chunk `r` where the condition holds; else NULL.
macro_rules! hashes {
    ($condition:literal) => {
        concat!(
            "LEFT JOIN LATERAL (
              SELECT substring(k.said FROM 'get_partition_hash\\(series_id\\) >= (\\d+)')::int4 AS hash_from,
                     substring(k.said FROM 'get_partition_hash\\(series_id\\) < (\\d+)')::int4 AS hash_to
              FROM (SELECT pg_get_constraintdef(k.oid) AS said FROM pg_constraint k
                    WHERE k.conrelid = r.oid AND k.contype = 'c' AND ",
            $condition,
            ") k
              WHERE k.said LIKE '%get_partition_hash(series_id)%' LIMIT 1) hashes ON true"
        )
    };
}
pub(crate) use hashes;

/// Those of the chunks that hold other series than these, by their partition.
///
/// # Errors
/// The database's.
pub async fn chunks_of_others(
    connection: &mut PgConnection,
    measurement: &Measurement,
    chunks: &[i64],
    series: &[i64],
) -> Result<Vec<i64>, sqlx::Error> {
    if measurement.space_partitions.is_none() {
        return Ok(Vec::new());
    }
    sqlx::query_scalar(concat!(
        "SELECT r.oid::int8 FROM pg_class r ",
        hashes!("true"),
        " WHERE r.oid = ANY ($1::int8[]::oid[]) AND (hash_from IS NOT NULL OR hash_to IS NOT NULL)
               AND NOT EXISTS (
                   SELECT FROM unnest($2::int8[]) AS id
                   CROSS JOIN LATERAL (SELECT _timescaledb_functions.get_partition_hash(id) AS hash) h
                   WHERE h.hash >= coalesce(hash_from, 0) AND (hash_to IS NULL OR h.hash < hash_to))"
    ))
    .bind(chunks)
    .bind(series)
    .fetch_all(connection)
    .await
}

/// The partition of a chunk whose hashes begin there; the first one's have no lower bound.
#[must_use]
pub(crate) fn partition(space_partitions: Option<i32>, hash_from: Option<i32>) -> Option<Partition> {
    let of = space_partitions.filter(|of| *of > 0)?;
    Some(Partition { number: hash_from.unwrap_or(0) / (MOST_HASH / of) + 1, of })
}

/// A chunk as operators look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkDetail {
    /// Its time and number.
    pub chunk: Chunk,
    /// Its table, schema and name.
    pub name: String,
    /// Which of its slice's chunks it is; `None` without space partitions.
    pub partition: Option<Partition>,
    /// Whether it is in the columnstore.
    pub compressed: bool,
    /// Whether chunkwise has finished it, and what that made is still there.
    pub sealed: bool,
    /// An estimate, from the server's counters.
    pub rows: i64,
    /// Table, indexes and TOAST.
    pub bytes: i64,
    /// Indexes alone.
    pub index_bytes: i64,
    /// What chunkwise did with it, oldest first.
    pub events: Vec<ChunkEvent>,
}

/// Something that chunkwise did with a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkEvent {
    /// `sealed`, `resealed` or `dropped`.
    pub event: String,
    /// When, microseconds since 1970.
    pub began_us: i64,
    /// How long it took.
    pub took_us: i64,
    /// The chunk's size before.
    pub bytes_before: Option<i64>,
    /// And after.
    pub bytes_after: Option<i64>,
    /// More, in words.
    pub note: Option<String>,
}

impl ChunkDetail {
    /// `hot` or `sealed`.
    #[must_use]
    pub fn state(&self) -> &'static str {
        if self.sealed { "sealed" } else { "hot" }
    }
}

/// Chunks that overlap `[from, to)`, with their sizes.
///
/// # Errors
/// The database's.
pub async fn list_chunk_details(
    connection: &mut PgConnection,
    measurement: &Measurement,
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
) -> Result<Vec<ChunkDetail>, sqlx::Error> {
    let rows = sqlx::query(concat!(
        "SELECT r.oid::int8 AS id, c.range_start AS lo, c.range_end AS hi, c.chunk_schema || '.' || c.chunk_name AS name,
                hash_from, c.is_compressed AS compressed,
                EXISTS (SELECT FROM chunkwise.chunk k
                        WHERE k.measurement_id = $5 AND k.chunk = c.chunk_schema || '.' || c.chunk_name
                              AND k.sealed_at IS NOT NULL)
                AND (c.is_compressed OR EXISTS (
                        SELECT FROM pg_index i WHERE i.indrelid = r.oid AND i.indisvalid AND i.indkey::text = '2 1'))
                    AS sealed,
                -- Of the columnstore's rows the server's counters know nothing.
                CASE WHEN c.is_compressed THEN pg_stat_get_live_tuples(r.oid) + coalesce(t.compressed_rows, 0)
                     ELSE greatest(r.reltuples::int8, pg_stat_get_live_tuples(r.oid), 0) END AS rows,
                coalesce(pg_total_relation_size(r.oid), 0) + coalesce(pg_total_relation_size(t.compressed), 0)
                    AS bytes,
                coalesce(pg_indexes_size(r.oid), 0) + coalesce(pg_indexes_size(t.compressed), 0) AS index_bytes
         FROM timescaledb_information.chunks c
         JOIN pg_namespace n ON n.nspname = c.chunk_schema
         JOIN pg_class r ON r.relnamespace = n.oid AND r.relname = c.chunk_name
         LEFT JOIN chunkwise.chunk_storage() t ON t.chunk = r.oid
         ",
        hashes!("$6"),
        " WHERE c.hypertable_schema = $1 AND c.hypertable_name = $2
               AND ($3::timestamptz IS NULL OR c.range_end > $3) AND ($4::timestamptz IS NULL OR c.range_start < $4)
         ORDER BY lo, id"
    ))
    .bind(store_schema(&measurement.namespace))
    .bind(&measurement.relation)
    .bind(from)
    .bind(to)
    .bind(measurement.id)
    .bind(measurement.space_partitions.is_some())
    .fetch_all(&mut *connection)
    .await?;
    let mut events = events(connection, measurement).await?;
    rows.iter()
        .map(|row| {
            let name: String = row.try_get("name")?;
            Ok(ChunkDetail {
                events: events.remove(&name).unwrap_or_default(),
                chunk: chunk_of(row)?,
                name,
                partition: partition(measurement.space_partitions, row.try_get("hash_from")?),
                compressed: row.try_get("compressed")?,
                sealed: row.try_get("sealed")?,
                rows: row.try_get("rows")?,
                bytes: row.try_get("bytes")?,
                index_bytes: row.try_get("index_bytes")?,
            })
        })
        .collect()
}

/// What was done with a measurement's chunks, by their names.
async fn events(
    connection: &mut PgConnection,
    measurement: &Measurement,
) -> Result<HashMap<String, Vec<ChunkEvent>>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT chunk, event, (extract(epoch FROM began) * 1000000)::int8 AS began,
                (extract(epoch FROM took) * 1000000)::int8 AS took, bytes_before, bytes_after, note
         FROM chunkwise.chunk_event WHERE measurement_id = $1 AND chunk IS NOT NULL ORDER BY id",
    )
    .bind(measurement.id)
    .fetch_all(connection)
    .await?;
    let mut events: HashMap<String, Vec<ChunkEvent>> = HashMap::new();
    for row in rows {
        events.entry(row.try_get("chunk")?).or_default().push(ChunkEvent {
            event: row.try_get("event")?,
            began_us: row.try_get("began")?,
            took_us: row.try_get("took")?,
            bytes_before: row.try_get("bytes_before")?,
            bytes_after: row.try_get("bytes_after")?,
            note: row.try_get("note")?,
        });
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_is_known_by_where_its_hashes_begin() {
        let number = |of, from| partition(Some(of), from).map(|partition| partition.number);
        // As TimescaleDB cuts them.
        assert_eq!(
            [None, Some(536_870_911), Some(1_073_741_822), Some(1_610_612_733)].map(|from| number(4, from)),
            [Some(1), Some(2), Some(3), Some(4)]
        );
        assert_eq!(number(3, Some(1_431_655_764)), Some(3));
        assert_eq!(partition(None, None), None);
        assert_eq!(Partition { number: 2, of: 4 }.to_string(), "2 of 4");
    }
}
