//! The jobs: seal what is due, drop what has expired, follow the rate.

use std::time::{Duration, Instant};

use sqlx::{Connection, Executor, PgConnection, Row};

use super::{
    ChunkLook, LifeError, LifeOptions, Observed, Pace, SealOutcome, Sealer, Verdict, drop_expired, follow, look,
    look::note_changes, metric, pace, pages::KnownPages, statistics,
};
use crate::{
    db::{Edition, check_server},
    hypertable::{quote_ident, row_bytes},
    jobs::{Job, JobError, Next, Priority, SharedCores, Turn, session},
    question::Width,
};

/// A turn ends after so long, so that what is due is looked for anew.
const TURN: Duration = Duration::from_secs(10);
/// While there are chunks to seal, indexes of hot ones are told of their pages no more often.
const PAGES_EVERY: Duration = Duration::from_secs(10);
/// So long sealing waits for another job.
const CORE_PATIENCE: Duration = Duration::from_secs(10);

/// Seals chunks whose time is over.
#[derive(Debug)]
pub struct SealJob {
    options: LifeOptions,
    edition: Option<Edition>,
    pace: Pace,
    pages: KnownPages,
    pages_told: Option<Instant>,
    cores: SharedCores,
}

impl SealJob {
    /// With these defaults.
    #[must_use]
    pub fn new(options: LifeOptions) -> Self {
        let (edition, pages_told) = (None, None);
        let (pace, pages, cores) = Default::default();
        Self { options, edition, pace, pages, pages_told, cores }
    }

    /// While rows come in, it works on one of these.
    #[must_use]
    pub fn on(self, cores: SharedCores) -> Self {
        Self { cores, ..self }
    }
}

impl Job for SealJob {
    const NAME: &'static str = "seal";

    async fn run(&mut self, turn: &mut Turn<'_>) -> Result<Next, JobError> {
        let edition = edition(&mut self.edition, turn.connection).await?;
        self.pace.begin(turn.connection).await?;
        let chunks = look(turn.connection, edition, self.options, None).await?;
        note_changes(turn.connection, &chunks).await?;
        statistics::follow(turn.connection).await?;
        self.pace.pass(turn.connection).await?;
        let due: Vec<&ChunkLook> =
            chunks.iter().filter(|chunk| matches!(chunk.verdict(), Verdict::Seal | Verdict::Reseal)).collect();
        show_lag(&due);
        let began = Instant::now();
        let sealer = Sealer { edition, database: turn.database.clone() };
        let mut sealed_any = false;
        let mut second = None;
        let mut due = due.into_iter();
        while let Some(chunk) = due.next() {
            let is_idle = pace::is_idle(turn.connection).await?;
            let beside = if is_idle { due.next() } else { None };
            if is_idle && beside.is_none() && sealed_any {
                // Perhaps there is another by now, for the other core.
                break;
            }
            let core = if is_idle { None } else { self.cores.take(CORE_PATIENCE).await };
            self.pace.begin(turn.connection).await?;
            let took = match beside {
                None => outcome(chunk, sealer.seal(turn.connection, chunk).await)?,
                Some(beside) => {
                    let connection = match &mut second {
                        Some(connection) => connection,
                        None => second.insert(session(turn.database, Self::PRIORITY).await?),
                    };
                    let (one, other) =
                        tokio::join!(sealer.seal(turn.connection, chunk), sealer.seal(connection, beside));
                    outcome(chunk, one)?.max(outcome(beside, other)?)
                }
            };
            drop(core);
            if let Some(took) = took {
                sealed_any = true;
                self.pace.rest(turn.connection, took).await?;
            }
            if began.elapsed() > TURN {
                break;
            }
        }
        // Afterwards: what is sealed has its pages in the index.
        if !sealed_any || self.pages_told.is_none_or(|at| at.elapsed() > PAGES_EVERY) {
            self.pages.follow(turn.connection, &chunks).await?;
            self.pages_told = Some(Instant::now());
            self.pace.pass(turn.connection).await?;
        }
        Ok(if sealed_any { Next::Again } else { Next::After(self.options.look_every()) })
    }
}

