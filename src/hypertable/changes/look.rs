//! What has changed since the last look.

use sqlx::{PgConnection, Row, postgres::PgRow};

use super::{Stretch, merged, us_of};

/// Where a reader stands: what it has seen of the change log, and on which server.
///
/// Text that can be kept anywhere and handed to [`look`] again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// A `pg_snapshot` as text.
    pub snapshot: String,
    /// The cluster's system identifier: another cluster (a restored dump) counts its transactions anew.
    pub system: i64,
    /// The cluster's timeline: another one (a restore to a point in time) has another past.
    pub timeline: i32,
    /// When the look was taken, by the database's clock, microseconds since 1970.
    pub looked_us: i64,
}

/// An entry of unknown range that is not narrowed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// The transaction's number, as text.
    pub xid: String,
}

/// What a look has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// For the next look.
    pub seen: Seen,
    /// There was no last look, or none that means anything here: everything may have changed, and the rest is empty.
    pub anew: bool,
    /// What has changed, ascending, apart from each other.
    pub dirty: Vec<Stretch>,
    /// What has changed somewhere.
    pub unknown: Vec<Unknown>,
    /// All rows were taken away by a TRUNCATE since.
    pub truncated: bool,
}

/// An entry is kept at least for so long after it could be seen; see [`super::prune()`].
pub(super) const KEPT: &str = "interval '1 day'";

/// Which changes of a measurement `since` did not see and are visible now. Entries that were in a transaction under way at
/// the last look are among them as soon as it has committed, however long ago they were made.
///
/// Statements that the caller runs after this one, in a transaction of READ COMMITTED or in another session, see all rows
/// that these changes brought.
///
/// # Errors
/// The database's.
pub async fn look(
    connection: &mut PgConnection,
    measurement_id: i32,
    since: Option<&Seen>,
) -> Result<Look, sqlx::Error> {
    // One statement has one snapshot: what it does not see is not visible in the snapshot that it returns either.
    let sql = format!(
        "WITH here AS MATERIALIZED (
             SELECT pg_current_snapshot() AS snapshot, s.system_identifier AS system, c.timeline_id AS timeline,
                    clock_timestamp() AS looked_at
             FROM pg_control_system() s, pg_control_checkpoint() c),
         known AS MATERIALIZED (
             SELECT $2::text::pg_snapshot AS snapshot FROM here
             WHERE here.system = $3 AND here.timeline = $4
                 AND here.looked_at - to_timestamp($5::int8 / 1000000.0) < {KEPT})
         SELECT here.snapshot::text AS snapshot, here.system, here.timeline, {looked} AS looked_us,
                NOT EXISTS (SELECT FROM known) AS anew, c.xid::text AS xid, c.truncated, c.lo IS NULL AS unknown,
                {lo} AS lo, {hi} AS hi
         FROM here LEFT JOIN (known JOIN chunkwise.change c ON c.measurement_id = $1
              AND c.xid >= pg_snapshot_xmin(known.snapshot)
              AND NOT pg_visible_in_snapshot(c.xid, known.snapshot)) ON true",
        looked = us_of("here.looked_at"),
        lo = us_of("c.lo"),
        hi = us_of("c.hi"),
    );
    let rows = sqlx::query(&sql)
        .bind(measurement_id)
        .bind(since.map(|seen| seen.snapshot.as_str()))
        .bind(since.map(|seen| seen.system))
        .bind(since.map(|seen| seen.timeline))
        .bind(since.map(|seen| seen.looked_us))
        .fetch_all(connection)
        .await?;
    // The row of `here` is always there.
    let first = rows.first().ok_or(sqlx::Error::RowNotFound)?;
    let mut look = Look {
        seen: seen(first)?,
        anew: first.try_get("anew")?,
        dirty: Vec::new(),
        unknown: Vec::new(),
        truncated: false,
    };
    for row in &rows {
        let Some(xid) = row.try_get::<Option<String>, _>("xid")? else { continue };
        if row.try_get("truncated")? {
            look.truncated = true;
        } else if row.try_get("unknown")? {
            look.unknown.push(Unknown { xid });
        } else {
            look.dirty.push(closed(row)?);
        }
    }
    look.dirty = merged(look.dirty);
    look.unknown.dedup();
    Ok(look)
}

fn seen(row: &PgRow) -> Result<Seen, sqlx::Error> {
    Ok(Seen {
        snapshot: row.try_get("snapshot")?,
        system: row.try_get("system")?,
        timeline: row.try_get("timeline")?,
        looked_us: row.try_get("looked_us")?,
    })
}

