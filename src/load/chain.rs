//! The keys of a file's parts, each of which leads to the next.
//!
//! ```text
//! key 0     = hash(how the file is read, its first record)
//! key i + 1 = hash(key i, extent i)                          what the part under key i was
//! beside i  = hash(key i, extent in the ledger)              where the ledger has something else under key i
//! ```
//!
//! So a part's key is known before anybody knows where the part will end, and the ledger, asked for the key, tells how
//! much of the file was written under it. A load reads on behind that: what was cut off goes on, and of a file that has
//! grown only what is new is written, wherever the parts were cut.
//!
//! Several files may begin with the same record, and a file may have been changed. Then the extent in the ledger is not
//! what this file holds at its place, and the chain goes on beside it, under a key that only such a file comes to.
//!
//! Parts may be written side by side, and a load may be cut off when a later one is committed and an earlier one is not.
//! That does no harm as long as the earlier one is cut again where it was: a full part is, because its limits and the bytes
//! decide where it ends. One that ended early, for want of more, is therefore committed before the next is begun.

use std::fmt;

/// What a part is known by in the ledger: 128 bits of BLAKE3 over how the file is read (measurement, header, flags), its
/// first record, and all parts before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartKey(pub [u8; 16]);

impl fmt::Display for PartKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What a part holds: its length (4 bytes, big-endian; bytes of text, rows of Parquet), and 96 bits of BLAKE3 over it.
/// The ledger keeps it beside the part's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Extent(pub [u8; 16]);

impl Extent {
    /// `length` is below 2^32: parts are bounded.
    pub(super) fn new(length: usize, content: &blake3::Hash) -> Self {
        let mut extent = [0; 16];
        extent[..4].copy_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
        extent[4..].copy_from_slice(&content.as_bytes()[..12]);
        Self(extent)
    }

    pub(super) fn of_text(text: &[u8]) -> Self {
        Self::new(text.len(), &blake3::hash(text))
    }

    pub(super) fn length(self) -> usize {
        let [a, b, c, d, ..] = self.0;
        u32::from_be_bytes([a, b, c, d]) as usize
    }
}

/// A place in the chain.
#[derive(Debug, Clone)]
pub(super) struct Chain(blake3::Hash);

impl Chain {
    /// The chain of a file that is read by `rule` and begins with this record.
    pub(super) fn begin(rule: &blake3::Hash, first_record: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"chunkwise load 2").update(rule.as_bytes()).update(first_record);
        Self(hasher.finalize())
    }

    pub(super) fn key(&self) -> PartKey {
        let mut key = [0; 16];
        key.copy_from_slice(&self.0.as_bytes()[..16]);
        PartKey(key)
    }

    /// Goes on behind a part.
    pub(super) fn advance(&mut self, extent: Extent) {
        self.step(b"then", extent);
    }

    /// Goes on beside a part of other content.
    pub(super) fn step_beside(&mut self, other: Extent) {
        self.step(b"else", other);
    }

    fn step(&mut self, how: &[u8; 4], extent: Extent) {
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.0.as_bytes()).update(how).update(&extent.0);
        self.0 = hasher.finalize();
    }
}
