//! What has changed since the last look.

use sqlx::{PgConnection, Row, postgres::PgRow};

use super::{PgSnapshot, Stretch, merged, us_of};

/// Where a reader stands: what it has seen of the change log, and on which server.
///
/// It can be kept anywhere and handed to [`look`] again; it is of no one measurement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Which transactions were seen.
    pub snapshot: PgSnapshot,
    /// The cluster's system identifier: another cluster (a restored dump) counts its transactions anew.
    pub system: i64,
    /// The cluster's timeline: another one (a restore to a point in time) has another past.
    pub timeline: i32,
    /// The database's number in the cluster.
    pub database: i64,
    /// When the look was taken, by the database's clock, microseconds since 1970.
    pub looked_us: i64,
}

/// An entry of unknown range that is not narrowed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// The transaction's number, as text.
    pub xid: String,
}

/// What an entry of the log says of the rows that its transaction has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// They lie within this time.
    Within(Stretch),
    /// They may be anywhere; some seconds later it is known in which chunks they are.
    Unknown,
    /// All rows were taken away, by a TRUNCATE.
    Everything,
}

/// An entry of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Its number, which it keeps when it is narrowed.
    pub id: i64,
    /// The transaction.
    pub xid: u64,
    /// Which rows.
    pub extent: Extent,
}

/// The entries that a reader has not seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// For the next look.
    pub seen: Seen,
    /// There was no last look, or none that means anything here: everything may have changed, and there are no entries.
    pub anew: bool,
    /// In no order.
    pub entries: Vec<Entry>,
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

impl Look {
    /// The least stretch that holds all that may have changed; empty where nothing has.
    #[must_use]
    pub fn extent(&self) -> Stretch {
        if self.anew || self.truncated || !self.unknown.is_empty() {
            return Stretch::ALL;
        }
        match (self.dirty.first(), self.dirty.last()) {
            (Some(first), Some(last)) => Stretch { from_us: first.from_us, to_us: last.to_us },
            _ => Stretch { from_us: 0, to_us: 0 },
        }
    }
}

impl From<News> for Look {
    fn from(news: News) -> Self {
        let News { seen, anew, entries } = news;
        let mut look = Self { seen, anew, dirty: Vec::new(), unknown: Vec::new(), truncated: false };
        for Entry { xid, extent, .. } in entries {
            match extent {
                Extent::Within(stretch) => look.dirty.push(stretch),
                Extent::Unknown => look.unknown.push(Unknown { xid: xid.to_string() }),
                Extent::Everything => look.truncated = true,
            }
        }
        look.dirty = merged(look.dirty);
        look.unknown.dedup();
        look
    }
}

/// An entry is kept at least for so long after it could be seen; see [`super::prune()`].
pub(super) const KEPT: &str = "interval '1 day'";

/// Which server this is, and what is visible there now.
const HERE: &str = "\
SELECT pg_current_snapshot() AS snapshot, pg_is_in_recovery() AS replica, s.system_identifier AS system,
       c.timeline_id AS timeline, (SELECT oid::int8 FROM pg_database WHERE datname = current_database()) AS database,
       clock_timestamp() AS looked_at
FROM pg_control_system() s, pg_control_checkpoint() c";

/// The state now, from which a later look can begin.
///
/// # Errors
/// The database's.
pub async fn here(connection: &mut PgConnection) -> Result<Seen, sqlx::Error> {
    let sql = format!(
        "SELECT snapshot::text AS snapshot, replica, system, timeline, database, {} AS looked_us FROM ({HERE}) here",
        us_of("looked_at")
    );
    seen(&sqlx::query(&sql).fetch_one(connection).await?)
}

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
    Ok(news(connection, measurement_id, since, &[]).await?.into())
}