/// The log has the first and the last time, both included.
fn closed(row: &PgRow) -> Result<Stretch, sqlx::Error> {
    Ok(Stretch { from_us: row.try_get("lo")?, to_us: row.try_get::<i64, _>("hi")?.saturating_add(1) })
}

/// What an entry that was unknown has become: `None` while it is not narrowed yet.
///
/// # Errors
/// The database's.
pub async fn resolve(
    connection: &mut PgConnection,
    measurement_id: i32,
    unknown: &Unknown,
) -> Result<Option<Vec<Stretch>>, sqlx::Error> {
    let sql = format!(
        "SELECT lo IS NULL AS unknown, {lo} AS lo, {hi} AS hi FROM chunkwise.change
         WHERE measurement_id = $1 AND xid = $2::text::xid8 AND NOT truncated",
        lo = us_of("lo"),
        hi = us_of("hi"),
    );
    let rows = sqlx::query(&sql).bind(measurement_id).bind(&unknown.xid).fetch_all(connection).await?;
    let mut stretches = Vec::with_capacity(rows.len());
    for row in &rows {
        if row.try_get("unknown")? {
            return Ok(None);
        }
        stretches.push(closed(row)?);
    }
    Ok(Some(merged(stretches)))
}

/// The measurements of which a reader has not seen everything: those with entries that it did not see, and those that it
/// has never looked at.
///
/// # Errors
/// The database's.
pub async fn with_news(connection: &mut PgConnection, reader: &str) -> Result<Vec<i32>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT m.id FROM chunkwise.measurement m
         LEFT JOIN chunkwise.change_reader r ON r.measurement_id = m.id AND r.reader = $1
         WHERE r.reader IS NULL OR EXISTS (
             SELECT FROM chunkwise.change c
             WHERE c.measurement_id = m.id AND c.xid >= pg_snapshot_xmin(r.snapshot)
                 AND NOT pg_visible_in_snapshot(c.xid, r.snapshot))
         ORDER BY m.id",
    )
    .bind(reader)
    .fetch_all(connection)
    .await
}

/// Where a reader with a memory in this database stands. Its row stays locked until the end of the transaction, so that two
/// of the same name do not go on from the same place.
///
/// # Errors
/// The database's.
pub async fn load(
    connection: &mut PgConnection,
    reader: &str,
    measurement_id: i32,
) -> Result<Option<Seen>, sqlx::Error> {
    stored(connection, reader, measurement_id, "FOR UPDATE OF change_reader").await
}

/// The same for whoever only wants to know, in a transaction that may be read-only.
///
/// # Errors
/// The database's.
pub async fn peek(
    connection: &mut PgConnection,
    reader: &str,
    measurement_id: i32,
) -> Result<Option<Seen>, sqlx::Error> {
    stored(connection, reader, measurement_id, "").await
}

async fn stored(
    connection: &mut PgConnection,
    reader: &str,
    measurement_id: i32,
    lock: &str,
) -> Result<Option<Seen>, sqlx::Error> {
    let sql = format!(
        "SELECT snapshot::text AS snapshot, system, timeline_id AS timeline, {looked} AS looked_us
         FROM chunkwise.change_reader, pg_control_checkpoint()
         WHERE reader = $1 AND measurement_id = $2 {lock}",
        looked = us_of("looked_at"),
    );
    let row = sqlx::query(&sql).bind(reader).bind(measurement_id).fetch_optional(connection).await?;
    row.as_ref().map(seen).transpose()
}

/// Keeps where a reader stands, to be committed with what it has made of what it saw. (The timeline is not kept: what is in
/// this database goes back in time with it.)
///
/// # Errors
/// The database's.
pub async fn store(
    connection: &mut PgConnection,
    reader: &str,
    measurement_id: i32,
    seen: &Seen,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO chunkwise.change_reader (reader, measurement_id, snapshot, system, looked_at)
         VALUES ($1, $2, $3::text::pg_snapshot, $4, to_timestamp($5::int8 / 1000000.0))
         ON CONFLICT (reader, measurement_id) DO UPDATE
         SET snapshot = excluded.snapshot, system = excluded.system, looked_at = excluded.looked_at",
    )
    .bind(reader)
    .bind(measurement_id)
    .bind(&seen.snapshot)
    .bind(seen.system)
    .bind(seen.looked_us)
    .execute(connection)
    .await?;
    Ok(())
}
