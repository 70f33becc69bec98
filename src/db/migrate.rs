//! Migrations: refinery's runner over sqlx, under an advisory lock.

use refinery_core::{
    Migration, Runner,
    traits::r#async::{AsyncMigrate, AsyncQuery, AsyncTransaction},
};
use sqlx::{Connection, Executor, PgConnection, Row};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

mod embedded {
    refinery::embed_migrations!("migrations");
}

/// "cwmi" in ASCII: chunkwise, migrations. Whoever migrates holds it, so that two starts do not race.
const LOCK: i64 = 1_668_771_177;
const TABLE: &str = "chunkwise.migration";

/// What a run did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    /// The versions applied now, in order; empty where the database was up to date.
    pub applied: Vec<i32>,
    /// The version that the database has now.
    pub version: i32,
}

/// Why migrations did not run.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// A newer chunkwise has been here.
    #[error(
        "the database was made by a newer chunkwise (its schema is version {database}, this program knows up to {known}): \
         use that version, or a newer one"
    )]
    Newer {
        /// The database's version.
        database: i32,
        /// This binary's.
        known: i32,
    },
    /// The database has not been migrated to this version.
    #[error("the database's schema is version {database}, this program needs {known}: run `chunkwise db migrate`")]
    Older {
        /// The database's version; 0 where there is none.
        database: i32,
        /// This binary's.
        known: i32,
    },
    /// An applied migration differs from this binary's.
    #[error("the database's migrations are not this program's")]
    Runner(#[from] refinery_core::Error),
    /// The server failed.
    #[error("the database cannot be migrated")]
    Database(#[from] sqlx::Error),
}

/// The version of the schema that this binary works with.
#[must_use]
pub fn latest_version() -> i32 {
    runner().get_migrations().iter().map(Migration::version).max().unwrap_or(0)
}

/// Brings the database to [`latest_version`]. Two at once do no harm: the second waits, then finds nothing to do.
///
/// # Errors
/// See [`MigrateError`]; nothing is applied to a database that is newer than this binary.
pub async fn migrate(connection: &mut PgConnection) -> Result<Migrated, MigrateError> {
    sqlx::query("SELECT pg_advisory_lock($1)").bind(LOCK).execute(&mut *connection).await?;
    let migrated = run(connection).await;
    let unlocked = sqlx::query("SELECT pg_advisory_unlock($1)").bind(LOCK).execute(&mut *connection).await;
    let migrated = migrated?;
    unlocked?;
    Ok(migrated)
}

async fn run(connection: &mut PgConnection) -> Result<Migrated, MigrateError> {
    let known = latest_version();
    let database = database_version(connection).await?;
    if database > known {
        return Err(MigrateError::Newer { database, known });
    }
    connection.execute("CREATE SCHEMA IF NOT EXISTS chunkwise").await?;
    let report = runner().run_async(&mut Migrator(connection)).await?;
    Ok(Migrated { applied: report.applied_migrations().iter().map(Migration::version).collect(), version: known })
}

/// Checks that the database has exactly this binary's version, without changing anything.
///
/// # Errors
/// [`MigrateError::Newer`] or [`MigrateError::Older`].
pub async fn verify(connection: &mut PgConnection) -> Result<(), MigrateError> {
    let known = latest_version();
    let database = database_version(connection).await?;
    match database {
        _ if database > known => Err(MigrateError::Newer { database, known }),
        _ if database < known => Err(MigrateError::Older { database, known }),
        _ => Ok(()),
    }
}

async fn database_version(connection: &mut PgConnection) -> Result<i32, sqlx::Error> {
    let there: bool =
        sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL").bind(TABLE).fetch_one(&mut *connection).await?;
    if !there {
        return Ok(0);
    }
    sqlx::query_scalar("SELECT coalesce(max(version), 0)::int4 FROM chunkwise.migration").fetch_one(connection).await
}

fn runner() -> Runner {
    let mut runner = embedded::migrations::runner();
    runner.set_migration_table_name(TABLE);
    runner
}

/// refinery's driver over a connection of sqlx.
struct Migrator<'c>(&'c mut PgConnection);

impl AsyncTransaction for Migrator<'_> {
    type Error = sqlx::Error;

    async fn execute<'a, T: Iterator<Item = &'a str> + Send + 'a>(
        &'a mut self,
        queries: T,
    ) -> Result<usize, sqlx::Error> {
        let mut transaction = self.0.begin().await?;
        let mut count = 0;
        for query in queries {
            // The simple protocol: a migration is many statements.
            (&mut *transaction).execute(query).await?;
            count += 1;
        }
        transaction.commit().await?;
        Ok(count)
    }
}

impl AsyncQuery<Vec<Migration>> for Migrator<'_> {
    async fn query<'a>(&'a mut self, query: &'a str) -> Result<Vec<Migration>, sqlx::Error> {
        let rows = sqlx::query(query).fetch_all(&mut *self.0).await?;
        rows.iter()
            .map(|row| {
                let applied_on: String = row.try_get(2)?;
                let applied_on = OffsetDateTime::parse(&applied_on, &Rfc3339).map_err(decode_error)?;
                let checksum: String = row.try_get(3)?;
                let checksum = checksum.parse().map_err(decode_error)?;
                Ok(Migration::applied(row.try_get(0)?, row.try_get(1)?, applied_on, checksum))
            })
            .collect()
    }
}

fn decode_error(error: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}

impl AsyncMigrate for Migrator<'_> {}
