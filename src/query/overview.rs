//! What there is: measurements, their series, their chunks.

use chrono::{DateTime, Utc};
use hashbrown::HashMap;
use sqlx::{PgConnection, Row};

use super::{QueryError, Questions, error::Attempt, finding::find_measurement};
use crate::{
    hypertable::{Chunk, ChunkDetail, Field, Measurement, list_chunk_details, list_chunks, load_measurements, moment},
    question::{Invalid, Width},
    series::{self, PageRequest, SelectError, SeriesPage},
};

/// The first look for a measurement's first or last row reaches so far into its chunk; each further one eight times as far.
const FIRST_LOOK_US: i64 = 60 * Width::SECOND_US;

/// A measurement as people look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeasurementOverview {
    /// Its name.
    pub name: String,
    /// Its fields, in order of arrival.
    pub fields: Vec<Field>,
    /// Its tags, in order of arrival.
    pub tags: Vec<String>,
    /// How many series there are.
    pub series: u64,
    /// An estimate, from the server's counters.
    pub rows: u64,
    /// Tables, indexes and TOAST of all chunks.
    pub bytes: u64,
    /// The time of the first row, microseconds since 1970; `None` without rows.
    pub from_us: Option<i64>,
    /// The time of the last row.
    pub to_us: Option<i64>,
    /// The interval of new chunks.
    pub chunk_interval: Width,
    /// Chunks of a slice of time, by hash of the series; `None`: one.
    pub space_partitions: Option<i32>,
    /// How long rows are kept; `None` for ever.
    pub retention: Option<Width>,
    /// How long after its end a chunk is sealed; `None` as the service's settings say.
    pub seal_after: Option<Width>,
    /// `keep` or `replace`.
    pub on_duplicate: String,
}

/// What the catalogs say of a measurement's table.
#[derive(Debug, Clone)]
struct Storage {
    rows: i64,
    bytes: i64,
    interval_us: i64,
    retention_us: Option<i64>,
    seal_after_us: Option<i64>,
    on_duplicate: String,
}

impl Questions {
    /// The measurements of a namespace, by name; none where there is no such namespace.
    ///
    /// # Errors
    /// The database's.
    pub async fn measurements(&self, namespace: &str) -> Result<Vec<MeasurementOverview>, QueryError> {
        self.looked_up(async |connection| {
            if namespace.contains('\0') {
                return Ok(Vec::new());
            }
            let measurements = load_measurements(&mut *connection, namespace).await?;
            let mut storages = storages(&mut *connection, namespace).await?;
            let mut overviews = Vec::with_capacity(measurements.len());
            for measurement in measurements {
                // One that was dropped since.
                let Some(storage) = storages.remove(&measurement.id) else { continue };
                match overview(&mut *connection, measurement, storage).await {
                    Ok(overview) => overviews.push(overview),
                    Err(error) if crate::db::classify(&error) == crate::db::Failure::Stale => {}
                    Err(error) => return Err(error.into()),
                }
            }
            Ok(overviews)
        })
        .await
    }

    /// A page of a measurement's series, and the version of the page.
    ///
    /// # Errors
    /// [`QueryError::UnknownMeasurement`], an unknown tag, or the database's.
    pub async fn series(
        &self,
        namespace: &str,
        measurement: &str,
        request: &PageRequest,
    ) -> Result<(SeriesPage, String), QueryError> {
        self.looked_up(async |connection| {
            let measurement = find_measurement(&mut *connection, namespace, measurement).await?;
            let page = match series::list(connection, &measurement, request).await {
                Ok(page) => page,
                Err(SelectError::Database(error)) => return Err(error.into()),
                Err(SelectError::UnknownTag { tag, known }) => {
                    let reason = format!("there is no such tag; the measurement's tags are: {}", known.join(", "));
                    return Err(Invalid::new(format!("tag.{tag}"), reason).into());
                }
            };
            let version = series::version(&measurement, page.rows.iter().map(|row| row.series.series_id));
            Ok((page, version))
        })
        .await
    }

