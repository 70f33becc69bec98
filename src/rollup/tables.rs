//! Makes and grows the tables and views of a measurement's rollups.

use sqlx::{Connection, Executor, PgConnection, Row};

use super::{
    Level, Shape,
    sql::{self, Column},
};
use crate::hypertable::{quote_ident, quote_literal};

/// What the comment on a view of chunkwise's begins with: any other of that name is somebody's own, and is left alone.
const MARK: &str = "chunkwise: ";

/// What was there and what is wanted now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Made {
    /// As it was.
    AsItWas,
    /// Tables or views were made or have grown.
    Grown,
    /// Price or size are other fields than before: sums of products are to be made anew.
    OtherWeighting,
}

/// Brings tables and views to the measurement's shape. Looks only, where they are.
pub(super) async fn ensure(connection: &mut PgConnection, shape: &Shape) -> Result<Made, sqlx::Error> {
    let id = shape.measurement.id;
    let before: String = sqlx::query_scalar("SELECT shape FROM chunkwise.rollup WHERE measurement_id = $1")
        .bind(id)
        .fetch_one(&mut *connection)
        .await?;
    let now = signature(shape);
    if before == now && all_there(connection, shape).await? {
        return Ok(Made::AsItWas);
    }
    let mut transaction = connection.begin().await?;
    // Whoever reads the views holds them for as long as a question takes, and others wait behind whoever waits for them.
    transaction.execute("SET LOCAL lock_timeout = '500ms'").await?;
    // Another session makes them, or has just made them.
    sqlx::query("SELECT FROM chunkwise.rollup WHERE measurement_id = $1 FOR UPDATE")
        .bind(id)
        .execute(&mut *transaction)
        .await?;
    let interval_us: i64 = sqlx::query_scalar(
        "SELECT (extract(epoch FROM time_interval) * 1000000)::int8 FROM timescaledb_information.dimensions
         WHERE hypertable_schema = $1 AND hypertable_name = $2 AND column_name = 'time'",
    )
    .bind(&shape.measurement.storage_names()[0])
    .bind(&shape.measurement.storage_names()[1])
    .fetch_one(&mut *transaction)
    .await?;
    for level in shape.levels.iter().copied() {
        make_bars(&mut transaction, shape, level, interval_us).await?;
    }
    if !shape.latest.is_empty() {
        make_latest(&mut transaction, shape).await?;
    }
    for level in shape.levels.iter().copied() {
        let existing = columns(&mut transaction, &shape.live(level)).await?;
        transaction.execute(sql::replace_live(shape, level, &existing).as_str()).await?;
    }
    for level in shape.levels.iter().copied() {
        let text = format!("bars of {level}");
        show(&mut transaction, shape, &shape.bars_view(level), &text, |existing| {
            sql::replace_bars_view(shape, level, existing)
        })
        .await?;
    }
    if !shape.latest.is_empty() {
        let existing = columns(&mut transaction, &shape.live_latest()).await?;
        transaction.execute(sql::replace_live_latest(shape, &existing).as_str()).await?;
        show(&mut transaction, shape, &shape.latest_view(), "last values", |existing| {
            sql::replace_latest_view(shape, existing)
        })
        .await?;
    }
    let [price, size] = shape.price_and_size();
    sqlx::query("UPDATE chunkwise.rollup SET shape = $2, price = $3, size = $4 WHERE measurement_id = $1")
        .bind(id)
        .bind(&now)
        .bind(price)
        .bind(size)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    let weighting = |signature: &str| signature.split_once(' ').map(|(weighting, _)| weighting.to_owned());
    let other = !before.is_empty() && weighting(&before) != weighting(&now) && shape.weighting().is_some();
    Ok(if other { Made::OtherWeighting } else { Made::Grown })
}

/// A text that is equal for what has the same tables and views.
fn signature(shape: &Shape) -> String {
    let mut hasher = blake3::Hasher::new();
    for level in &shape.levels {
        hasher.update(sql::replace_live(shape, *level, &[]).as_bytes());
        hasher.update(sql::replace_bars_view(shape, *level, &[]).as_bytes());
    }
    hasher.update(sql::replace_live_latest(shape, &[]).as_bytes());
    let weighting = shape.weighting().map(|weighting| {
        let column = |at: usize| shape.fields[at].column.as_bytes();
        let mut hasher = blake3::Hasher::new();
        hasher.update(column(weighting.value)).update(b"\0").update(column(weighting.weight));
        hasher.finalize().to_hex().chars().take(16).collect::<String>()
    });
    format!("{} {}", weighting.unwrap_or_else(|| "-".to_owned()), hasher.finalize().to_hex())
}

async fn all_there(connection: &mut PgConnection, shape: &Shape) -> Result<bool, sqlx::Error> {
    let mut names: Vec<String> = Vec::new();
    for level in shape.levels.iter().copied() {
        names.extend([shape.bars(level), shape.live(level), shape.bars_view(level)]);
    }
    if !shape.latest.is_empty() {
        names.extend([shape.latest_table(), shape.live_latest(), shape.latest_view()]);
    }
    sqlx::query_scalar("SELECT coalesce(bool_and(to_regclass(name) IS NOT NULL), true) FROM unnest($1::text[]) AS name")
        .bind(names)
        .fetch_one(connection)
        .await
}

