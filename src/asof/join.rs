//! The join itself.

use super::{SideRows, rows::greater};

/// What becomes of a left row for which there is no right one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmatched {
    /// It stays, with nothing beside it.
    Kept,
    /// It is left out.
    Dropped,
}

/// Joined rows by column, by pair and then by time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Joined {
    /// Each row's pair.
    pub pairs: Vec<u32>,
    /// The left row's time, microseconds since 1970.
    pub times_us: Vec<i64>,
    /// The left values, row by row; NaN is missing.
    pub left: Vec<f64>,
    /// The right values likewise.
    pub right: Vec<f64>,
    /// The right row's time; `None` where there is no right row.
    pub right_times_us: Vec<Option<i64>>,
}

impl Joined {
    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.times_us.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.times_us.is_empty()
    }

    /// The memory that so many rows take: as they come, and once more while they are brought into their order.
    #[must_use]
    pub fn bytes_needed(rows: u64, left_fields: usize, right_fields: usize) -> u64 {
        rows.saturating_mul(2 * (4 + 8 + 16 + 8 * (left_fields as u64 + right_fields as u64)))
    }
}

/// A join under way. Slices are given in the order of time.
#[derive(Debug)]
pub struct AsofJoin {
    pairs: usize,
    left_fields: usize,
    right_fields: usize,
    tolerance_us: i64,
    unmatched: Unmatched,
    /// The last right row of each pair: its time, and its values pair by pair.
    carried_us: Vec<Option<i64>>,
    carried: Vec<f64>,
    joined: Joined,
}

impl AsofJoin {
    /// A join of `pairs` pairs, with so many fields on either side. A right row is taken up to `tolerance_us` after its time.
    #[must_use]
    pub fn new(pairs: usize, left_fields: usize, right_fields: usize, tolerance_us: i64, unmatched: Unmatched) -> Self {
        Self {
            pairs,
            left_fields,
            right_fields,
            tolerance_us,
            unmatched,
            carried_us: vec![None; pairs],
            carried: vec![f64::NAN; pairs * right_fields],
            joined: Joined::default(),
        }
    }

    /// Joins the rows of the next slice of time. No row of an earlier slice may be later than one of a later slice; rows of
    /// pairs that there are not are the caller's mistake, and panic.
    pub fn push(&mut self, left: &SideRows, right: &SideRows) {
        let (left_order, right_order) = (left.ordered(self.pairs), right.ordered(self.pairs));
        for pair in 0..self.pairs {
            let mut right_rows = right_order.of_pair(pair).iter().copied().peekable();
            for &row in left_order.of_pair(pair) {
                let time_us = left.time_us(row);
                let mut last = None;
                while let Some(next) = right_rows.next_if(|next| right.time_us(*next) <= time_us) {
                    last = Some(next);
                }
                if let Some(last) = last {
                    self.carry(pair, right.time_us(last), right.values(last));
                }
                self.add(pair, time_us, left.values(row));
            }
            if let Some(last) = right_rows.last() {
                self.carry(pair, right.time_us(last), right.values(last));
            }
        }
    }

    /// Rows that there are so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.joined.len()
    }

    /// Whether there are none so far.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.joined.is_empty()
    }

    fn carry(&mut self, pair: usize, time_us: i64, values: &[f64]) {
        let carried = &mut self.carried[pair * self.right_fields..][..self.right_fields];
        // Two slices may meet at one moment, if the caller cuts so.
        if self.carried_us[pair] == Some(time_us) && greater(carried, values).is_gt() {
            return;
        }
        self.carried_us[pair] = Some(time_us);
        carried.copy_from_slice(values);
    }

    fn add(&mut self, pair: usize, time_us: i64, values: &[f64]) {
        let right_us = self.carried_us[pair].filter(|right_us| time_us.saturating_sub(*right_us) <= self.tolerance_us);
        if right_us.is_none() && self.unmatched == Unmatched::Dropped {
            return;
        }
        let Joined { pairs, times_us, left, right, right_times_us } = &mut self.joined;
        // Pairs are numbered in 32 bits.
        pairs.push(u32::try_from(pair).unwrap_or(u32::MAX));
        times_us.push(time_us);
        left.extend_from_slice(values);
        right_times_us.push(right_us);
        match right_us {
            Some(_) => right.extend_from_slice(&self.carried[pair * self.right_fields..][..self.right_fields]),
            None => right.resize(right.len() + self.right_fields, f64::NAN),
        }
    }

    /// The answer, by pair and then by time: slice after slice holds every pair in turn, so rows are counted by pair, and each
    /// goes to its place.
    #[must_use]
    pub fn finish(self) -> Joined {
        let Self { pairs, left_fields, right_fields, joined, .. } = self;
        if joined.pairs.is_sorted() {
            return joined;
        }
        let mut next = vec![0_usize; pairs + 1];
        for pair in &joined.pairs {
            next[*pair as usize + 1] += 1;
        }
        for pair in 0..pairs {
            next[pair + 1] += next[pair];
        }
        let mut order = vec![0_usize; joined.len()];
        for (row, pair) in joined.pairs.iter().enumerate() {
            order[next[*pair as usize]] = row;
            next[*pair as usize] += 1;
        }
        Joined {
            pairs: order.iter().map(|row| joined.pairs[*row]).collect(),
            times_us: order.iter().map(|row| joined.times_us[*row]).collect(),
            left: order.iter().flat_map(|row| &joined.left[row * left_fields..][..left_fields]).copied().collect(),
            right: order.iter().flat_map(|row| &joined.right[row * right_fields..][..right_fields]).copied().collect(),
            right_times_us: order.iter().map(|row| joined.right_times_us[*row]).collect(),
        }
    }
}
