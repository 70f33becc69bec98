//! Pools and sessions.

use std::time::Duration;

use sqlx::{
    ConnectOptions, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

/// What a session is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Makes and grows tables, runs jobs.
    Owner,
    /// Copies rows.
    Writer,
    /// Answers questions; its sessions are read-only.
    Reader,
}

impl Role {
    fn application_name(self) -> &'static str {
        match self {
            Self::Owner => "chunkwise-owner",
            Self::Writer => "chunkwise-writer",
            Self::Reader => "chunkwise-reader",
        }
    }
}

/// How the server notices that a client is gone whose network, or whose machine, ended without a word: after half a minute.
/// Without it a transaction that nobody will end keeps its locks for two hours. The driver has no such setting for this
/// side, where every attempt has a deadline of its own instead.
///
/// Not for readers, whose answers may rightly wait that long for a slow client. Over a Unix socket it has no effect.
const LOST_CLIENT: [(&str, &str); 4] = [
    ("tcp_keepalives_idle", "15"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "30000"),
];

/// Where the three roles connect to, and within which limits.
#[derive(Debug, Clone)]
pub struct DatabaseOptions {
    /// The owner's server and credentials.
    pub owner: PgConnectOptions,
    /// The writer's.
    pub writer: PgConnectOptions,
    /// The reader's; may be a replica.
    pub reader: PgConnectOptions,
    /// Connections for questions. Too few make questions wait for each other, too many take memory from the server.
    pub reader_connections: u32,
    /// The server ends a question's statement after this long.
    pub statement_timeout: Duration,
    /// How long a request waits for a connection before it is told that the database is unavailable.
    pub acquire_timeout: Duration,
}

impl DatabaseOptions {
    /// One server and one set of credentials for everything, with the defaults for the rest.
    #[must_use]
    pub fn single(options: PgConnectOptions) -> Self {
        Self {
            owner: options.clone(),
            writer: options.clone(),
            reader: options,
            reader_connections: 12,
            statement_timeout: Duration::from_secs(60),
            acquire_timeout: Duration::from_secs(5),
        }
    }

    fn session(&self, role: Role) -> PgConnectOptions {
        let base = match role {
            Role::Owner => &self.owner,
            Role::Writer => &self.writer,
            Role::Reader => &self.reader,
        };
        let options = base
            .clone()
            .application_name(role.application_name())
            .log_statements(log::LevelFilter::Off)
            .log_slow_statements(log::LevelFilter::Off, Duration::ZERO);
        match role {
            Role::Owner => options.options([("timezone", "UTC"), ("statement_timeout", "0")]).options(LOST_CLIENT),
            // A commit that is acknowledged is on disk, whatever the server's default is.
            // A table that somebody holds locked must not hold a writer for long: others wait for it.
            Role::Writer => options
                .options([
                    ("timezone", "UTC"),
                    ("synchronous_commit", "on"),
                    ("statement_timeout", "0"),
                    ("lock_timeout", "5s"),
                    ("idle_in_transaction_session_timeout", "90s"),
                ])
                .options(LOST_CLIENT),
            Role::Reader => options.options([
                ("timezone", "UTC"),
                ("default_transaction_read_only", "on"),
                ("jit", "off"),
                ("statement_timeout", &self.statement_timeout.as_millis().to_string()),
            ]),
        }
    }
}

/// The database, by role. Cheap to clone. Nothing is connected until it is needed.
#[derive(Debug, Clone)]
pub struct Database {
    options: DatabaseOptions,
    owner: PgPool,
    reader: PgPool,
}

impl Database {
    /// Prepares pools; must be called within a tokio runtime.
    #[must_use]
    pub fn new(options: DatabaseOptions) -> Self {
        let pool = |connections: u32, role: Role| {
            PgPoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(options.acquire_timeout)
                .idle_timeout(Duration::from_secs(300))
                .connect_lazy_with(options.session(role))
        };
        // Schema growth is one at a time by design; the second connection is for jobs and look-ups beside it.
        let owner = pool(3, Role::Owner);
        let reader = pool(options.reader_connections, Role::Reader);
        Self { options, owner, reader }
    }

    /// The owner's pool: schema growth and jobs.
    #[must_use]
    pub fn owner(&self) -> &PgPool {
        &self.owner
    }

    /// The reader's pool: questions.
    #[must_use]
    pub fn reader(&self) -> &PgPool {
        &self.reader
    }

    /// How many connections questions share.
    #[must_use]
    pub fn reader_connections(&self) -> u32 {
        self.options.reader_connections
    }

    /// A connection of the caller's own: a writer that drops it in the middle of a COPY harms nobody else.
    ///
    /// # Errors
    /// The server cannot be reached, or refuses.
    pub async fn connect(&self, role: Role) -> Result<PgConnection, sqlx::Error> {
        let session = self.options.session(role);
        match tokio::time::timeout(self.options.acquire_timeout, session.connect()).await {
            Ok(connection) => connection,
            Err(_) => Err(sqlx::Error::PoolTimedOut),
        }
    }

    /// Closes the pools; waits for connections in use.
    pub async fn close(&self) {
        self.owner.close().await;
        self.reader.close().await;
    }
}
