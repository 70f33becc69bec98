//! What has changed in a measurement, as far as questions have looked. Pure.
//!
//! An entry of the change log tells a time range and the transaction that changed it. Whether what was read in one state of
//! the database is still so in another needs no clock and no order of events: it is, unless there is an entry for its time
//! that one of the states sees and the other does not.

use std::collections::BTreeMap;

use crate::{
    hypertable::changes::{Entry, Extent, News, PgSnapshot, Seen, Stretch},
    window::Span,
};

/// With more entries than this, the oldest state in which something was read counts for less than the memory.
const MAX_ENTRIES: usize = 4_096;
/// So many times more while some are of unknown range: to forget then would be to let all panels go.
const MOST_TIMES_MORE: usize = 4;
/// So many transactions of unknown range are asked after at once.
const MOST_AWAITED: usize = 1_024;

/// What has become of what was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Changed {
    Nothing,
    /// Only this.
    Within(Vec<Stretch>),
    /// Anything.
    Anything,
}

/// Whether a journal goes on with what a question saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    In,
    /// The question's state is none of those after the first.
    Behind,
}

/// All entries that some state since the first sees and that one does not.
#[derive(Debug)]
pub(super) struct Journal {
    first: PgSnapshot,
    last: Seen,
    /// Transaction and extent, by the entry's number.
    entries: BTreeMap<i64, (u64, Extent)>,
}

impl Journal {
    /// Begins with a state: a question's, or one of which an earlier process has kept what it knew.
    pub(super) fn new(seen: Seen) -> Self {
        Self { first: seen.snapshot.clone(), last: seen, entries: BTreeMap::new() }
    }

    /// The newest state that is known, from which the next look begins.
    pub(super) fn last(&self) -> &Seen {
        &self.last
    }

    /// The transactions of which it may be known since where their rows are.
    pub(super) fn awaited(&self) -> Vec<u64> {
        let unknown = self.entries.values().filter(|(_, extent)| *extent == Extent::Unknown);
        unknown.map(|(xid, _)| *xid).take(MOST_AWAITED).collect()
    }

    /// Takes in what a question has seen.
    pub(super) fn take_in(&mut self, news: &News) -> Taken {
        if !news.seen.snapshot.sees_all_of(&self.first) {
            return Taken::Behind;
        }
        for Entry { id, xid, extent } in &news.entries {
            // An older state does not know yet what has been found out since.
            if *extent != Extent::Unknown || !self.entries.contains_key(id) {
                self.entries.insert(*id, (*xid, *extent));
            }
        }
        if news.seen.snapshot.sees_all_of(&self.last.snapshot) {
            let looked_us = self.last.looked_us.max(news.seen.looked_us);
            self.last = Seen { looked_us, ..news.seen.clone() };
        }
        Taken::In
    }

    /// Whether this state is one of those that the journal knows everything of.
    pub(super) fn covers(&self, snapshot: &PgSnapshot) -> bool {
        snapshot.sees_all_of(&self.first)
    }

    /// What of `span` differs between what was read in one state and what another sees.
    pub(super) fn changed(&self, span: Span, read: &PgSnapshot, asked: &PgSnapshot) -> Changed {
        if read == asked {
            return Changed::Nothing;
        }
        let mut within = Vec::new();
        for (xid, extent) in self.entries.values() {
            let stretch = match extent {
                Extent::Within(stretch) => {
                    let common = stretch.intersection(Stretch { from_us: span.from_us, to_us: span.to_us });
                    if common.is_empty() {
                        continue;
                    }
                    Some(common)
                }
                Extent::Unknown | Extent::Everything => None,
            };
            if matches!((read.sees(*xid), asked.sees(*xid)), (Some(a), Some(b)) if a == b) {
                continue;
            }
            match stretch {
                Some(stretch) => within.push(stretch),
                None => return Changed::Anything,
            }
        }
        if within.is_empty() { Changed::Nothing } else { Changed::Within(within) }
    }

    /// Whether nothing at all has changed between two states.
    pub(super) fn is_quiet(&self, one: &PgSnapshot, other: &PgSnapshot) -> bool {
        let agree = |xid: u64| matches!((one.sees(xid), other.sees(xid)), (Some(a), Some(b)) if a == b);
        self.covers(one) && self.covers(other) && self.entries.values().all(|(xid, _)| agree(*xid))
    }

    /// Whether it is time to forget old states.
    pub(super) fn is_long(&self) -> bool {
        let is_unknown = |(_, extent): &(u64, Extent)| *extent == Extent::Unknown;
        self.entries.len() > MAX_ENTRIES
            && (self.entries.len() > MAX_ENTRIES * MOST_TIMES_MORE || !self.entries.values().any(is_unknown))
    }

