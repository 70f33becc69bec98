//! From a series id to its row.

use hashbrown::HashMap;

/// A table may have so many places for each series before a hash map is the smaller one.
const PLACES_PER_SERIES: usize = 8;
/// A table of this size is small enough for any number of series.
const SMALL_TABLE: usize = 1 << 16;

/// The rows of series by id.
#[derive(Debug)]
pub(super) enum RowIndex {
    /// Ids that lie close together: a table from the least on, `u32::MAX` where there is none.
    Table { least: i64, rows: Vec<u32> },
    /// Any ids.
    Map(HashMap<i64, u32>),
}

impl RowIndex {
    /// Of series in the order of their rows.
    pub(super) fn new(ids: &[i64]) -> Self {
        let numbered = || ids.iter().copied().zip(0_u32..);
        let (Some(least), Some(greatest)) = (ids.iter().min(), ids.iter().max()) else {
            return Self::Map(HashMap::new());
        };
        let places = usize::try_from(greatest.abs_diff(*least)).unwrap_or(usize::MAX).saturating_add(1);
        if places > SMALL_TABLE.max(ids.len().saturating_mul(PLACES_PER_SERIES)) {
            return Self::Map(numbered().collect());
        }
        let mut rows = vec![u32::MAX; places];
        for (id, row) in numbered() {
            if let Some(place) = usize::try_from(id.abs_diff(*least)).ok().and_then(|place| rows.get_mut(place)) {
                *place = row;
            }
        }
        Self::Table { least: *least, rows }
    }

    /// The row of the series, if it has one.
    #[inline]
    pub(super) fn get(&self, id: i64) -> Option<usize> {
        let row = match self {
            Self::Table { least, rows } => {
                let place = usize::try_from(id.checked_sub(*least)?).ok()?;
                rows.get(place).copied().filter(|row| *row != u32::MAX)?
            }
            Self::Map(rows) => rows.get(&id).copied()?,
        };
        usize::try_from(row).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_far_apart_do_not_make_a_huge_table() {
        let index = RowIndex::new(&[i64::MIN, 0, i64::MAX]);
        assert!(matches!(index, RowIndex::Map(_)));
        assert_eq!([i64::MIN, 0, i64::MAX, 1].map(|id| index.get(id)), [Some(0), Some(1), Some(2), None]);
    }

    proptest! {
        #[test]
        fn every_series_has_its_row_and_no_other_has_one(
            ids in proptest::collection::btree_set(prop_oneof![-50_i64..50, any::<i64>()], 0..40),
            others in proptest::collection::vec(prop_oneof![-60_i64..60, any::<i64>()], 40),
        ) {
            let ids: Vec<i64> = ids.into_iter().collect();
            let index = RowIndex::new(&ids);
            for id in ids.iter().chain(&others) {
                prop_assert_eq!(index.get(*id), ids.iter().position(|other| other == id));
            }
        }
    }
}