async fn make_bars(
    connection: &mut PgConnection,
    shape: &Shape,
    level: Level,
    interval_us: i64,
) -> Result<(), sqlx::Error> {
    let table = shape.bars(level);
    let existing = columns(connection, &table).await?;
    if existing.is_empty() {
        let chunk_us = level.chunk_us(interval_us);
        let statements = [
            format!("CREATE TABLE {table} (\"time\" timestamptz NOT NULL, series_id int8 NOT NULL)"),
            format!(
                "SELECT create_hypertable({}, by_range('time', {chunk_us}::int8), create_default_indexes => false)",
                quote_literal(&table)
            ),
            format!("CREATE INDEX ON {table} (series_id, \"time\")"),
            format!("CREATE INDEX ON {table} USING brin (\"time\") WITH (pages_per_range = 32, autosummarize = on)"),
        ];
        for statement in statements {
            (&mut *connection).execute(statement.as_str()).await?;
        }
    }
    grow(connection, &table, &existing, &sql::bar_columns(shape)).await
}

async fn make_latest(connection: &mut PgConnection, shape: &Shape) -> Result<(), sqlx::Error> {
    let table = shape.latest_table();
    let existing = columns(connection, &table).await?;
    if existing.is_empty() {
        // Every row is updated again and again: room for its next version beside it.
        let create = format!("CREATE TABLE {table} (series_id int8 PRIMARY KEY) WITH (fillfactor = 60)");
        connection.execute(create.as_str()).await?;
    }
    grow(connection, &table, &existing, &sql::latest_columns(shape)).await
}

async fn grow(
    connection: &mut PgConnection,
    table: &str,
    existing: &[Column],
    wanted: &[Column],
) -> Result<(), sqlx::Error> {
    let new = wanted.iter().filter(|(name, _)| !existing.iter().any(|(other, _)| other == name));
    let new: Vec<String> = new.map(|(name, kind)| format!("ADD COLUMN {} {kind}", quote_ident(name))).collect();
    if !new.is_empty() {
        connection.execute(format!("ALTER TABLE {table} {}", new.join(", ")).as_str()).await?;
    }
    Ok(())
}

/// Makes an analysts' view, or lets it grow; one that is somebody's own is left alone.
async fn show(
    connection: &mut PgConnection,
    shape: &Shape,
    view: &str,
    text: &str,
    statement: impl Fn(&[Column]) -> String,
) -> Result<(), sqlx::Error> {
    let existing = columns(connection, view).await?;
    if !existing.is_empty() {
        let comment: Option<String> = sqlx::query_scalar("SELECT obj_description(to_regclass($1), 'pg_class')")
            .bind(view)
            .fetch_one(&mut *connection)
            .await?;
        if !comment.is_some_and(|comment| comment.starts_with(MARK)) {
            tracing::warn!(view, "a relation of this name is not chunkwise's: the rollups have no view there");
            return Ok(());
        }
    }
    // Where columns would go or be of another type, it is made anew; unless somebody has built upon it.
    let fresh = statement(&[]);
    let mut made = replace(connection, &[&fresh]).await?;
    if made.is_err() && !existing.is_empty() {
        made = replace(connection, &[&format!("DROP VIEW {view}"), &fresh]).await?;
    }
    if made.is_err() && !existing.is_empty() {
        made = replace(connection, &[&statement(&existing)]).await?;
    }
    if let Err(error) = made {
        tracing::warn!(view, error = %error, "the view stays as it is: drop the views that are built upon it");
        return Ok(());
    }
    let comment = quote_literal(&format!("{MARK}{text} of {}", shape.measurement.name));
    connection.execute(format!("COMMENT ON VIEW {view} IS {comment}").as_str()).await?;
    Ok(())
}

/// Runs statements behind a savepoint; the inner error is the database's refusal of the view.
async fn replace(connection: &mut PgConnection, statements: &[&str]) -> Result<Result<(), sqlx::Error>, sqlx::Error> {
    let mut savepoint = connection.begin().await?;
    for statement in statements {
        match savepoint.execute(*statement).await {
            Ok(_) => {}
            // invalid_table_definition, dependent_objects_still_exist
            Err(sqlx::Error::Database(error)) if matches!(error.code().as_deref(), Some("42P16" | "2BP01")) => {
                savepoint.rollback().await?;
                return Ok(Err(sqlx::Error::Database(error)));
            }
            Err(error) => return Err(error),
        }
    }
    savepoint.commit().await?;
    Ok(Ok(()))
}

/// The columns of a relation with their types, in order; none if there is no such relation.
async fn columns(connection: &mut PgConnection, relation: &str) -> Result<Vec<Column>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT attname::text AS name, format_type(atttypid, atttypmod) AS kind FROM pg_attribute
         WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
    )
    .bind(relation)
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| Ok((row.try_get("name")?, row.try_get("kind")?))).collect()
}

/// Takes away the rollups of levels that are no longer wanted, with their views, unless somebody has built upon these.
pub(super) async fn remove(connection: &mut PgConnection, shape: &Shape, level: Level) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    transaction.execute("SET LOCAL lock_timeout = '500ms'").await?;
    for statement in [
        format!("DROP VIEW IF EXISTS {}", shape.bars_view(level)),
        format!("DROP VIEW IF EXISTS {}", shape.live(level)),
        format!("DROP TABLE IF EXISTS {}", shape.bars(level)),
    ] {
        transaction.execute(statement.as_str()).await?;
    }
    for table in ["rollup_pending", "rollup_level"] {
        sqlx::query(&format!("DELETE FROM chunkwise.{table} WHERE measurement_id = $1 AND level = $2"))
            .bind(shape.measurement.id)
            .bind(level.name())
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await
}