    /// Forgets all states before the newest.
    pub(super) fn forget(&mut self) {
        let last = &self.last.snapshot;
        self.first = last.clone();
        self.entries.retain(|_, (xid, _)| last.sees(*xid) != Some(true));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(snapshot: &str) -> Seen {
        let snapshot = PgSnapshot::parse(snapshot, false).unwrap();
        Seen { snapshot, system: 1, timeline: 1, database: 1, looked_us: 0 }
    }

    fn look(snapshot: &str, entries: &[(i64, u64, Extent)]) -> News {
        let entries = entries.iter().map(|(id, xid, extent)| Entry { id: *id, xid: *xid, extent: *extent });
        News { seen: seen(snapshot), anew: false, entries: entries.collect() }
    }

    fn within(from_us: i64, to_us: i64) -> Extent {
        Extent::Within(Stretch { from_us, to_us })
    }

    fn changed(a: &str, b: &str, journal: &Journal) -> Changed {
        journal.changed(SPAN, &seen(a).snapshot, &seen(b).snapshot)
    }

    const SPAN: Span = Span { from_us: 100, to_us: 200 };

    #[test]
    fn a_change_counts_between_states_of_which_one_sees_it() {
        let (first, second) = ("10:10:", "10:12:10");
        let mut journal = Journal::new(seen(first));
        assert_eq!(journal.take_in(&look(second, &[(7, 11, within(150, 301))])), Taken::In);
        let end = Changed::Within(vec![Stretch { from_us: 150, to_us: 200 }]);
        assert_eq!(changed(first, second, &journal), end);
        assert_eq!(changed(second, first, &journal), end, "what was read is newer");
        assert_eq!(changed(second, second, &journal), Changed::Nothing);
        assert!(journal.is_quiet(&seen(second).snapshot, &seen(second).snapshot));
        assert!(!journal.is_quiet(&seen(first).snapshot, &seen(second).snapshot));
        let elsewhere = Span { from_us: 0, to_us: 150 };
        assert_eq!(journal.changed(elsewhere, &seen(first).snapshot, &seen(second).snapshot), Changed::Nothing);

        // Transaction 10 was under way all the time, and commits with an id that is less than one seen before.
        let third = "13:13:";
        assert_eq!(journal.take_in(&look(third, &[(6, 10, Extent::Everything)])), Taken::In);
        assert_eq!(changed(second, third, &journal), Changed::Anything);
    }

    #[test]
    fn an_unknown_range_is_everywhere_until_it_is_found() {
        let mut journal = Journal::new(seen("10:10:"));
        assert_eq!(journal.take_in(&look("11:11:", &[(3, 10, Extent::Unknown)])), Taken::In);
        assert_eq!((changed("10:10:", "11:11:", &journal), journal.awaited()), (Changed::Anything, vec![10]));
        // What is narrowed keeps its number, and may get others besides.
        let narrowed = [(3, 10, within(500, 600)), (9, 10, within(190, 300))];
        assert_eq!(journal.take_in(&look("12:12:", &narrowed)), Taken::In);
        assert_eq!(changed("10:10:", "12:12:", &journal), Changed::Within(vec![Stretch { from_us: 190, to_us: 200 }]));
        // A question that began before that looks late.
        assert_eq!(journal.take_in(&look("11:11:", &[(3, 10, Extent::Unknown)])), Taken::In);
        assert_eq!(journal.awaited(), [0_u64; 0]);
        assert_eq!(changed("11:11:", "12:12:", &journal), Changed::Nothing);
    }

    #[test]
    fn what_is_forgotten_leaves_what_the_newest_state_does_not_see() {
        let mut journal = Journal::new(seen("10:10:"));
        let newest = look("11:13:11", &[(1, 10, within(0, 2)), (2, 12, within(0, 2))]);
        assert_eq!(journal.take_in(&newest), Taken::In);
        // A question with an older state, whose look was late, adds nothing new.
        assert_eq!(journal.take_in(&look("11:12:11", &[(1, 10, within(0, 2))])), Taken::In);
        journal.forget();
        assert!(journal.entries.is_empty());
        assert!(!journal.covers(&seen("11:12:11").snapshot), "it does not see 12");
        assert_eq!(journal.take_in(&look("11:12:11", &[])), Taken::Behind);
        assert!(journal.covers(&newest.seen.snapshot));
    }

    #[test]
    fn a_journal_is_not_cut_short_while_a_range_is_looked_for() {
        let mut journal = Journal::new(seen("10:10:"));
        let entries: Vec<_> = (0..5_000).map(|id| (id, 10, within(id, id + 1))).collect();
        assert_eq!(journal.take_in(&look("11:11:", &entries)), Taken::In);
        assert!(journal.is_long());
        assert_eq!(journal.take_in(&look("12:12:", &[(5_000, 11, Extent::Unknown)])), Taken::In);
        assert!(!journal.is_long());
        let entries: Vec<_> = (6_000..20_000).map(|id| (id, 12, within(id, id + 1))).collect();
        assert_eq!(journal.take_in(&look("13:13:", &entries)), Taken::In);
        assert!(journal.is_long(), "memory has its bound");
    }
}
