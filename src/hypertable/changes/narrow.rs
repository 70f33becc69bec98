//! Entries of unknown range become chunks, by the server's counters.
//!
//! The server counts what is inserted, updated and deleted in each chunk, but tells it only some seconds after the commit.
//! So the counters are kept from before an entry was seen, and compared with those of [`SETTLE_AFTER`] later: chunks that
//! differ have been changed by it, or by somebody else meanwhile, which costs a reading and loses nothing.
//!
//! ```text
//! counters read -> log read: no unknown entry visible          these counters are older than every entry to come
//! counters read -> log read: entry X, seen for the first time  kept aside: older than every entry but X
//! ... SETTLE_AFTER later: counters differ for chunks 3 and 7    X becomes the ranges of 3 and 7, what was aside is kept
//! ```

use std::time::Duration;

use sqlx::{PgConnection, Row, postgres::PgRow};

use super::{
    Stretch, merged,
    probable::{candidates, probable},
    us_of,
};
use crate::hypertable::{Chunk, Measurement, moment};

/// A session that goes idle right after a commit tells the counters ten seconds later at the latest.
pub const SETTLE_AFTER: Duration = Duration::from_secs(11);

/// What narrowing has found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Narrowed {
    /// The measurement's chunks, in order of time.
    pub chunks: Vec<Chunk>,
    /// The end of the latest chunk that has gone since the last time.
    pub dropped_to_us: Option<i64>,
    /// Entries that still wait.
    pub waiting: usize,
    /// Where rows of entries probably are that were seen for the first time and wait. Others may be elsewhere: what is
    /// derived from rows is right by this at once in nearly all cases, and in all when the entries are narrowed.
    pub probable: Vec<Stretch>,
}

struct Counted {
    chunk: Chunk,
    changes: i64,
    /// As kept before; none for a chunk that is new since.
    before: Option<i64>,
}

struct Entry {
    id: i64,
    settled: bool,
    since_last_reading: bool,
}

/// Narrows what can be narrowed, in the caller's transaction, and keeps the counters that the next entries will be compared
/// with. To be called when there is news in a measurement's log, by one session at a time.
///
/// # Errors
/// The database's.
pub async fn narrow(connection: &mut PgConnection, measurement: &Measurement) -> Result<Narrowed, sqlx::Error> {
    let id = measurement.id;
    let first = begin(connection, measurement).await?;
    // First the counters, then the log: an entry that is not visible yet has not been counted here.
    let counted = count(connection, measurement).await?;
    let (entries, first_seen) = entries(connection, id).await?;

    let settled: Vec<i64> = entries.iter().filter(|entry| entry.settled).map(|entry| entry.id).collect();
    if !settled.is_empty() {
        // After a crash the server counts from 0.
        let unreliable = first || counted.iter().any(|c| c.before.is_some_and(|before| c.changes < before));
        let changed = counted.iter().filter(|c| unreliable || c.before != Some(c.changes));
        let changed = changed.map(|c| Stretch { from_us: c.chunk.from_us, to_us: c.chunk.to_us });
        write_back(connection, &settled, &merged(changed.collect())).await?;
    }
    let waiting = entries.len() - settled.len();
    let dropped_to_us = keep(connection, id, &counted, &entries, waiting).await?;
    let probable = match first_seen {
        Some(xid) => {
            let chunks: Vec<_> = counted.iter().map(|c| (c.chunk, c.before != Some(c.changes))).collect();
            probable(connection, candidates(&chunks), &xid).await?
        }
        None => Vec::new(),
    };
    Ok(Narrowed { chunks: counted.into_iter().map(|c| c.chunk).collect(), dropped_to_us, waiting, probable })
}

/// Takes the turn; true where there are no counters to compare with: none were kept, or those of another table, from which this
/// one was restored.
async fn begin(connection: &mut PgConnection, measurement: &Measurement) -> Result<bool, sqlx::Error> {
    let made = sqlx::query(
        "INSERT INTO chunkwise.chunk_counted (measurement_id, next_read_at) VALUES ($1, '-infinity') ON CONFLICT DO NOTHING",
    )
    .bind(measurement.id)
    .execute(&mut *connection)
    .await?
    .rows_affected();
    let (same, others): (bool, bool) = sqlx::query_as(
        "SELECT storage IS NOT DISTINCT FROM $2::text::regclass::oid AND system IS NOT DISTINCT FROM s.system_identifier,
                coalesce(storage <> $2::text::regclass::oid OR system <> s.system_identifier, false)
         FROM chunkwise.chunk_counted, pg_control_system() s WHERE measurement_id = $1 FOR UPDATE OF chunk_counted",
    )
    .bind(measurement.id)
    .bind(measurement.storage())
    .fetch_one(&mut *connection)
    .await?;
    if !same {
        sqlx::query(
            "UPDATE chunkwise.chunk_counted SET storage = $2::text::regclass, system = s.system_identifier
             FROM pg_control_system() s WHERE measurement_id = $1",
        )
        .bind(measurement.id)
        .bind(measurement.storage())
        .execute(&mut *connection)
        .await?;
    }
    if others {
        sqlx::query("DELETE FROM chunkwise.chunk_counter WHERE measurement_id = $1")
            .bind(measurement.id)
            .execute(connection)
            .await?;
    }
    Ok(made == 1 || others)
}

