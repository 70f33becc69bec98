//! Makes bars and last values anew where something has changed, and makes the newest.
//!
//! Each step is one transaction: what is in the table for some buckets is deleted, what the rows say now is copied in, the
//! ranges leave the list of what is pending. Whoever reads sees all of it or nothing. Rows are read once: last values are
//! made of those that the narrowest bars are made of, wherever both want the same time; and wider bars of the narrower ones
//! while these are in memory, where they are there whole. The wider level's list gets the rest.
//!
//! Nobody waits for such a transaction's place on the disk: one that a crash of the server loses is made again, as all that
//! says it was made, the watermark and the list, is lost with it.

use std::time::{Duration, Instant};

use sqlx::{Connection, Executor, PgConnection, Row};

use super::{
    Level, Shape,
    ahead::Rows,
    bars::Bars,
    cut::{Part, Sized, Writing, cut, end},
    last_values,
    observe::{add, looked, watermark},
    read::{self, RollupError, finished, take_bars},
    source::Source,
    sql::{self, LATEST},
    summarize::summarize,
    together::Together,
    wider::{self, Place, Wider},
};
use crate::{
    db::Database,
    hypertable::{
        changes::{Stretch, merged, us_of},
        moment,
    },
};

/// Last values are brought up to date in steps of this; the rest is looked up in the rows by whoever asks.
pub(super) const LATEST_STEP_US: i64 = 20_000_000;

