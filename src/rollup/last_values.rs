//! The table of last values: what the rows of some time say of it.

use chrono::{DateTime, Utc};
use sqlx::{Executor, PgConnection, Row};

use super::{
    Shape,
    newest::{Newest, Stamped, Value},
    read::{self, RollupError},
    sql,
};
use crate::hypertable::{ColumnType, changes::Stretch, list_chunks, moment, quote_ident, time_literal};

/// Series of one statement.
const SERIES_A_STATEMENT: usize = 10_000;

/// Brings the table up to date with the newest values of the rows of these stretches: new rows if they lie behind all that the
/// table knows, else also what was changed and deleted.
pub(super) async fn keep(
    connection: &mut PgConnection,
    shape: &Shape,
    stretches: &[Stretch],
    newest: &Newest,
    are_new: bool,
) -> Result<(), RollupError> {
    if !are_new {
        for stretch in stretches {
            forget(connection, shape, *stretch, newest).await?;
        }
    }
    put(connection, shape, newest).await
}

/// Takes out what the table has from within the stretch and the rows there do not have any more, and puts in what was there
/// before it.
async fn forget(
    connection: &mut PgConnection,
    shape: &Shape,
    stretch: Stretch,
    newest: &Newest,
) -> Result<(), RollupError> {
    let mut lost: Vec<i64> = Vec::new();
    for (at, field) in shape.latest.iter().enumerate() {
        let (column, time) = (quote_ident(&field.column), quote_ident(&field.at()));
        let within =
            format!("{time} >= {} AND {time} < {}", time_literal(stretch.from_us), time_literal(stretch.to_us));
        let sql = format!(
            "SELECT series_id, (extract(epoch FROM {time}) * 1000000)::int8 AS at, {column} AS value
             FROM {} WHERE {within}",
            shape.latest_table()
        );
        let rows = sqlx::query(&sql).persistent(false).fetch_all(&mut *connection).await?;
        let mut stale: Vec<i64> = Vec::new();
        for row in rows {
            let series_id: i64 = row.try_get("series_id")?;
            let stored = Stamped { time_us: row.try_get("at")?, value: stored(&row, field.kind)? };
            match newest.get(series_id, at) {
                Some(found) if *found >= stored => {}
                Some(_) => stale.push(series_id),
                None => {
                    stale.push(series_id);
                    lost.push(series_id);
                }
            }
        }
        if !stale.is_empty() {
            let clear = format!(
                "UPDATE {} SET {column} = NULL, {time} = NULL WHERE series_id = ANY ($1) AND {within}",
                shape.latest_table()
            );
            sqlx::query(&clear).persistent(false).bind(&stale).execute(&mut *connection).await?;
        }
    }
    if lost.is_empty() {
        return Ok(());
    }
    lost.sort_unstable();
    lost.dedup();
    look_back(connection, shape, stretch.from_us, lost).await?;
    let none: Vec<String> = shape.latest.iter().map(|field| format!("{} IS NULL", quote_ident(&field.at()))).collect();
    let delete = format!("DELETE FROM {} WHERE {}", shape.latest_table(), none.join(" AND "));
    connection.execute(delete.as_str()).await?;
    Ok(())
}

fn stored(row: &sqlx::postgres::PgRow, kind: ColumnType) -> Result<Value, sqlx::Error> {
    use super::bars::Key;
    Ok(match kind {
        ColumnType::Float8 => Value::Number(Key::of_float(row.try_get("value")?).unwrap_or(Key::of_int(i64::MIN))),
        ColumnType::Int8 => Value::Number(Key::of_int(row.try_get("value")?)),
        ColumnType::Bool => Value::Number(Key::of_int(i64::from(row.try_get::<bool, _>("value")?))),
        ColumnType::Timestamptz => Value::Time(row.try_get::<DateTime<Utc>, _>("value")?.timestamp_micros()),
        ColumnType::Text => Value::Text(row.try_get("value")?),
    })
}

