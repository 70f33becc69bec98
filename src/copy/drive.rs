//! COPY over a connection.

use sqlx::PgConnection;

use super::Encoder;
use crate::{
    batch::Batch,
    hypertable::{Measurement, quote_ident},
};

/// Copies a batch into its measurement's storage and returns how many rows the server took, which are all.
///
/// Not to be cancelled: the connection is useless if this is dropped half-way, and must be dropped with it.
///
/// # Errors
/// The database's; a count that differs from the batch's is [`sqlx::Error::Protocol`]. Nothing is left of the batch once
/// the transaction is rolled back.
pub async fn copy_in(
    connection: &mut PgConnection,
    measurement: &Measurement,
    batch: &Batch,
) -> Result<u64, sqlx::Error> {
    let columns: String = batch.columns().iter().map(|column| format!(", {}", quote_ident(&column.name))).collect();
    let statement = format!("COPY {} (\"time\", series_id{columns}) FROM STDIN (FORMAT binary)", measurement.storage());
    let mut copy = connection.copy_in_raw(&statement).await?;
    let mut encoder = Encoder::new(batch);
    let mut piece = Vec::new();
    while encoder.next_piece(&mut piece) {
        if let Err(error) = copy.send(piece.as_slice()).await {
            // The server's reason is in its answer, not in the broken pipe.
            return Err(copy.finish().await.err().unwrap_or(error));
        }
    }
    let taken = copy.finish().await?;
    if taken != batch.len() as u64 {
        return Err(sqlx::Error::Protocol(format!("COPY took {taken} of {} rows", batch.len())));
    }
    Ok(taken)
}
