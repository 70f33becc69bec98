//! What somebody sets of a measurement: how long it is kept, when its chunks are sealed, how long they are.

use std::str::FromStr;

use sqlx::{Connection, Executor, PgConnection};

use super::{quote_ident, schema::store_schema};

/// What to do with one setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Change {
    /// Leave it as it is.
    #[default]
    Keep,
    /// Back to what it is when nobody sets it.
    Unset,
    /// This many microseconds, more than zero.
    Set(i64),
}

impl Change {
    fn is_asked(self) -> bool {
        self != Self::Keep
    }

    fn us(self) -> Option<i64> {
        match self {
            Self::Set(us) => Some(us),
            Self::Keep | Self::Unset => None,
        }
    }
}

/// What sealing does with the order of rows in a chunk's table. The columnstore orders them by series in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RowOrder {
    /// They stay where they came: by batches, sorted by series within each. Nobody waits, and a question about a stretch of
    /// a chunk reads that stretch alone.
    #[default]
    Arrival,
    /// They are rewritten by series and time: what is read of one series lies together. Nobody reads or writes the chunk
    /// while that is done, some seconds a million rows, and a question about a stretch of the chunk's time and all series
    /// reads all of it.
    Series,
}

impl RowOrder {
    /// Its name in settings, and in the database.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Arrival => "arrival",
            Self::Series => "series",
        }
    }
}

impl FromStr for RowOrder {
    type Err = UnknownRowOrder;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = [Self::Arrival, Self::Series].into_iter().find(|order| order.name() == name);
        found.ok_or(UnknownRowOrder)
    }
}

/// No order of rows is called so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write arrival or series")]
pub struct UnknownRowOrder;

/// Changes to a measurement's settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SettingsChange {
    /// How long after its end a chunk is sealed; unset: the process's default.
    pub seal_after: Change,
    /// How long rows are kept; unset: for ever.
    pub retention: Change,
    /// The length of new chunks; unset: it follows the rate.
    pub chunk_interval: Change,
    /// Chunks of a slice of time, by hash of the series; heeded only while the measurement is made.
    pub space_partitions: Option<i32>,
    /// What sealing does with the order of rows, from the next chunk on; `None` leaves it as it is.
    pub row_order: Option<RowOrder>,
}

/// An interval of SQL from microseconds that may be NULL.
macro_rules! interval {
    ($parameter:literal) => {
        concat!("make_interval(secs => ", $parameter, "::int8 / 1000000.0)")
    };
}

/// Changes what is asked of a measurement; false if there is none of that name.
///
/// # Errors
/// The database's.
pub async fn change_settings(
    connection: &mut PgConnection,
    namespace: &str,
    name: &str,
    change: &SettingsChange,
) -> Result<bool, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    transaction.execute("SET LOCAL lock_timeout = '5s'").await?;
    let relation: Option<String> = sqlx::query_scalar(concat!(
        "UPDATE chunkwise.measurement SET
             seal_after = CASE WHEN $3 THEN ",
        interval!("$4"),
        " ELSE seal_after END,
             retention = CASE WHEN $5 THEN ",
        interval!("$6"),
        " ELSE retention END,
             chunk_interval = CASE WHEN $7 THEN ",
        interval!("$8"),
        " ELSE chunk_interval END,
             row_order = coalesce($9, row_order)
         WHERE namespace = $1 AND name = $2 RETURNING relation"
    ))
    .bind(namespace)
    .bind(name)
    .bind(change.seal_after.is_asked())
    .bind(change.seal_after.us())
    .bind(change.retention.is_asked())
    .bind(change.retention.us())
    .bind(change.chunk_interval.is_asked())
    .bind(change.chunk_interval.us())
    .bind(change.row_order.map(RowOrder::name))
    .fetch_optional(&mut *transaction)
    .await?;
    let Some(relation) = relation else { return Ok(false) };
    if let Change::Set(us) = change.chunk_interval {
        sqlx::query("SELECT set_chunk_time_interval($1::text::regclass, $2::int8)")
            .bind(format!("{}.{}", quote_ident(&store_schema(namespace)), quote_ident(&relation)))
            .bind(us)
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await?;
    Ok(true)
}

/// Puts down what a settings' file says of measurements, for those that do not exist yet, and changes those that do. What
/// an earlier file said of others is forgotten; they keep what they have.
///
/// # Errors
/// The database's.
pub async fn put_defaults(
    connection: &mut PgConnection,
    namespace: &str,
    settings: &[(String, SettingsChange)],
) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    sqlx::query("DELETE FROM chunkwise.measurement_default WHERE namespace = $1")
        .bind(namespace)
        .execute(&mut *transaction)
        .await?;
    for (name, change) in settings {
        sqlx::query(concat!(
            "INSERT INTO chunkwise.measurement_default
                 (namespace, name, space_partitions, row_order, seal_after, retention, chunk_interval)
             VALUES ($1, $2, $6, $7, ",
            interval!("$3"),
            ", ",
            interval!("$4"),
            ", ",
            interval!("$5"),
            ") ON CONFLICT DO NOTHING"
        ))
        .bind(namespace)
        .bind(name)
        .bind(change.seal_after.us())
        .bind(change.retention.us())
        .bind(change.chunk_interval.us())
        .bind(change.space_partitions)
        .bind(change.row_order.map(RowOrder::name))
        .execute(&mut *transaction)
        .await?;
    }
    transaction.commit().await?;
    for (name, change) in settings {
        change_settings(connection, namespace, name, change).await?;
        warn_of_partitions(connection, namespace, name, change).await?;
    }
    Ok(())
}

/// TimescaleDB adds space partitions to an empty table only.
async fn warn_of_partitions(
    connection: &mut PgConnection,
    namespace: &str,
    name: &str,
    change: &SettingsChange,
) -> Result<(), sqlx::Error> {
    let Some(wanted) = change.space_partitions else { return Ok(()) };
    let made: Option<Option<i32>> =
        sqlx::query_scalar("SELECT space_partitions FROM chunkwise.measurement WHERE namespace = $1 AND name = $2")
            .bind(namespace)
            .bind(name)
            .fetch_optional(connection)
            .await?;
    if let Some(there) = made.filter(|there| *there != Some(wanted)) {
        let there = there.unwrap_or(1);
        tracing::warn!(
            measurement = name,
            "space_partitions = {wanted} is not heeded: the measurement was made with {there}, and keeps that until it is \
             dropped and made anew"
        );
    }
    Ok(())
}

/// A new measurement begins with what the settings' file says of it; returns the length of its chunks, if that is set.
pub(super) async fn take_defaults(connection: &mut PgConnection, id: i32) -> Result<Option<i64>, sqlx::Error> {
    let interval_us: Option<Option<i64>> = sqlx::query_scalar(
        "UPDATE chunkwise.measurement m
         SET seal_after = d.seal_after, retention = d.retention, chunk_interval = d.chunk_interval,
             space_partitions = d.space_partitions, row_order = coalesce(d.row_order, m.row_order)
         FROM chunkwise.measurement_default d
         WHERE m.id = $1 AND d.namespace = m.namespace AND d.name = m.name
         RETURNING (extract(epoch FROM d.chunk_interval) * 1000000)::int8",
    )
    .bind(id)
    .fetch_optional(connection)
    .await?;
    Ok(interval_us.flatten())
}
