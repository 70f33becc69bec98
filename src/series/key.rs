//! The key of a series.

use uuid::Uuid;

/// The first 128 bits of BLAKE3 over the tags in the order of their names, each name and value with its length in front
/// (4 bytes, little-endian), so that no two tag sets spell the same bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesKey(u128);

impl SeriesKey {
    /// The key of a tag set, which must be sorted by name.
    #[must_use]
    pub fn of<'t>(sorted_tags: impl IntoIterator<Item = (&'t str, &'t str)>) -> Self {
        let mut hasher = blake3::Hasher::new();
        for (name, value) in sorted_tags {
            for text in [name, value] {
                // Tags are far shorter than 4 GiB: a request is.
                let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
                hasher.update(&length.to_le_bytes());
                hasher.update(text.as_bytes());
            }
        }
        let mut first = [0; 16];
        hasher.finalize_xof().fill(&mut first);
        Self(u128::from_be_bytes(first))
    }

    /// As the database stores it.
    #[must_use]
    pub fn to_uuid(self) -> Uuid {
        Uuid::from_u128(self.0)
    }

    /// As the database stores it.
    #[must_use]
    pub fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid.as_u128())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_keep_tag_sets_apart() {
        let keys = [
            SeriesKey::of([]),
            SeriesKey::of([("a", "bc")]),
            SeriesKey::of([("ab", "c")]),
            SeriesKey::of([("a", "b"), ("c", "")]),
            SeriesKey::of([("a", "b"), ("c", "d")]),
        ];
        for (i, a) in keys.iter().enumerate() {
            for b in &keys[i + 1..] {
                assert_ne!(a, b);
            }
        }
        assert_eq!(SeriesKey::from_uuid(keys[1].to_uuid()), keys[1]);
    }

    #[test]
    fn the_key_is_fixed_for_ever() {
        // Computed by hand with b3sum over 06000000"symbol"04000000"AAPL": keys are stored.
        let expected = blake3::hash(b"\x06\0\0\0symbol\x04\0\0\0AAPL");
        let key = SeriesKey::of([("symbol", "AAPL")]).to_uuid();
        assert_eq!(key.as_bytes(), &expected.as_bytes()[..16]);
    }
}
