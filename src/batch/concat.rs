//! Several batches as one.

use crate::hypertable::ColumnType;

use super::{Batch, BatchColumn, column::Column};

/// Why batches cannot be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConcatError {
    /// A column has another type in one batch than in one before.
    #[error("column {column:?} is {first} in one batch and {second} in another")]
    TypeConflict {
        /// The column's name.
        column: String,
        /// Its type where it came first.
        first: ColumnType,
        /// The other type.
        second: ColumnType,
    },
    /// Together they have more rows than a batch can count.
    #[error("the batches have {rows} rows, more than {} together", u32::MAX)]
    TooManyRows {
        /// The rows of all.
        rows: usize,
    },
}

/// See [`Batch::concat`]. Columns come in the order in which they first appear: the measurement's, where each batch has
/// that order and later ones have more.
pub(super) fn concat(batches: &[&Batch]) -> Result<Batch, ConcatError> {
    let rows = batches.iter().map(|batch| batch.len()).sum();
    if u32::try_from(rows).is_err() {
        return Err(ConcatError::TooManyRows { rows });
    }
    let mut joined = Batch::new(Vec::new());
    joined.times_us.reserve_exact(rows);
    joined.series_ids.reserve_exact(rows);
    for batch in batches {
        let first = joined.len();
        for (column, cells) in batch.columns.iter().zip(&batch.cells) {
            let place = place(&mut joined, column)?;
            joined.cells[place].append(first, cells);
        }
        joined.times_us.extend_from_slice(&batch.times_us);
        joined.series_ids.extend_from_slice(&batch.series_ids);
    }
    let bounds = batches.iter().filter_map(|batch| batch.bounds_us);
    joined.bounds_us = bounds.reduce(|(from, to), (other_from, other_to)| (from.min(other_from), to.max(other_to)));
    Ok(joined)
}

/// The place of the column of this name, which is made where there is none.
fn place(joined: &mut Batch, column: &BatchColumn) -> Result<usize, ConcatError> {
    let Some(place) = joined.columns.iter().position(|known| known.name == column.name) else {
        joined.columns.push(column.clone());
        joined.cells.push(Column::new(column.kind));
        return Ok(joined.columns.len() - 1);
    };
    let first = joined.columns[place].kind;
    if first != column.kind {
        return Err(ConcatError::TypeConflict { column: column.name.clone(), first, second: column.kind });
    }
    Ok(place)
}
