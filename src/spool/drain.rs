//! Reading: frames in order, and how far the database has them.

use std::{collections::VecDeque, io, ops::Bound, path::Path};

use super::{
    Spool,
    cursor::{self, CursorFile, Place, Position, remove_if_there},
    error::SpoolError,
    frame::Frame,
    fs::Fs,
    log::Log,
    segment::{self, Found, HEADER_BYTES, Marker, read_frame},
};

/// The state behind the readers' lock. It is taken before the log's, never after.
#[derive(Debug)]
pub(super) struct Reader<File> {
    /// Where the next frame is read.
    pub(super) position: Position,
    /// What is durable of how far the database has come.
    pub(super) cursor: Position,
    /// Where that is written; none after a failure.
    pub(super) cursor_file: Option<CursorFile<File>>,
    /// Frames that were read and not advanced over, with the times when they were spooled.
    pub(super) in_hand: VecDeque<(Position, i64)>,
    /// The segment that was read last.
    pub(super) open: Option<(u64, File)>,
}

/// A frame as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpooledFrame {
    payload: Vec<u8>,
    place: Place,
}

impl SpooledFrame {
    /// The frame itself, borrowed from this one.
    #[must_use]
    pub fn frame(&self) -> Frame<'_> {
        Frame::from_payload(&self.payload).unwrap_or_else(|_| unreachable!("a payload is checked when it is read"))
    }

    /// Where the frame ends: what [`Spool::advance`] takes once it is committed.
    #[must_use]
    pub fn position(&self) -> Position {
        self.place.end()
    }

    /// Where the frame stands.
    #[must_use]
    pub fn place(&self) -> Place {
        self.place
    }
}

/// Where to read next.
enum Ahead {
    Read { marker: Marker, limit: u64 },
    Nothing,
}

impl<F: Fs> Spool<F> {
    /// The next frame in the order of the appends; `None` if there is none that is safe. Several may be read before the first
    /// is advanced over. Damaged places are passed over and counted.
    ///
    /// Blocks for a read of the disk, but not for appends, nor do they wait for it. Meant for one reader at a time.
    pub fn next(&self) -> Result<Option<SpooledFrame>, SpoolError> {
        let mut reader = self.reader();
        while let Ahead::Read { marker, limit } = self.look_ahead(&mut reader) {
            let Position { segment, offset } = reader.position;
            let path = segment::path(&self.folder, segment);
            let found = self
                .opened(&mut reader, &path)
                .and_then(|file| read_frame(file, &marker, offset, limit))
                .map_err(|source| SpoolError::io("read", &path, source))?;
            match found {
                Found::Frame { payload, end } => {
                    let frame = SpooledFrame { payload, place: Place { segment, offset, end } };
                    reader.position = frame.position();
                    reader.in_hand.push_back((frame.position(), frame.frame().spooled_us));
                    return Ok(Some(frame));
                }
                Found::Damaged { end, .. } => self.pass_over(&mut reader, end),
                Found::Torn => self.pass_over(&mut reader, limit),
            }
        }
        // Segments without a frame for the database are finished here. What fails now is tried again by the next call.
        if reader.in_hand.is_empty() && self.is_past_a_segment(&reader) {
            let position = reader.position;
            self.settle(&mut reader, position).ok();
        }
        Ok(None)
    }

    /// A frame that was read before and not advanced over, once more; `None` if it is not there any more: its segment was
    /// damaged since, or is gone. For a reader that cannot keep all that it has to put off.
    ///
    /// Blocks for a read of the disk.
    pub fn read_again(&self, place: Place) -> Result<Option<SpooledFrame>, SpoolError> {
        let Some(marker) = self.log().segments.get(&place.segment).map(|segment| segment.marker) else {
            return Ok(None);
        };
        let path = segment::path(&self.folder, place.segment);
        let found = self.fs.open(&path).and_then(|file| read_frame(&file, &marker, place.offset, place.end));
        match found.map_err(|source| SpoolError::io("read", &path, source))? {
            Found::Frame { payload, end } if end == place.end => Ok(Some(SpooledFrame { payload, place })),
            _ => {
                if let Some(segment) = self.log().segments.get_mut(&place.segment) {
                    segment.damaged.insert(place.offset, place.end - place.offset);
                }
                Ok(None)
            }
        }
    }

