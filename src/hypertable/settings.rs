//! What somebody sets of a measurement: how long it is kept, when its chunks are sealed, how long they are.

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

/// Changes to a measurement's settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SettingsChange {
    /// How long after its end a chunk is sealed; unset: the process's default.
    pub seal_after: Change,
    /// How long rows are kept; unset: for ever.
    pub retention: Change,
    /// The length of new chunks; unset: it follows the rate.
    pub chunk_interval: Change,
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
        " ELSE chunk_interval END
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
            "INSERT INTO chunkwise.measurement_default (namespace, name, seal_after, retention, chunk_interval)
             VALUES ($1, $2, ",
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
        .execute(&mut *transaction)
        .await?;
    }
    transaction.commit().await?;
    for (name, change) in settings {
        change_settings(connection, namespace, name, change).await?;
    }
    Ok(())
}

/// A new measurement begins with what the settings' file says of it; returns the length of its chunks, if that is set.
pub(super) async fn take_defaults(connection: &mut PgConnection, id: i32) -> Result<Option<i64>, sqlx::Error> {
    let interval_us: Option<Option<i64>> = sqlx::query_scalar(
        "UPDATE chunkwise.measurement m
         SET seal_after = d.seal_after, retention = d.retention, chunk_interval = d.chunk_interval
         FROM chunkwise.measurement_default d
         WHERE m.id = $1 AND d.namespace = m.namespace AND d.name = m.name
         RETURNING (extract(epoch FROM d.chunk_interval) * 1000000)::int8",
    )
    .bind(id)
    .fetch_optional(connection)
    .await?;
    Ok(interval_us.flatten())
}