/// Puts in the newest values before a time of these series, chunk by chunk backwards until every field of each is found or
/// there is no chunk left.
async fn look_back(
    connection: &mut PgConnection,
    shape: &Shape,
    before_us: i64,
    mut ids: Vec<i64>,
) -> Result<(), RollupError> {
    let mut chunks = list_chunks(connection, &shape.measurement).await?;
    chunks.dedup_by_key(|chunk| chunk.from_us);
    for chunk in chunks.iter().rev() {
        let stretch = Stretch { from_us: chunk.from_us, to_us: chunk.to_us.min(before_us) };
        if stretch.is_empty() {
            continue;
        }
        let newest = read::newest(connection, shape, &[stretch], Some(&ids)).await?;
        put(connection, shape, &newest).await?;
        ids.retain(|id| (0..shape.latest.len()).any(|field| newest.get(*id, field).is_none()));
        if ids.is_empty() {
            break;
        }
    }
    Ok(())
}

/// Puts values into the table; of two the later stays, of equal times the greater.
async fn put(connection: &mut PgConnection, shape: &Shape, newest: &Newest) -> Result<(), RollupError> {
    let ids = newest.series();
    let statement = statement(shape);
    for ids in ids.chunks(SERIES_A_STATEMENT) {
        let mut query = sqlx::query(&statement).persistent(false).bind(ids);
        for (at, field) in shape.latest.iter().enumerate() {
            let stamped = || ids.iter().map(|id| newest.get(*id, at));
            query = bind_values(query, field.kind, stamped().map(|stamped| stamped.map(|stamped| &stamped.value)));
            query =
                query.bind(stamped().map(|stamped| stamped.map(|stamped| moment(stamped.time_us))).collect::<Vec<_>>());
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Postgres, sqlx::postgres::PgArguments>;

fn bind_values<'q, 'v>(
    query: Query<'q>,
    kind: ColumnType,
    values: impl Iterator<Item = Option<&'v Value>>,
) -> Query<'q> {
    let number = |value: Option<&Value>| match value {
        Some(Value::Number(key)) => Some(*key),
        _ => None,
    };
    match kind {
        ColumnType::Float8 => query.bind(values.map(|value| Some(number(value)?.float())).collect::<Vec<_>>()),
        ColumnType::Int8 => query.bind(values.map(|value| Some(number(value)?.int())).collect::<Vec<_>>()),
        ColumnType::Bool => query.bind(values.map(|value| Some(number(value)?.int() != 0)).collect::<Vec<_>>()),
        ColumnType::Timestamptz => query.bind(
            values
                .map(|value| match value {
                    Some(Value::Time(us)) => Some(moment(*us)),
                    _ => None,
                })
                .collect::<Vec<_>>(),
        ),
        ColumnType::Text => query.bind(
            values
                .map(|value| match value {
                    Some(Value::Text(text)) => Some(text.clone()),
                    _ => None,
                })
                .collect::<Vec<_>>(),
        ),
    }
}

fn statement(shape: &Shape) -> String {
    let columns = sql::latest_columns(shape);
    let names = sql::names(&columns);
    let arrays: String = columns.iter().enumerate().map(|(at, (_, kind))| format!(", ${}::{kind}[]", at + 2)).collect();
    let sets: Vec<String> = shape
        .latest
        .iter()
        .map(|field| {
            let (column, at) = (quote_ident(&field.column), quote_ident(&field.at()));
            let collate = if field.kind == ColumnType::Text { " COLLATE \"C\"" } else { "" };
            let later = format!(
                "(excluded.{at} > l.{at} OR l.{at} IS NULL OR \
                  (excluded.{at} = l.{at} AND excluded.{column} > l.{column}{collate}))"
            );
            format!(
                "{column} = CASE WHEN {later} THEN excluded.{column} ELSE l.{column} END, \
                 {at} = greatest(l.{at}, excluded.{at})"
            )
        })
        .collect();
    let changed: Vec<String> = shape
        .latest
        .iter()
        .map(|field| {
            let (column, at) = (quote_ident(&field.column), quote_ident(&field.at()));
            format!(
                "excluded.{at} > l.{at} OR (l.{at} IS NULL AND excluded.{at} IS NOT NULL) OR \
                     (excluded.{at} = l.{at} AND excluded.{column} IS DISTINCT FROM l.{column})"
            )
        })
        .collect();
    format!(
        "INSERT INTO {} AS l (series_id{names}) SELECT * FROM unnest($1::int8[]{arrays})
         ON CONFLICT (series_id) DO UPDATE SET {} WHERE {}",
        shape.latest_table(),
        sets.join(", "),
        changed.join(" OR ")
    )
}
