//! Looks at chunks: what the catalog, the server's counters and chunkwise's own table say.

use sqlx::{PgConnection, Row, postgres::PgRow};

use super::{Facts, LifeOptions, Verdict, verdict};
use crate::{
    db::Edition,
    hypertable::{Partition, RowOrder, hashes, partition, quote_ident},
};

/// A chunk and what is to become of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkLook {
    /// The measurement's number.
    pub measurement_id: i32,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub measurement: String,
    /// Its storage table, quoted.
    pub storage: String,
    /// The chunk's schema and name.
    pub table: [String; 2],
    /// The first time that belongs to it, microseconds since 1970.
    pub from_us: i64,
    /// Which of its slice's chunks it is; `None` without space partitions.
    pub partition: Option<Partition>,
    /// Whether it is in the columnstore.
    pub compressed: bool,
    /// Whether its B-tree is there.
    pub indexed: bool,
    /// Whether its rows were rewritten in that index's order.
    pub(super) ordered: bool,
    /// What the measurement's setting says of their order.
    pub(super) row_order: RowOrder,
    /// The server's counter of changed rows.
    pub(super) written: i64,
    /// Why it was not sealed at the last attempt.
    pub failure: Option<String>,
    /// How many attempts in a row have failed.
    pub failures: i32,
    /// What is known of it.
    pub facts: Facts,
}

impl ChunkLook {
    /// Schema and name, as events and `/api/v1/chunks` have it.
    #[must_use]
    pub fn name(&self) -> String {
        self.table.join(".")
    }

    /// The table, quoted.
    pub(super) fn quoted(&self) -> String {
        let [schema, name] = &self.table;
        format!("{}.{}", quote_ident(schema), quote_ident(name))
    }

    /// What is to become of it now.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        verdict(&self.facts)
    }
}

/// A chunk with an index gets another round of VACUUM once so many rows came late, and a tenth of what it holds; below
/// that PostgreSQL's own does.
const LATE_ROWS: i64 = 10_000;

/// The chunks of one measurement or of all whose time is over, or all of them, by their end.
///
/// # Errors
/// The database's.
pub async fn look(
    connection: &mut PgConnection,
    edition: Edition,
    options: LifeOptions,
    measurement_id: Option<i32>,
) -> Result<Vec<ChunkLook>, sqlx::Error> {
    let rows = sqlx::query(concat!(
        "SELECT m.id, m.namespace, m.name, m.relation, m.space_partitions, hash_from,
                c.chunk_schema, c.chunk_name, c.is_compressed, us.*, k.failure,
                coalesce(k.failures, 0) AS failures, k.written AS seen, k.sealed_written,
                pg_stat_get_tuples_inserted(r.oid) + pg_stat_get_tuples_updated(r.oid)
                    + pg_stat_get_tuples_deleted(r.oid) AS written,
                greatest(r.reltuples::int8, pg_stat_get_live_tuples(r.oid), 0) AS live,
                EXISTS (SELECT FROM pg_index i WHERE i.indrelid = r.oid AND i.indisvalid AND i.indkey::text = '2 1')
                    AS indexed,
                EXISTS (SELECT FROM pg_index i
                        WHERE i.indrelid = r.oid AND i.indisclustered AND i.indkey::text = '2 1') AS ordered,
                m.row_order,
                -- Rows beside the columnstore, or out of order in it: bits of a chunk that is in it.
                c.is_compressed AND coalesce(t.status & 10 <> 0, false) AS is_partial
         FROM chunkwise.measurement m
         JOIN timescaledb_information.chunks c
              ON c.hypertable_schema = m.namespace || '_store' AND c.hypertable_name = m.relation
         JOIN pg_namespace n ON n.nspname = c.chunk_schema
         JOIN pg_class r ON r.relnamespace = n.oid AND r.relname = c.chunk_name
         LEFT JOIN chunkwise.chunk_storage() t ON t.chunk = r.oid
         LEFT JOIN chunkwise.chunk k
              ON k.measurement_id = m.id AND k.chunk = c.chunk_schema || '.' || c.chunk_name
         ",
        hashes!("m.space_partitions IS NOT NULL"),
        " CROSS JOIN LATERAL (
              SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::int8 AS now_us,
                     CASE WHEN isfinite(c.range_start) THEN (extract(epoch FROM c.range_start) * 1000000)::int8
                          ELSE -9223372036854775808 END AS from_us,
                     CASE WHEN isfinite(c.range_end) THEN (extract(epoch FROM c.range_end) * 1000000)::int8
                          ELSE 9223372036854775807 END AS to_us,
                     (extract(epoch FROM coalesce(m.seal_after, make_interval(secs => $2))) * 1000000)::int8
                         AS seal_after_us,
                     (extract(epoch FROM m.retention) * 1000000)::int8 AS retention_us,
                     (extract(epoch FROM k.changed_at) * 1000000)::int8 AS changed_us,
                     (extract(epoch FROM k.sealed_at) * 1000000)::int8 AS sealed_us,
                     coalesce((extract(epoch FROM k.sealed_took) * 1000000)::int8, 0) AS sealed_took_us,
                     (extract(epoch FROM k.retry_at) * 1000000)::int8 AS retry_us) us
         WHERE $1::int4 IS NULL OR m.id = $1
         ORDER BY c.range_end, c.chunk_name"
    ))
    .bind(measurement_id)
    .bind(options.seal_after.as_secs_f64())
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| read(row, edition, options)).collect()
}