/// How long it took, if the chunk was sealed here.
fn outcome(chunk: &ChunkLook, sealed: Result<SealOutcome, LifeError>) -> Result<Option<Duration>, JobError> {
    match sealed {
        Ok(SealOutcome::Sealed(took)) => return Ok(Some(took)),
        Ok(SealOutcome::Elsewhere) | Err(LifeError::Gone(_)) => {}
        Err(LifeError::Unavailable(error)) => return Err(error.into()),
        // Noted, and tried again when its pause is over.
        Err(error) => {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::info!(chunk = chunk.name(), error = %error, cause, "a chunk could not be sealed");
        }
    }
    Ok(None)
}

fn show_lag(due: &[&ChunkLook]) {
    let lag_us = |chunk: &&ChunkLook| {
        let facts = &chunk.facts;
        facts.now_us.saturating_sub(facts.to_us.saturating_add(facts.seal_after_us)).saturating_sub(facts.quiet_us)
    };
    let hot = due.iter().filter(|chunk| chunk.verdict() == Verdict::Seal);
    let lag_us = hot.clone().map(lag_us).max().unwrap_or(0).max(0);
    metrics::gauge!(metric::LAG).set(lag_us as f64 / 1e6);
    metrics::gauge!(metric::DUE).set(hot.count() as f64);
}

async fn edition(known: &mut Option<Edition>, connection: &mut PgConnection) -> Result<Edition, JobError> {
    if let Some(edition) = *known {
        return Ok(edition);
    }
    let server = check_server(connection).await.map_err(|error| JobError::Other(Box::new(error)))?;
    *known = Some(server.edition);
    Ok(server.edition)
}

/// Old events, and what is known of chunks that somebody dropped by hand.
const FORGOTTEN: [&str; 2] = [
    "DELETE FROM chunkwise.chunk_event WHERE began < now() - interval '90 days'",
    "DELETE FROM chunkwise.chunk k WHERE k.changed_at < now() - interval '1 day' AND to_regclass(k.chunk) IS NULL",
];

/// Drops chunks that are older than their measurement's retention.
#[derive(Debug)]
pub struct DropJob {
    options: LifeOptions,
    edition: Option<Edition>,
}

impl DropJob {
    /// With these defaults.
    #[must_use]
    pub fn new(options: LifeOptions) -> Self {
        Self { options, edition: None }
    }
}

impl Job for DropJob {
    const NAME: &'static str = "drop";
    const PRIORITY: Priority = Priority::Usual;

    async fn run(&mut self, turn: &mut Turn<'_>) -> Result<Next, JobError> {
        // What somebody reads is asked for again soon, but not so often that readers wait for each other.
        const AGAIN: Duration = Duration::from_secs(5);
        let edition = edition(&mut self.edition, turn.connection).await?;
        let (_, left) = drop_expired(turn.connection, edition, self.options).await.map_err(sqlx::Error::from)?;
        for forgotten in FORGOTTEN {
            turn.connection.execute(forgotten).await?;
        }
        let every = self.options.look_every();
        Ok(Next::After(if left { every.min(AGAIN) } else { every }))
    }
}

/// Lets the interval of the next chunks follow the rate, where nobody has set it.
#[derive(Debug, Default)]
pub struct IntervalJob;

impl Job for IntervalJob {
    const NAME: &'static str = "interval";
    const PRIORITY: Priority = Priority::Usual;

    async fn run(&mut self, turn: &mut Turn<'_>) -> Result<Next, JobError> {
        const EVERY: Duration = Duration::from_secs(300);
        for found in intervals(turn.connection).await? {
            let Some(next_us) = follow(found.current_us, &found.observed, found.kept_us) else { continue };
            match change(turn.connection, &found, next_us).await.map_err(LifeError::from) {
                Ok(()) | Err(LifeError::Gone(_) | LifeError::InTheWay(_)) => {}
                Err(error) => return Err(sqlx::Error::from(error).into()),
            }
        }
        Ok(Next::After(EVERY))
    }
}

/// A measurement whose interval is not set by hand.
struct Found {
    id: i32,
    storage: String,
    current_us: i64,
    kept_us: i64,
    observed: Vec<Observed>,
}

