//! What the figures are held against: the same rows, ready-made, straight into tables.

use std::sync::Arc;

use sqlx::{Executor, PgConnection};

use super::{
    BenchError,
    lines::CopyRows,
    load::{self, Measured},
    scratch::ScratchDatabase,
    sink::{CopySink, Ledger},
};

/// Rows a transaction: more make it no faster.
pub(super) const TRANSACTION_ROWS: usize = 50_000;
/// Connections: fewer leave cores idle, more make it no faster.
const CONNECTIONS: usize = 4;

/// A table beside the service's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Control {
    /// As chunkwise keeps rows: BRIN on time alone. What the database takes of ready-made bytes.
    Ceiling,
    /// As TimescaleDB makes a table, with the index that questions about a series need.
    Naive,
}

impl Control {
    pub(super) fn table(self) -> &'static str {
        match self {
            Self::Ceiling => "bench_ceiling",
            Self::Naive => "bench_naive",
        }
    }

    /// Makes the table, with chunks as long as the service's.
    pub(super) async fn create(self, connection: &mut PgConnection, interval_us: i64) -> Result<(), BenchError> {
        let table = self.table();
        let hypertable = |indexes| {
            format!(
                "SELECT create_hypertable('{table}', by_range('time', {interval_us}::int8), create_default_indexes => {indexes})"
            )
        };
        let columns = "(\"time\" timestamptz NOT NULL, series_id int8 NOT NULL, price float8, size float8)";
        let (hypertable, index) = match self {
            Self::Ceiling => (
                hypertable(false),
                format!("CREATE INDEX ON {table} USING brin (\"time\") WITH (pages_per_range = 32)"),
            ),
            Self::Naive => (hypertable(true), format!("CREATE INDEX ON {table} (series_id, \"time\" DESC)")),
        };
        for statement in [format!("CREATE TABLE {table} {columns}"), hypertable, index] {
            connection.execute(statement.as_str()).await?;
        }
        Ok(())
    }

    /// Writes rows, rounded up to whole transactions.
    pub(super) async fn measure(
        self,
        scratch: &ScratchDatabase,
        ready: &Arc<CopyRows>,
        first_row: u64,
        rows: u64,
    ) -> Result<Measured, BenchError> {
        let mut sinks = Vec::new();
        for _ in 0..CONNECTIONS {
            let mut connection = scratch.connect().await?;
            connection.execute("SET synchronous_commit = on").await?;
            sinks.push(CopySink::new(connection, self.table(), Ledger::Kept, Arc::clone(ready)));
        }
        let whole = rows.next_multiple_of(ready.rows() as u64);
        load::closed(sinks, first_row, whole, ready.rows()).await
    }
}