    /// The chunks that overlap `[from, to)`, by time, with the name of their measurement: of one measurement or of all.
    ///
    /// # Errors
    /// [`QueryError::UnknownMeasurement`], or the database's.
    pub async fn chunks(
        &self,
        namespace: &str,
        measurement: Option<&str>,
        from: Option<DateTime<Utc>>,
        to: Option<DateTime<Utc>>,
    ) -> Result<Vec<(String, ChunkDetail)>, QueryError> {
        self.looked_up(async |connection| {
            let measurements = match measurement {
                Some(name) => vec![find_measurement(&mut *connection, namespace, name).await?],
                None if namespace.contains('\0') => Vec::new(),
                None => load_measurements(&mut *connection, namespace).await?,
            };
            let mut chunks = Vec::new();
            for measurement in &measurements {
                let details = list_chunk_details(&mut *connection, measurement, from, to).await?;
                chunks.extend(details.into_iter().map(|detail| (measurement.name.clone(), detail)));
            }
            chunks.sort_by_key(|(_, detail)| detail.chunk.from_us);
            Ok(chunks)
        })
        .await
    }

    /// What changes whenever an answer about the measurement may: a text for `ETag`. Read before the answer is, so that an
    /// answer is at least as new as its version.
    ///
    /// # Errors
    /// [`QueryError::UnknownMeasurement`], or the database's.
    pub async fn data_version(&self, namespace: &str, measurement: &str) -> Result<String, QueryError> {
        self.looked_up(async |connection| {
            let measurement = find_measurement(&mut *connection, namespace, measurement).await?;
            // Entries of the change log do not become visible in the order of their ids, so the last id alone says little.
            let (count, least, greatest, sum): (i64, Option<i64>, Option<i64>, Option<String>) = sqlx::query_as(
                "SELECT count(*), min(id), max(id), sum(id)::text FROM chunkwise.change WHERE measurement_id = $1",
            )
            .bind(measurement.id)
            .fetch_one(&mut *connection)
            .await?;
            let series: Option<i64> =
                sqlx::query_scalar(&format!("SELECT max(series_id) FROM {}", measurement.series_table()))
                    .fetch_one(&mut *connection)
                    .await?;
            let retirements: Option<i64> =
                sqlx::query_scalar("SELECT retirements FROM chunkwise.measurement WHERE id = $1")
                    .bind(measurement.id)
                    .fetch_optional(&mut *connection)
                    .await?;
            let chunks = list_chunks(connection, &measurement).await?;
            let mut hasher = blake3::Hasher::new();
            let facts = format!("{} {} {series:?} {retirements:?}", measurement.id, measurement.epoch);
            hasher.update(facts.as_bytes()).update(format!(" {count} {least:?} {greatest:?} {sum:?}").as_bytes());
            for chunk in chunks {
                hasher.update(&chunk.id.to_le_bytes());
            }
            Ok(hasher.finalize().to_hex().to_string())
        })
        .await
    }

    /// Looks something up on one of the reader's connections, within a question's time limit.
    pub(super) async fn looked_up<A>(
        &self,
        look_up: impl AsyncFnOnce(&mut PgConnection) -> Result<A, Attempt>,
    ) -> Result<A, QueryError> {
        let limit = self.limits.time;
        let looked_up = async {
            let mut connection = self.database.reader().acquire().await?;
            look_up(&mut connection).await
        };
        match tokio::time::timeout(limit, looked_up).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(Attempt::Failed(QueryError::Timeout { .. }) | Attempt::Broken(QueryError::Timeout { .. })))
            | Err(_) => Err(QueryError::Timeout { limit }),
            Ok(Err(Attempt::Stale(error))) => Err(QueryError::Unavailable(error)),
            Ok(Err(Attempt::Failed(error) | Attempt::Broken(error))) => Err(error),
        }
    }
}

