//! The refused lines of a request.

use std::collections::BTreeMap;

use super::Refused;

/// So many are named; all are counted.
const MOST_NAMED: usize = 10_000;

/// Refused lines: how many, and the first of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Refusals {
    named: Vec<Refused>,
    count: u64,
    bytes: usize,
    /// How many of each class of reasons.
    classes: BTreeMap<&'static str, u64>,
}

impl Refusals {
    /// Counts a line; `refused` is asked for only while there is room for its name.
    pub(super) fn push(&mut self, class: &'static str, refused: impl FnOnce() -> Refused) {
        self.count += 1;
        *self.classes.entry(class).or_default() += 1;
        if self.named.len() < MOST_NAMED {
            let refused = refused();
            self.bytes += refused.bytes();
            self.named.push(refused);
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn classes(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.classes.iter().map(|(class, count)| (*class, *count))
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The named ones, by line.
    pub(super) fn into_named(mut self) -> Vec<Refused> {
        self.named.sort_by_key(|refused| refused.line);
        self.named
    }
}
