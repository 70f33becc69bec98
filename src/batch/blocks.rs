//! A batch in pieces without many NULLs.

use std::ops::Range;

use super::Batch;

/// Rows of a batch that are next to each other in its order, and the columns that they have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The rows' places in the batch's order.
    pub places: Range<usize>,
    /// The places of the columns in which any of them has a value, ascending; of a batch in one piece, all columns.
    pub columns: Vec<usize>,
}

/// A block may have so many NULLs for each value, and some more: as many as take about as long as a COPY of their own.
const NULLS_A_VALUE: usize = 1;
const SPARE_NULLS: usize = 8_192;

/// See [`Batch::blocks`].
pub(super) fn blocks(batch: &Batch) -> Vec<Block> {
    let columns = batch.columns().len();
    let values = batch.cells.iter().map(|column| column.present()).sum();
    if !is_sparse(batch.len() * columns, values) {
        return vec![Block { places: 0..batch.len(), columns: (0..columns).collect() }];
    }
    let rows = Rows::of(batch, values);
    let mut blocks = Vec::new();
    let mut block = Growing { first: 0, columns: Vec::new(), values: 0 };
    // In which block a column was seen last, the blocks counted from 1.
    let mut seen = vec![0_usize; columns];
    for place in 0..batch.len() {
        let row = rows.columns(batch.arrival(place));
        let number = blocks.len() + 1;
        let new = row.iter().filter(|column| seen[**column as usize] != number).count();
        let cells = (place + 1 - block.first) * (block.columns.len() + new);
        if place > block.first && is_sparse(cells, block.values + row.len()) {
            let next = Growing { first: place, columns: Vec::new(), values: 0 };
            blocks.push(std::mem::replace(&mut block, next).finish(place));
        }
        let number = blocks.len() + 1;
        for &column in row {
            if std::mem::replace(&mut seen[column as usize], number) != number {
                block.columns.push(column as usize);
            }
        }
        block.values += row.len();
    }
    blocks.push(block.finish(batch.len()));
    blocks
}

fn is_sparse(cells: usize, values: usize) -> bool {
    cells - values > SPARE_NULLS + NULLS_A_VALUE * values
}

/// A block that is not complete.
struct Growing {
    first: usize,
    columns: Vec<usize>,
    values: usize,
}

impl Growing {
    fn finish(mut self, end: usize) -> Block {
        self.columns.sort_unstable();
        Block { places: self.first..end, columns: self.columns }
    }
}

/// The columns of each row, by its arrival.
struct Rows {
    columns: Vec<u32>,
    /// Where each row's columns end.
    ends: Vec<usize>,
}

impl Rows {
    fn of(batch: &Batch, values: usize) -> Self {
        // First how many each row has, then where they begin, which the second pass moves to where they end.
        let mut ends = vec![0; batch.len()];
        for column in &batch.cells {
            column.for_each_row(|row| ends[row as usize] += 1);
        }
        let mut first = 0;
        for end in &mut ends {
            (*end, first) = (first, first + *end);
        }
        let mut columns = vec![0; values];
        for (column, number) in batch.cells.iter().zip(0_u32..) {
            column.for_each_row(|row| {
                let at = &mut ends[row as usize];
                columns[*at] = number;
                *at += 1;
            });
        }
        Self { columns, ends }
    }

    fn columns(&self, arrival: usize) -> &[u32] {
        let start = arrival.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.columns[start..self.ends[arrival]]
    }
}
