//! Makes bars and last values anew where something has changed, and makes the newest.
//!
//! Each step is one transaction: what is in the table for some buckets is deleted, what the rows say now is copied in, the
//! ranges leave the list of what is pending. Whoever reads sees all of it or nothing. Rows are read once: last values are
//! made of those that the narrowest bars are made of, wherever both want the same time; and wider bars of the narrower ones
//! while these are in memory, where they are there whole. The wider level's list gets the rest.
//!
//! Nobody waits for such a transaction's place on the disk: one that a crash of the server loses is made again, as all that
//! says it was made, the watermark and the list, is lost with it.

use std::time::Instant;

use sqlx::{Connection, Executor, PgConnection, Row};

use super::{
    Level, Shape,
    bars::Bars,
    cut::{Sized, cut},
    last_values,
    newest::Newest,
    observe::{add, watermark},
    read::{RollupError, take_bars, take_rows, take_rows_once},
    sql::{self, LATEST},
    summarize::summarize,
    together::Together,
    wider::{self, Wider},
};
use crate::hypertable::{
    changes::{Stretch, merged, us_of},
    moment,
};

/// Bars are made when their bucket has been over for so long, and last values of rows that are so old: what comes later
/// than that is made anew, which costs more.
pub(super) const LAG_US: i64 = 10_000_000;
/// Last values are brought up to date in steps of this; the rest is looked up in the rows by whoever asks.
pub(super) const LATEST_STEP_US: i64 = 20_000_000;

/// What is made: bars of a level, or last values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Target {
    Bars(Level),
    Latest,
}

impl Target {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Bars(level) => level.name(),
            Self::Latest => LATEST,
        }
    }

    fn width_us(self) -> i64 {
        match self {
            Self::Bars(level) => level.width_us(),
            Self::Latest => LATEST_STEP_US,
        }
    }
}

/// A step's stretches, and what it changes besides.
pub(super) struct Step {
    pub(super) stretches: Vec<Stretch>,
    /// Pending entries that it takes away, and what of them is left.
    pending: Vec<i64>,
    rest: Vec<Stretch>,
    /// The watermark as it was, and as it is to be if it moves.
    pub(super) watermark_us: i64,
    pub(super) moved_us: Option<i64>,
}

