//! Finds a name that a line has already.

use std::{borrow::Cow, hash::BuildHasher};

use hashbrown::{DefaultHashBuilder, HashTable};

/// Up to so many names a comparison with each is faster than a hash. Beyond, it would make the work grow with the square
/// of the names in a line.
const LINEAR_NAMES: usize = 16;

/// The names of one list (a line's tags, or its fields), indexed only when there are many.
#[derive(Debug, Default)]
pub(super) struct Keys {
    index: Option<Box<Index>>,
}

#[derive(Debug, Default)]
struct Index {
    rows: HashTable<usize>,
    hasher: DefaultHashBuilder,
}

impl Keys {
    /// Is `name` in `list`? `list` must be the same at each call, or longer.
    pub(super) fn contain<V>(&mut self, list: &[(Cow<'_, str>, V)], name: &str) -> bool {
        if list.len() <= LINEAR_NAMES {
            return list.iter().any(|(known, _)| known == name);
        }
        let Index { rows, hasher } = &mut **self.index.get_or_insert_default();
        for row in rows.len()..list.len() {
            rows.insert_unique(hasher.hash_one(&*list[row].0), row, |&row| hasher.hash_one(&*list[row].0));
        }
        rows.find(hasher.hash_one(name), |&row| list[row].0 == name).is_some()
    }
}
