//! The buckets of a range of time, by number.

/// The starts of consecutive buckets, ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Starts {
    /// Buckets of equal length.
    Regular {
        /// The start of the first bucket.
        first_us: i64,
        /// The length of each, greater than zero.
        width_us: i64,
        /// How many there are.
        len: usize,
    },
    /// Buckets whose lengths differ: months, and local days.
    Listed {
        /// The start of each.
        starts: Vec<i64>,
        /// The end of the last.
        end_us: i64,
    },
}

/// A range of time holds more buckets than may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the range holds {would_be} buckets, more than the {limit} allowed: ask for a shorter range or wider buckets")]
pub struct TooManyBuckets {
    /// How many buckets the range holds.
    pub would_be: u64,
    /// How many are allowed.
    pub limit: usize,
}

impl Starts {
    /// How many buckets there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Regular { len, .. } => *len,
            Self::Listed { starts, .. } => starts.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The start of the bucket with this number, counted from 0.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<i64> {
        match self {
            Self::Regular { first_us, width_us, len } => {
                let index = i64::try_from(index).ok().filter(|_| index < *len)?;
                Some(first_us.saturating_add(width_us.saturating_mul(index)))
            }
            Self::Listed { starts, .. } => starts.get(index).copied(),
        }
    }

    /// All starts, in order.
    pub fn iter(&self) -> impl Iterator<Item = i64> + '_ {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    /// The end of the last bucket; where there are no buckets, the time at which the first would start.
    #[must_use]
    pub fn end_us(&self) -> i64 {
        match self {
            Self::Regular { first_us, width_us, len } => {
                let len = i64::try_from(*len).unwrap_or(i64::MAX);
                first_us.saturating_add(width_us.saturating_mul(len))
            }
            Self::Listed { end_us, .. } => *end_us,
        }
    }

    /// The number of the bucket that holds this time, `None` before the first bucket and from the end of the last on.
    ///
    /// One subtraction and one division for buckets of equal length, else a binary search.
    #[inline]
    #[must_use]
    pub fn index_of(&self, t_us: i64) -> Option<usize> {
        match self {
            Self::Regular { first_us, width_us, len } => {
                let past = u64::try_from(t_us.checked_sub(*first_us)?).ok()?;
                let index = usize::try_from(past / width_us.unsigned_abs()).ok()?;
                (index < *len).then_some(index)
            }
            Self::Listed { starts, end_us } => {
                if t_us >= *end_us {
                    return None;
                }
                starts.partition_point(|start| *start <= t_us).checked_sub(1)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_in_the_bucket_that_starts_at_or_before_it() {
        let regular = Starts::Regular { first_us: -20, width_us: 10, len: 3 };
        let listed = Starts::Listed { starts: vec![-20, -10, 0], end_us: 10 };
        for starts in [regular, listed] {
            let found: Vec<_> =
                [-21, -20, -11, -10, -1, 0, 9, 10, i64::MIN, i64::MAX].map(|t| starts.index_of(t)).into();
            assert_eq!(
                found,
                [None, Some(0), Some(0), Some(1), Some(1), Some(2), Some(2), None, None, None],
                "{starts:?}"
            );
            assert_eq!(starts.iter().collect::<Vec<_>>(), [-20, -10, 0]);
            assert_eq!((starts.get(2), starts.get(3), starts.end_us()), (Some(0), None, 10));
        }
    }

    #[test]
    fn no_buckets_hold_no_time() {
        let empty = Starts::Listed { starts: vec![], end_us: 5 };
        assert!(empty.is_empty());
        assert_eq!((empty.index_of(4), empty.index_of(5), empty.end_us()), (None, None, 5));
    }
}
