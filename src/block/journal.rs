//! What has changed in a measurement, as far as questions have looked. Pure.
//!
//! An entry of the change log tells a time range and the transaction that changed it. Whether what was read in one state of
//! the database is still so in another needs no clock and no order of events: it is, unless there is an entry for its time
//! that one of the states sees and the other does not.

use std::collections::{BTreeMap, VecDeque};

use super::visibility::PgSnapshot;
use crate::{question::Width, window::Span};

/// With more entries than this, the oldest state in which something was read counts for less than the memory.
const MAX_ENTRIES: usize = 4_096;
/// The log keeps entries for a day; who has not looked for almost as long cannot rely on it.
const MAX_PAUSE_US: i64 = 23 * 3_600 * Width::SECOND_US;
/// So many places in the log are remembered from which the next look could begin.
const MAX_MARKS: usize = 64;

/// An entry of the change log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: i64,
    pub(super) xid: u64,
    /// The first and the last changed time; `None` for anywhere.
    pub(super) times_us: Option<(i64, i64)>,
}

/// What a question saw when it looked at the change log.
#[derive(Debug, Clone)]
pub(super) struct Look {
    pub(super) snapshot: PgSnapshot,
    pub(super) as_of_us: i64,
    /// The greatest id of all entries, of any measurement.
    pub(super) last_id: i64,
    /// Entries that were new to the journal.
    pub(super) entries: Vec<Entry>,
}

/// What has become of what was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Changed {
    Nothing,
    /// Only these times, first and last.
    Within(Vec<(i64, i64)>),
    /// Anything.
    Anything,
}

/// Whether a journal goes on with what a question saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    In,
    /// The question's state is none of those after the first.
    Behind,
    /// The log may have forgotten entries since the last look.
    TooLate,
}

/// All entries that some state since the first sees and that one does not.
#[derive(Debug)]
pub(super) struct Journal {
    first: PgSnapshot,
    last: PgSnapshot,
    last_as_of_us: i64,
    entries: BTreeMap<i64, (u64, Option<(i64, i64)>)>,
    /// The last id at a look, and the first transaction that had not begun by then: what that one or a later one adds comes
    /// behind the id.
    marks: VecDeque<(i64, u64)>,
}

impl Journal {
    /// Begins with a question's state.
    pub(super) fn new(look: &Look) -> Self {
        Self {
            first: look.snapshot.clone(),
            last: look.snapshot.clone(),
            last_as_of_us: look.as_of_us,
            entries: BTreeMap::new(),
            marks: VecDeque::from([(look.last_id, look.snapshot.xmax())]),
        }
    }

    /// Begins with a state of which an earlier process has kept what it knew.
    pub(super) fn restored(state: PgSnapshot, as_of_us: i64) -> Self {
        let (first, last) = (state.clone(), state);
        // Where to look from is not known: anywhere in the log.
        let marks = VecDeque::from([(0, 0)]);
        Self { first, last, last_as_of_us: as_of_us, entries: BTreeMap::new(), marks }
    }

    /// The database's clock in the newest state.
    pub(super) fn last_as_of_us(&self) -> i64 {
        self.last_as_of_us
    }

    /// The newest state that is known.
    pub(super) fn last(&self) -> &PgSnapshot {
        &self.last
    }

    /// Every entry that the newest state does not see has a greater id.
    pub(super) fn after_id(&self) -> i64 {
        let over = self.marks.iter().filter(|(_, xmax)| *xmax <= self.last.xmin());
        over.map(|(id, _)| *id).max().unwrap_or(0)
    }