/// The same entry by entry, for readers who have several states side by side; and besides, whether `since` saw them or not,
/// the entries of the transactions `awaited`, which may have been narrowed since.
///
/// # Errors
/// The database's.
pub async fn news(
    connection: &mut PgConnection,
    measurement_id: i32,
    since: Option<&Seen>,
    awaited: &[u64],
) -> Result<News, sqlx::Error> {
    // A part of its own, for the index.
    let narrowed = match awaited {
        [] => "",
        _ => {
            "UNION ALL SELECT c.* FROM known JOIN chunkwise.change c
                  ON c.measurement_id = $1 AND c.xid = ANY ($7::text[]::xid8[])"
        }
    };
    // One statement has one snapshot: what it does not see is not visible in the snapshot that it returns either.
    let sql = format!(
        "WITH here AS MATERIALIZED ({HERE}),
         known AS MATERIALIZED (
             SELECT $2::text::pg_snapshot AS snapshot FROM here
             WHERE here.system = $3 AND here.timeline = $4 AND here.database = $5
                 AND here.looked_at - to_timestamp($6::int8 / 1000000.0) < {KEPT})
         SELECT here.snapshot::text AS snapshot, here.replica, here.system, here.timeline, here.database,
                {looked} AS looked_us, NOT EXISTS (SELECT FROM known) AS anew, c.id, c.xid::text AS xid, c.truncated,
                c.lo IS NULL AS unknown, {lo} AS lo, {hi} AS hi
         FROM here LEFT JOIN (
              SELECT c.* FROM known JOIN chunkwise.change c ON c.measurement_id = $1
                  AND c.xid >= pg_snapshot_xmin(known.snapshot)
                  AND NOT pg_visible_in_snapshot(c.xid, known.snapshot)
              {narrowed}) c ON true",
        looked = us_of("here.looked_at"),
        lo = us_of("c.lo"),
        hi = us_of("c.hi"),
    );
    let query = sqlx::query(&sql)
        .bind(measurement_id)
        .bind(since.map(|seen| seen.snapshot.text()))
        .bind(since.map(|seen| seen.system))
        .bind(since.map(|seen| seen.timeline))
        .bind(since.map(|seen| seen.database))
        .bind(since.map(|seen| seen.looked_us));
    let query = match awaited {
        [] => query,
        awaited => query.bind(awaited.iter().map(u64::to_string).collect::<Vec<_>>()),
    };
    let rows = query.fetch_all(connection).await?;
    // The row of `here` is always there.
    let first = rows.first().ok_or(sqlx::Error::RowNotFound)?;
    let mut news = News { seen: seen(first)?, anew: first.try_get("anew")?, entries: Vec::new() };
    for row in &rows {
        let Some(id) = row.try_get("id")? else { continue };
        let xid: &str = row.try_get("xid")?;
        let xid = xid.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        let extent = if row.try_get("truncated")? {
            Extent::Everything
        } else if row.try_get("unknown")? {
            Extent::Unknown
        } else {
            Extent::Within(closed(row)?)
        };
        news.entries.push(Entry { id, xid, extent });
    }
    Ok(news)
}

fn seen(row: &PgRow) -> Result<Seen, sqlx::Error> {
    let text: &str = row.try_get("snapshot")?;
    let snapshot = PgSnapshot::parse(text, row.try_get("replica")?)
        .ok_or_else(|| sqlx::Error::Decode(format!("`{text}` is no snapshot").into()))?;
    Ok(Seen {
        snapshot,
        system: row.try_get("system")?,
        timeline: row.try_get("timeline")?,
        database: row.try_get("database")?,
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
        "SELECT snapshot::text AS snapshot, false AS replica, system, timeline_id AS timeline,
                (SELECT oid::int8 FROM pg_database WHERE datname = current_database()) AS database, {looked} AS looked_us
         FROM chunkwise.change_reader, pg_control_checkpoint()
         WHERE reader = $1 AND measurement_id = $2 {lock}",
        looked = us_of("looked_at"),
    );
    let row = sqlx::query(&sql).bind(reader).bind(measurement_id).fetch_optional(connection).await?;
    row.as_ref().map(seen).transpose()
}

/// Keeps where a reader stands, to be committed with what it has made of what it saw. (Timeline and database are not kept:
/// what is in this database goes back in time with it.)
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
    .bind(seen.snapshot.text())
    .bind(seen.system)
    .bind(seen.looked_us)
    .execute(connection)
    .await?;
    Ok(())
}
