//! The database and its extension.

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

use super::LocalError;
use super::cluster::NAME;

/// SQLSTATE of a database that does not exist.
const NO_SUCH_DATABASE: &str = "3D000";

/// Makes the database and its extension if they are missing, and brings the extension to the version of the installed files.
/// `options` name the database. Call it under the lock.
pub(super) async fn provision(options: &PgConnectOptions) -> Result<(), LocalError> {
    let mut connection = match PgConnection::connect_with(options).await {
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(NO_SUCH_DATABASE) => {
            create_database(options).await?;
            PgConnection::connect_with(options).await
        }
        other => other,
    }
    .map_err(doing("connect to the server"))?;

    let versions: Option<(String, Option<String>)> = sqlx::query_as(
        "SELECT default_version, installed_version FROM pg_available_extensions WHERE name = 'timescaledb'",
    )
    .fetch_optional(&mut connection)
    .await
    .map_err(doing("look for the extension"))?;
    let closed = connection.close().await;
    closed.map_err(doing("close the connection"))?;
    match versions {
        Some((files, Some(installed))) if files != installed => {
            alone(options, "ALTER EXTENSION timescaledb UPDATE", "update the extension").await
        }
        Some((_, Some(_))) => Ok(()),
        // Without a line for it CREATE EXTENSION fails, and says what is missing.
        _ => alone(options, "CREATE EXTENSION IF NOT EXISTS timescaledb SCHEMA public", "create the extension").await,
    }
}

async fn create_database(options: &PgConnectOptions) -> Result<(), LocalError> {
    // A name from a constant of this crate, which needs no quoting.
    alone(&options.clone().database("postgres"), &format!("CREATE DATABASE {NAME}"), "create the database").await
}

/// Runs one statement as the first of its session: TimescaleDB refuses to be updated where its old library is loaded already.
async fn alone(options: &PgConnectOptions, statement: &str, what: &'static str) -> Result<(), LocalError> {
    let mut connection = PgConnection::connect_with(options).await.map_err(doing("connect to the server"))?;
    sqlx::raw_sql(statement).execute(&mut connection).await.map_err(doing(what))?;
    connection.close().await.map_err(doing("close the connection"))
}

fn doing(doing: &'static str) -> impl FnOnce(sqlx::Error) -> LocalError {
    move |source| LocalError::Database { doing, source }
}