    /// Takes in what a question has seen.
    pub(super) fn take_in(&mut self, look: &Look) -> Taken {
        if look.as_of_us.saturating_sub(self.last_as_of_us) > MAX_PAUSE_US {
            return Taken::TooLate;
        }
        if !look.snapshot.sees_all_of(&self.first) {
            return Taken::Behind;
        }
        self.entries.extend(look.entries.iter().map(|entry| (entry.id, (entry.xid, entry.times_us))));
        if look.snapshot.sees_all_of(&self.last) {
            self.last = look.snapshot.clone();
            self.last_as_of_us = self.last_as_of_us.max(look.as_of_us);
            self.marks.push_back((look.last_id, look.snapshot.xmax()));
            // The oldest that is usable stays, the newest become so.
            let usable = self.marks.iter().filter(|(_, xmax)| *xmax <= self.last.xmin()).count();
            self.marks.drain(..usable.saturating_sub(1));
            if self.marks.len() > MAX_MARKS {
                self.marks.remove(MAX_MARKS / 2);
            }
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
        let mut times = Vec::new();
        for (xid, times_us) in self.entries.values() {
            if times_us.is_some_and(|(lo, hi)| hi < span.from_us || lo >= span.to_us) {
                continue;
            }
            if matches!((read.sees(*xid), asked.sees(*xid)), (Some(a), Some(b)) if a == b) {
                continue;
            }
            match times_us {
                Some((lo, hi)) => times.push(((*lo).max(span.from_us), (*hi).min(span.to_us - 1))),
                None => return Changed::Anything,
            }
        }
        if times.is_empty() { Changed::Nothing } else { Changed::Within(times) }
    }

    /// Whether nothing at all has changed between two states.
    pub(super) fn is_quiet(&self, one: &PgSnapshot, other: &PgSnapshot) -> bool {
        let agree = |xid: u64| matches!((one.sees(xid), other.sees(xid)), (Some(a), Some(b)) if a == b);
        self.covers(one) && self.covers(other) && self.entries.values().all(|(xid, _)| agree(*xid))
    }

    /// Whether it is time to forget old states.
    pub(super) fn is_long(&self) -> bool {
        self.entries.len() > MAX_ENTRIES
    }

    /// Forgets all states before the newest.
    pub(super) fn forget(&mut self) {
        self.first = self.last.clone();
        let last = &self.last;
        self.entries.retain(|_, (xid, _)| last.sees(*xid) != Some(true));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Id, transaction, times.
    type Told = (i64, u64, Option<(i64, i64)>);

    fn look(snapshot: &str, last_id: i64, entries: &[Told]) -> Look {
        let entries = entries.iter().map(|(id, xid, times_us)| Entry { id: *id, xid: *xid, times_us: *times_us });
        let snapshot = PgSnapshot::parse(snapshot, false).unwrap();
        Look { snapshot, as_of_us: 0, last_id, entries: entries.collect() }
    }

    const SPAN: Span = Span { from_us: 100, to_us: 200 };

    #[test]
    fn a_change_counts_between_states_of_which_one_sees_it() {
        let (first, second) = (look("10:10:", 5, &[]), look("10:12:10", 7, &[(7, 11, Some((150, 300)))]));
        let mut journal = Journal::new(&first);
        assert_eq!(journal.take_in(&second), Taken::In);
        let changed = |a: &Look, b: &Look, journal: &Journal| journal.changed(SPAN, &a.snapshot, &b.snapshot);
        assert_eq!(changed(&first, &second, &journal), Changed::Within(vec![(150, 199)]));
        assert_eq!(changed(&second, &first, &journal), Changed::Within(vec![(150, 199)]), "what was read is newer");
        assert_eq!(changed(&second, &second, &journal), Changed::Nothing);
        assert!(journal.is_quiet(&second.snapshot, &second.snapshot));
        assert!(!journal.is_quiet(&first.snapshot, &second.snapshot));
        let elsewhere = Span { from_us: 0, to_us: 150 };
        assert_eq!(journal.changed(elsewhere, &first.snapshot, &second.snapshot), Changed::Nothing);

        // Transaction 10 was under way all the time, and commits with an id that is less than one seen before.
        assert_eq!(journal.after_id(), 5);
        let third = look("13:13:", 7, &[(6, 10, None)]);
        assert_eq!(journal.take_in(&third), Taken::In);
        assert_eq!(changed(&second, &third, &journal), Changed::Anything);
        assert_eq!(journal.after_id(), 7);
    }

    #[test]
    fn what_is_forgotten_leaves_what_the_newest_state_does_not_see() {
        let mut journal = Journal::new(&look("10:10:", 0, &[]));
        let newest = look("11:13:11", 3, &[(1, 10, Some((0, 1))), (2, 12, Some((0, 1)))]);
        assert_eq!(journal.take_in(&newest), Taken::In);
        // A question with an older state, whose look was late, adds nothing new.
        assert_eq!(journal.take_in(&look("11:12:11", 3, &[(1, 10, Some((0, 1)))])), Taken::In);
        journal.forget();
        assert!(journal.entries.is_empty());
        assert!(!journal.covers(&PgSnapshot::parse("11:12:11", false).unwrap()), "it does not see 12");
        assert_eq!(journal.take_in(&look("11:12:11", 3, &[])), Taken::Behind);
        assert!(journal.covers(&newest.snapshot));
    }

    #[test]
    fn a_log_that_was_not_looked_at_for_a_day_is_not_relied_on() {
        let mut journal = Journal::new(&look("10:10:", 0, &[]));
        let later = Look { as_of_us: 24 * 3_600 * Width::SECOND_US, ..look("11:11:", 0, &[]) };
        assert_eq!(journal.take_in(&later), Taken::TooLate);
    }
}
