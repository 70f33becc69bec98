//! What has changed, noted as what is to be made anew.
//!
//! One transaction: the reader's place in the change log moves together with the ranges that it saw, which stay pending
//! until what was made of them is committed. So a kill at any moment loses nothing, and does nothing twice that shows.

use sqlx::{Connection, Executor, PgConnection, Postgres, Row, Transaction};

use super::{Level, fresh::Found, job::LastValues, read::RollupError, sql::LATEST};
use crate::hypertable::{
    Measurement,
    changes::{self, Look, Stretch, Unknown, us_of},
    list_chunks, moment,
};

/// The rollups' name as a reader of the change log.
pub(super) const READER: &str = "rollup";

/// Whether the table has rows as they were sent: no trigger of somebody else's may have changed them, or, on another table, have
/// added some, and no column adds what was not sent.
const AS_SENT: &str = "\
NOT EXISTS (SELECT FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname LIKE '%\\_store' AND NOT t.tgisinternal
                AND t.tgname NOT LIKE 'chunkwise\\_%' AND t.tgname <> 'ts_insert_blocker')
AND NOT EXISTS (SELECT FROM pg_attribute
                WHERE attrelid = $3::text::regclass AND attnum > 0 AND NOT attisdropped
                    AND (atthasdef OR attgenerated <> '' OR attidentity <> '' OR atttypmod <> -1))";