async fn count(connection: &mut PgConnection, measurement: &Measurement) -> Result<Vec<Counted>, sqlx::Error> {
    // What is in the columnstore is counted in a table of its own.
    let sql = format!(
        "SELECT r.oid::int8 AS id, {lo} AS lo, {hi} AS hi, b.changes AS before,
                (SELECT coalesce(sum(pg_stat_get_tuples_inserted(t) + pg_stat_get_tuples_updated(t)
                                     + pg_stat_get_tuples_deleted(t)), 0)::int8
                 FROM unnest(ARRAY[r.oid, k.compressed]) AS t WHERE t IS NOT NULL) AS changes
         FROM timescaledb_information.chunks c
         JOIN pg_namespace n ON n.nspname = c.chunk_schema
         JOIN pg_class r ON r.relnamespace = n.oid AND r.relname = c.chunk_name
         LEFT JOIN chunkwise.chunk_storage() k ON k.chunk = r.oid
         LEFT JOIN chunkwise.chunk_counter b ON b.measurement_id = $3 AND b.chunk = r.oid::int8
         WHERE c.hypertable_schema = $1 AND c.hypertable_name = $2
         ORDER BY lo, id",
        lo = us_of("c.range_start"),
        hi = us_of("c.range_end"),
    );
    let [schema, table] = measurement.storage_names();
    let rows = sqlx::query(&sql).bind(schema).bind(table).bind(measurement.id).fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            let chunk = Chunk { id: row.try_get("id")?, from_us: row.try_get("lo")?, to_us: row.try_get("hi")? };
            Ok(Counted { chunk, changes: row.try_get("changes")?, before: row.try_get("before")? })
        })
        .collect()
}

/// The entries of unknown range that are visible now, and the oldest transaction of those that were not before.
async fn entries(
    connection: &mut PgConnection,
    measurement_id: i32,
) -> Result<(Vec<Entry>, Option<String>), sqlx::Error> {
    let first_seen = sqlx::query_scalar(
        "WITH first_seen AS (
             UPDATE chunkwise.change SET seen_at = clock_timestamp()
             WHERE measurement_id = $1 AND lo IS NULL AND NOT truncated AND seen_at IS NULL RETURNING xid)
         SELECT min(xid)::text FROM first_seen",
    )
    .bind(measurement_id)
    .fetch_one(&mut *connection)
    .await?;
    let rows = sqlx::query(
        "SELECT c.id, clock_timestamp() - c.seen_at >= make_interval(secs => $2) AS settled,
                c.seen_at > k.next_read_at AS since_last_reading
         FROM chunkwise.change c JOIN chunkwise.chunk_counted k USING (measurement_id)
         WHERE c.measurement_id = $1 AND c.lo IS NULL AND NOT c.truncated AND c.seen_at IS NOT NULL
         ORDER BY c.id",
    )
    .bind(measurement_id)
    .bind(SETTLE_AFTER.as_secs_f64())
    .fetch_all(connection)
    .await?;
    let entry = |row: &PgRow| {
        Ok(Entry {
            id: row.try_get("id")?,
            settled: row.try_get("settled")?,
            since_last_reading: row.try_get("since_last_reading")?,
        })
    };
    Ok((rows.iter().map(entry).collect::<Result<_, sqlx::Error>>()?, first_seen))
}

