//! What appends and readers share: which segments there are, and how far each is safe.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    error::Cause,
    segment::{HEADER_BYTES, Marker},
};

/// The first `bytes` of a segment, which hold so many frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) bytes: u64,
    pub(super) frames: u64,
}

impl Extent {
    pub(super) const EMPTY: Self = Self { bytes: HEADER_BYTES, frames: 0 };
}

/// A segment whose file is there.
#[derive(Debug)]
pub(super) struct Segment<File> {
    /// For appending and syncing, while anybody does.
    pub(super) file: Option<Arc<File>>,
    pub(super) marker: Marker,
    /// Whole frames that were written.
    pub(super) written: Extent,
    /// Whole frames that are safe: all that is ever read.
    pub(super) synced: Extent,
    /// Somebody is syncing the file.
    pub(super) is_syncing: bool,
    /// Why nothing more of this segment will become safe. After one failure the file is never synced again: the next sync
    /// would succeed without having written anything.
    pub(super) failed: Option<Cause>,
    /// Appends that have written their frame and not returned yet.
    pub(super) waiting: u64,
    /// Frames of it that the database has.
    pub(super) committed_frames: u64,
    /// The file's length.
    pub(super) disk_bytes: u64,
    /// Places that hold no frame, with their lengths.
    pub(super) damaged: BTreeMap<u64, u64>,
}

impl<File> Segment<File> {
    /// One that was found, and is only read from now on.
    pub(super) fn found(marker: Marker, safe: Extent, disk_bytes: u64) -> Self {
        Self {
            file: None,
            marker,
            written: safe,
            synced: safe,
            is_syncing: false,
            failed: None,
            waiting: 0,
            committed_frames: 0,
            disk_bytes,
            damaged: BTreeMap::new(),
        }
    }
}

/// The state behind the spool's lock.
#[derive(Debug)]
pub(super) struct Log<File> {
    /// Every segment by its sequence number, those included whose file could not be removed yet.
    pub(super) segments: BTreeMap<u64, Segment<File>>,
    /// The one that takes frames.
    pub(super) active: Option<u64>,
    pub(super) next_sequence: u64,
    /// Bytes of frames that were cut off, since the spool was opened and at that moment.
    pub(super) torn_bytes: u64,
    pub(super) quarantined_segments: u64,
}

impl<File> Log<File> {
    pub(super) fn disk_bytes(&self) -> u64 {
        self.segments.values().map(|segment| segment.disk_bytes).sum()
    }

    /// Whether nothing more can come of a segment than what is safe already.
    pub(super) fn is_complete(&self, sequence: u64) -> bool {
        let is_at_rest = self.segments.get(&sequence).is_none_or(|segment| segment.waiting == 0);
        self.active != Some(sequence) && is_at_rest
    }

    /// Lets the active segment go if nobody waits for it and all of it, up to `bytes`, is in the database: an empty spool
    /// takes no room.
    pub(super) fn retire(&mut self, sequence: u64, bytes: u64) {
        if self.active == Some(sequence)
            && let Some(segment) = self.segments.get_mut(&sequence)
            && segment.waiting == 0
            && segment.written.bytes <= bytes
        {
            segment.file = None;
            self.active = None;
        }
    }
}
