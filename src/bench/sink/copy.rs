//! Ready-made rows straight into a table: one transaction = a COPY, with a ledger row or without.

use std::sync::Arc;

use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::Sink;
use crate::{
    bench::{BenchError, lines::CopyRows},
    copy::PIECE_BYTES,
};

/// What goes with the rows of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bench) enum Ledger {
    /// A row in chunkwise's ledger, as with rows that chunkwise writes.
    Kept,
    /// Nothing, as with rows that anybody writes.
    Absent,
}

#[derive(Debug)]
pub(in crate::bench) struct CopySink {
    connection: PgConnection,
    statement: String,
    ledger: Ledger,
    rows: Arc<CopyRows>,
}

impl CopySink {
    /// Into a table of time, series_id, price and size.
    pub(in crate::bench) fn new(connection: PgConnection, table: &str, ledger: Ledger, rows: Arc<CopyRows>) -> Self {
        let statement = format!("COPY {table} (\"time\", series_id, price, size) FROM STDIN (FORMAT binary)");
        Self { connection, statement, ledger, rows }
    }
}

impl Sink for CopySink {
    async fn send(&mut self, first_row: u64, rows: usize) -> Result<(), BenchError> {
        let bytes = self.rows.body(first_row, rows);
        let mut transaction = self.connection.begin().await?;
        if self.ledger == Ledger::Kept {
            sqlx::query(
                "INSERT INTO chunkwise.ledger (id, body_hash, written, expires_at)
                 VALUES ($1, $1, $2, now() + interval '1 hour') ON CONFLICT DO NOTHING",
            )
            .bind(Uuid::new_v4())
            .bind(i32::try_from(rows).unwrap_or(i32::MAX))
            .execute(&mut *transaction)
            .await?;
        }
        let mut copy = transaction.copy_in_raw(&self.statement).await?;
        for piece in bytes.chunks(PIECE_BYTES) {
            copy.send(piece).await?;
        }
        let taken = copy.finish().await?;
        transaction.commit().await?;
        let sent = rows as u64;
        if taken == sent { Ok(()) } else { Err(BenchError::Miscounted { sent, found: taken }) }
    }
}
