//! What the spool holds, in figures.

use super::{
    Spool,
    cursor::Position,
    fs::Fs,
    segment::{self, Found, HEADER_BYTES, read_frame},
};

/// What a spool holds at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SpoolStats {
    /// Safe frames that the database has not got yet.
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
    /// When the first of them was spooled: microseconds since 1970 UTC, by the service's clock of that time.
    pub oldest_us: Option<i64>,
    /// Segments whose files are there.
    pub segments: u64,
    /// Bytes of these files; what the size limit is about.
    pub disk_bytes: u64,
    /// Segments in the quarantine.
    pub quarantined_segments: u64,
    /// Bytes of damaged places in the segments that are there.
    pub damaged_bytes: u64,
    /// Bytes of writes that were cut off, found when the spool was opened or left by a failed append since.
    pub torn_bytes: u64,
}

impl<F: Fs> Spool<F> {
    /// Counts. Waits for a read that is going on, and may read a frame itself to learn its age: call it where blocking is
    /// allowed.
    pub fn stats(&self) -> SpoolStats {
        let reader = self.reader();
        let (stats, first) = {
            let log = self.log();
            let mut stats = SpoolStats {
                disk_bytes: log.disk_bytes(),
                segments: log.segments.len() as u64,
                quarantined_segments: log.quarantined_segments,
                torn_bytes: log.torn_bytes,
                ..SpoolStats::default()
            };
            let mut first = None;
            for (sequence, segment) in log.segments.range(reader.cursor.segment..) {
                let is_first = *sequence == reader.cursor.segment;
                let from = if is_first { reader.cursor.offset.max(HEADER_BYTES) } else { HEADER_BYTES };
                let damaged = segment.damaged.values().sum::<u64>();
                stats.frames += segment.synced.frames.saturating_sub(segment.committed_frames);
                stats.bytes += segment.synced.bytes.saturating_sub(from);
                stats.damaged_bytes += damaged;
                if first.is_none() && segment.synced.bytes > from {
                    let position = Position { segment: *sequence, offset: from };
                    first = Some((position, segment.marker, segment.synced.bytes));
                }
            }
            (stats, first)
        };
        let oldest_us = reader.in_hand.front().map(|(_, spooled_us)| *spooled_us).or_else(|| {
            let (position, marker, limit) = first?;
            let file = self.fs.open(&segment::path(&self.folder, position.segment)).ok()?;
            let Found::Frame { payload, .. } = read_frame(&file, &marker, position.offset, limit).ok()? else {
                return None;
            };
            super::Frame::from_payload(&payload).ok().map(|frame| frame.spooled_us)
        });
        SpoolStats { oldest_us, ..stats }
    }
}
