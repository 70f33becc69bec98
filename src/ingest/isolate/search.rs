//! Which rows of a batch the database refuses: found by halving. Pure: who asks it tells it what the database said.

use std::ops::Range;

/// So many COPYs are spent on one request's bad rows: about 30 to find one among 10,000 if the database says nothing of
/// where it is, three where it does; some hundred
/// bad rows either way.
pub(super) const MAX_COPIES: usize = 4_096;

/// The search through one block of a batch. It keeps to these rules:
///
/// - Ranges are tried in order and without gaps, and what was taken stays: a row that contradicts an earlier one of the
///   same batch is found like any other.
/// - A row counts as refused only after it was refused alone.
/// - Where the database says which row it failed at, that row is tried next. Once it was wrong there, it is not asked again,
///   so that the number of tries grows with the logarithm of the rows at worst.
#[derive(Debug)]
pub(in crate::ingest) struct Search {
    /// What is still to be tried, the next one last.
    ranges: Vec<Range<usize>>,
    /// The range that is tried alone because the database named it.
    named: Option<usize>,
    is_trusted: bool,
}

impl Search {
    /// Through the rows at these places.
    pub(in crate::ingest) fn new(places: Range<usize>) -> Self {
        let whole = (!places.is_empty()).then_some(places);
        Self { ranges: whole.into_iter().collect(), named: None, is_trusted: true }
    }

    /// The rows to try next; none at the end.
    pub(in crate::ingest) fn next(&self) -> Option<Range<usize>> {
        self.ranges.last().cloned()
    }

    /// The database took them.
    pub(in crate::ingest) fn taken(&mut self) {
        if let Some(range) = self.ranges.pop()
            && self.named.take_if(|named| *named == range.start && range.len() == 1).is_some()
        {
            self.is_trusted = false;
        }
    }

    /// The database refused them, at the row with the index `at` among them if it said so. Returns the place of the row
    /// if it was tried alone.
    pub(in crate::ingest) fn refused(&mut self, at: Option<usize>) -> Option<usize> {
        let range = self.ranges.pop()?;
        if range.len() <= 1 {
            self.named = None;
            return Some(range.start);
        }
        let named = at.filter(|at| self.is_trusted && *at < range.len()).map(|at| range.start + at);
        self.named = named;
        let parts = match named {
            Some(named) => [range.start..named, named..named + 1, named + 1..range.end],
            None => {
                let middle = range.start + range.len() / 2;
                [range.start..middle, middle..range.end, range.end..range.end]
            }
        };
        self.ranges.extend(parts.into_iter().rev().filter(|part| !part.is_empty()));
        None
    }

    /// The places that are not tried yet, in order.
    pub(in crate::ingest) fn untried(&self) -> impl Iterator<Item = usize> + '_ {
        self.ranges.iter().rev().cloned().flatten()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::{collection::btree_set, prelude::*};

    use super::*;

    /// What a database says of where it failed.
    #[derive(Debug, Clone, Copy)]
    enum Says {
        Nothing,
        TheRow,
        /// Any number at all.
        Nonsense(usize),
    }

    /// Searches with a table that refuses some rows; returns those found, those taken in order, and the number of tries.
    fn search(rows: usize, bad: &BTreeSet<usize>, says: Says) -> (Vec<usize>, Vec<usize>, usize) {
        let (mut search, mut found, mut taken, mut tries) = (Search::new(0..rows), Vec::new(), Vec::new(), 0);
        while let Some(range) = search.next() {
            tries += 1;
            match bad.range(range.clone()).next() {
                None => {
                    taken.extend(range);
                    search.taken();
                }
                Some(first) => {
                    let at = match says {
                        Says::Nothing => None,
                        Says::TheRow => Some(first - range.start),
                        Says::Nonsense(at) => Some(at),
                    };
                    found.extend(search.refused(at));
                }
            }
        }
        (found, taken, tries)
    }

    fn says() -> impl Strategy<Value = Says> {
        prop_oneof![Just(Says::Nothing), Just(Says::TheRow), (0..200_usize).prop_map(Says::Nonsense)]
    }

    proptest! {
        #[test]
        fn exactly_the_bad_rows_are_found_whatever_the_database_says_of_where_they_are(
            rows in 0..150_usize, bad in btree_set(0..150_usize, 0..40), says in says(),
        ) {
            let bad: BTreeSet<_> = bad.into_iter().filter(|row| *row < rows).collect();
            let (found, taken, tries) = search(rows, &bad, says);
            prop_assert_eq!(&found, &bad.iter().copied().collect::<Vec<_>>());
            let good: Vec<_> = (0..rows).filter(|row| !bad.contains(row)).collect();
            prop_assert_eq!(taken, good, "each good row is taken once, in order");
            prop_assert!(tries <= 2 * bad.len() * 9 + 6, "{} tries", tries);
        }

        #[test]
        fn one_bad_row_among_many_costs_two_tries_a_halving(rows in 1..20_000_usize, bad: prop::sample::Index) {
            let bad = BTreeSet::from([bad.index(rows)]);
            let halvings = rows.next_power_of_two().ilog2() as usize;
            prop_assert!(search(rows, &bad, Says::Nothing).2 <= 2 * halvings + 1);
            prop_assert!(search(rows, &bad, Says::TheRow).2 <= 4);
        }
    }

    #[test]
    fn a_thousand_bad_rows_are_within_the_limit() {
        let spread: BTreeSet<_> = (0..1_000).map(|i| i * 10).collect();
        assert!(search(10_000, &spread, Says::TheRow).2 <= MAX_COPIES);
        let few: BTreeSet<_> = (0..250).map(|i| i * 40).collect();
        assert!(search(10_000, &few, Says::Nothing).2 <= MAX_COPIES);
    }

    #[test]
    fn what_is_untried_is_what_is_neither_taken_nor_refused() {
        let mut search = Search::new(0..10);
        assert_eq!(search.refused(None), None);
        search.taken();
        assert_eq!(search.untried().collect::<Vec<_>>(), [5, 6, 7, 8, 9]);
        assert_eq!(search.refused(Some(2)), None);
        assert_eq!(search.next(), Some(5..7));
        assert_eq!(search.untried().collect::<Vec<_>>(), [5, 6, 7, 8, 9]);
    }
}