/// The last four chunks of each. Of one in the columnstore is known what it was before.
async fn intervals(connection: &mut PgConnection) -> Result<Vec<Found>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT m.id, m.namespace, m.relation, coalesce(m.space_partitions, 1) AS partitions,
                (extract(epoch FROM d.time_interval) * 1000000)::int8 AS current_us,
                (extract(epoch FROM coalesce(m.retention, now() - first.at, interval '0')) * 1000000)::int8 AS kept_us,
                (SELECT count(*) FROM chunkwise.measurement_column f
                 WHERE f.measurement_id = m.id AND f.role = 'field') AS fields,
                last.*
         FROM chunkwise.measurement m
         JOIN timescaledb_information.dimensions d ON d.hypertable_schema = m.namespace || '_store'
              AND d.hypertable_name = m.relation AND d.column_name = 'time'
         CROSS JOIN LATERAL (
              SELECT min(c.range_start) AS at FROM timescaledb_information.chunks c
              WHERE c.hypertable_schema = d.hypertable_schema AND c.hypertable_name = d.hypertable_name
                    AND isfinite(c.range_start)) first
         CROSS JOIN LATERAL (
              -- All space partitions together: a slice of time is read and cached as one.
              SELECT sum(coalesce(b.rows, greatest(r.reltuples::int8, pg_stat_get_live_tuples(r.oid), 0)))::int8 AS rows,
                     sum(coalesce(b.bytes, pg_table_size(r.oid)))::float8 AS bytes,
                     (extract(epoch FROM least(c.range_end, greatest(now(), c.range_start)) - c.range_start)
                         * 1000000)::int8 AS span_us
              FROM timescaledb_information.chunks c
              JOIN pg_namespace n ON n.nspname = c.chunk_schema
              JOIN pg_class r ON r.relnamespace = n.oid AND r.relname = c.chunk_name
              LEFT JOIN (
                   SELECT chunk, compressed_rows AS rows, uncompressed_bytes AS bytes FROM chunkwise.chunk_storage()) b
                   ON b.chunk = r.oid AND c.is_compressed
              WHERE c.hypertable_schema = d.hypertable_schema AND c.hypertable_name = d.hypertable_name
                    AND isfinite(c.range_start) AND isfinite(c.range_end)
              GROUP BY c.range_start, c.range_end ORDER BY c.range_end DESC LIMIT 4) last
         WHERE m.chunk_interval IS NULL
         ORDER BY m.id",
    )
    .fetch_all(connection)
    .await?;
    let mut found: Vec<Found> = Vec::new();
    for row in &rows {
        let id: i32 = row.try_get("id")?;
        if found.last().is_none_or(|last| last.id != id) {
            let (namespace, relation): (String, String) = (row.try_get("namespace")?, row.try_get("relation")?);
            found.push(Found {
                id,
                storage: format!("{}.{}", quote_ident(&format!("{namespace}_store")), quote_ident(&relation)),
                current_us: row.try_get("current_us")?,
                // As many more chunks.
                kept_us: row.try_get::<i64, _>("kept_us")?.saturating_mul(row.try_get::<i32, _>("partitions")?.into()),
                observed: Vec::new(),
            });
        }
        let rows = u64::try_from(row.try_get::<i64, _>("rows")?).unwrap_or(0);
        let bytes: f64 = row.try_get("bytes")?;
        let fields = usize::try_from(row.try_get::<i64, _>("fields")?).unwrap_or(0);
        // Few rows leave most of their pages empty.
        let row_bytes = if rows < 10_000 { row_bytes(fields, 0.0) } else { bytes / rows as f64 };
        let observed = Observed { rows, span_us: row.try_get("span_us")?, row_bytes };
        if let (Some(last), true) = (found.last_mut(), rows > 0) {
            last.observed.push(observed);
        }
    }
    Ok(found)
}

async fn change(connection: &mut PgConnection, found: &Found, next_us: i64) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    transaction.execute("SET LOCAL lock_timeout = '200ms'").await?;
    // Somebody may have set it by hand since.
    let is_free: Option<bool> =
        sqlx::query_scalar("SELECT chunk_interval IS NULL FROM chunkwise.measurement WHERE id = $1 FOR SHARE")
            .bind(found.id)
            .fetch_optional(&mut *transaction)
            .await?;
    if is_free != Some(true) {
        return Ok(());
    }
    sqlx::query("SELECT set_chunk_time_interval($1::text::regclass, $2::int8)")
        .bind(&found.storage)
        .bind(next_us)
        .execute(&mut *transaction)
        .await?;
    let note = format!("{} -> {}", Width::Fixed(found.current_us), Width::Fixed(next_us));
    sqlx::query("INSERT INTO chunkwise.chunk_event (measurement_id, event, note) VALUES ($1, 'interval', $2)")
        .bind(found.id)
        .bind(&note)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    tracing::info!(table = found.storage, note, "the interval of new chunks follows the rate");
    Ok(())
}
