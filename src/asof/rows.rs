//! Rows of one side and one slice of time.

use std::cmp::Ordering;

/// Rows in the order of their arrival, by column. What is no number is missing, as NaN.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SideRows {
    fields: usize,
    pairs: Vec<u32>,
    times_us: Vec<i64>,
    /// Row by row, so that a row's values lie together.
    values: Vec<f64>,
}

impl SideRows {
    /// No rows yet; each will have so many values.
    #[must_use]
    pub fn new(fields: usize) -> Self {
        Self { fields, ..Self::default() }
    }

    /// Adds a row, unless none of its values is a number: such a row says nothing.
    ///
    /// # Panics
    /// Never; values beyond the number of fields are dropped, and too few are filled up with missing ones.
    #[inline]
    pub fn push(&mut self, pair: u32, time_us: i64, values: impl IntoIterator<Item = f64>) {
        let begin = self.values.len();
        let values = values.into_iter().map(|value| if value.is_finite() { value } else { f64::NAN });
        self.values.extend(values.take(self.fields));
        self.values.resize(begin + self.fields, f64::NAN);
        if self.values[begin..].iter().all(|value| value.is_nan()) {
            self.values.truncate(begin);
            return;
        }
        self.pairs.push(pair);
        self.times_us.push(time_us);
    }

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

    /// Each row's pair, time in microseconds since 1970, and values, in the order of their arrival.
    pub fn iter(&self) -> impl Iterator<Item = (u32, i64, &[f64])> {
        let values = self.values.chunks_exact(self.fields.max(1));
        self.pairs.iter().zip(&self.times_us).zip(values).map(|((pair, time_us), values)| (*pair, *time_us, values))
    }

    /// The memory that so many rows take while they are joined, the answer not counted.
    #[must_use]
    pub fn bytes_needed(rows: u64, fields: usize) -> u64 {
        // Pair, time and values, and a place in the order.
        rows.saturating_mul(4 + 8 + 4 + 8 * fields as u64)
    }

    pub(super) fn time_us(&self, row: u32) -> i64 {
        self.times_us[row as usize]
    }

    pub(super) fn values(&self, row: u32) -> &[f64] {
        &self.values[row as usize * self.fields..][..self.fields]
    }

    /// The rows by pair, then by time, then by their values; and where each pair's begin in that order.
    ///
    /// Pairs are counted, not compared; and within a pair rows mostly arrive in order, which the sort then only checks.
    pub(super) fn ordered(&self, pairs: usize) -> Ordered {
        let mut starts = vec![0_u32; pairs + 1];
        for pair in &self.pairs {
            starts[*pair as usize + 1] += 1;
        }
        for pair in 0..pairs {
            starts[pair + 1] += starts[pair];
        }
        let mut next = starts.clone();
        let mut rows = vec![0_u32; self.len()];
        for (row, pair) in (0_u32..).zip(&self.pairs) {
            let place = &mut next[*pair as usize];
            rows[*place as usize] = row;
            *place += 1;
        }
        for pair in 0..pairs {
            rows[starts[pair] as usize..starts[pair + 1] as usize].sort_by(|a, b| {
                self.time_us(*a).cmp(&self.time_us(*b)).then_with(|| greater(self.values(*a), self.values(*b)))
            });
        }
        Ordered { starts, rows }
    }
}

/// See [`SideRows::ordered`].
pub(super) struct Ordered {
    starts: Vec<u32>,
    rows: Vec<u32>,
}

impl Ordered {
    pub(super) fn of_pair(&self, pair: usize) -> &[u32] {
        &self.rows[self.starts[pair] as usize..self.starts[pair + 1] as usize]
    }
}

/// Field by field; a missing value is less than any other.
pub(super) fn greater(a: &[f64], b: &[f64]) -> Ordering {
    let value = |a: &f64, b: &f64| a.partial_cmp(b).unwrap_or_else(|| b.is_nan().cmp(&a.is_nan()));
    a.iter().zip(b).map(|(a, b)| value(a, b)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}
