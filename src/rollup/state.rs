//! What a reader finds of a measurement's rollups, in the state of the database that it sees.

use sqlx::{PgConnection, Row};

use super::{
    Level, RollupSettings, Shape,
    cut::share,
    make::sized,
    observe::{READER, watermark},
    sql::LATEST,
};
use crate::hypertable::{
    Measurement,
    changes::{self, Stretch, merged, us_of},
};

/// What there is of a measurement's rollups.
#[derive(Debug)]
pub struct State {
    /// With the levels that can be read, and the fields that these have.
    pub shape: Shape,
    /// The time before which rows are in the table of last values, microseconds since 1970; none where there is none.
    pub latest_to_us: Option<i64>,
    /// Time whose rows have changed and whose bars are not made anew yet. Of what another client has inserted a few seconds
    /// ago it may not be known yet where it is.
    pub dirty: Vec<Stretch>,
    /// Differs where the bars may differ although no row was written since.
    pub version: String,
}

impl State {
    /// Reads it.
    ///
    /// # Errors
    /// The database's.
    pub async fn read(connection: &mut PgConnection, measurement: Measurement) -> Result<Self, sqlx::Error> {
        let id = measurement.id;
        let row = sqlx::query(&format!(
            "SELECT price, size, {} AS dropped_to FROM chunkwise.rollup WHERE measurement_id = $1 AND shape <> ''",
            us_of("dropped_to")
        ))
        .bind(id)
        .fetch_optional(&mut *connection)
        .await?;
        let Some(row) = row else {
            let settings = RollupSettings::default();
            let mut shape = Shape::of(connection, measurement, &settings).await?;
            shape.levels.clear();
            return Ok(Self { shape, latest_to_us: None, dirty: Vec::new(), version: String::new() });
        };
        let levels: Vec<String> = sqlx::query_scalar(
            "SELECT level FROM chunkwise.rollup_level WHERE measurement_id = $1 AND isfinite(watermark)",
        )
        .bind(id)
        .fetch_all(&mut *connection)
        .await?;
        let mut made: Vec<Level> = levels.iter().filter_map(|level| level.parse().ok()).collect();
        made.sort_unstable();
        let settings = RollupSettings {
            levels: made,
            price: row.try_get("price")?,
            size: row.try_get("size")?,
            ..RollupSettings::default()
        };
        let mut shape = Shape::of(connection, measurement, &settings).await?;
        let mut bars: Option<Vec<String>> = None;
        for level in shape.levels.clone() {
            let columns = columns(connection, &shape.live(level)).await?;
            if columns.is_empty() {
                shape.levels.retain(|other| *other != level);
                continue;
            }
            // The least that all levels have.
            bars = Some(match bars {
                None => columns,
                Some(bars) => bars.into_iter().filter(|column| columns.contains(column)).collect(),
            });
        }
        let latest = columns(connection, &shape.live_latest()).await?;
        if let Some(bars) = bars {
            shape.keep(&bars, &latest);
        }
        let latest_to_us = match levels.iter().any(|level| level == LATEST) && !latest.is_empty() {
            true => watermark(connection, id, LATEST, "").await?,
            false => None,
        };
        let (dirty, version) = dirty(connection, id, row.try_get("dropped_to")?).await?;
        Ok(Self { shape, latest_to_us, dirty, version })
    }

    /// The widest level of which each bucket of this width is made whole.
    #[must_use]
    pub fn level_for(&self, width_us: i64) -> Option<Level> {
        self.shape.levels.iter().copied().rfind(|level| width_us % level.width_us() == 0)
    }

    /// The dirty time that last values do not know of; `None` if it holds more than about so many rows.
    ///
    /// # Errors
    /// The database's.
    pub async fn dirty_latest(
        &self,
        connection: &mut PgConnection,
        most_rows: u64,
    ) -> Result<Option<Vec<Stretch>>, sqlx::Error> {
        let made = Stretch { from_us: i64::MIN, to_us: self.latest_to_us.unwrap_or(i64::MIN) };
        let dirty: Vec<Stretch> =
            self.dirty.iter().map(|dirty| dirty.intersection(made)).filter(|dirty| !dirty.is_empty()).collect();
        if dirty.is_empty() {
            return Ok(Some(dirty));
        }
        let chunks = sized(connection, &self.shape, None).await?;
        let rows: u64 = chunks
            .iter()
            .flat_map(|chunk| dirty.iter().map(|dirty| share(*chunk, dirty.intersection(chunk.extent))))
            .sum();
        Ok((rows <= most_rows).then_some(dirty))
    }
}

/// What has changed and is not made anew: what is pending, and what the job has not looked at yet.
async fn dirty(
    connection: &mut PgConnection,
    measurement_id: i32,
    dropped_to_us: i64,
) -> Result<(Vec<Stretch>, String), sqlx::Error> {
    let rows = sqlx::query(&format!(
        "SELECT id, xid IS NOT NULL AS unknown, {} AS lo, {} AS hi FROM chunkwise.rollup_pending
         WHERE measurement_id = $1 ORDER BY id",
        us_of("lo"),
        us_of("hi"),
    ))
    .bind(measurement_id)
    .fetch_all(&mut *connection)
    .await?;
    let mut version = String::new();
    let mut dirty = Vec::new();
    for row in rows {
        version = format!("{version} {}", row.try_get::<i64, _>("id")?);
        if !row.try_get::<bool, _>("unknown")? {
            dirty.push(Stretch { from_us: row.try_get("lo")?, to_us: row.try_get("hi")? });
        }
    }
    let seen = changes::peek(connection, READER, measurement_id).await?;
    let look = changes::look(connection, measurement_id, seen.as_ref()).await?;
    if look.anew || look.truncated {
        dirty.push(Stretch::ALL);
    }
    version = format!("{version} {}", look.unknown.len());
    dirty.extend(look.dirty);
    // What was dropped is known to the bars alone.
    let kept = Stretch { from_us: dropped_to_us, to_us: i64::MAX };
    Ok((merged(dirty.into_iter().map(|stretch| stretch.intersection(kept)).collect()), version))
}

async fn columns(connection: &mut PgConnection, view: &str) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT attname::text FROM pg_attribute
         WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
    )
    .bind(view)
    .fetch_all(connection)
    .await
}
