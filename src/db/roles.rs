//! Three roles of the server's, with the rights that each kind of session needs and no others.
//!
//! | role | logs in | may |
//! |---|---|---|
//! | `chunkwise_owner` | no | make schemas and extend `public`; whoever owns chunkwise's tables is to be a member |
//! | `chunkwise_writer` | with a password that an operator sets | read and insert; enter requests in the ledger by functions |
//! | `chunkwise_reader` | likewise | read, within limits of time and memory |
//!
//! Roles belong to the server, rights to a database: several databases share the roles, and each gives them its own rights. What
//! the connected role makes later, in any schema, gets them by default privileges.

use sqlx::{Connection, Executor, PgConnection};

use crate::db::{Failure, classify};

/// The roles, with what is said of each when it is made. Settings hold for those who log in as the role itself.
const ROLES: [(&str, &str, &[&str]); 3] = [
    ("chunkwise_owner", "NOLOGIN", &[]),
    ("chunkwise_writer", "LOGIN", &["idle_in_transaction_session_timeout = '90s'"]),
    (
        "chunkwise_reader",
        "LOGIN",
        &[
            "default_transaction_read_only = on",
            "statement_timeout = '60s'",
            "work_mem = '64MB'",
            "idle_in_transaction_session_timeout = '10min'",
        ],
    ),
];

/// What became of the roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Roles {
    /// They are there, and have their rights in this database.
    Ready,
    /// This connection may not make roles: an operator does, see docs/configuration.md.
    NotAllowed,
}

/// Makes the roles where the connection may, and gives them their rights in this database. To be run after the migrations; two
/// at once, on one database or several, do no harm.
///
/// # Errors
/// The database's.
pub async fn ensure_roles(connection: &mut PgConnection) -> Result<Roles, sqlx::Error> {
    let may: bool = sqlx::query_scalar(
        "SELECT (rolcreaterole OR rolsuper) AND NOT pg_is_in_recovery() FROM pg_roles WHERE rolname = current_user",
    )
    .fetch_one(&mut *connection)
    .await?;
    if !may {
        return Ok(Roles::NotAllowed);
    }
    for (role, login, settings) in ROLES {
        make(connection, role, login, settings).await?;
    }
    // Grants on the same object at the same time, by processes that start together, make one of them fail.
    let mut tries = 0;
    loop {
        match grant(connection).await {
            Err(error) if tries < 5 && is_concurrent(&error) => tries += 1,
            granted => return granted.map(|()| Roles::Ready),
        }
    }
}

async fn make(connection: &mut PgConnection, role: &str, login: &str, settings: &[&str]) -> Result<(), sqlx::Error> {
    let there: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)")
        .bind(role)
        .fetch_one(&mut *connection)
        .await?;
    if there {
        return Ok(());
    }
    let mut transaction = connection.begin().await?;
    let made = async {
        transaction.execute(format!("CREATE ROLE {role} {login}").as_str()).await?;
        for setting in settings {
            transaction.execute(format!("ALTER ROLE {role} SET {setting}").as_str()).await?;
        }
        transaction.commit().await
    };
    match made.await {
        // Made by another process since.
        Err(sqlx::Error::Database(error)) if matches!(error.code().as_deref(), Some("42710" | "23505")) => Ok(()),
        made => made,
    }
}

async fn grant(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    // Of this database's own processes, one at a time: "cwro" in ASCII.
    transaction.execute("SELECT pg_advisory_xact_lock(1668772463)").await?;
    let statements: Vec<String> = sqlx::query_scalar(
        "WITH schemas AS (
             SELECT format('%I', unnest(ARRAY[name, name || '_store'])) AS schema FROM chunkwise.namespace
             UNION SELECT 'chunkwise'
         )
         SELECT format('GRANT CREATE, CONNECT ON DATABASE %I TO chunkwise_owner', current_database())
         UNION ALL SELECT format('GRANT CONNECT ON DATABASE %I TO chunkwise_writer, chunkwise_reader', current_database())
         UNION ALL SELECT 'GRANT USAGE, CREATE ON SCHEMA public TO chunkwise_owner'
         UNION ALL SELECT format('GRANT USAGE ON SCHEMA %s TO chunkwise_writer, chunkwise_reader', schema) FROM schemas
         UNION ALL SELECT format('GRANT SELECT ON ALL TABLES IN SCHEMA %s TO chunkwise_reader', schema) FROM schemas
         UNION ALL SELECT format('GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA %s TO chunkwise_writer', schema) FROM schemas
             WHERE schema LIKE '%\\_store' OR schema LIKE '%\\_store\"'
         UNION ALL SELECT 'GRANT SELECT ON ALL TABLES IN SCHEMA chunkwise TO chunkwise_writer'
         UNION ALL SELECT 'GRANT USAGE ON SEQUENCE chunkwise.series_id TO chunkwise_writer'
         UNION ALL SELECT 'GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA chunkwise TO chunkwise_writer'
         UNION ALL SELECT 'ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO chunkwise_writer, chunkwise_reader'
         UNION ALL SELECT 'ALTER DEFAULT PRIVILEGES GRANT SELECT, INSERT ON TABLES TO chunkwise_writer'
         UNION ALL SELECT 'ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO chunkwise_reader'
         UNION ALL SELECT 'ALTER DEFAULT PRIVILEGES IN SCHEMA chunkwise GRANT EXECUTE ON FUNCTIONS TO chunkwise_writer'",
    )
    .fetch_all(&mut *transaction)
    .await?;
    for statement in statements {
        transaction.execute(statement.as_str()).await?;
    }
    transaction.commit().await
}

/// Somebody has changed the same row of a catalog, or made the same entry, meanwhile.
fn is_concurrent(error: &sqlx::Error) -> bool {
    let concurrent =
        |error: &dyn sqlx::error::DatabaseError| matches!(error.code().as_deref(), Some("23505" | "XX000" | "42710"));
    matches!(error, sqlx::Error::Database(error) if concurrent(&**error)) || classify(error) == Failure::Contention
}
