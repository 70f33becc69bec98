//! One state of the database, for as many connections as read.

use std::time::Duration;

use sqlx::{Executor, PgConnection, Postgres, Row, pool::PoolConnection};

use crate::{
    db::{Database, Role},
    hypertable::quote_literal,
};

/// A connection within a transaction.
///
/// [`Session::close`] gives it back to the pool. One that is dropped before (its question was given up, possibly in the
/// middle of a COPY) is closed instead, and the server is told to stop what it was doing for it.
#[derive(Debug)]
pub(super) struct Session {
    connection: PoolConnection<Postgres>,
    pid: i32,
    database: Database,
    closed: bool,
}

impl Session {
    /// Begins a transaction in a state that another session has exported.
    pub(super) async fn join(database: &Database, state: &str, time: Duration) -> Result<Self, sqlx::Error> {
        let join = format!("; SET TRANSACTION SNAPSHOT {}", quote_literal(state));
        Ok(Self::begin(database, &join, time, "0::int8").await?.0)
    }

    /// Begins a read-only transaction that sees one state of the database, and reads an int8.
    async fn begin(
        database: &Database,
        join: &str,
        time: Duration,
        expression: &str,
    ) -> Result<(Self, i64), sqlx::Error> {
        let connection = database.reader().acquire().await?;
        // Until the server has said its number, 0 stands for it; see `drop`.
        let mut session = Self { connection, pid: 0, database: database.clone(), closed: false };
        // One message: what passes between the transaction's clock and its snapshot is no round trip, but a moment.
        let begin = format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY{join}; SET LOCAL statement_timeout = {}; \
             SELECT pg_backend_pid() AS pid, {expression} AS value",
            time.as_millis().max(1)
        );
        let row = session.connection.fetch_one(begin.as_str()).await?;
        let (pid, value) = (row.try_get("pid")?, row.try_get("value")?);
        session.pid = pid;
        Ok((session, value))
    }

    /// The connection, within the transaction.
    pub(super) fn connection(&mut self) -> &mut PgConnection {
        &mut self.connection
    }

    /// Ends the transaction and gives the connection back.
    pub(super) async fn close(mut self) -> Result<(), sqlx::Error> {
        self.connection.execute("ROLLBACK").await?;
        self.closed = true;
        Ok(())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.closed {
            return;
        }
        self.connection.close_on_drop();
        let (database, pid) = (self.database.clone(), self.pid);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if pid == 0 {
            return;
        }
        runtime.spawn(async move {
            let cancelled = async {
                let mut connection = database.connect(Role::Reader).await?;
                sqlx::query("SELECT pg_cancel_backend($1)").bind(pid).execute(&mut connection).await
            };
            if let Err(error) = cancelled.await {
                // The server notices by itself as soon as it has something to send.
                tracing::debug!(error = %error, "a statement that nobody waits for was not cancelled");
            }
        });
    }
}

/// One state of the database. Everything that was committed before [`Snapshot::as_of_us`] is in it.
///
/// A snapshot that is dropped without [`Snapshot::close`] costs the pool a connection: do that only where its connection
/// may be in the middle of something.
#[derive(Debug)]
pub struct Snapshot {
    session: Session,
    as_of_us: i64,
    time: Duration,
}

impl Snapshot {
    /// Takes a snapshot on a connection of the reader's pool; the server ends each of its statements after `time`.
    ///
    /// # Errors
    /// The database's.
    pub async fn take(database: &Database, time: Duration) -> Result<Self, sqlx::Error> {
        // The transaction's clock is that of BEGIN, and the snapshot is taken by the statement after it. A replica that is
        // behind knows everything up to the last transaction that it replayed.
        let clock = "(extract(epoch FROM CASE
                WHEN pg_is_in_recovery() AND pg_last_wal_receive_lsn() IS DISTINCT FROM pg_last_wal_replay_lsn()
                THEN least(transaction_timestamp(), pg_last_xact_replay_timestamp())
                ELSE transaction_timestamp() END) * 1000000)::int8";
        let (session, as_of_us) = Session::begin(database, "", time, clock).await?;
        Ok(Self { session, as_of_us, time })
    }

    /// The database's clock, microseconds since 1970, just before the snapshot was taken.
    #[must_use]
    pub fn as_of_us(&self) -> i64 {
        self.as_of_us
    }

    /// A connection that sees this state.
    pub fn connection(&mut self) -> &mut PgConnection {
        self.session.connection()
    }

    /// Makes the state known to other sessions, for as long as this one lives.
    pub(super) async fn export(&mut self) -> Result<Exported, sqlx::Error> {
        let state = sqlx::query_scalar("SELECT pg_export_snapshot()").fetch_one(self.connection()).await?;
        Ok(Exported { database: self.session.database.clone(), state, time: self.time })
    }

    /// Gives the connection back.
    ///
    /// # Errors
    /// The database's.
    pub async fn close(self) -> Result<(), sqlx::Error> {
        self.session.close().await
    }
}

/// A snapshot that other sessions can join.
#[derive(Debug, Clone)]
pub(super) struct Exported {
    database: Database,
    state: String,
    time: Duration,
}

impl Exported {
    pub(super) async fn join(&self) -> Result<Session, sqlx::Error> {
        Session::join(&self.database, &self.state, self.time).await
    }
}
