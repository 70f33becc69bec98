//! What clients write for a series -> its id, without taking it apart.
//!
//! A feed repeats the measurement and the tags of a line byte by byte. Whoever has read them once, sorted and hashed the
//! tags and looked up the id, can skip all of it the next time.

use std::{
    hash::BuildHasher,
    sync::{PoisonError, RwLock, RwLockReadGuard},
};

use hashbrown::{DefaultHashBuilder, HashMap, HashTable};

use crate::hypertable::Measurement;

/// So many parts are remembered; then all are forgotten and learned anew, which costs each series one slower line. With
/// parts of 40 bytes they take 95 MB.
const MOST_PARTS: usize = 1_000_000;
/// And so many bytes of them.
const MOST_BYTES: usize = 64 << 20;

/// A series that was written before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownSeries {
    /// Its measurement's number.
    pub measurement: i32,
    /// The measurement's epoch when the id was looked up. Of another epoch the id means nothing.
    pub epoch: i64,
    /// The id.
    pub series_id: i64,
}

/// What lines of series that were written lately begin with. Bounded. Never wrong, but for what a [`KnownSeries`] says
/// of epochs.
#[derive(Debug, Default)]
pub struct SeriesParts {
    known: RwLock<Known>,
    hasher: DefaultHashBuilder,
}

#[derive(Debug, Default)]
struct Known {
    entries: HashTable<Entry>,
    /// All parts, one behind the other.
    texts: Vec<u8>,
    owners: Vec<Owner>,
    owner_places: HashMap<(i32, i64), u32>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    series_id: i64,
    start: u32,
    owner: u32,
    length: u16,
}

#[derive(Debug)]
struct Owner {
    namespace: Box<str>,
    measurement: i32,
    epoch: i64,
}

impl Known {
    fn text(&self, entry: &Entry) -> &[u8] {
        &self.texts[entry.start as usize..][..usize::from(entry.length)]
    }

    fn get(&self, hash: u64, namespace: &str, part: &[u8]) -> Option<KnownSeries> {
        let same =
            |entry: &Entry| self.text(entry) == part && *self.owners[entry.owner as usize].namespace == *namespace;
        let entry = self.entries.find(hash, same)?;
        let Owner { measurement, epoch, .. } = self.owners[entry.owner as usize];
        Some(KnownSeries { measurement, epoch, series_id: entry.series_id })
    }

    fn is_full(&self) -> bool {
        self.entries.len() >= MOST_PARTS || self.texts.len() >= MOST_BYTES
    }
}

/// Parts that can be looked up under one lock; to be dropped soon.
#[derive(Debug)]
pub struct PartsReader<'p> {
    known: RwLockReadGuard<'p, Known>,
    hasher: &'p DefaultHashBuilder,
}

impl PartsReader<'_> {
    /// The series whose lines in `namespace` begin like this.
    #[must_use]
    #[inline]
    pub fn get(&self, namespace: &str, part: &[u8]) -> Option<KnownSeries> {
        self.known.get(self.hasher.hash_one(part), namespace, part)
    }
}

impl SeriesParts {
    /// Lets parts be looked up.
    #[must_use]
    pub fn read(&self) -> PartsReader<'_> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        PartsReader { known, hasher: &self.hasher }
    }

    /// Remembers what lines of a measurement's series begin with. Parts of more than 64 KiB are not.
    pub fn put<'t>(&self, measurement: &Measurement, parts: impl IntoIterator<Item = (&'t [u8], i64)>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        for (part, series_id) in parts {
            let Ok(length) = u16::try_from(part.len()) else { continue };
            if known.is_full() {
                *known = Known::default();
            }
            let Known { entries, texts, owners, owner_places } = &mut *known;
            let owner = *owner_places.entry((measurement.id, measurement.epoch)).or_insert_with(|| {
                let namespace = measurement.namespace.as_str().into();
                owners.push(Owner { namespace, measurement: measurement.id, epoch: measurement.epoch });
                // Far fewer than parts, of which there are not so many.
                u32::try_from(owners.len() - 1).unwrap_or(u32::MAX)
            });
            let text_of = |entry: &Entry| &texts[entry.start as usize..][..usize::from(entry.length)];
            let same = |entry: &Entry| {
                text_of(entry) == part && owners[entry.owner as usize].namespace == owners[owner as usize].namespace
            };
            let hash = self.hasher.hash_one(part);
            if let Some(entry) = entries.find_mut(hash, same) {
                (entry.owner, entry.series_id) = (owner, series_id);
                continue;
            }
            // They are far below 4 GiB.
            let Ok(start) = u32::try_from(texts.len()) else { continue };
            let entry = Entry { series_id, start, owner, length };
            entries.insert_unique(hash, entry, |entry| self.hasher.hash_one(text_of(entry)));
            texts.extend_from_slice(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_known_in_its_namespace_with_its_newest_owner() {
        let parts = SeriesParts::default();
        let plant = |epoch| Measurement::new(7, "plant".into(), "m".into(), "m".into(), epoch);
        let other = Measurement::new(8, "other".into(), "m".into(), "m".into(), 1);
        let known = |namespace: &str, part: &[u8]| parts.read().get(namespace, part);
        parts.put(&plant(1), [(&b"m,a=1"[..], 1), (&b"m,a=2"[..], 2)]);
        parts.put(&other, [(&b"m,a=1"[..], 9)]);
        assert_eq!(known("plant", b"m,a=1"), Some(KnownSeries { measurement: 7, epoch: 1, series_id: 1 }));
        assert_eq!(known("other", b"m,a=1"), Some(KnownSeries { measurement: 8, epoch: 1, series_id: 9 }));
        assert_eq!(known("other", b"m,a=2"), None);
        parts.put(&plant(2), [(&b"m,a=1"[..], 5), (&vec![b'x'; 1 << 16][..], 6)]);
        assert_eq!(known("plant", b"m,a=1"), Some(KnownSeries { measurement: 7, epoch: 2, series_id: 5 }));
        assert_eq!(known("plant", &vec![b'x'; 1 << 16]), None, "too long to be worth it");
    }

    #[test]
    fn more_parts_than_are_remembered_start_anew() {
        let parts = SeriesParts::default();
        let measurement = Measurement::new(1, "public".into(), "m".into(), "m".into(), 1);
        let long = |i: i64| format!("m,a={i:0>60000}").into_bytes();
        let count = i64::try_from(MOST_BYTES / 60_000).unwrap() + 10;
        for i in 0..count {
            parts.put(&measurement, [(&long(i)[..], i)]);
        }
        assert!(parts.read().get("public", &long(0)).is_none());
        assert!(parts.read().get("public", &long(count - 1)).is_some_and(|known| known.series_id == count - 1));
        assert!(parts.read().known.texts.len() < MOST_BYTES + 60_010);
    }
}
