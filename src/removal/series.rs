//! Some series of a measurement.

use super::{
    RemovalError,
    ledger::{Forget, forget},
    rows::{delete, delete_within},
    session::Session,
};
use crate::{
    db::Database,
    hypertable::{
        changes::{self, Look},
        lock_out_writers,
    },
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
    let before = changes::here(&mut session.connection).await?;
    let deleted = delete_within(&mut session, (i64::MIN, i64::MAX), Some(&ids)).await?;
    let late = session
        .transact(async |transaction, measurement| {
            lock_out_writers(transaction, measurement.id).await?;
            let mut news = changes::news(transaction, measurement.id, Some(&before), &[]).await?;
            news.entries.retain(|entry| !deleted.transactions.contains(&entry.xid));
            let changed = Look::from(news).extent();
            let within = (!changed.is_empty()).then_some((changed.from_us, changed.to_us));
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