/// Gives entries these ranges. Further ranges become further entries of the same transaction, so that a reader that has seen
/// the entry before it was narrowed sees none of them.
async fn write_back(connection: &mut PgConnection, entries: &[i64], changed: &[Stretch]) -> Result<(), sqlx::Error> {
    let mut changed = changed.iter();
    let Some(first) = changed.next() else {
        // Nothing was changed: a moment stands for it, as the newest entry of a measurement must stay.
        sqlx::query("UPDATE chunkwise.change SET lo = noted_at, hi = noted_at WHERE id = ANY ($1)")
            .bind(entries)
            .execute(connection)
            .await?;
        return Ok(());
    };
    let last = |stretch: &Stretch| moment(stretch.to_us.saturating_sub(1));
    sqlx::query("UPDATE chunkwise.change SET lo = $2, hi = $3 WHERE id = ANY ($1)")
        .bind(entries)
        .bind(moment(first.from_us))
        .bind(last(first))
        .execute(&mut *connection)
        .await?;
    for stretch in changed {
        sqlx::query(
            "INSERT INTO chunkwise.change (measurement_id, lo, hi, xid, noted_at)
             SELECT measurement_id, $2, $3, xid, noted_at FROM chunkwise.change WHERE id = ANY ($1)",
        )
        .bind(entries)
        .bind(moment(stretch.from_us))
        .bind(last(stretch))
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// Keeps counters for the entries to come; gives the end of the latest chunk that has gone.
async fn keep(
    connection: &mut PgConnection,
    measurement_id: i32,
    counted: &[Counted],
    entries: &[Entry],
    waiting: usize,
) -> Result<Option<i64>, sqlx::Error> {
    let ids: Vec<i64> = counted.iter().map(|c| c.chunk.id).collect();
    let sql = format!(
        "WITH gone AS (DELETE FROM chunkwise.chunk_counter WHERE measurement_id = $1 AND chunk <> ALL ($2) RETURNING hi)
         SELECT max({}) FROM gone",
        us_of("hi")
    );
    let gone = sqlx::query_scalar(&sql).bind(measurement_id).bind(&ids).fetch_one(&mut *connection).await?;
    if waiting > 0 {
        // What was read aside is older than all entries that still wait: it takes its place, and this reading is aside.
        if !entries.iter().any(|entry| !entry.settled && !entry.since_last_reading) {
            sqlx::query(
                "UPDATE chunkwise.chunk_counter SET changes = coalesce(next_changes, changes), next_changes = NULL
                 WHERE measurement_id = $1",
            )
            .bind(measurement_id)
            .execute(&mut *connection)
            .await?;
            set_aside(connection, measurement_id, counted).await?;
        }
        return Ok(gone);
    }
    sqlx::query(
        "INSERT INTO chunkwise.chunk_counter AS k (measurement_id, chunk, lo, hi, changes)
         SELECT $1, chunk, lo, hi, changes FROM unnest($2::int8[], $3::timestamptz[], $4::timestamptz[], $5::int8[])
             AS c (chunk, lo, hi, changes)
         ON CONFLICT (measurement_id, chunk) DO UPDATE SET changes = excluded.changes, next_changes = NULL
         WHERE k.changes <> excluded.changes OR k.next_changes IS NOT NULL",
    )
    .bind(measurement_id)
    .bind(&ids)
    .bind(counted.iter().map(|c| moment(c.chunk.from_us)).collect::<Vec<_>>())
    .bind(counted.iter().map(|c| moment(c.chunk.to_us)).collect::<Vec<_>>())
    .bind(counted.iter().map(|c| c.changes).collect::<Vec<_>>())
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "UPDATE chunkwise.chunk_counted SET next_read_at = '-infinity'
         WHERE measurement_id = $1 AND next_read_at > '-infinity'",
    )
    .bind(measurement_id)
    .execute(connection)
    .await?;
    Ok(gone)
}

async fn set_aside(connection: &mut PgConnection, measurement_id: i32, counted: &[Counted]) -> Result<(), sqlx::Error> {
    sqlx::query(
        // A chunk that is new has had no counter that could be compared: -1 differs from all.
        "INSERT INTO chunkwise.chunk_counter AS k (measurement_id, chunk, lo, hi, changes, next_changes)
         SELECT $1, chunk, lo, hi, -1, changes FROM unnest($2::int8[], $3::timestamptz[], $4::timestamptz[], $5::int8[])
             AS c (chunk, lo, hi, changes)
         ON CONFLICT (measurement_id, chunk) DO UPDATE SET next_changes = excluded.next_changes",
    )
    .bind(measurement_id)
    .bind(counted.iter().map(|c| c.chunk.id).collect::<Vec<_>>())
    .bind(counted.iter().map(|c| moment(c.chunk.from_us)).collect::<Vec<_>>())
    .bind(counted.iter().map(|c| moment(c.chunk.to_us)).collect::<Vec<_>>())
    .bind(counted.iter().map(|c| c.changes).collect::<Vec<_>>())
    .execute(&mut *connection)
    .await?;
    sqlx::query("UPDATE chunkwise.chunk_counted SET next_read_at = clock_timestamp() WHERE measurement_id = $1")
        .bind(measurement_id)
        .execute(connection)
        .await?;
    Ok(())
}
