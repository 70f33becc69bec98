//! Waits for what follows rows: that all chunks are sealed, and all bars made.

use std::time::{Duration, Instant};

use sqlx::{Executor, PgConnection};

use super::BenchError;
use crate::hypertable::quote_ident;

/// It takes no longer, of as many rows as any benchmark writes.
pub(super) const LIMIT: Duration = Duration::from_secs(3_600);
/// How often is looked.
pub(super) const EVERY: Duration = Duration::from_millis(250);

/// Waits until all chunks are sealed and the bars of `measurement` have `rows` values of a field; then the planner knows the
/// series too.
pub(super) async fn wait(
    connection: &mut PgConnection,
    measurement: &str,
    field: &str,
    rows: u64,
) -> Result<(), BenchError> {
    let begun = Instant::now();
    while !(are_sealed(connection).await? && is_rolled_up(connection, measurement, field, rows).await?) {
        if begun.elapsed() > LIMIT {
            return Err(BenchError::Unsettled);
        }
        tokio::time::sleep(EVERY).await;
    }
    let analyze = format!("ANALYZE {}", table(measurement, "series"));
    connection.execute(analyze.as_str()).await?;
    Ok(())
}

async fn are_sealed(connection: &mut PgConnection) -> Result<bool, BenchError> {
    let sql = "SELECT (SELECT count(*) FROM chunkwise.chunk WHERE sealed_at IS NOT NULL)
                   >= (SELECT count(*) FROM timescaledb_information.chunks
                       WHERE hypertable_schema = 'public_store' AND strpos(hypertable_name, '__') = 0)";
    Ok(sqlx::query_scalar(sql).fetch_one(connection).await?)
}

/// Whether nothing is left to be made, and the bars have that many values.
pub(super) async fn is_rolled_up(
    connection: &mut PgConnection,
    measurement: &str,
    field: &str,
    rows: u64,
) -> Result<bool, BenchError> {
    const NARROWER_AND_WIDER: [[&str; 2]; 3] = [["1h", "1d"], ["5m", "1h"], ["1m", "5m"]];
    let widest = table(measurement, "bars_1d");
    let sql = "SELECT to_regclass($1) IS NOT NULL AND NOT EXISTS (SELECT FROM chunkwise.rollup_pending)";
    if !sqlx::query_scalar::<_, bool>(sql).bind(&widest).fetch_one(&mut *connection).await? {
        return Ok(false);
    }
    // A wide level is small, and behind its watermark the next narrower one has the rest.
    let count = quote_ident(&format!("{field}__count"));
    let mut parts = vec![format!("SELECT {count} FROM {widest}")];
    for [narrower, wider] in NARROWER_AND_WIDER {
        let bars = table(measurement, &format!("bars_{narrower}"));
        parts.push(format!("SELECT {count} FROM {bars} WHERE \"time\" >= chunkwise.watermark(m.id, '{wider}')"));
    }
    let sql = format!(
        "SELECT coalesce(sum(made.{count}), 0)::int8 FROM chunkwise.measurement m CROSS JOIN LATERAL ({}) made
         WHERE m.namespace = 'public' AND m.name = $1",
        parts.join(" UNION ALL ")
    );
    let found: i64 = sqlx::query_scalar(&sql).bind(measurement).fetch_one(connection).await?;
    Ok(found.unsigned_abs() >= rows)
}

fn table(measurement: &str, what: &str) -> String {
    format!("public_store.{}", quote_ident(&format!("{measurement}__{what}")))
}