async fn storages(connection: &mut PgConnection, namespace: &str) -> Result<HashMap<i32, Storage>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT m.id, m.on_duplicate, (extract(epoch FROM m.retention) * 1000000)::int8 AS retention,
                (extract(epoch FROM m.seal_after) * 1000000)::int8 AS seal_after,
                (extract(epoch FROM d.time_interval) * 1000000)::int8 AS interval_length,
                greatest(approximate_row_count(h.storage), (
                    SELECT coalesce(sum(pg_stat_get_live_tuples(r.oid)), 0)
                    FROM timescaledb_information.chunks c
                    JOIN pg_namespace n ON n.nspname = c.chunk_schema
                    JOIN pg_class r ON r.relnamespace = n.oid AND r.relname = c.chunk_name
                    WHERE c.hypertable_schema = h.schema AND c.hypertable_name = m.relation))::int8 AS rows,
                coalesce(hypertable_size(h.storage), 0) AS bytes
         FROM chunkwise.measurement m
         CROSS JOIN LATERAL (
              SELECT m.namespace || '_store' AS schema,
                     format('%I.%I', m.namespace || '_store', m.relation)::regclass AS storage) h
         JOIN timescaledb_information.dimensions d
              ON d.hypertable_schema = h.schema AND d.hypertable_name = m.relation AND d.column_name = 'time'
         WHERE m.namespace = $1",
    )
    .bind(namespace)
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            let storage = Storage {
                rows: row.try_get("rows")?,
                bytes: row.try_get("bytes")?,
                interval_us: row.try_get("interval_length")?,
                retention_us: row.try_get("retention")?,
                seal_after_us: row.try_get("seal_after")?,
                on_duplicate: row.try_get("on_duplicate")?,
            };
            Ok((row.try_get("id")?, storage))
        })
        .collect()
}

async fn overview(
    connection: &mut PgConnection,
    measurement: Measurement,
    storage: Storage,
) -> Result<MeasurementOverview, sqlx::Error> {
    let series: i64 = sqlx::query_scalar(&format!("SELECT count(*) FROM {}", measurement.series_table()))
        .fetch_one(&mut *connection)
        .await?;
    let mut slices = list_chunks(&mut *connection, &measurement).await?;
    slices.dedup_by_key(|chunk| (chunk.from_us, chunk.to_us));
    let from_us = edge(&mut *connection, &measurement, slices.iter(), Edge::First).await?;
    let to_us = edge(connection, &measurement, slices.iter().rev(), Edge::Last).await?;
    let natural = |count: i64| u64::try_from(count).unwrap_or(0);
    Ok(MeasurementOverview {
        tags: measurement.tags.into_iter().map(|tag| tag.name).collect(),
        name: measurement.name,
        fields: measurement.fields,
        series: natural(series),
        rows: natural(storage.rows),
        bytes: natural(storage.bytes),
        from_us,
        to_us,
        chunk_interval: Width::Fixed(storage.interval_us),
        space_partitions: measurement.space_partitions,
        retention: storage.retention_us.map(Width::Fixed),
        seal_after: storage.seal_after_us.map(Width::Fixed),
        on_duplicate: storage.on_duplicate,
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Edge {
    First,
    Last,
}

/// The time of the first or the last row: looks into chunk after chunk in the order given, from the edge inwards in
/// growing steps, which an index of blocks by time makes short.
async fn edge(
    connection: &mut PgConnection,
    measurement: &Measurement,
    chunks: impl Iterator<Item = &Chunk>,
    edge: Edge,
) -> Result<Option<i64>, sqlx::Error> {
    let function = if edge == Edge::First { "min" } else { "max" };
    let sql =
        format!("SELECT {function}(\"time\") FROM {} WHERE \"time\" >= $1 AND \"time\" < $2", measurement.storage());
    for chunk in chunks {
        let (mut from_us, mut to_us) = (chunk.from_us, chunk.to_us);
        let mut step_us = FIRST_LOOK_US;
        while from_us < to_us {
            let look = match edge {
                Edge::First => (from_us, to_us.min(from_us.saturating_add(step_us))),
                Edge::Last => (from_us.max(to_us.saturating_sub(step_us)), to_us),
            };
            let found: Option<DateTime<Utc>> =
                sqlx::query_scalar(&sql).bind(moment(look.0)).bind(moment(look.1)).fetch_one(&mut *connection).await?;
            if let Some(found) = found {
                return Ok(Some(found.timestamp_micros()));
            }
            match edge {
                Edge::First => from_us = look.1,
                Edge::Last => to_us = look.0,
            }
            step_us = step_us.saturating_mul(8);
        }
    }
    Ok(None)
}
