//! The order in which rows go to the database.

/// The rows in order of (series, time, arrival); none if they are in that order already. Both slices have a cell a row,
/// at most `u32::MAX`.
///
/// Within a batch, series and times mostly lie so close together that a row's series, time and arrival fit one `u64`;
/// integers sort several times faster than tuples.
pub(super) fn permutation(series_ids: &[i64], times_us: &[i64]) -> Option<Vec<u32>> {
    let keys = || series_ids.iter().copied().zip(times_us.iter().copied());
    if keys().is_sorted() {
        return None;
    }
    let series = Range::of(series_ids);
    let times = Range::of(times_us);
    let row_bits = u64::BITS - (series_ids.len() as u64).leading_zeros();
    // The row has at least one bit, so neither shift below is by 64.
    if series.bits() + times.bits() + row_bits > u64::BITS {
        let mut rows: Vec<_> = keys().zip(0_u32..).collect();
        rows.sort_unstable();
        return Some(rows.into_iter().map(|(_, row)| row).collect());
    }
    let mut packed: Vec<u64> = keys()
        .zip(0_u64..)
        .map(|((series_id, us), row)| ((series.offset(series_id) << times.bits() | times.offset(us)) << row_bits) | row)
        .collect();
    packed.sort_unstable();
    let row_mask = (1 << row_bits) - 1;
    #[expect(clippy::cast_possible_truncation, reason = "a row's number fits 32 bits")]
    let rows = packed.into_iter().map(|key| (key & row_mask) as u32).collect();
    Some(rows)
}

/// From the least to the greatest of some numbers.
struct Range {
    least: i64,
    greatest: i64,
}

impl Range {
    /// The range of `numbers`; zero where there are none.
    fn of(numbers: &[i64]) -> Self {
        let least = numbers.iter().copied().min().unwrap_or(0);
        Self { least, greatest: numbers.iter().copied().max().unwrap_or(0) }
    }

    /// How far `number`, which is in the range, is from its start.
    fn offset(&self, number: i64) -> u64 {
        number.wrapping_sub(self.least).cast_unsigned()
    }

    /// How many bits hold any offset.
    fn bits(&self) -> u32 {
        u64::BITS - self.offset(self.greatest).leading_zeros()
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        #[test]
        fn rows_come_by_series_and_time_and_equal_ones_as_they_arrived(
            // From all alike to all of 64 bits, so that both ways of sorting are taken.
            spread in prop_oneof![Just((64, 64)), Just((60, 60)), Just((60, 4)), Just((4, 60)), Just((40, 20)), Just((0, 0)), (0..64_u32, 0..64_u32)],
            rows in vec((any::<i64>(), any::<i64>()), 0..200),
        ) {
            let narrow = |number: i64, bits: u32| if bits == 0 { 7 } else { number >> (64 - bits) };
            let (series_ids, times): (Vec<_>, Vec<_>) =
                rows.iter().map(|&(series, time)| (narrow(series, spread.0), narrow(time, spread.1))).unzip();
            let mut expected: Vec<usize> = (0..rows.len()).collect();
            expected.sort_by_key(|&row| (series_ids[row], times[row]));
            match permutation(&series_ids, &times) {
                Some(rows) => prop_assert_eq!(rows.iter().map(|&row| row as usize).collect::<Vec<_>>(), expected),
                None => prop_assert!(expected.is_sorted()),
            }
        }
    }
}
