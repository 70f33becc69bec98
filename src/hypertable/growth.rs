//! Schema growth: a new measurement or field makes its table or column without asking.
//!
//! One owner at a time of a measurement: within a process a mutex, among processes an advisory lock; whoever gets it looks
//! again before it alters anything, so a thousand writers with the same new field cause one `ALTER`. The lock timeout is
//! short, because an `ALTER` that waits behind a long query makes all others wait behind it. Measurements do not wait for each
//! other: one that somebody holds locked holds up only those who write to it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sqlx::{Connection, Executor, PgConnection};
use tokio::{
    sync::{OwnedMutexGuard, Semaphore},
    time::Instant,
};

use super::{
    Catalog, ColumnType, Field, Measurement, NameError, Tag,
    catalog::load_measurement,
    check_name, check_namespace, ddl,
    mend::{Mended, Place, mend, place},
    name::identifier_for,
    quote_ident,
    rights::{admit_to_measurement, admit_to_namespace},
    schema::store_schema,
    settings::take_defaults,
};
use crate::db::{Database, Failure, classify};

/// "cwdd" in ASCII: chunkwise, data definition.
const LOCK_CLASS: i32 = 1_668_768_868;
/// Lock timeouts and deadlocks are tried again for so long where somebody waits.
const PATIENCE: Duration = Duration::from_secs(10);
/// Measurements that grow at once: each takes a connection.
const AT_ONCE: usize = 4;
/// Longer than the lock timeout: while an `ALTER` waits for its lock, everybody else waits behind it.
const PAUSE: Duration = Duration::from_millis(500);
/// A server that does not answer at all must not hold up other measurements for ever.
const ATTEMPT: Duration = Duration::from_secs(15);

/// How far a schema may grow.
#[derive(Debug, Clone, Copy)]
pub struct SchemaLimits {
    /// Fields of a measurement; PostgreSQL itself ends at 1,600 columns.
    pub fields: usize,
    /// Tags of a measurement.
    pub tags: usize,
    /// Measurements of a namespace.
    pub measurements: i64,
}

impl Default for SchemaLimits {
    fn default() -> Self {
        Self { fields: 500, tags: 100, measurements: 10_000 }
    }
}

/// What some lines need of a measurement.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Names of tags.
    pub tags: Vec<String>,
    /// Names and types of fields.
    pub fields: Vec<(String, ColumnType)>,
    /// The chunk interval, if the measurement must be made.
    pub interval_us: i64,
}

/// Why a measurement cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum GrowthError {
    /// The measurement's or the namespace's name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Something else has the name already.
    #[error("{0} exists already and is not chunkwise's: choose another name for the measurement")]
    Foreign(String),
    /// The schema exists and is somebody else's.
    #[error("the schema {0} exists already and is not chunkwise's: choose another namespace")]
    ForeignNamespace(String),
    /// There are too many.
    #[error("there are {0} measurements already, the most that a namespace may have")]
    TooManyMeasurements(i64),
    /// A table that nothing can stand in for was dropped by hand.
    #[error("{0} is gone, which holds the measurement's tags: restore it, or drop the measurement's storage table too")]
    Broken(String),
    /// The database's.
    #[error("the measurement's tables cannot be made")]
    Database(#[from] sqlx::Error),
}

/// What to do when somebody holds a measurement locked that is to grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Perseverance {
    /// Try again for ten seconds: a client waits.
    Persist,
    /// Give up at once: whoever asks has other things to do meanwhile, and comes again.
    GiveUp,
}

/// Makes and grows measurements, and remembers them.
#[derive(Debug)]
pub struct Growth {
    database: Database,
    catalog: Catalog,
    limits: SchemaLimits,
    turns: Turns,
    at_once: Semaphore,
}

/// Who grows a measurement in this process; the others wait.
#[derive(Debug, Default)]
struct Turns(Mutex<HashMap<(String, String), Turn>>);

type Turn = Arc<tokio::sync::Mutex<()>>;

impl Turns {
    async fn of(&self, namespace: &str, name: &str) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // Those that nobody holds or waits for.
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
            Arc::clone(turns.entry((namespace.to_owned(), name.to_owned())).or_default())
        };
        turn.lock_owned().await
    }
}

impl Growth {
    /// Growth on the owner's connection of `database`.
    #[must_use]
    pub fn new(database: Database, limits: SchemaLimits) -> Self {
        let (catalog, turns, at_once) = (Catalog::default(), Turns::default(), Semaphore::new(AT_ONCE));
        Self { database, catalog, limits, turns, at_once }
    }

    /// What is known already.
    #[must_use]
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The limits that were set.
    #[must_use]
    pub fn limits(&self) -> SchemaLimits {
        self.limits
    }