/// Reads what has changed of a measurement into `chunkwise.rollup_pending`. `None` where another session is at it.
pub(super) async fn observe(
    connection: &mut PgConnection,
    measurement: &Measurement,
    levels: &[Level],
    latest: LastValues,
) -> Result<Option<Found>, RollupError> {
    let id = measurement.id;
    let mut transaction = connection.begin().await?;
    sqlx::query("INSERT INTO chunkwise.rollup (measurement_id, epoch) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(id)
        .bind(measurement.epoch)
        .execute(&mut *transaction)
        .await?;
    let row = sqlx::query("SELECT epoch FROM chunkwise.rollup WHERE measurement_id = $1 FOR UPDATE SKIP LOCKED")
        .bind(id)
        .fetch_optional(&mut *transaction)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let latest = (latest == LastValues::Wanted).then_some(LATEST);
    let names: Vec<&str> = levels.iter().map(|level| level.name()).chain(latest).collect();
    if !names.is_empty() {
        sqlx::query(
            "INSERT INTO chunkwise.rollup_level (measurement_id, level) SELECT $1, unnest($2::text[])
             ON CONFLICT DO NOTHING",
        )
        .bind(id)
        .bind(&names)
        .execute(&mut *transaction)
        .await?;
    }
    let narrowed = changes::narrow(&mut transaction, measurement).await?;
    let seen = changes::load(&mut transaction, READER, id).await?;
    let news = changes::news(&mut transaction, id, seen.as_ref(), &[]).await?;
    let entries = news.entries.clone();
    let look = Look::from(news);
    let begins_anew = look.truncated || row.try_get::<i64, _>("epoch")? != measurement.epoch;
    if begins_anew {
        start_over(&mut transaction, measurement).await?;
    } else if let Some(dropped_to_us) = narrowed.dropped_to_us {
        sqlx::query("UPDATE chunkwise.rollup SET dropped_to = greatest(dropped_to, $2) WHERE measurement_id = $1")
            .bind(id)
            .bind(moment(dropped_to_us))
            .execute(&mut *transaction)
            .await?;
    }
    for level in levels.first().map(|base| base.name()).into_iter().chain(latest) {
        resolve(&mut transaction, id, level).await?;
        note(&mut transaction, id, level, &look).await?;
        if let Some(before) = before_watermark(&mut transaction, id, level).await? {
            let probable = narrowed.probable.iter().map(|stretch| stretch.intersection(before)).collect::<Vec<_>>();
            add(&mut transaction, id, level, &probable).await?;
        }
    }
    let mut newest_us = look.dirty.last().map(|stretch| stretch.to_us.saturating_sub(1));
    if look.anew || !look.unknown.is_empty() {
        newest_us = newest_us.max(none_later(&mut transaction, measurement).await?);
    }
    let (newest_us, are_as_sent) = sqlx::query_as(&format!(
        "UPDATE chunkwise.rollup SET newest = greatest(newest, $2) WHERE measurement_id = $1
         RETURNING {}, {AS_SENT}",
        us_of("newest"),
    ))
    .bind(id)
    .bind(moment(newest_us.unwrap_or(i64::MIN)))
    .bind(measurement.storage())
    .fetch_one(&mut *transaction)
    .await?;
    changes::store(&mut transaction, READER, id, &look.seen).await?;
    transaction.commit().await?;
    Ok(Some(Found {
        before_us: seen.map(|seen| seen.looked_us),
        looked_us: look.seen.looked_us,
        entries,
        is_all: !look.anew && !begins_anew,
        are_as_sent,
        newest_us,
    }))
}

/// A time behind which there is no row that the log tells of, if it was looked at before: the last chunk's end, or the present
/// if that is earlier and nothing later is there. The rows of a feed are behind it within a moment.
async fn none_later(
    transaction: &mut Transaction<'_, Postgres>,
    measurement: &Measurement,
) -> Result<Option<i64>, sqlx::Error> {
    let chunks = list_chunks(transaction, measurement).await?;
    let Some(last_us) = chunks.last().map(|chunk| chunk.to_us.saturating_sub(1)) else { return Ok(None) };
    // What a hot chunk has at such a time its BRIN index knows; the planner knows nothing yet, and would read all of it.
    transaction.execute("SET LOCAL enable_seqscan = off").await?;
    let sql = format!(
        "SELECT {}, (SELECT {} FROM (SELECT max(\"time\") FROM {} WHERE \"time\" > now.at) AS later (at) WHERE at IS NOT NULL)
         FROM clock_timestamp() AS now (at)",
        us_of("now.at"),
        us_of("later.at"),
        measurement.storage(),
    );
    let (now_us, later_us): (i64, Option<i64>) = sqlx::query_as(&sql).fetch_one(&mut **transaction).await?;
    transaction.execute("SET LOCAL enable_seqscan TO DEFAULT").await?;
    Ok(Some(last_us.min(later_us.unwrap_or(now_us))))
}

/// Notes what a look has found, as far as it lies before the level's watermark: what lies behind it will be read when the
/// watermark comes there.
async fn note(
    transaction: &mut Transaction<'_, Postgres>,
    measurement_id: i32,
    level: &str,
    look: &Look,
) -> Result<(), sqlx::Error> {
    let Some(before) = before_watermark(transaction, measurement_id, level).await? else { return Ok(()) };
    if look.anew {
        return add(transaction, measurement_id, level, &[before]).await;
    }
    let dirty: Vec<Stretch> = look.dirty.iter().map(|stretch| stretch.intersection(before)).collect();
    add(transaction, measurement_id, level, &dirty).await?;
    for Unknown { xid } in &look.unknown {
        sqlx::query(
            "INSERT INTO chunkwise.rollup_pending (measurement_id, level, xid) VALUES ($1, $2, $3::text::xid8)",
        )
        .bind(measurement_id)
        .bind(level)
        .bind(xid)
        .execute(&mut **transaction)
        .await?;
    }
    Ok(())
}

/// Puts the ranges in the place of entries whose range was unknown and is known now.
async fn resolve(
    transaction: &mut Transaction<'_, Postgres>,
    measurement_id: i32,
    level: &str,
) -> Result<(), sqlx::Error> {
    let rows = sqlx::query(
        "SELECT id, xid::text AS xid FROM chunkwise.rollup_pending
         WHERE measurement_id = $1 AND level = $2 AND xid IS NOT NULL",
    )
    .bind(measurement_id)
    .bind(level)
    .fetch_all(&mut **transaction)
    .await?;
    if rows.is_empty() {
        return Ok(());
    }
    let before = before_watermark(transaction, measurement_id, level).await?;
    for row in rows {
        let unknown = Unknown { xid: row.try_get("xid")? };
        let Some(known) = changes::resolve(transaction, measurement_id, &unknown).await? else { continue };
        sqlx::query("DELETE FROM chunkwise.rollup_pending WHERE id = $1")
            .bind(row.try_get::<i64, _>("id")?)
            .execute(&mut **transaction)
            .await?;
        if let Some(before) = before {
            let dirty: Vec<Stretch> = known.iter().map(|stretch| stretch.intersection(before)).collect();
            add(transaction, measurement_id, level, &dirty).await?;
        }
    }
    Ok(())
}

/// The time before a level's watermark; none where nothing is made yet.
async fn before_watermark(
    connection: &mut PgConnection,
    measurement_id: i32,
    level: &str,
) -> Result<Option<Stretch>, sqlx::Error> {
    let watermark = watermark(connection, measurement_id, level, "").await?;
    Ok(watermark.filter(|us| *us > i64::MIN).map(|to_us| Stretch { from_us: i64::MIN, to_us }))
}

/// A level's watermark, microseconds since 1970; the least of 64 bits where nothing is made yet, none where there is no such
/// level.
pub(super) async fn watermark(
    connection: &mut PgConnection,
    measurement_id: i32,
    level: &str,
    lock: &str,
) -> Result<Option<i64>, sqlx::Error> {
    let sql = format!(
        "SELECT {} FROM chunkwise.rollup_level WHERE measurement_id = $1 AND level = $2 {lock}",
        us_of("watermark")
    );
    sqlx::query_scalar(&sql).bind(measurement_id).bind(level).fetch_optional(connection).await
}

/// When the change log was looked at last, by whomever. With the lock of `chunkwise.rollup` nobody does until the end of the
/// transaction.
pub(super) async fn looked(
    connection: &mut PgConnection,
    measurement_id: i32,
    lock: &str,
) -> Result<Option<i64>, sqlx::Error> {
    let sql = format!(
        "SELECT {} FROM chunkwise.rollup LEFT JOIN chunkwise.change_reader r
             ON r.measurement_id = rollup.measurement_id AND r.reader = $2
         WHERE rollup.measurement_id = $1 {lock}",
        us_of("r.looked_at")
    );
    sqlx::query_scalar(&sql).bind(measurement_id).bind(READER).fetch_one(connection).await
}

/// Adds stretches that are to be made anew.
pub(super) async fn add(
    connection: &mut PgConnection,
    measurement_id: i32,
    level: &str,
    stretches: &[Stretch],
) -> Result<(), sqlx::Error> {
    let stretches = changes::merged(stretches.to_vec());
    if stretches.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO chunkwise.rollup_pending (measurement_id, level, lo, hi)
         SELECT $1, $2, lo, hi FROM unnest($3::timestamptz[], $4::timestamptz[]) AS s (lo, hi)",
    )
    .bind(measurement_id)
    .bind(level)
    .bind(stretches.iter().map(|stretch| moment(stretch.from_us)).collect::<Vec<_>>())
    .bind(stretches.iter().map(|stretch| moment(stretch.to_us)).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

/// All rows have gone, or are other rows than those that the rollups are of: everything begins anew.
async fn start_over(transaction: &mut Transaction<'_, Postgres>, measurement: &Measurement) -> Result<(), sqlx::Error> {
    let [schema, relation] = measurement.storage_names();
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = $1 AND c.relname = ANY ($2) AND c.relkind = 'r'",
    )
    .bind(schema)
    .bind(
        Level::ALL
            .iter()
            .map(|level| format!("{relation}__bars_{level}"))
            .chain([format!("{relation}__latest")])
            .collect::<Vec<_>>(),
    )
    .fetch_all(&mut **transaction)
    .await?;
    for table in tables {
        // Not TRUNCATE: nobody who reads is to wait, and a view is to see the old state or the new one.
        sqlx::query(&format!("DELETE FROM {table}")).execute(&mut **transaction).await?;
    }
    for statement in [
        "DELETE FROM chunkwise.rollup_pending WHERE measurement_id = $1",
        "DELETE FROM chunkwise.chunk_counter WHERE measurement_id = $1",
        "UPDATE chunkwise.rollup_level SET watermark = '-infinity' WHERE measurement_id = $1",
    ] {
        sqlx::query(statement).bind(measurement.id).execute(&mut **transaction).await?;
    }
    sqlx::query("UPDATE chunkwise.rollup SET epoch = $2, dropped_to = '-infinity' WHERE measurement_id = $1")
        .bind(measurement.id)
        .bind(measurement.epoch)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}
