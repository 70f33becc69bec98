//! Rows -> one value a cell.
//!
//! Every cell (series, bucket) holds just the state that its aggregate needs; rows come in any order. The partial state
//! of one slice of time folds into the whole with [`Accumulator::merge`], so slices can be read at the same time, and
//! may share the bucket that lies across their seam.
//!
//! | aggregate | state of a cell | bytes |
//! |---|---|---|
//! | last, first | time and value of the row kept | 16 |
//! | min, max | value | 8 |
//! | count | number | 8 |
//! | sum | sum and what rounding lost of it | 16 |
//! | mean | the same, and the number | 24 |
//!
//! Adding is O(1), merging and finishing O(cells). Last, first, min, max and count are exactly the same for any order
//! and partition of the rows; sum and mean but for the last bit, as they are compensated (Neumaier,
//! "Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen", ZAMM 54, 1974). A sum that leaves the
//! range of a float64 on the way is missing.

use ndarray::Array2;

use self::cell::{Cell, Count, Earliest, Greatest, Latest, Least, Mean, Row, Sum, Value};
use crate::question::Aggregate;

mod cell;
#[cfg(test)]
mod tests;

/// The state of rows x buckets cells.
#[derive(Debug, Clone)]
pub struct Accumulator {
    rows: usize,
    buckets: usize,
    cells: Cells,
}

/// Row after row.
#[derive(Debug, Clone)]
enum Cells {
    Last(Vec<Row<Latest>>),
    First(Vec<Row<Earliest>>),
    Mean(Vec<Mean>),
    Min(Vec<Value<Least>>),
    Max(Vec<Value<Greatest>>),
    Sum(Vec<Sum>),
    Count(Vec<Count>),
}

/// Runs the same expression over the cells, whichever aggregate they are of.
macro_rules! each_kind {
    ($cells:expr, $vec:ident => $run:expr) => {
        match $cells {
            Cells::Last($vec) => $run,
            Cells::First($vec) => $run,
            Cells::Mean($vec) => $run,
            Cells::Min($vec) => $run,
            Cells::Max($vec) => $run,
            Cells::Sum($vec) => $run,
            Cells::Count($vec) => $run,
        }
    };
}

impl Accumulator {
    /// All cells empty.
    ///
    /// # Panics
    /// If rows x buckets overflows; ask [`Accumulator::bytes_needed`] first.
    #[must_use]
    pub fn new(rows: usize, buckets: usize, aggregate: Aggregate) -> Self {
        let len = rows.checked_mul(buckets).expect("rows x buckets was checked by the caller");
        let cells = match aggregate {
            Aggregate::Last => Cells::Last(vec![Cell::EMPTY; len]),
            Aggregate::First => Cells::First(vec![Cell::EMPTY; len]),
            Aggregate::Mean => Cells::Mean(vec![Cell::EMPTY; len]),
            Aggregate::Min => Cells::Min(vec![Cell::EMPTY; len]),
            Aggregate::Max => Cells::Max(vec![Cell::EMPTY; len]),
            Aggregate::Sum => Cells::Sum(vec![Cell::EMPTY; len]),
            Aggregate::Count => Cells::Count(vec![Cell::EMPTY; len]),
        };
        Self { rows, buckets, cells }
    }

    /// The memory that an accumulator takes together with the array that [`Accumulator::finish`] makes of it; `None`
    /// where that is more than can be addressed.
    #[must_use]
    pub fn bytes_needed(rows: usize, buckets: usize, aggregate: Aggregate) -> Option<usize> {
        let cell_bytes = match aggregate {
            Aggregate::Last => size_of::<Row<Latest>>(),
            Aggregate::First => size_of::<Row<Earliest>>(),
            Aggregate::Mean => size_of::<Mean>(),
            Aggregate::Min => size_of::<Value<Least>>(),
            Aggregate::Max => size_of::<Value<Greatest>>(),
            Aggregate::Sum => size_of::<Sum>(),
            Aggregate::Count => size_of::<Count>(),
        };
        rows.checked_mul(buckets)?.checked_mul(cell_bytes + size_of::<f64>())
    }

    /// How many series there are.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// How many buckets there are.
    #[must_use]
    pub fn buckets(&self) -> usize {
        self.buckets
    }

    /// Takes one value in. A value that is not finite counts as missing and is passed over.
    ///
    /// # Panics
    /// If `row` or `bucket` is out of bounds.
    #[inline]
    pub fn add(&mut self, row: usize, bucket: usize, time_us: i64, value: f64) {
        assert!(bucket < self.buckets, "bucket {bucket} of {}", self.buckets);
        if value.is_finite() {
            let index = row * self.buckets + bucket;
            each_kind!(&mut self.cells, cells => cells[index].add(time_us, value));
        }
    }

    /// Takes in what another accumulator of the same rows and aggregate has taken in; its bucket 0 is this one's bucket
    /// `bucket_offset`.
    ///
    /// # Panics
    /// If rows or aggregates differ, or the other's buckets reach beyond this one's.
    pub fn merge(&mut self, other: &Self, bucket_offset: usize) {
        assert_eq!(self.rows, other.rows, "slices have the same rows");
        assert!(
            bucket_offset.checked_add(other.buckets).is_some_and(|end| end <= self.buckets),
            "{} buckets from {bucket_offset} on reach beyond {}",
            other.buckets,
            self.buckets
        );
        let place = Place { whole: self.buckets, part: other.buckets, offset: bucket_offset };
        match (&mut self.cells, &other.cells) {
            (Cells::Last(whole), Cells::Last(part)) => place.merge(whole, part),
            (Cells::First(whole), Cells::First(part)) => place.merge(whole, part),
            (Cells::Mean(whole), Cells::Mean(part)) => place.merge(whole, part),
            (Cells::Min(whole), Cells::Min(part)) => place.merge(whole, part),
            (Cells::Max(whole), Cells::Max(part)) => place.merge(whole, part),
            (Cells::Sum(whole), Cells::Sum(part)) => place.merge(whole, part),
            (Cells::Count(whole), Cells::Count(part)) => place.merge(whole, part),
            _ => panic!("slices have the same aggregate"),
        }
    }

    /// For each bucket whether any row has a value in it.
    #[must_use]
    pub fn observed(&self) -> Vec<bool> {
        let mut observed = vec![false; self.buckets];
        if self.buckets > 0 {
            each_kind!(&self.cells, cells => {
                for row in cells.chunks_exact(self.buckets) {
                    for (observed, cell) in observed.iter_mut().zip(row) {
                        *observed |= !cell.is_empty();
                    }
                }
            });
        }
        observed
    }

    /// The aggregates: rows x buckets, missing = NaN, never infinite.
    #[must_use]
    pub fn finish(self) -> Array2<f64> {
        let values: Vec<f64> = each_kind!(self.cells, cells => cells.into_iter().map(|cell| cell.value()).collect());
        Array2::from_shape_vec((self.rows, self.buckets), values).expect("there are rows x buckets cells")
    }
}

/// Where the buckets of a part lie in the whole.
struct Place {
    whole: usize,
    part: usize,
    offset: usize,
}

impl Place {
    fn merge<C: Cell>(&self, whole: &mut [C], part: &[C]) {
        if self.part == 0 {
            return;
        }
        for (whole, part) in whole.chunks_exact_mut(self.whole).zip(part.chunks_exact(self.part)) {
            for (whole, part) in whole[self.offset..].iter_mut().zip(part) {
                whole.merge(*part);
            }
        }
    }
}
