//! Which spooled requests may be written next: those of each measurement in order, whatever holds up another one.
//!
//! A request that cannot be written now (somebody holds its measurement locked, say) waits, and so does every later one
//! that touches a measurement of it. All others go on. A measurement that was in the way is tried again with one request,
//! after pauses that grow; when that is written, the others follow.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    time::Duration,
};

use smallvec::SmallVec;
use tokio::time::Instant;

use crate::spool::{Place, Position};

/// The first pause before a measurement that was in the way is tried again.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// Requests that may be open at once: what lies behind so many waits with them.
const MOST_OPEN: usize = 100_000;

/// A measurement, by a number of this process's.
type Name = u32;
/// The measurements that a request touches.
pub(super) type Touched = SmallVec<[Name; 2]>;

/// Requests that were read from the spool and are not written yet.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    names: HashMap<String, HashMap<String, Name>>,
    open: BTreeMap<Place, Open>,
    /// The open requests that wait, by the measurements that they touch.
    waiting: HashMap<Name, BTreeSet<Place>>,
    /// Measurements that were in the way, and when they are tried again.
    blocked: HashMap<Name, Blocked>,
}

#[derive(Debug)]
struct Open {
    touched: Touched,
    /// An earlier process received it.
    inherited: bool,
    waits: bool,
}

#[derive(Debug, Clone, Copy)]
struct Blocked {
    next: Instant,
    pause: Duration,
}

impl Backlog {
    /// The numbers of the measurements of a request.
    pub(super) fn touched(&mut self, namespace: &str, measurements: &[&str]) -> Touched {
        let mut touched = Touched::new();
        for measurement in measurements {
            let name = self.name(namespace, measurement);
            if !touched.contains(&name) {
                touched.push(name);
            }
        }
        touched
    }

    /// A measurement's number.
    pub(super) fn name(&mut self, namespace: &str, measurement: &str) -> Name {
        let known = self.names.get(namespace).and_then(|names| names.get(measurement));
        if let Some(name) = known {
            return *name;
        }
        let count = self.names.values().map(HashMap::len).sum::<usize>();
        // There are fewer measurements than that by far.
        let name = Name::try_from(count).unwrap_or(Name::MAX);
        self.names.entry(namespace.to_owned()).or_default().insert(measurement.to_owned(), name);
        name
    }

    /// Whether further requests may be read.
    pub(super) fn has_room(&self) -> bool {
        self.open.len() < MOST_OPEN
    }

    /// Enters a request that was read for the first time; false if it has to wait.
    pub(super) fn enter(&mut self, place: Place, touched: Touched, inherited: bool) -> bool {
        self.open.insert(place, Open { touched, inherited, waits: false });
        !self.must_wait(place)
    }

    /// Lets a request wait for its turn.
    pub(super) fn put_off(&mut self, place: Place) {
        let Some(open) = self.open.get_mut(&place) else { return };
        if !std::mem::replace(&mut open.waits, true) {
            for name in &open.touched {
                self.waiting.entry(*name).or_default().insert(place);
            }
        }
    }

    /// Whether a request has to wait, because one before it waits; it does from now on.
    pub(super) fn must_wait(&mut self, place: Place) -> bool {
        let Some(open) = self.open.get(&place) else { return false };
        let first = |name| self.waiting.get(name).and_then(BTreeSet::first);
        let waits = open.touched.iter().any(|name| first(name).is_some_and(|first| *first < place));
        if waits {
            self.put_off(place);
        }
        waits
    }

    /// Measurements are in the way of a request, which waits until they are tried again. `Some` where it is known which.
    pub(super) fn block(&mut self, place: Place, name: Option<Name>, now: Instant) {
        let Some(open) = self.open.get(&place) else { return };
        for name in name.map_or_else(|| open.touched.clone(), |name| SmallVec::from_slice(&[name])) {
            let next = now + FIRST_PAUSE;
            self.blocked.entry(name).or_insert(Blocked { next, pause: FIRST_PAUSE });
        }
        self.put_off(place);
    }

    /// A request is written, or kept elsewhere; says whether an earlier process received it.
    pub(super) fn done(&mut self, place: Place) -> bool {
        let Some(open) = self.open.remove(&place) else { return false };
        for name in &open.touched {
            self.blocked.remove(name);
        }
        self.stop_waiting(place, &open.touched);
        open.inherited
    }

    fn stop_waiting(&mut self, place: Place, touched: &Touched) {
        for name in touched {
            if let Some(waiting) = self.waiting.get_mut(name) {
                waiting.remove(&place);
                if waiting.is_empty() {
                    self.waiting.remove(name);
                }
            }
        }
    }

    /// The first requests that need not wait any more, `most` of them at most, in order. They are the caller's to try.
    pub(super) fn due(&mut self, most: usize, now: Instant) -> Vec<Place> {
        if self.waiting.is_empty() {
            return Vec::new();
        }
        let mut behind: HashSet<Name> =
            self.blocked.iter().filter(|(_, blocked)| blocked.next > now).map(|(name, _)| *name).collect();
        let mut due = Vec::new();
        for (place, open) in self.open.iter().filter(|(_, open)| open.waits) {
            if due.len() == most {
                break;
            }
            if open.touched.iter().any(|name| behind.contains(name)) {
                behind.extend(&open.touched);
                continue;
            }
            due.push(*place);
            for name in &open.touched {
                if let Some(blocked) = self.blocked.get_mut(name) {
                    // One request finds out whether the others can be written.
                    blocked.pause = (blocked.pause * 2).min(LONGEST_PAUSE);
                    blocked.next = now + blocked.pause;
                    behind.extend(&open.touched);
                }
            }
        }
        for place in &due {
            let Some(open) = self.open.get_mut(place) else { continue };
            open.waits = false;
            let touched = open.touched.clone();
            self.stop_waiting(*place, &touched);
        }
        due
    }

    /// Everything before this is done, if `read_to` is how far the spool was read.
    pub(super) fn done_before(&self, read_to: Position) -> Position {
        self.open.first_key_value().map_or(read_to, |(place, _)| place.start())
    }
}

#[cfg(test)]
mod tests;