    /// The measurement with everything that is wanted, as far as limits and names allow: what is still missing after
    /// this, or of another type, is the line's fault.
    ///
    /// # Errors
    /// See [`GrowthError`].
    pub async fn ensure(
        &self,
        namespace: &str,
        name: &str,
        wanted: &Wanted,
        perseverance: Perseverance,
    ) -> Result<Arc<Measurement>, GrowthError> {
        if let Some(known) = self.satisfied(namespace, name, wanted) {
            return Ok(known);
        }
        let _turn = self.turns.of(namespace, name).await;
        if let Some(known) = self.satisfied(namespace, name, wanted) {
            return Ok(known);
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.attempt(namespace, name, wanted).await {
                Ok(measurement) => return Ok(self.catalog.put(measurement)),
                Err(GrowthError::Database(error))
                    if perseverance == Perseverance::Persist
                        && classify(&error) == Failure::Contention
                        && Instant::now() < deadline =>
                {
                    tracing::debug!(measurement = name, error = %error, "schema growth is tried again");
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn attempt(&self, namespace: &str, name: &str, wanted: &Wanted) -> Result<Measurement, GrowthError> {
        // Never closed.
        let _permit = self.at_once.acquire().await.map_err(|_| sqlx::Error::PoolClosed)?;
        let attempt = tokio::time::timeout(ATTEMPT, self.try_grow(namespace, name, wanted)).await;
        attempt.unwrap_or(Err(GrowthError::Database(sqlx::Error::PoolTimedOut)))
    }

    fn satisfied(&self, namespace: &str, name: &str, wanted: &Wanted) -> Option<Arc<Measurement>> {
        let known = self.catalog.get(namespace, name)?;
        (missing(&known, wanted, self.limits).is_none()).then_some(known)
    }

    async fn try_grow(&self, namespace: &str, name: &str, wanted: &Wanted) -> Result<Measurement, GrowthError> {
        check_name(name)?;
        check_namespace(namespace)?;
        // The connection is the owner's own for the whole transaction: a caller that goes away drops it half-way, and a
        // pool would hand it on.
        let mut connection = self.database.connect(crate::db::Role::Owner).await?;
        let mut transaction = connection.begin().await?;
        transaction.execute("SET LOCAL lock_timeout = '200ms'").await?;
        lock_growth(&mut transaction, namespace, name).await?;
        let mut known = load_measurement(&mut transaction, namespace, name).await?;
        if let Some(measurement) = &known {
            match mend(&mut transaction, measurement).await? {
                Mended::Whole => {}
                Mended::Retyped => known = load_measurement(&mut transaction, namespace, name).await?,
                Mended::Gone => known = None,
            }
        }
        let mut measurement = match known {
            Some(measurement) => measurement,
            None => {
                ensure_namespace(&mut transaction, namespace).await?;
                create(&mut transaction, namespace, name, wanted.interval_us, self.limits).await?
            }
        };
        if let Some(Missing { tags, fields }) = missing(&measurement, wanted, self.limits) {
            // The view first, as everybody who reads through it does: taken in another order the locks would cross.
            let lock = format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", measurement.view());
            transaction.execute(lock.as_str()).await?;
            for tag in tags {
                add_tag(&mut transaction, &mut measurement, tag).await?;
            }
            for (field, kind) in fields {
                add_field(&mut transaction, &mut measurement, field, *kind).await?;
            }
            transaction.execute(ddl::replace_view(&measurement).as_str()).await?;
        }
        transaction.commit().await?;
        Ok(measurement)
    }
}

/// Keeps others from making or growing the measurement until the transaction ends.
///
/// # Errors
/// The database's; `lock_timeout` holds here too.
pub async fn lock_growth(connection: &mut PgConnection, namespace: &str, name: &str) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_advisory_xact_lock($1, hashtext($2 || '/' || $3))")
        .bind(LOCK_CLASS)
        .bind(namespace)
        .bind(name)
        .execute(connection)
        .await?;
    Ok(())
}

/// What must be added: nothing that is there in whatever role, nothing beyond the limits, nothing that cannot be a name.
struct Missing<'w> {
    tags: Vec<&'w str>,
    fields: Vec<&'w (String, ColumnType)>,
}

fn missing<'w>(measurement: &Measurement, wanted: &'w Wanted, limits: SchemaLimits) -> Option<Missing<'w>> {
    let unknown = |name: &str| measurement.member(name).is_none() && check_name(name).is_ok();
    let room = |limit: usize, taken: usize| limit.saturating_sub(taken);
    let mut tags: Vec<&str> = wanted.tags.iter().map(String::as_str).filter(|tag| unknown(tag)).collect();
    tags.truncate(room(limits.tags, measurement.tags.len()));
    let mut fields: Vec<_> =
        wanted.fields.iter().filter(|(field, _)| unknown(field) && !tags.contains(&field.as_str())).collect();
    fields.truncate(room(limits.fields, measurement.fields.len()));
    (!tags.is_empty() || !fields.is_empty()).then_some(Missing { tags, fields })
}

