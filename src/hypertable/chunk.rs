//! Chunks, from TimescaleDB's own catalog.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, Row};

use super::{Measurement, schema::store_schema};

/// A slice of time that has a chunk, or several with space partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Chunk {
    /// TimescaleDB's number.
    pub id: i32,
    /// The first time that belongs to it, microseconds since 1970.
    pub from_us: i64,
    /// The first time after it.
    pub to_us: i64,
}

/// Chunks of a measurement in order of time. Reads the catalog tables themselves: the information views join much more
/// than this and take tens of milliseconds with a thousand chunks. A dropped chunk may leave its row behind, but no slice.
///
/// # Errors
/// The database's.
pub async fn list_chunks(connection: &mut PgConnection, measurement: &Measurement) -> Result<Vec<Chunk>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT c.id, s.range_start AS lo, s.range_end AS hi
         FROM _timescaledb_catalog.hypertable h
         JOIN _timescaledb_catalog.dimension d ON d.hypertable_id = h.id AND d.column_name = 'time'
         JOIN _timescaledb_catalog.chunk c ON c.hypertable_id = h.id
         JOIN _timescaledb_catalog.chunk_constraint k ON k.chunk_id = c.id
         JOIN _timescaledb_catalog.dimension_slice s ON s.id = k.dimension_slice_id AND s.dimension_id = d.id
         WHERE h.schema_name = $1 AND h.table_name = $2
         ORDER BY lo, c.id",
    )
    .bind(store_schema(&measurement.namespace))
    .bind(&measurement.relation)
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| Ok(Chunk { id: row.try_get("id")?, from_us: row.try_get("lo")?, to_us: row.try_get("hi")? }))
        .collect()
}

/// A chunk as operators look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkDetail {
    /// Its time and number.
    pub chunk: Chunk,
    /// Its table, schema and name.
    pub name: String,
    /// Whether it is in the columnstore.
    pub compressed: bool,
    /// Whether its B-tree on (series_id, time) has been built.
    pub indexed: bool,
    /// An estimate, from the server's counters.
    pub rows: i64,
    /// Table, indexes and TOAST.
    pub bytes: i64,
    /// Indexes alone.
    pub index_bytes: i64,
}

impl ChunkDetail {
    /// `hot` or `sealed`.
    #[must_use]
    pub fn state(&self) -> &'static str {
        if self.compressed || self.indexed { "sealed" } else { "hot" }
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
    let rows = sqlx::query(
        "SELECT c.id, s.range_start AS lo, s.range_end AS hi, c.schema_name || '.' || c.table_name AS name,
                c.compressed_chunk_id IS NOT NULL AS compressed,
                EXISTS (SELECT FROM pg_index i WHERE i.indrelid = r.oid AND i.indisvalid AND i.indkey::text = '2 1')
                    AS indexed,
                greatest(r.reltuples::int8, pg_stat_get_live_tuples(r.oid), 0) AS rows,
                pg_total_relation_size(r.oid) + coalesce(pg_total_relation_size(z.oid), 0) AS bytes,
                pg_indexes_size(r.oid) + coalesce(pg_indexes_size(z.oid), 0) AS index_bytes
         FROM _timescaledb_catalog.hypertable h
         JOIN _timescaledb_catalog.dimension d ON d.hypertable_id = h.id AND d.column_name = 'time'
         JOIN _timescaledb_catalog.chunk c ON c.hypertable_id = h.id
         JOIN _timescaledb_catalog.chunk_constraint k ON k.chunk_id = c.id
         JOIN _timescaledb_catalog.dimension_slice s ON s.id = k.dimension_slice_id AND s.dimension_id = d.id
         JOIN pg_class r ON r.relname = c.table_name
         JOIN pg_namespace n ON n.oid = r.relnamespace AND n.nspname = c.schema_name
         LEFT JOIN _timescaledb_catalog.chunk zc ON zc.id = c.compressed_chunk_id
         LEFT JOIN pg_namespace zn ON zn.nspname = zc.schema_name
         LEFT JOIN pg_class z ON z.relname = zc.table_name AND z.relnamespace = zn.oid
         WHERE h.schema_name = $1 AND h.table_name = $2 AND s.range_end > $3 AND s.range_start < $4
         ORDER BY lo, c.id",
    )
    .bind(store_schema(&measurement.namespace))
    .bind(&measurement.relation)
    .bind(from.map_or(i64::MIN, |time| time.timestamp_micros()))
    .bind(to.map_or(i64::MAX, |time| time.timestamp_micros()))
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(ChunkDetail {
                chunk: Chunk { id: row.try_get("id")?, from_us: row.try_get("lo")?, to_us: row.try_get("hi")? },
                name: row.try_get("name")?,
                compressed: row.try_get("compressed")?,
                indexed: row.try_get("indexed")?,
                rows: row.try_get("rows")?,
                bytes: row.try_get("bytes")?,
                index_bytes: row.try_get("index_bytes")?,
            })
        })
        .collect()
}
