//! Ready-made rows straight into a table: one transaction = a ledger row and a COPY.

use std::sync::Arc;

use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::Sink;
use crate::{
    bench::{BenchError, lines::CopyRows},
    copy::PIECE_BYTES,
};

#[derive(Debug)]
pub(in crate::bench) struct CopySink {
    connection: PgConnection,
    statement: String,
    rows: Arc<CopyRows>,
}

impl CopySink {
    /// Into a table of time, series_id, price and size.
    pub(in crate::bench) fn new(connection: PgConnection, table: &str, rows: Arc<CopyRows>) -> Self {
        let statement = format!("COPY {table} (\"time\", series_id, price, size) FROM STDIN (FORMAT binary)");
        Self { connection, statement, rows }
    }
}

impl Sink for CopySink {
    /// Whatever `rows` says, a transaction has all ready-made rows.
    async fn send(&mut self, first_row: u64, _: usize) -> Result<(), BenchError> {
        let bytes = self.rows.starting_at(first_row);
        let mut transaction = self.connection.begin().await?;
        sqlx::query(
            "INSERT INTO chunkwise.ledger (id, body_hash, written, expires_at)
             VALUES ($1, $1, $2, now() + interval '1 hour') ON CONFLICT DO NOTHING",
        )
        .bind(Uuid::new_v4())
        .bind(i32::try_from(self.rows.rows()).unwrap_or(i32::MAX))
        .execute(&mut *transaction)
        .await?;
        let mut copy = transaction.copy_in_raw(&self.statement).await?;
        for piece in bytes.chunks(PIECE_BYTES) {
            copy.send(piece).await?;
        }
        let taken = copy.finish().await?;
        transaction.commit().await?;
        let sent = self.rows.rows() as u64;
        if taken == sent { Ok(()) } else { Err(BenchError::Miscounted { sent, found: taken }) }
    }
}
