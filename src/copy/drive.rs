//! COPY over a connection.

use std::ops::Range;

use sqlx::PgConnection;

use super::{EncodeError, Encoder};
use crate::{
    batch::{Batch, BatchColumn, Block},
    hypertable::{ColumnType, Measurement, quote_ident},
};

/// The server took other rows than it was sent. A trigger of somebody else's may leave rows out; and a COPY that ends
/// without its trailer is taken as whole, so that an encoder that stops early would lose rows unnoticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("COPY took {taken} of {sent} rows")]
pub struct WrongCount {
    /// Rows that the server took.
    pub taken: u64,
    /// Rows that it was sent.
    pub sent: u64,
}

/// Copies a batch into its measurement's storage, a COPY for each of its [blocks](Batch::blocks), and returns how many rows
/// the server took, which are all.
///
/// Not to be cancelled: the connection is useless if this is dropped half-way, and must be dropped with it.
///
/// # Errors
/// The database's; [`WrongCount`] as [`sqlx::Error::AnyDriverError`], [`EncodeError`] as [`sqlx::Error::Encode`]. Nothing
/// is left of the batch once the transaction, or a savepoint before it, is rolled back.
pub async fn copy_in(
    connection: &mut PgConnection,
    measurement: &Measurement,
    batch: &Batch,
) -> Result<u64, sqlx::Error> {
    let mut taken = 0;
    for Block { places, columns } in batch.blocks() {
        taken += copy_rows(connection, measurement, batch, &columns, places).await?;
    }
    Ok(taken)
}

/// A COPY of the rows at some places of the batch's order, with some of its columns.
///
/// # Errors
/// As those of [`copy_in`].
pub async fn copy_rows(
    connection: &mut PgConnection,
    measurement: &Measurement,
    batch: &Batch,
    columns: &[usize],
    places: Range<usize>,
) -> Result<u64, sqlx::Error> {
    let columns_of_rows: Vec<_> = columns.iter().map(|&column| &batch.columns()[column]).collect();
    let statement = statement(&measurement.storage(), &columns_of_rows);
    let mut encoder = Encoder::of_columns(batch, columns, places).map_err(encode_error)?;
    let rows = encoder.rows() as u64;
    copy_pieces(connection, &statement, rows, |piece| encoder.next_piece(piece)).await
}

/// The statement. A column that somebody has given another type by hand would take the old type's bits wherever their length
/// fits: a float8's are an int8 too. So the statement has a condition, always true and dropped by the planner, that is no
/// SQL unless each column has its type: arrays of two types cannot be compared, and only text matches a pattern. COPY's own
/// lock holds the types from there on.
fn statement(storage: &str, columns: &[&BatchColumn]) -> String {
    let mut names = "\"time\", series_id".to_owned();
    let mut types = typed("\"time\"", ColumnType::Timestamptz) + " OR " + &typed("series_id", ColumnType::Int8);
    for BatchColumn { name, kind } in columns {
        let name = quote_ident(name);
        names += &format!(", {name}");
        types += &format!(" OR {}", typed(&name, *kind));
    }
    format!("COPY {storage} ({names}) FROM STDIN (FORMAT binary) WHERE true OR {types}")
}

fn typed(column: &str, kind: ColumnType) -> String {
    match kind {
        // Also what is text by another name.
        ColumnType::Text => format!("{column} OPERATOR(pg_catalog.~) ''"),
        kind => format!("ARRAY[{column}] OPERATOR(pg_catalog.=) '{{}}'::pg_catalog.{kind}[]"),
    }
}

/// Runs the COPY of `statement` with the bytes that `next_piece` puts into its buffer until it says `false`, which must be
/// those of `rows` rows. If it fails, so does the COPY: half of it never counts as whole.
///
/// # Errors
/// As those of [`copy_in`].
pub async fn copy_pieces(
    connection: &mut PgConnection,
    statement: &str,
    rows: u64,
    mut next_piece: impl FnMut(&mut Vec<u8>) -> Result<bool, EncodeError>,
) -> Result<u64, sqlx::Error> {
    let mut copy = connection.copy_in_raw(statement).await?;
    let mut piece = Vec::new();
    loop {
        match next_piece(&mut piece) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                copy.abort("the rows cannot be encoded").await?;
                return Err(encode_error(error));
            }
        }
        if let Err(error) = copy.send(piece.as_slice()).await {
            // The server's reason is in its answer, not in the broken pipe.
            return Err(copy.finish().await.err().unwrap_or(error));
        }
        // Where the server takes all that is sent nothing else would have this thread until the end.
        tokio::task::yield_now().await;
    }
    let taken = copy.finish().await?;
    if taken != rows {
        return Err(sqlx::Error::AnyDriverError(Box::new(WrongCount { taken, sent: rows })));
    }
    Ok(taken)
}

fn encode_error(error: EncodeError) -> sqlx::Error {
    sqlx::Error::Encode(Box::new(error))
}
