//! Some series of a measurement.

use chrono::{DateTime, Utc};
use sqlx::Row;

use super::{
    RemovalError,
    ledger::{Forget, forget},
    rows::{delete, delete_within},
    session::Session,
};
use crate::{
    db::Database,
    hypertable::lock_out_writers,
    question::{Invalid, Selector},
    series::{self, Asleep},
};

/// Drops the series that match, with their rows; gives the number of those.
///
/// Most rows go before anybody is locked out; what writers add meanwhile is found in the change log. A series that is written
/// again is a new one, with another id.
///
/// # Errors
/// See [`RemovalError`]; a selector of all series is refused.
pub async fn drop_series(
    database: &Database,
    namespace: &str,
    name: &str,
    selector: &Selector,
) -> Result<u64, RemovalError> {
    if selector.is_all() {
        let reason = "say which series, such as tag.symbol=AAPL; to take away all of them, drop the measurement";
        return Err(Invalid::new("tag", reason).into());
    }
    let mut session = Session::open(database, namespace, name).await?;
    let selected =
        series::select_among(&mut session.connection, &session.measurement, selector, Asleep::Included).await?;
    let ids: Vec<i64> = selected.series.into_iter().map(|series| series.series_id).collect();
    if ids.is_empty() {
        session.close().await?;
        return Ok(0);
    }
    let before: String =
        sqlx::query_scalar("SELECT pg_current_snapshot()::text").fetch_one(&mut session.connection).await?;
    let deleted = delete_within(&mut session, (i64::MIN, i64::MAX), Some(&ids)).await?;
    let late = session
        .transact(async |transaction, measurement| {
            lock_out_writers(transaction, measurement.id).await?;
            let since = sqlx::query(
                "SELECT min(lo) AS lo, max(hi) AS hi, count(*) FILTER (WHERE lo IS NULL) > 0 AS anywhere
                 FROM chunkwise.change
                 WHERE measurement_id = $1 AND NOT pg_visible_in_snapshot(xid, $2::pg_snapshot)
                   AND xid::text::int8 <> ALL ($3)",
            )
            .bind(measurement.id)
            .bind(&before)
            .bind(&deleted.transactions)
            .fetch_one(&mut **transaction)
            .await?;
            let us = |column: &str| since.try_get::<Option<DateTime<Utc>>, _>(column);
            let (lo, hi) = (us("lo")?, us("hi")?);
            let within = match (since.try_get("anywhere")?, lo, hi) {
                (true, ..) => Some((i64::MIN, i64::MAX)),
                (false, Some(lo), Some(hi)) => Some((lo.timestamp_micros(), hi.timestamp_micros().saturating_add(1))),
                (false, ..) => None,
            };
            let late = match within {
                Some(within) => delete(transaction, measurement, within, Some(&ids)).await?,
                None => 0,
            };
            sqlx::query(&format!("DELETE FROM {} WHERE series_id = ANY ($1)", measurement.series_table()))
                .bind(&ids)
                .execute(&mut **transaction)
                .await?;
            sqlx::query("DELETE FROM chunkwise.retired_series WHERE series_id = ANY ($1)")
                .bind(&ids)
                .execute(&mut **transaction)
                .await?;
            sqlx::query(
                "UPDATE chunkwise.measurement
                 SET epoch = greatest(epoch + 1, (extract(epoch FROM clock_timestamp()) * 1000000)::int8) WHERE id = $1",
            )
            .bind(measurement.id)
            .execute(&mut **transaction)
            .await?;
            forget(transaction, measurement.id, Forget::SameBodies).await?;
            Ok(late)
        })
        .await?;
    let rows = deleted.rows + late;
    tracing::info!(namespace, measurement = name, series = ids.len(), rows, "series dropped");
    session.close().await?;
    Ok(rows)
}
