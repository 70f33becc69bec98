//! Makes and grows the tables and views of a measurement's rollups.

use sqlx::{Connection, Executor, PgConnection, Row};

use super::{
    Level, Shape,
    make::Target,
    sql::{self, Column},
    views,
};
use crate::hypertable::{Measurement, quote_ident, quote_literal};

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
    /// Somebody has given a column of the storage another type: all that is made of it is to be made anew.
    OtherTypes,
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
    let other_types = retype(&mut transaction, shape).await?;
    for level in shape.levels.iter().copied() {
        make_bars(&mut transaction, shape, level, interval_us).await?;
    }
    if !shape.latest.is_empty() {
        make_latest(&mut transaction, shape).await?;
    }
    for level in shape.levels.iter().copied() {
        let existing = columns(&mut transaction, &shape.live(level)).await?;
        transaction.execute(views::replace_live(shape, level, &existing).as_str()).await?;
    }
    for level in shape.levels.iter().copied() {
        let text = format!("bars of {level}");
        show(&mut transaction, shape, &shape.bars_view(level), &text, |existing| {
            views::replace_bars_view(shape, level, existing)
        })
        .await?;
    }
    if !shape.latest.is_empty() {
        let existing = columns(&mut transaction, &shape.live_latest()).await?;
        transaction.execute(views::replace_live_latest(shape, &existing).as_str()).await?;
        show(&mut transaction, shape, &shape.latest_view(), "last values", |existing| {
            views::replace_latest_view(shape, existing)
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
    if other_types {
        return Ok(Made::OtherTypes);
    }
    let weighting = |signature: &str| signature.split_once(' ').map(|(weighting, _)| weighting.to_owned());
    let other = !before.is_empty() && weighting(&before) != weighting(&now) && shape.weighting().is_some();
    Ok(if other { Made::OtherWeighting } else { Made::Grown })
}

/// A text that is equal for what has the same tables and views.
fn signature(shape: &Shape) -> String {
    let mut hasher = blake3::Hasher::new();
    for level in &shape.levels {
        hasher.update(views::replace_live(shape, *level, &[]).as_bytes());
        hasher.update(views::replace_bars_view(shape, *level, &[]).as_bytes());
    }
    hasher.update(views::replace_live_latest(shape, &[]).as_bytes());
    let weighting = shape.weighting().map(|weighting| {
        let column = |at: usize| shape.fields[at].column.as_bytes();
        let mut hasher = blake3::Hasher::new();
        hasher.update(column(weighting.value)).update(b"\0").update(column(weighting.weight));
        hasher.finalize().to_hex().chars().take(16).collect::<String>()
    });
    format!("{} {}", weighting.unwrap_or_else(|| "-".to_owned()), hasher.finalize().to_hex())
}

/// Gives the columns of what is made of a field the types that the field's own column has by now. The views go before it, and
/// are made anew.
async fn retype(connection: &mut PgConnection, shape: &Shape) -> Result<bool, sqlx::Error> {
    let mut statements = Vec::new();
    for level in shape.levels.iter().copied() {
        let table = shape.bars(level);
        let existing = columns(connection, &table).await?;
        for (name, kind) in other_types(&existing, sql::bar_columns(shape)) {
            let column = quote_ident(&name);
            // What was dropped is in the bars alone. int8 or float8 it is, and was.
            let value = format!("CASE WHEN {column} BETWEEN -9.2e18 AND 9.2e18 THEN {column}::{kind} END");
            statements.push(format!("ALTER TABLE {table} ALTER COLUMN {column} TYPE {kind} USING {value}"));
        }
    }
    let table = shape.latest_table();
    let existing = columns(connection, &table).await?;
    for (name, kind) in other_types(&existing, sql::latest_columns(shape)) {
        let [column, at] = [name.clone(), format!("{name}__at")].map(|name| quote_ident(&name));
        statements.push(format!("ALTER TABLE {table} ALTER COLUMN {column} TYPE {kind} USING NULL"));
        statements.push(format!("UPDATE {table} SET {at} = NULL"));
    }
    if statements.is_empty() {
        return Ok(false);
    }
    for target in Level::ALL.into_iter().map(Target::Bars).chain([Target::Latest]) {
        let [shown, live, _] = relations(shape, target);
        connection.execute(format!("DROP VIEW IF EXISTS {shown}, {live}").as_str()).await?;
    }
    for statement in statements {
        connection.execute(statement.as_str()).await?;
    }
    Ok(true)
}

/// The wanted columns that are there with another type.
fn other_types(existing: &[Column], wanted: Vec<Column>) -> Vec<Column> {
    /// As `format_type` has it.
    fn long(kind: &str) -> &str {
        match kind {
            "float8" => "double precision",
            "int8" => "bigint",
            "bool" => "boolean",
            "timestamptz" => "timestamp with time zone",
            other => other,
        }
    }
    let is_other = |(name, kind): &Column| existing.iter().any(|(other, is)| other == name && is != long(kind));
    wanted.into_iter().filter(is_other).collect()
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
            // Each pair is there once: what looks for equal ones whenever a page is full would find none.
            format!("CREATE INDEX ON {table} (series_id, \"time\") WITH (deduplicate_items = off)"),
            format!("CREATE INDEX ON {table} USING brin (\"time\") WITH (pages_per_range = 32)"),
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

/// Takes away what is no longer wanted, with its views, unless somebody has built upon these.
pub(super) async fn remove(connection: &mut PgConnection, shape: &Shape, target: Target) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    transaction.execute("SET LOCAL lock_timeout = '500ms'").await?;
    let [shown, live, table] = relations(shape, target);
    for statement in [
        format!("DROP VIEW IF EXISTS {shown}"),
        format!("DROP VIEW IF EXISTS {live}"),
        format!("DROP TABLE IF EXISTS {table}"),
    ] {
        transaction.execute(statement.as_str()).await?;
    }
    for table in ["rollup_pending", "rollup_level"] {
        sqlx::query(&format!("DELETE FROM chunkwise.{table} WHERE measurement_id = $1 AND level = $2"))
            .bind(shape.measurement.id)
            .bind(target.name())
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await
}

/// The analysts' view, the live view and the table.
fn relations(shape: &Shape, target: Target) -> [String; 3] {
    match target {
        Target::Bars(level) => [shape.bars_view(level), shape.live(level), shape.bars(level)],
        Target::Latest => [shape.latest_view(), shape.live_latest(), shape.latest_table()],
    }
}

/// Whether a view or a function that is not chunkwise's own depends on what is kept of a target.
pub(super) async fn is_built_upon(
    connection: &mut PgConnection,
    measurement: &Measurement,
    target: Target,
) -> Result<bool, sqlx::Error> {
    let own = Shape::bare(measurement.clone());
    let views =
        Level::ALL.into_iter().map(Target::Bars).chain([Target::Latest]).flat_map(|target| relations(&own, target));
    sqlx::query_scalar(
        "SELECT EXISTS (
             SELECT FROM unnest($1::text[]) AS name
             JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = to_regclass(name)
             LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
             WHERE d.classid = 'pg_proc'::regclass
                 OR r.ev_class NOT IN (SELECT to_regclass(own) FROM unnest($2::text[]) AS own
                                       WHERE to_regclass(own) IS NOT NULL))",
    )
    .bind(relations(&own, target).to_vec())
    .bind(views.collect::<Vec<_>>())
    .fetch_one(connection)
    .await
}
