//! What is done already, in the benchmark's own database: a run that was interrupted goes on after it.
//!
//! ```text
//! bench.run    the options, one row
//! bench.turn   a row for each step and way that is done, with every acknowledgement
//! ```

use std::time::Duration;

use sqlx::{Executor, PgConnection, Row, postgres::PgRow, types::Json};

use super::{SteadinessBenchOptions, way::Way};
use crate::bench::BenchError;

/// A step of one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) step: u64,
    pub(super) way: Way,
    pub(super) rows: u64,
    /// With sealing, where there is any.
    pub(super) elapsed: Duration,
    /// How long sealing took, beside the rows, and of how many chunks.
    pub(super) sealing: Duration,
    pub(super) sealed_chunks: u64,
    /// Rows that were acknowledged so far, and when.
    pub(super) progress: Vec<(u64, Duration)>,
}

impl Turn {
    pub(super) fn rate(&self) -> f64 {
        self.rows as f64 / self.elapsed.as_secs_f64()
    }
}

pub(super) async fn create(connection: &mut PgConnection, options: &SteadinessBenchOptions) -> Result<(), BenchError> {
    connection
        .execute(
            "CREATE SCHEMA bench;
             CREATE TABLE bench.run (options jsonb NOT NULL);
             CREATE TABLE bench.turn (step int8, way text, rows int8 NOT NULL, elapsed_us int8 NOT NULL,
                 sealing_us int8 NOT NULL, sealed_chunks int8 NOT NULL, acknowledged int8[] NOT NULL,
                 at_us int8[] NOT NULL, PRIMARY KEY (step, way))",
        )
        .await?;
    set_options(connection, options).await
}

pub(super) async fn set_options(
    connection: &mut PgConnection,
    options: &SteadinessBenchOptions,
) -> Result<(), BenchError> {
    sqlx::query("WITH former AS (DELETE FROM bench.run) INSERT INTO bench.run (options) VALUES ($1)")
        .bind(Json(options))
        .execute(connection)
        .await?;
    Ok(())
}

/// `None` where no run's state is there.
pub(super) async fn options(connection: &mut PgConnection) -> Result<Option<SteadinessBenchOptions>, BenchError> {
    let there: bool =
        sqlx::query_scalar("SELECT to_regclass('bench.run') IS NOT NULL").fetch_one(&mut *connection).await?;
    if !there {
        return Ok(None);
    }
    let found: Option<Json<SteadinessBenchOptions>> =
        sqlx::query_scalar("SELECT options FROM bench.run").fetch_optional(connection).await?;
    Ok(found.map(|Json(options)| options))
}

pub(super) async fn save(connection: &mut PgConnection, turn: &Turn) -> Result<(), BenchError> {
    let (acknowledged, at): (Vec<i64>, Vec<i64>) =
        turn.progress.iter().map(|&(rows, at)| (number(rows), micros(at))).unzip();
    sqlx::query("INSERT INTO bench.turn VALUES ($1, $2, $3, $4, $5, $6, $7, $8)")
        .bind(number(turn.step))
        .bind(turn.way.name())
        .bind(number(turn.rows))
        .bind(micros(turn.elapsed))
        .bind(micros(turn.sealing))
        .bind(number(turn.sealed_chunks))
        .bind(acknowledged)
        .bind(at)
        .execute(connection)
        .await?;
    Ok(())
}

/// All that are done, in order.
pub(super) async fn turns(connection: &mut PgConnection) -> Result<Vec<Turn>, BenchError> {
    let rows = sqlx::query("SELECT * FROM bench.turn ORDER BY step, way").fetch_all(connection).await?;
    Ok(rows.iter().map(turn).collect::<Result<_, _>>()?)
}

fn turn(row: &PgRow) -> Result<Turn, sqlx::Error> {
    let count = |column: &str| Ok::<_, sqlx::Error>(row.try_get::<i64, _>(column)?.unsigned_abs());
    let time = |column: &str| count(column).map(Duration::from_micros);
    let list = |column: &str| row.try_get::<Vec<i64>, _>(column);
    let way = Way::of_name(row.try_get("way")?).ok_or_else(|| sqlx::Error::ColumnNotFound("way".to_owned()))?;
    let at = list("at_us")?.into_iter().map(|us| Duration::from_micros(us.unsigned_abs()));
    Ok(Turn {
        step: count("step")?,
        way,
        rows: count("rows")?,
        elapsed: time("elapsed_us")?,
        sealing: time("sealing_us")?,
        sealed_chunks: count("sealed_chunks")?,
        progress: list("acknowledged")?.into_iter().map(i64::unsigned_abs).zip(at).collect(),
    })
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}
