//! What kind of server this is, and whether it can be relied on.

use std::fmt;

use sqlx::{Executor, PgConnection, Row};

/// PostgreSQL's oldest version, as `server_version_num` has it.
const MIN_POSTGRES: i32 = 150_000;
/// TimescaleDB's oldest version.
const MIN_TIMESCALEDB: (u32, u32) = (2, 18);

/// Which TimescaleDB it is: distributions' packages are `Apache`, Timescale's own images `Community`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edition {
    /// Hypertables, chunk exclusion, `time_bucket`, `drop_chunks`.
    Apache,
    /// Also the columnstore, continuous aggregates, policies.
    Community,
}

impl fmt::Display for Edition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Apache => "Apache",
            Self::Community => "Community",
        })
    }
}

/// What a server said of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerCheck {
    /// PostgreSQL's version, such as `17.11`.
    pub postgres: String,
    /// TimescaleDB's version, such as `2.19.3`.
    pub timescaledb: String,
    /// TimescaleDB's edition, read at each start.
    pub edition: Edition,
}

/// Why a server cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// PostgreSQL is too old.
    #[error("PostgreSQL {0} is too old: chunkwise needs 15 or newer")]
    PostgresTooOld(String),
    /// There is no TimescaleDB.
    #[error(
        "the server has no TimescaleDB: install its package and add `timescaledb` to shared_preload_libraries; \
         `chunkwise db doctor` checks every step"
    )]
    NoTimescaleDb,
    /// TimescaleDB is too old.
    #[error("TimescaleDB {0} is too old: chunkwise needs {major}.{minor} or newer", major = MIN_TIMESCALEDB.0, minor = MIN_TIMESCALEDB.1)]
    TimescaleDbTooOld(String),
    /// A setting under which rows could be lost.
    #[error("the server runs with {setting} = {value}, under which acknowledged rows can be lost: set it to {wanted}")]
    Unsafe {
        /// The setting's name.
        setting: &'static str,
        /// What it is.
        value: String,
        /// What it must be.
        wanted: &'static str,
    },
    /// The server could not be asked.
    #[error("the database cannot be reached")]
    Database(#[from] sqlx::Error),
}

/// Makes the extension in this database, if it is not there. Only with it does a session know TimescaleDB's settings.
///
/// # Errors
/// [`ServerError::NoTimescaleDb`] where the server has no such extension; else the database's.
pub async fn ensure_extension(connection: &mut PgConnection) -> Result<(), ServerError> {
    let available: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb')")
            .fetch_one(&mut *connection)
            .await?;
    if !available {
        return Err(ServerError::NoTimescaleDb);
    }
    connection.execute("CREATE EXTENSION IF NOT EXISTS timescaledb SCHEMA public").await?;
    Ok(())
}

/// Asks a server who it is, and refuses one on which rows could be lost.
///
/// # Errors
/// See [`ServerError`].
pub async fn check_server(connection: &mut PgConnection) -> Result<ServerCheck, ServerError> {
    let row = sqlx::query(
        "SELECT current_setting('server_version_num')::int4 AS number, current_setting('server_version') AS postgres,
                (SELECT coalesce(installed_version, default_version) FROM pg_available_extensions
                 WHERE name = 'timescaledb') AS timescaledb,
                current_setting('timescaledb.license', true) AS license,
                current_setting('timescaledb.restoring', true) AS restoring,
                current_setting('fsync') AS fsync,
                current_setting('full_page_writes') AS full_page_writes",
    )
    .fetch_one(&mut *connection)
    .await?;

    let postgres: String = row.try_get("postgres")?;
    if row.try_get::<i32, _>("number")? < MIN_POSTGRES {
        return Err(ServerError::PostgresTooOld(postgres));
    }
    let Some(timescaledb) = row.try_get::<Option<String>, _>("timescaledb")? else {
        return Err(ServerError::NoTimescaleDb);
    };
    if version(&timescaledb) < MIN_TIMESCALEDB {
        return Err(ServerError::TimescaleDbTooOld(timescaledb));
    }
    let license = row.try_get::<Option<String>, _>("license")?;
    let edition = match license.as_deref() {
        Some("timescale") => Edition::Community,
        Some(_) => Edition::Apache,
        None => return Err(ServerError::NoTimescaleDb),
    };
    let settings = [
        ("fsync", row.try_get::<Option<String>, _>("fsync")?, "on", "on"),
        ("full_page_writes", row.try_get("full_page_writes")?, "on", "on"),
        // With it on, the extension's hooks sleep and rows land in the root table.
        ("timescaledb.restoring", row.try_get("restoring")?, "off", "off by `SELECT timescaledb_post_restore()`"),
    ];
    for (setting, value, safe, wanted) in settings {
        match value {
            Some(value) if value != safe => return Err(ServerError::Unsafe { setting, value, wanted }),
            _ => {}
        }
    }
    Ok(ServerCheck { postgres, timescaledb, edition })
}

fn version(text: &str) -> (u32, u32) {
    let mut parts = text.split(['.', '-']).map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn versions_compare_by_number() {
        assert!(version("2.9.3") < version("2.18.0"));
        assert!(version("2.30.0-dev") > version("2.18.0"));
    }
}