    /// Says that the database has every frame up to here, and removes the segments that are finished. When this returns, no
    /// frame before `position` is ever read again.
    ///
    /// Blocks for a sync of the disk: advance once for all frames of a transaction. After an error the frames may be
    /// read again after a restart; the same position can be tried again. A segment that cannot be removed is no error: it is
    /// not read again, and its removal is tried again with every advance.
    pub fn advance(&self, position: Position) -> Result<(), SpoolError> {
        let mut reader = self.reader();
        if position <= reader.cursor {
            return Ok(());
        }
        let committed = reader.in_hand.iter().take_while(|(end, _)| *end <= position).count();
        // Damage after the last frame belongs to what is finished.
        let to = if committed == reader.in_hand.len() { reader.position.max(position) } else { position };
        self.settle(&mut reader, to)?;
        let mut log = self.log();
        for (end, _) in reader.in_hand.drain(..committed) {
            if let Some(segment) = log.segments.get_mut(&end.segment) {
                segment.committed_frames += 1;
            }
        }
        Ok(())
    }

    /// Reads again from the first frame that was not advanced over: the database did not take those in hand.
    pub fn rewind(&self) {
        let mut reader = self.reader();
        reader.position = reader.cursor;
        reader.in_hand.clear();
    }

    /// Moves on to the next segment where one is read to its end.
    fn look_ahead(&self, reader: &mut Reader<F::File>) -> Ahead {
        let log = self.log();
        loop {
            let Position { segment: sequence, offset } = reader.position;
            if let Some(segment) = log.segments.get(&sequence) {
                reader.position.offset = offset.max(HEADER_BYTES);
                if reader.position.offset < segment.synced.bytes {
                    return Ahead::Read { marker: segment.marker, limit: segment.synced.bytes };
                }
                if !log.is_complete(sequence) {
                    return Ahead::Nothing;
                }
            }
            match log.segments.range((Bound::Excluded(sequence), Bound::Unbounded)).next() {
                Some((next, _)) => reader.position = Position { segment: *next, offset: HEADER_BYTES },
                None => return Ahead::Nothing,
            }
        }
    }

    fn opened<'r>(&self, reader: &'r mut Reader<F::File>, path: &Path) -> io::Result<&'r F::File> {
        let sequence = reader.position.segment;
        let (_, file) = match reader.open.take() {
            Some((open, file)) if open == sequence => reader.open.insert((open, file)),
            _ => reader.open.insert((sequence, self.fs.open(path)?)),
        };
        Ok(file)
    }

    fn pass_over(&self, reader: &mut Reader<F::File>, end: u64) {
        let Position { segment, offset } = reader.position;
        if let Some(segment) = self.log().segments.get_mut(&segment) {
            segment.damaged.insert(offset, end - offset);
        }
        reader.position.offset = end;
    }

    /// Whether a segment is finished that the cursor does not know of, or one that could not be removed.
    fn is_past_a_segment(&self, reader: &Reader<F::File>) -> bool {
        let mut log = self.log();
        finished(&mut log, reader.position).segment > reader.cursor.segment
            || log.segments.range(..reader.cursor.segment).next().is_some()
    }

    /// Makes the cursor durable, and only then removes what lies before it.
    fn settle(&self, reader: &mut Reader<F::File>, to: Position) -> Result<(), SpoolError> {
        let target = finished(&mut self.log(), to);
        if target > reader.cursor {
            cursor::write(&self.fs, &self.folder, &mut reader.cursor_file, target)?;
            reader.cursor = target;
            reader.position = reader.position.max(target);
        }
        self.remove_segments_before(reader);
        Ok(())
    }

    /// Removes the files of finished segments; one with damage goes to the quarantine instead. What cannot be removed stays
    /// in the log's account of the disk, and is tried again.
    fn remove_segments_before(&self, reader: &mut Reader<F::File>) {
        let end = reader.cursor.segment;
        reader.open.take_if(|(open, _)| *open < end);
        let finished: Vec<_> = {
            let log = self.log();
            log.segments.range(..end).map(|(sequence, segment)| (*sequence, !segment.damaged.is_empty())).collect()
        };
        for (sequence, is_damaged) in finished {
            let path = segment::path(&self.folder, sequence);
            let result = if is_damaged { self.quarantine(&path).map(drop) } else { remove_if_there(&self.fs, &path) };
            if result.is_ok() {
                let mut log = self.log();
                log.segments.remove(&sequence);
                log.quarantined_segments += u64::from(is_damaged);
            }
        }
    }
}

/// The position after `to`, beyond a segment that ends there and takes no more frames.
fn finished<File>(log: &mut Log<File>, to: Position) -> Position {
    log.retire(to.segment, to.offset);
    match log.segments.get(&to.segment) {
        Some(segment) if log.is_complete(to.segment) && to.offset >= segment.synced.bytes => {
            Position { segment: to.segment + 1, offset: 0 }
        }
        _ => to,
    }
}
