//! Appending: written under the lock, synced together outside it.

use std::{
    io,
    sync::{Arc, MutexGuard, PoisonError},
};

use super::{
    Spool,
    cursor::remove_if_there,
    error::{Cause, Limit, SpoolError},
    frame::Frame,
    fs::{Fs, FsFile},
    log::{Extent, Log, Segment},
    segment::{self, HEADER_BYTES, Header, MARKER_BYTES},
};

impl<F: Fs> Spool<F> {
    /// Appends a frame and returns when it is safe: its segment's `fdatasync` has succeeded, and so has the `fsync` of the
    /// folder if the segment is new.
    ///
    /// Blocks for a write into the page cache and one to two syncs of the disk; appends that come meanwhile share the next
    /// sync, so many threads at once cost hardly more than one. Call it where blocking is allowed.
    ///
    /// An error means that the frame is not safe; the spool goes on, the next append begins with a new segment where the
    /// disk failed. [`SpoolError::Full`] comes before the disk is full, and goes by itself once there is room.
    pub fn append(&self, frame: &Frame<'_>) -> Result<(), SpoolError> {
        let mut bytes = vec![0; MARKER_BYTES];
        frame.encode(&mut bytes)?;
        let frame_bytes = bytes.len() as u64;

        let mut log = self.log();
        let sequence = self.writable_segment(&mut log, frame_bytes)?;
        let Some(segment) = log.segments.get_mut(&sequence) else { unreachable!("the active segment is there") };
        let Some(file) = segment.file.clone() else { unreachable!("the active segment is open") };
        bytes[..MARKER_BYTES].copy_from_slice(&segment.marker);
        if let Err(error) = file.append(&bytes) {
            self.close_after_torn_write(&mut log, sequence, &file, frame_bytes);
            return Err(SpoolError::io("append to", &segment::path(&self.folder, sequence), error));
        }
        let end = segment.written.bytes + frame_bytes;
        segment.written = Extent { bytes: end, frames: segment.written.frames + 1 };
        segment.disk_bytes = end;
        segment.waiting += 1;
        self.wait_until_safe(log, sequence, &file, end)
    }

    /// The segment that the next frame goes to, if there is room for it.
    fn writable_segment(&self, log: &mut Log<F::File>, frame_bytes: u64) -> Result<u64, SpoolError> {
        let active = log.active.filter(|sequence| {
            let bytes = log.segments.get(sequence).map_or(0, |segment| segment.written.bytes);
            // The first frame always fits.
            bytes == HEADER_BYTES || bytes + frame_bytes <= self.options.segment_bytes
        });
        let needed = frame_bytes + if active.is_some() { 0 } else { HEADER_BYTES };
        if log.disk_bytes() + needed > self.options.max_bytes {
            return Err(SpoolError::Full(Limit::Size));
        }
        let free = self.fs.free_bytes(&self.folder);
        let free = free.map_err(|source| SpoolError::io("ask for the free space of", &self.folder, source))?;
        if free < self.options.reserve_bytes.saturating_add(needed) {
            return Err(SpoolError::Full(Limit::Reserve));
        }
        match active {
            Some(sequence) => Ok(sequence),
            None => self.begin_segment(log),
        }
    }

    /// Makes the next segment the active one. Who still waits for the one before goes on to sync it.
    fn begin_segment(&self, log: &mut Log<F::File>) -> Result<u64, SpoolError> {
        if let Some(previous) = log.active.take() {
            self.close_if_at_rest(log, previous);
        }
        let sequence = log.next_sequence;
        let path = segment::path(&self.folder, sequence);
        let header = Header::new(sequence);
        let made = (|| {
            let file = self.fs.create(&path)?;
            file.append(&header.encode())?;
            self.fs.sync_folder(&self.folder)?;
            io::Result::Ok(file)
        })();
        log.next_sequence += 1;
        let mut segment = Segment::found(header.marker, Extent::EMPTY, HEADER_BYTES);
        match made {
            Ok(file) => {
                segment.file = Some(Arc::new(file));
                log.segments.insert(sequence, segment);
                log.active = Some(sequence);
                Ok(sequence)
            }
            Err(error) => {
                log.segments.insert(sequence, segment);
                self.close_if_at_rest(log, sequence);
                Err(SpoolError::io("begin the segment", &path, error))
            }
        }
    }

    /// A write failed half-way: the segment takes no more frames. Those before are whole, and whoever waits for them still
    /// learns from the sync whether they are safe.
    fn close_after_torn_write(&self, log: &mut Log<F::File>, sequence: u64, file: &F::File, frame_bytes: u64) {
        log.active = None;
        if let Some(segment) = log.segments.get_mut(&sequence)
            && file.truncate(segment.written.bytes).is_err()
        {
            segment.disk_bytes = segment.written.bytes + frame_bytes;
            log.torn_bytes += frame_bytes;
        }
        self.close_if_at_rest(log, sequence);
    }

    /// Waits until a segment is safe up to `end`. The first to come syncs for all that is written by then; who comes
    /// meanwhile waits for it, and then one of them syncs for all the others.
    fn wait_until_safe<'s>(
        &'s self,
        mut log: MutexGuard<'s, Log<F::File>>,
        sequence: u64,
        file: &F::File,
        end: u64,
    ) -> Result<(), SpoolError> {
        let outcome = loop {
            let Some(segment) = log.segments.get_mut(&sequence) else {
                unreachable!("a segment stays while one waits")
            };
            if segment.synced.bytes >= end {
                break Ok(());
            }
            if let Some(cause) = segment.failed {
                break Err(SpoolError::io("sync", &segment::path(&self.folder, sequence), cause.to_error()));
            }
            if segment.is_syncing {
                log = self.synced.wait(log).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            segment.is_syncing = true;
            let target = segment.written;
            drop(log);
            let result = file.sync_data();
            log = self.log();
            self.finish_sync(&mut log, sequence, target, result);
            self.synced.notify_all();
        };
        if let Some(segment) = log.segments.get_mut(&sequence) {
            segment.waiting -= 1;
        }
        self.close_if_at_rest(&mut log, sequence);
        outcome
    }

    fn finish_sync(&self, log: &mut Log<F::File>, sequence: u64, target: Extent, result: io::Result<()>) {
        let Some(segment) = log.segments.get_mut(&sequence) else { return };
        segment.is_syncing = false;
        let Err(error) = result else {
            segment.synced = target;
            return;
        };
        segment.failed = Some(Cause::of(&error));
        // Refused frames should not come back after a restart. If they do all the same, their ids make them harmless.
        if let Some(file) = &segment.file
            && file.truncate(segment.synced.bytes).is_ok()
        {
            segment.disk_bytes = segment.synced.bytes;
        }
        log.active.take_if(|active| *active == sequence);
    }

    /// Closes the file of a segment that takes no more frames, once nobody waits for it; removes one without any frame, so
    /// that a disk that fails again and again does not fill up with empty files.
    fn close_if_at_rest(&self, log: &mut Log<F::File>, sequence: u64) {
        if !log.is_complete(sequence) {
            return;
        }
        let Some(segment) = log.segments.get_mut(&sequence) else { return };
        segment.file = None;
        let is_newest = sequence + 1 == log.next_sequence;
        if segment.synced == Extent::EMPTY && is_newest {
            // Where this fails, the file is removed like a segment that was read to its end.
            if remove_if_there(&self.fs, &segment::path(&self.folder, sequence)).is_ok() {
                log.segments.remove(&sequence);
                log.next_sequence = sequence;
            }
        }
    }
}
