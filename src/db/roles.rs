//! Three roles of the server's, with the rights that each kind of session needs and no others.
//!
//! | role | logs in | may |
//! |---|---|---|
//! | `chunkwise_owner` | no | make schemas and extend `public`; whoever owns chunkwise's tables is to be a member |
//! | `chunkwise_writer` | with a password that an operator sets | add rows and series; enter requests in the ledger by functions |
//! | `chunkwise_reader` | likewise | read, within limits of time and memory |
//!
//! Roles belong to the server, rights to a database: several databases share the roles, and each gives them its own rights:
//! [`rights`](super::rights) has them one by one. Of what the connected role makes later the reader gets its rights by default
//! privileges, and the writer by whoever makes a measurement: not every new table is one to write to.

use sqlx::{Connection, Executor, PgConnection, Row};

use super::rights::deviations;
use crate::db::{Failure, classify};

/// The role whose rights each new measurement gives.
pub const WRITER: &str = "chunkwise_writer";

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
    /// Some are not there, and this connection may not make roles: an operator does, see docs/configuration.md.
    NotAllowed,
}

/// Makes the roles where the connection may, and brings their rights in this database to what they are to be: gives what is
/// missing and takes what is too much, as far as the connected role owns the objects. To be run after the migrations; two at
/// once, on one database or several, do no harm.
///
/// # Errors
/// The database's.
pub async fn ensure_roles(connection: &mut PgConnection) -> Result<Roles, sqlx::Error> {
    let (may, in_recovery, there): (bool, bool, i64) = sqlx::query_as(
        "SELECT rolcreaterole OR rolsuper, pg_is_in_recovery(),
                (SELECT count(*) FROM pg_roles WHERE rolname = ANY ($1))
         FROM pg_roles WHERE rolname = current_user",
    )
    .bind(ROLES.map(|(role, ..)| role).as_slice())
    .fetch_one(&mut *connection)
    .await?;
    let complete = usize::try_from(there) == Ok(ROLES.len());
    if in_recovery || !(may || complete) {
        return Ok(Roles::NotAllowed);
    }
    if !complete {
        for (role, login, settings) in ROLES {
            make(connection, role, login, settings).await?;
        }
    }
    // Grants on the same object at the same time, by processes that start together, make one of them fail.
    let mut tries = 0;
    loop {
        match put_right(connection).await {
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

async fn put_right(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    // Of this database's own processes, one at a time: "cwro" in ASCII.
    transaction.execute("SELECT pg_advisory_xact_lock(1668772463)").await?;
    // Where somebody holds a table the rights on it wait for the next start, not this start for the table.
    transaction.execute("SET LOCAL lock_timeout = '2s'").await?;
    for right in deviations(&mut transaction).await? {
        if right.is_ours && right.role != "PUBLIC" {
            tracing::debug!(%right, "put right");
            transaction.execute(right.remedy().as_str()).await?;
        }
    }
    transaction.commit().await
}

/// Something about the roles that is not as it is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleFault {
    /// What was found.
    pub found: String,
    /// The statement that puts it right; none where it takes more than one.
    pub remedy: Option<String>,
}

/// Looks at the roles and their rights in this database without changing anything.
///
/// # Errors
/// The database's.
pub async fn examine_roles(connection: &mut PgConnection) -> Result<Vec<RoleFault>, sqlx::Error> {
    let mut faults = Vec::new();
    for (role, login, settings) in ROLES {
        let Some(row) = sqlx::query(LOOK).bind(role).fetch_optional(&mut *connection).await? else {
            faults.push(RoleFault { found: format!("there is no role {role}"), remedy: None });
            continue;
        };
        let mut fault = |found: String, remedy: String| faults.push(RoleFault { found, remedy: Some(remedy) });
        for attribute in row.try_get::<Vec<String>, _>("attributes")? {
            fault(format!("{role} is {attribute}"), format!("ALTER ROLE {role} NO{attribute}"));
        }
        if login == "NOLOGIN" && row.try_get("rolcanlogin")? {
            fault(format!("{role} may log in"), format!("ALTER ROLE {role} NOLOGIN"));
        }
        for group in row.try_get::<Vec<String>, _>("groups")? {
            fault(format!("{role} is a member of {group}, with its rights"), format!("REVOKE {group} FROM {role}"));
        }
        let set: Vec<String> = row.try_get("settings")?;
        for setting in settings {
            let name = setting.split_once(" = ").map_or(*setting, |(name, _)| name);
            if !set.iter().any(|other| other == name) {
                fault(format!("{role} has no {name} of its own"), format!("ALTER ROLE {role} SET {setting}"));
            }
        }
    }
    let rights = deviations(connection).await?;
    faults.extend(rights.iter().map(|right| RoleFault { found: right.to_string(), remedy: Some(right.remedy()) }));
    Ok(faults)
}

/// What is to be known of a role beside its rights.
const LOOK: &str = "
SELECT rolcanlogin,
       array_remove(ARRAY[CASE WHEN rolsuper THEN 'SUPERUSER' END, CASE WHEN rolcreaterole THEN 'CREATEROLE' END,
                          CASE WHEN rolcreatedb THEN 'CREATEDB' END, CASE WHEN rolreplication THEN 'REPLICATION' END,
                          CASE WHEN rolbypassrls THEN 'BYPASSRLS' END], NULL) AS attributes,
       ARRAY(SELECT roleid::regrole::text FROM pg_auth_members WHERE member = r.oid) AS groups,
       ARRAY(SELECT split_part(setting, '=', 1) FROM pg_db_role_setting s, unnest(setconfig) AS setting
             WHERE s.setrole = r.oid) AS settings
FROM pg_roles r WHERE rolname = $1";

/// Somebody has changed the same row of a catalog, or made the same entry, meanwhile.
fn is_concurrent(error: &sqlx::Error) -> bool {
    let concurrent =
        |error: &dyn sqlx::error::DatabaseError| matches!(error.code().as_deref(), Some("23505" | "XX000" | "42710"));
    matches!(error, sqlx::Error::Database(error) if concurrent(&**error)) || classify(error) == Failure::Contention
}