/// A measurement whose last change is no older is being written to.
pub(super) const STILL_WRITTEN_TO: Duration = Duration::from_secs(1);

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

    pub(super) fn width_us(self) -> i64 {
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

impl Step {
    /// Where the watermark of a wider level, which is at `us`, is to be after this step, if it has been where the narrower
    /// one's was and no bucket of its own is cut.
    pub(super) fn moves_along(&self, level: Level, us: i64) -> Option<i64> {
        let moved_us = self.moved_us.filter(|_| us == self.watermark_us)?;
        let is_whole = |us: i64| level.floor(us) == us;
        let are_whole = self
            .stretches
            .iter()
            .all(|stretch| is_whole(stretch.from_us) && (is_whole(stretch.to_us) || stretch.to_us == moved_us));
        are_whole.then(|| level.floor(moved_us)).filter(|to_us| *to_us > us)
    }
}

/// Makes what there is to make, until `deadline`. True where more is left.
pub(super) async fn make(
    connection: &mut PgConnection,
    database: &Database,
    source: &mut Source,
    shape: &Shape,
    deadline: Instant,
) -> Result<bool, RollupError> {
    let mut targets: Vec<Target> = shape.levels.iter().copied().map(Target::Bars).collect();
    if !shape.latest.is_empty() {
        // What the narrowest bars have not brought with them.
        targets.insert(targets.len().min(1), Target::Latest);
    }
    // Of another look at the change log, whose step failed.
    source.ahead.forget();
    let mut took = Duration::ZERO;
    for target in targets {
        loop {
            let began = Instant::now();
            // The last step before the deadline has no next one.
            let database = (began + took * 2 < deadline).then_some(database);
            if !step(connection, database, source, shape, target).await? {
                break;
            }
            took = began.elapsed();
            if Instant::now() >= deadline {
                source.ahead.forget();
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// One step; false where there is none to do. With a database the next one's rows are read meanwhile, unless the measurement
/// is being written to.
async fn step(
    connection: &mut PgConnection,
    database: Option<&Database>,
    source: &mut Source,
    shape: &Shape,
    target: Target,
) -> Result<bool, RollupError> {
    let id = shape.measurement.id;
    let Some(watermark_us) = watermark(connection, id, target.name(), "").await? else { return Ok(false) };
    let below = match target {
        Target::Bars(level) => shape.below(level),
        Target::Latest => None,
    };
    let looked_us = looked(connection, id, "").await?;
    let row = sqlx::query(&format!(
        "SELECT {} AS now, {} AS newest, {} AS dropped_to,
                (SELECT c.noted_at FROM chunkwise.change c WHERE c.measurement_id = rollup.measurement_id
                 ORDER BY c.id DESC LIMIT 1) > clock_timestamp() - make_interval(secs => $2) IS TRUE AS is_written_to,
                (SELECT {} FROM chunkwise.rollup_level l
                 WHERE l.measurement_id = rollup.measurement_id AND l.level = ANY ($3)) AS made
         FROM chunkwise.rollup WHERE measurement_id = $1",
        us_of("clock_timestamp()"),
        us_of("newest"),
        us_of("dropped_to"),
        us_of("min(l.watermark)"),
    ))
    .bind(id)
    .bind(STILL_WRITTEN_TO.as_secs_f64())
    .bind(shape.levels.first().map(|level| level.name()).into_iter().chain([LATEST]).collect::<Vec<_>>())
    .fetch_one(&mut *connection)
    .await?;
    source.fresh.release(id, row.try_get::<Option<i64>, _>("made")?.unwrap_or(i64::MIN));
    let (now_us, newest_us): (i64, i64) = (row.try_get("now")?, row.try_get("newest")?);
    let is_written_to: bool = row.try_get("is_written_to")?;
    // While rows come in their writers need the other core.
    let database = database.filter(|_| !is_written_to);
    // Rows that were dropped are still in the bars: these are not made anew without them.
    let kept_from_us = if below.is_none() { row.try_get("dropped_to")? } else { i64::MIN };

    let (pending, dirty) = pending(connection, id, target).await?;
    let width_us = target.width_us();
    let end_us = match below {
        None => {
            let writing = if is_written_to {
                Writing::GoesOn { reach_us: source.reach_us(shape, looked_us, watermark_us, newest_us) }
            } else {
                Writing::Rests
            };
            let us = end(newest_us, now_us, width_us, writing);
            source.leaves_newest |= us < end(newest_us, now_us, width_us, Writing::Rests);
            us
        }
        Some(below) => {
            let us = watermark(connection, id, below.name(), "").await?.unwrap_or(i64::MIN);
            if us == i64::MIN { us } else { us - us.rem_euclid(width_us) }
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
    let chunks = sized(connection, shape, below).await?;
    let mut rows = None;
    let step = if pending.is_empty() {
        let between = Stretch { from_us: watermark_us.max(allowed.from_us), to_us: end_us };
        let Part { stretches, to_us } = if below.is_some() {
            Part::first(between, &chunks, width_us)
        } else {
            let (part, there) = source.first(shape, target, between, &chunks, (looked_us, database)).await?;
            rows = there;
            part
        };
        Step { stretches, pending, rest: Vec::new(), watermark_us, moved_us: Some(to_us) }
    } else {
        let wanted = dirty.iter().map(|stretch| stretch.widened(width_us).intersection(allowed)).collect();
        let (stretches, rest) = cut(&merged(wanted), &chunks, width_us);
        Step { stretches, pending, rest, watermark_us, moved_us: None }
    };
    if rows.is_none() {
        summarize(connection, shape, target, &step.stretches).await?;
    }
    let mut transaction = connection.begin().await?;
    transaction.execute("SET LOCAL synchronous_commit = off").await?;
    // Nobody looks at the change log until this is committed: what he found behind the watermark he would pass over.
    let looked_again = looked(&mut transaction, id, "FOR SHARE OF rollup").await? != looked_us;
    let held = watermark(&mut transaction, id, target.name(), "FOR UPDATE").await?;
    if held != Some(step.watermark_us) || (looked_again && rows.is_some()) {
        // Another session was here; what is to do is looked at again.
        return Ok(true);
    }
    match target {
        Target::Bars(level) => make_bars(&mut transaction, shape, level, &step, rows).await?,
        Target::Latest => make_latest(&mut transaction, shape, &step, rows).await?,
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

async fn make_latest(
    connection: &mut PgConnection,
    shape: &Shape,
    step: &Step,
    rows: Option<Rows>,
) -> Result<(), RollupError> {
    let newest = match rows.and_then(|rows| rows.newest) {
        Some(newest) => newest,
        None => read::newest(connection, shape, &step.stretches, None).await?,
    };
    last_values::keep(connection, shape, &step.stretches, &newest, step.moved_us.is_some()).await
}

/// Of rows that are in memory, where they are.
async fn make_bars(
    connection: &mut PgConnection,
    shape: &Shape,
    level: Level,
    step: &Step,
    rows: Option<Rows>,
) -> Result<(), RollupError> {
    let Some(below) = shape.below(level) else { return make_narrowest(connection, shape, level, step, rows).await };
    let mut wider = Wider::begin(connection, shape, level, step).await?;
    for stretch in step.stretches.iter().copied() {
        let mut bars = Bars::new(shape.numbers(), shape.weighting());
        let statement = sql::select_bars(shape, &shape.bars(below), stretch);
        take_bars(connection, shape, &statement, |us| level.floor(us), &mut bars).await?;
        let bars = (stretch, finished(bars).await?);
        wider::replace_all(connection, shape, level, Place::of(step), bars, &mut wider).await?;
    }
    wider.end(connection, shape).await?;
    Ok(())
}

/// Bars of rows, and last values with them.
async fn make_narrowest(
    connection: &mut PgConnection,
    shape: &Shape,
    level: Level,
    step: &Step,
    rows: Option<Rows>,
) -> Result<(), RollupError> {
    let together = Together::look(connection, shape, step).await?;
    let mut wider = Wider::begin(connection, shape, level, step).await?;
    let rows = match rows {
        Some(rows) => rows,
        None => {
            let places = together.as_ref().map(|(_, places)| places.as_slice());
            Rows::read(connection, shape, level, &step.stretches, places).await?
        }
    };
    for bars in rows.bars {
        wider::replace_all(connection, shape, level, Place::of(step), bars, &mut wider).await?;
    }
    wider.end(connection, shape).await?;
    match (&together, rows.newest) {
        (Some((together, _)), Some(newest)) => together.keep(connection, shape, step, &newest).await,
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