/// Makes what there is to make, until `deadline`. True where more is left.
pub(super) async fn make(connection: &mut PgConnection, shape: &Shape, deadline: Instant) -> Result<bool, RollupError> {
    let mut targets: Vec<Target> = shape.levels.iter().copied().map(Target::Bars).collect();
    if !shape.latest.is_empty() {
        // What the narrowest bars have not brought with them.
        targets.insert(targets.len().min(1), Target::Latest);
    }
    for target in targets {
        while step(connection, shape, target).await? {
            if Instant::now() >= deadline {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// One step; false where there is none to do.
async fn step(connection: &mut PgConnection, shape: &Shape, target: Target) -> Result<bool, RollupError> {
    let id = shape.measurement.id;
    let Some(watermark_us) = watermark(connection, id, target.name(), "").await? else { return Ok(false) };
    let source = match target {
        Target::Bars(level) => shape.below(level),
        Target::Latest => None,
    };
    let row = sqlx::query(&format!(
        "SELECT {} AS now, {} AS newest, {} AS dropped_to FROM chunkwise.rollup WHERE measurement_id = $1",
        us_of("clock_timestamp()"),
        us_of("newest"),
        us_of("dropped_to"),
    ))
    .bind(id)
    .fetch_one(&mut *connection)
    .await?;
    let (now_us, newest_us): (i64, i64) = (row.try_get("now")?, row.try_get("newest")?);
    // Rows that were dropped are still in the bars: these are not made anew without them.
    let kept_from_us = if source.is_none() { row.try_get("dropped_to")? } else { i64::MIN };

    let (pending, dirty) = pending(connection, id, target).await?;
    let width_us = target.width_us();
    let floor = |us: i64| us.saturating_sub(us.rem_euclid(width_us));
    let end_us = match source {
        None => floor(now_us - LAG_US),
        Some(below) => {
            let below = watermark(connection, id, below.name(), "").await?.unwrap_or(i64::MIN);
            if below == i64::MIN { below } else { floor(below) }
        }
    };
    let advances = end_us > watermark_us && newest_us >= watermark_us;
    if pending.is_empty() && !advances {
        return Ok(false);
    }

    let allowed = Stretch {
        from_us: Stretch { from_us: kept_from_us, to_us: kept_from_us }.widened(width_us).to_us,
        to_us: watermark_us,
    };
    let chunks = sized(connection, shape, source).await?;
    let wanted = if pending.is_empty() {
        vec![Stretch { from_us: watermark_us.max(allowed.from_us), to_us: end_us }]
    } else {
        dirty.iter().map(|stretch| stretch.widened(width_us).intersection(allowed)).collect()
    };
    let (stretches, rest) = cut(&merged(wanted), &chunks, width_us);
    let moved_us = pending.is_empty().then(|| match (stretches.last(), rest.is_empty()) {
        (Some(last), false) => last.to_us,
        _ => end_us,
    });
    let rest = if pending.is_empty() { Vec::new() } else { rest };
    let step = Step { stretches, pending, rest, watermark_us, moved_us };
    summarize(connection, shape, target, &step.stretches).await?;
    let mut transaction = connection.begin().await?;
    transaction.execute("SET LOCAL synchronous_commit = off").await?;
    let held = watermark(&mut transaction, id, target.name(), "FOR UPDATE").await?;
    if held != Some(step.watermark_us) {
        // Another session was here; what is to do is looked at again.
        return Ok(true);
    }
    match target {
        Target::Bars(level) => make_bars(&mut transaction, shape, level, &step).await?,
        Target::Latest => last_values::make(&mut transaction, shape, &step.stretches, step.moved_us.is_some()).await?,
    }
    finish(&mut transaction, shape, target, &step).await?;
    transaction.commit().await?;
    Ok(true)
}

/// The entries of known range that are pending, and their time.
pub(super) async fn pending(
    connection: &mut PgConnection,
    measurement_id: i32,
    target: Target,
) -> Result<(Vec<i64>, Vec<Stretch>), sqlx::Error> {
    let rows = sqlx::query(&format!(
        "SELECT id, {} AS lo, {} AS hi FROM chunkwise.rollup_pending
         WHERE measurement_id = $1 AND level = $2 AND xid IS NULL",
        us_of("lo"),
        us_of("hi"),
    ))
    .bind(measurement_id)
    .bind(target.name())
    .fetch_all(connection)
    .await?;
    let ids = rows.iter().map(|row| row.try_get("id")).collect::<Result<_, _>>()?;
    let stretches = rows
        .iter()
        .map(|row| Ok(Stretch { from_us: row.try_get("lo")?, to_us: row.try_get("hi")? }))
        .collect::<Result<_, sqlx::Error>>()?;
    Ok((ids, merged(stretches)))
}

/// The chunks of what a level is made of, with about how many rows each holds.
pub(super) async fn sized(
    connection: &mut PgConnection,
    shape: &Shape,
    source: Option<Level>,
) -> Result<Vec<Sized>, sqlx::Error> {
    /// What a chunk in the columnstore is taken for, whose table is empty.
    const COMPRESSED_ROWS: u64 = 5_000_000;
    let [schema, table] = match source {
        None => shape.measurement.storage_names(),
        Some(level) => shape.bars_names(level),
    };
    let columns = if source.is_none() { shape.latest.len() } else { sql::bar_columns(shape).len() };
    let row_bytes = 44 + 8 * columns as u64;
    let rows = sqlx::query(&format!(
        "SELECT {} AS lo, {} AS hi, sum(pg_relation_size(r.oid))::int8 AS bytes, bool_or(c.is_compressed) AS compressed
         FROM timescaledb_information.chunks c
         JOIN pg_namespace n ON n.nspname = c.chunk_schema
         JOIN pg_class r ON r.relnamespace = n.oid AND r.relname = c.chunk_name
         WHERE c.hypertable_schema = $1 AND c.hypertable_name = $2
         GROUP BY c.range_start, c.range_end ORDER BY c.range_start",
        us_of("c.range_start"),
        us_of("c.range_end"),
    ))
    .bind(schema)
    .bind(table)
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            let bytes = u64::try_from(row.try_get::<i64, _>("bytes")?).unwrap_or(0);
            let least = if row.try_get("compressed")? { COMPRESSED_ROWS } else { 0 };
            Ok(Sized {
                extent: Stretch { from_us: row.try_get("lo")?, to_us: row.try_get("hi")? },
                rows: (bytes / row_bytes).max(least),
            })
        })
        .collect()
}

async fn make_bars(connection: &mut PgConnection, shape: &Shape, level: Level, step: &Step) -> Result<(), RollupError> {
    let together = match shape.below(level) {
        None => Together::look(connection, shape, step).await?,
        Some(_) => None,
    };
    let mut newest = together.as_ref().map(|(_, places)| (Newest::of(shape), places.as_slice()));
    let mut wider = Wider::begin(connection, shape, level).await?;
    for stretch in step.stretches.iter().copied() {
        let mut bars = Bars::new(shape.numbers(), shape.weighting());
        let bucket = |us| level.floor(us);
        match (shape.below(level), &mut newest) {
            (None, Some((newest, places))) => {
                take_rows_once(connection, shape, stretch, bucket, &mut bars, (newest, places)).await?
            }
            (None, None) => take_rows(connection, shape, stretch, None, bucket, &mut bars).await?,
            (Some(below), _) => {
                let statement = sql::select_bars(shape, &shape.bars(below), stretch);
                take_bars(connection, shape, &statement, bucket, &mut bars).await?
            }
        };
        let bars = tokio::task::spawn_blocking(|| bars.finish()).await.map_err(|_| sqlx::Error::WorkerCrashed)?;
        wider::replace(connection, shape, level, stretch, &bars).await?;
        wider.make(connection, shape, stretch, bars).await?;
    }
    wider.end(connection, shape).await?;
    match (&together, newest) {
        (Some((together, _)), Some((newest, _))) => together.keep(connection, shape, step, &newest).await,
        _ => Ok(()),
    }
}

/// Takes the step's ranges from the list, and moves the watermark.
async fn finish(connection: &mut PgConnection, shape: &Shape, target: Target, step: &Step) -> Result<(), RollupError> {
    let id = shape.measurement.id;
    if !step.pending.is_empty() {
        take_away(connection, &step.pending).await?;
        add(connection, id, target.name(), &step.rest).await?;
    }
    if let Some(moved_us) = step.moved_us {
        move_to(connection, id, target, moved_us).await?;
    }
    Ok(())
}

/// Takes entries from the list.
pub(super) async fn take_away(connection: &mut PgConnection, pending: &[i64]) -> Result<(), sqlx::Error> {
    let sql = "DELETE FROM chunkwise.rollup_pending WHERE id = ANY ($1)";
    sqlx::query(sql).bind(pending).execute(connection).await?;
    Ok(())
}

/// Moves a watermark.
pub(super) async fn move_to(
    connection: &mut PgConnection,
    measurement_id: i32,
    target: Target,
    us: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE chunkwise.rollup_level SET watermark = $3 WHERE measurement_id = $1 AND level = $2")
        .bind(measurement_id)
        .bind(target.name())
        .bind(moment(us))
        .execute(connection)
        .await?;
    Ok(())
}