fn read(row: &PgRow, edition: Edition, options: LifeOptions) -> Result<ChunkLook, sqlx::Error> {
    let (compressed, indexed): (bool, bool) = (row.try_get("is_compressed")?, row.try_get("indexed")?);
    let written: i64 = row.try_get("written")?;
    let now_us = row.try_get("now_us")?;
    let seen: Option<i64> = row.try_get("seen")?;
    let sealed_us: Option<i64> = row.try_get("sealed_us")?;
    let is_late = if compressed {
        edition == Edition::Community && row.try_get("is_partial")?
    } else {
        let late = written - row.try_get::<Option<i64>, _>("sealed_written")?.unwrap_or(written);
        late >= LATE_ROWS && late >= row.try_get::<i64, _>("live")? / 10
    };
    let changed_us: Option<i64> = row.try_get("changed_us")?;
    let facts = Facts {
        now_us,
        to_us: row.try_get("to_us")?,
        seal_after_us: row.try_get("seal_after_us")?,
        quiet_us: i64::try_from(options.quiet.as_micros()).unwrap_or(i64::MAX),
        retention_us: row.try_get("retention_us")?,
        changed_us: if seen == Some(written) { changed_us } else { None },
        sealed_us: sealed_us.filter(|_| compressed || indexed),
        sealed_took_us: row.try_get("sealed_took_us")?,
        is_late,
        retry_us: row.try_get("retry_us")?,
    };
    let (namespace, relation): (String, String) = (row.try_get("namespace")?, row.try_get("relation")?);
    let storage = format!("{}.{}", quote_ident(&format!("{namespace}_store")), quote_ident(&relation));
    Ok(ChunkLook {
        measurement_id: row.try_get("id")?,
        namespace,
        measurement: row.try_get("name")?,
        storage,
        table: [row.try_get("chunk_schema")?, row.try_get("chunk_name")?],
        from_us: row.try_get("from_us")?,
        partition: partition(row.try_get("space_partitions")?, row.try_get("hash_from")?),
        compressed,
        indexed,
        ordered: row.try_get("ordered")?,
        row_order: row.try_get::<&str, _>("row_order")?.parse().unwrap_or_default(),
        written,
        failure: row.try_get("failure")?,
        failures: row.try_get("failures")?,
        facts,
    })
}

/// Writes down which of the chunks have changed since the last look: from then on they are quiet, until the next change.
///
/// # Errors
/// The database's.
pub(super) async fn note_changes(connection: &mut PgConnection, chunks: &[ChunkLook]) -> Result<(), sqlx::Error> {
    let changed: Vec<_> = chunks
        .iter()
        .filter(|chunk| chunk.facts.to_us <= chunk.facts.now_us && chunk.facts.changed_us.is_none())
        .collect();
    if changed.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO chunkwise.chunk (measurement_id, chunk, written)
         SELECT c.id, c.chunk, c.written FROM unnest($1::int4[], $2::text[], $3::int8[]) AS c (id, chunk, written)
         -- One that was dropped since.
         WHERE EXISTS (SELECT FROM chunkwise.measurement m WHERE m.id = c.id)
         ON CONFLICT (measurement_id, chunk) DO UPDATE SET written = excluded.written, changed_at = now()",
    )
    .bind(changed.iter().map(|chunk| chunk.measurement_id).collect::<Vec<_>>())
    .bind(changed.iter().map(|chunk| chunk.name()).collect::<Vec<_>>())
    .bind(changed.iter().map(|chunk| chunk.written).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}