async fn ensure_namespace(connection: &mut PgConnection, namespace: &str) -> Result<(), GrowthError> {
    let made = sqlx::query("INSERT INTO chunkwise.namespace (name) VALUES ($1) ON CONFLICT DO NOTHING")
        .bind(namespace)
        .execute(&mut *connection)
        .await?;
    if made.rows_affected() == 0 {
        return Ok(());
    }
    let taken: Option<String> = sqlx::query_scalar("SELECT nspname::text FROM pg_namespace WHERE nspname = ANY ($1)")
        .bind([namespace.to_owned(), store_schema(namespace)].as_slice())
        .fetch_optional(&mut *connection)
        .await?;
    if let Some(taken) = taken {
        return Err(GrowthError::ForeignNamespace(taken));
    }
    for statement in ddl::create_namespace(namespace) {
        (&mut *connection).execute(statement.as_str()).await?;
    }
    admit_to_namespace(connection, namespace).await?;
    Ok(())
}

async fn create(
    connection: &mut PgConnection,
    namespace: &str,
    name: &str,
    interval_us: i64,
    limits: SchemaLimits,
) -> Result<Measurement, GrowthError> {
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM chunkwise.measurement WHERE namespace = $1")
        .bind(namespace)
        .fetch_one(&mut *connection)
        .await?;
    if count >= limits.measurements {
        return Err(GrowthError::TooManyMeasurements(count));
    }
    let relation = identifier_for(name);
    let store = store_schema(namespace);
    let taken = [(namespace, relation.clone()), (&store, relation.clone()), (&store, format!("{relation}__series"))];
    for (schema, table) in taken {
        let taken: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                            WHERE n.nspname = $1 AND c.relname = $2)
                 OR EXISTS (SELECT FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
                            WHERE n.nspname = $1 AND t.typname = $2)",
        )
        .bind(schema)
        .bind(&table)
        .fetch_one(&mut *connection)
        .await?;
        if taken {
            return Err(GrowthError::Foreign(format!("{}.{}", quote_ident(schema), quote_ident(&table))));
        }
    }
    let id = sqlx::query_scalar(
        "INSERT INTO chunkwise.measurement (namespace, name, relation) VALUES ($1, $2, $3) RETURNING id",
    )
    .bind(namespace)
    .bind(name)
    .bind(&relation)
    .fetch_one(&mut *connection)
    .await?;
    let interval_us = take_defaults(connection, id).await?.unwrap_or(interval_us);
    let made = load_measurement(connection, namespace, name).await?;
    let measurement = made.ok_or(sqlx::Error::RowNotFound)?;
    for statement in ddl::create_measurement(&measurement, interval_us) {
        (&mut *connection).execute(statement.as_str()).await?;
    }
    admit_to_measurement(connection, &measurement).await?;
    (&mut *connection).execute(ddl::replace_view(&measurement).as_str()).await?;
    tracing::info!(namespace, measurement = name, interval_s = interval_us / 1_000_000, "measurement made");
    Ok(measurement)
}

async fn add_tag(connection: &mut PgConnection, measurement: &mut Measurement, name: &str) -> Result<(), sqlx::Error> {
    let place = place(connection, &measurement.series_table(), name, &[ColumnType::Text]).await?;
    let tag = Tag { name: name.to_owned(), column: place.column, position: measurement.next_position() };
    if place.there.is_none() {
        for statement in ddl::add_tag(measurement, &tag) {
            (&mut *connection).execute(statement.as_str()).await?;
        }
    }
    note_column(connection, measurement.id, tag.position, name, &tag.column, None).await?;
    measurement.add_tag(tag);
    Ok(())
}

async fn add_field(
    connection: &mut PgConnection,
    measurement: &mut Measurement,
    name: &str,
    kind: ColumnType,
) -> Result<(), sqlx::Error> {
    let Place { column, there } = place(connection, &measurement.storage(), name, &ColumnType::ALL).await?;
    if there.is_none() {
        (&mut *connection).execute(ddl::add_field(measurement, &column, kind).as_str()).await?;
    }
    let kind = there.unwrap_or(kind);
    let field = Field { name: name.to_owned(), column, kind, position: measurement.next_position() };
    note_column(connection, measurement.id, field.position, name, &field.column, Some(kind)).await?;
    measurement.add_field(field);
    Ok(())
}

/// Writes a column into the catalog; a tag has no type of its own.
async fn note_column(
    connection: &mut PgConnection,
    measurement_id: i32,
    position: i32,
    name: &str,
    column: &str,
    field: Option<ColumnType>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO chunkwise.measurement_column (measurement_id, position, name, column_name, role, type)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(measurement_id)
    .bind(position)
    .bind(name)
    .bind(column)
    .bind(if field.is_some() { "field" } else { "tag" })
    .bind(field.unwrap_or(ColumnType::Text).sql())
    .execute(connection)
    .await?;
    Ok(())
}
