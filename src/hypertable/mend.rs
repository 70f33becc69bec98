//! Puts back what the catalog says there is and somebody has dropped by hand.
//!
//! `ALTER TABLE public_store.ticks DROP COLUMN size CASCADE` takes the column and the analysts' view, and every line that
//! has the field would fail from then on. The feed still sends it, so the column is made anew, empty, and with it the view.
//! A field's column that was given another of the types that a field can have keeps it, and the catalog learns of it.
//! A storage table that was dropped is a measurement that was dropped: it is forgotten, and made anew like a new one.

use std::collections::HashMap;

use sqlx::{Executor, PgConnection};

use super::{
    ColumnType, Field, GrowthError, Measurement, ddl,
    name::{generated_for, identifier_for},
};

/// What is left of a measurement.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Mended {
    /// Everything, maybe after mending.
    Whole,
    /// Everything, but the catalog had another type for a column, and was changed.
    Retyped,
    /// Its table is gone, and now so is everything else of it.
    Gone,
}

/// Compares a measurement's tables with what the catalog says of it; makes missing columns and the view. Changes nothing
/// where nothing is missing.
pub(super) async fn mend(connection: &mut PgConnection, measurement: &Measurement) -> Result<Mended, GrowthError> {
    let Some(storage) = columns(connection, &measurement.storage()).await? else {
        forget(connection, measurement).await?;
        return Ok(Mended::Gone);
    };
    let series_table = measurement.series_table();
    // Without it the storage's rows have no tags, and no other table can stand in.
    let Some(series) = columns(connection, &series_table).await? else { return Err(GrowthError::Broken(series_table)) };
    let mut statements = Vec::new();
    for tag in measurement.tags.iter().filter(|tag| !series.contains_key(&tag.column)) {
        statements.push(ddl::mend_column(&series_table, &tag.column, ColumnType::Text));
    }
    for field in measurement.fields.iter().filter(|field| !storage.contains_key(&field.column)) {
        statements.push(ddl::mend_column(&measurement.storage(), &field.column, field.kind));
    }
    let retyped: Vec<_> = retyped(measurement, &storage).collect();
    for (field, kind) in &retyped {
        retype(connection, measurement, field, *kind).await?;
    }
    if !statements.is_empty() || columns(connection, &measurement.view()).await?.is_none() {
        tracing::warn!(
            measurement = measurement.name,
            columns = statements.len(),
            "what was dropped by hand and is still written to is made anew"
        );
        statements.push(ddl::replace_view(measurement));
    }
    for statement in statements {
        (&mut *connection).execute(statement.as_str()).await?;
    }
    Ok(if retyped.is_empty() { Mended::Whole } else { Mended::Retyped })
}

/// Fields whose columns have another of the types that a field can have, and which.
fn retyped<'m>(
    measurement: &'m Measurement,
    storage: &HashMap<String, String>,
) -> impl Iterator<Item = (&'m Field, ColumnType)> {
    measurement.fields.iter().filter_map(|field| {
        let kind = storage.get(&field.column)?.parse().ok()?;
        (kind != field.kind).then_some((field, kind))
    })
}

/// Whether somebody has given the column of a field another of the types that a field can have: growth then takes it over.
///
/// # Errors
/// The database's.
pub async fn is_retyped(connection: &mut PgConnection, measurement: &Measurement) -> Result<bool, sqlx::Error> {
    let storage = columns(connection, &measurement.storage()).await?.unwrap_or_default();
    Ok(retyped(measurement, &storage).next().is_some())
}

/// Lets the catalog say what the table does.
async fn retype(
    connection: &mut PgConnection,
    measurement: &Measurement,
    field: &Field,
    kind: ColumnType,
) -> Result<(), sqlx::Error> {
    tracing::warn!(
        measurement = measurement.name,
        field = field.name,
        was = %field.kind,
        is = %kind,
        "a column was given another type by hand: from now on the field has it"
    );
    sqlx::query("UPDATE chunkwise.measurement_column SET type = $3 WHERE measurement_id = $1 AND name = $2")
        .bind(measurement.id)
        .bind(&field.name)
        .bind(kind.sql())
        .execute(connection)
        .await?;
    Ok(())
}

/// A new id for the measurement: whoever still knows the old one learns of it from its first write.
async fn forget(connection: &mut PgConnection, measurement: &Measurement) -> Result<(), sqlx::Error> {
    tracing::warn!(measurement = measurement.name, "the measurement's table was dropped by hand: it is made anew");
    for statement in ddl::drop_remains(measurement) {
        (&mut *connection).execute(statement.as_str()).await?;
    }
    sqlx::query("DELETE FROM chunkwise.measurement WHERE id = $1").bind(measurement.id).execute(connection).await?;
    Ok(())
}

/// The column for a new tag or field.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) column: String,
    /// Its type, if somebody made it by hand before.
    pub(super) there: Option<ColumnType>,
}

/// Finds a column for a name in a table: one that somebody has made by hand already is taken over if it has one of the
/// types, and left alone otherwise.
pub(super) async fn place(
    connection: &mut PgConnection,
    table: &str,
    name: &str,
    kinds: &[ColumnType],
) -> Result<Place, sqlx::Error> {
    let column = identifier_for(name);
    let columns = columns(connection, table).await?.unwrap_or_default();
    let Some(there) = columns.get(&column) else { return Ok(Place { column, there: None }) };
    match there.parse() {
        Ok(kind) if kinds.contains(&kind) => Ok(Place { column, there: Some(kind) }),
        _ => Ok(Place { column: generated_for(name), there: None }),
    }
}

/// The columns of a relation with their types' names; none if there is no such relation.
async fn columns(
    connection: &mut PgConnection,
    relation: &str,
) -> Result<Option<HashMap<String, String>>, sqlx::Error> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "SELECT a.attname::text, t.typname::text FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
         WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped",
    )
    .bind(relation)
    .fetch_all(connection)
    .await?;
    // Every relation of ours has a column.
    Ok(if rows.is_empty() { None } else { Some(rows.into_iter().collect()) })
}
