//! What sealing is with the columnstore: the chunk moves there, and late rows are folded in.

use std::time::Duration;

use sqlx::{Connection, Executor, PgConnection};
use tokio::time::Instant;

use super::{ChunkLook, LifeError, seal};
use crate::hypertable::quote_literal;

/// Transactions that were there before the rows moved are waited for so long. Most end at once; for the others the chunk stays
/// marked, and another round takes the mark off.
const PATIENCE: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Returns the counter of changed rows as it is now.
///
/// 1. The columnstore is enabled for the measurement, once.
/// 2. The chunk is converted; one that is in it already takes in what was written beside it. In the same transaction it is
///    marked as having rows beside the columnstore.
/// 3. When no transaction is left that was there before, the mark goes.
/// 4. The space of the rows that have moved is given back, as far as no open transaction sees them.
pub(super) async fn seal(connection: &mut PgConnection, chunk: &ChunkLook) -> Result<i64, LifeError> {
    enable(connection, chunk).await?;
    keep_rows_visible(connection).await?;
    let convert =
        format!("CALL convert_to_columnstore({}, if_not_columnstore => true)", quote_literal(&chunk.quoted()));
    let mut transaction = connection.begin().await?;
    transaction.execute(convert.as_str()).await?;
    transaction.execute(mark(chunk).as_str()).await?;
    let moved: String =
        sqlx::query_scalar("SELECT pg_current_xact_id()::xid::text").fetch_one(&mut *transaction).await?;
    transaction.commit().await?;
    if are_gone(connection, &moved).await? {
        connection.execute(convert.as_str()).await?;
    }
    connection.execute(format!("VACUUM (ANALYZE) {}", chunk.quoted()).as_str()).await?;
    Ok(seal::written(connection, chunk).await?)
}

/// A row that comes and goes: TimescaleDB notes of the chunk that there are rows beside the columnstore.
///
/// Since 2.29 its planner leaves the heap of a chunk out unless that is noted, also for a transaction whose snapshot is from
/// before, and which sees none of the columnstore's rows: the chunk would be empty to it. With space partitions only some ids
/// hash into the chunk. Where somebody's constraint takes no such row, the chunk stays as it is.
fn mark(chunk: &ChunkLook) -> String {
    let chunk = chunk.quoted();
    format!(
        "DO $mark$
         DECLARE
             place timestamptz;
             nobody int8 := -9223372036854775807;
         BEGIN
             SELECT \"time\" INTO place FROM {chunk} LIMIT 1;
             IF NOT FOUND THEN RETURN; END IF;
             FOR attempt IN 1..1000 LOOP
                 BEGIN
                     INSERT INTO {chunk} (\"time\", series_id) VALUES (place, nobody);
                     DELETE FROM {chunk} WHERE series_id = nobody;
                     RETURN;
                 EXCEPTION WHEN integrity_constraint_violation THEN
                     nobody := nobody + 1;
                 END;
             END LOOP;
         END $mark$"
    )
}

/// Whether all transactions end soon that were there before the transaction `moved`. Of other roles' sessions only whoever may
/// read all statistics can see this.
async fn are_gone(connection: &mut PgConnection, moved: &str) -> Result<bool, sqlx::Error> {
    let since = Instant::now();
    loop {
        let older: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM pg_stat_activity
                            WHERE datname = current_database() AND pid <> pg_backend_pid()
                                  AND backend_xmin IS NOT NULL AND age(backend_xmin) >= age($1::text::xid))",
        )
        .bind(moved)
        .fetch_one(&mut *connection)
        .await?;
        if !older || since.elapsed() > PATIENCE {
            return Ok(!older);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Rows that have moved are deleted: a TRUNCATE would make them vanish under another session's snapshot. The setting has
/// another name in older versions.
async fn keep_rows_visible(connection: &mut PgConnection) -> Result<(), LifeError> {
    let set: Vec<String> = sqlx::query_scalar(
        "SELECT set_config(s.name, s.value, false)
         FROM (VALUES ('timescaledb.compress_truncate_behaviour', 'truncate_disabled'),
                      ('timescaledb.enable_delete_after_compression', 'on')) AS s (name, value)
         WHERE EXISTS (SELECT FROM pg_settings p WHERE p.name = s.name)",
    )
    .fetch_all(connection)
    .await?;
    if set.is_empty() {
        let unknown = "this TimescaleDB has no setting that keeps rows visible while they move to the columnstore";
        return Err(LifeError::Refused(sqlx::Error::Configuration(unknown.into())));
    }
    Ok(())
}

/// A table with the columnstore takes no trigger on DELETE that sees the deleted rows: there a DELETE is of unknown range.
async fn enable(connection: &mut PgConnection, chunk: &ChunkLook) -> Result<(), sqlx::Error> {
    let enabled: bool = sqlx::query_scalar(
        "SELECT compression_enabled FROM timescaledb_information.hypertables
         WHERE format('%I.%I', hypertable_schema, hypertable_name)::regclass = $1::text::regclass",
    )
    .bind(&chunk.storage)
    .fetch_one(&mut *connection)
    .await?;
    if enabled {
        return Ok(());
    }
    let mut transaction = connection.begin().await?;
    let storage = &chunk.storage;
    // Everybody waits behind this lock, so it does not wait long itself.
    for statement in [
        "SET LOCAL lock_timeout = '500ms'".to_owned(),
        format!("DROP TRIGGER IF EXISTS chunkwise_delete ON {storage}"),
        format!(
            "CREATE TRIGGER chunkwise_delete AFTER DELETE ON {storage}
             FOR EACH STATEMENT EXECUTE FUNCTION chunkwise.note_anywhere('{}')",
            chunk.measurement_id
        ),
        format!(
            "ALTER TABLE {storage} SET (timescaledb.enable_columnstore = true,
                 timescaledb.segmentby = 'series_id', timescaledb.orderby = 'time')"
        ),
    ] {
        transaction.execute(statement.as_str()).await?;
    }
    transaction.commit().await
}
