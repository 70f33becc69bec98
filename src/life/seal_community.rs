//! What sealing is with the columnstore: the chunk moves there, and late rows are folded in.

use sqlx::{Connection, Executor, PgConnection};

use super::{ChunkLook, LifeError, seal};
use crate::hypertable::quote_literal;

/// Returns the counter of changed rows as it is now.
///
/// 1. The columnstore is enabled for the measurement, once.
/// 2. The chunk is converted; one that is in it already takes in what was written beside it.
/// 3. The space of the rows that have moved is given back, as far as no open transaction sees them.
pub(super) async fn seal(connection: &mut PgConnection, chunk: &ChunkLook) -> Result<i64, LifeError> {
    enable(connection, chunk).await?;
    keep_rows_visible(connection).await?;
    let convert =
        format!("CALL convert_to_columnstore({}, if_not_columnstore => true)", quote_literal(&chunk.quoted()));
    connection.execute(convert.as_str()).await?;
    connection.execute(format!("VACUUM (ANALYZE) {}", chunk.quoted()).as_str()).await?;
    Ok(seal::written(connection, chunk).await?)
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
