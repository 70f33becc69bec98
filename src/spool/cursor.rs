//! How far the database has come: a place in the log, in a file of its own.
//!
//! ```text
//! 0        4         12       20       24         4096     4100      4108     4116     4120
//! +--------+---------+--------+--------+----------+--------+---------+--------+--------+
//! | "CWc2" | segment | offset | crc32c | zeros    | "CWc2" | segment | offset | crc32c |
//! +--------+---------+--------+--------+----------+--------+---------+--------+--------+
//!  one slot                                        the other: the greater position counts
//! ```
//!
//! It is written in place, in the slot that does not count: a write that is cut off leaves the other, and moving on needs
//! no space, or a full disk could never be emptied. A cursor that is lost or damaged costs time only: everything that is
//! still there is replayed, and the ledger knows it.

use std::{io, path::Path};

use super::{
    error::SpoolError,
    fs::{Fs, FsFile},
};

const MAGIC: &[u8; 4] = b"CWc2";
/// A slot's bytes.
const BYTES: usize = 24;
/// Where the other slot begins: in a block of its own, on every usual disk.
const STRIDE: usize = 4096;
const FILE_BYTES: usize = STRIDE + BYTES;
pub(super) const NAME: &str = "cursor";
pub(super) const NEW_NAME: &str = "cursor.new";

/// A place in the log: everything before it. Later places are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position {
    pub(super) segment: u64,
    pub(super) offset: u64,
}

/// Where a frame stands in the log. Later frames are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    pub(super) segment: u64,
    pub(super) offset: u64,
    pub(super) end: u64,
}

impl Place {
    /// What [`Spool::advance`](super::Spool::advance) takes once everything before the frame is committed.
    #[must_use]
    pub fn start(&self) -> Position {
        Position { segment: self.segment, offset: self.offset }
    }

    /// What it takes once the frame is committed too.
    #[must_use]
    pub fn end(&self) -> Position {
        Position { segment: self.segment, offset: self.end }
    }
}

/// What was found of the cursor when the spool was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CursorFound {
    /// None: the spool is new, or somebody deleted it. Reading begins with the first segment.
    #[default]
    Absent,
    /// One that can be trusted.
    Intact,
    /// One whose checksum does not match. Reading begins with the first segment.
    Damaged,
}

/// The cursor's file, ready to be written.
#[derive(Debug)]
pub(super) struct CursorFile<File> {
    file: File,
    /// The slot to write next.
    free_slot: usize,
}

/// What was found when the cursor was opened.
pub(super) struct Opened<File> {
    pub(super) position: Position,
    pub(super) found: CursorFound,
    /// None where it cannot be written on.
    pub(super) file: Option<CursorFile<File>>,
}

/// What stands in the file.
struct Slots([Slot; 2]);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    /// Never written.
    Empty,
    Position(Position),
    Damaged,
}

impl Slots {
    fn parse(bytes: &[u8]) -> Self {
        Self([0, STRIDE].map(|at| Slot::parse(bytes.get(at..at + BYTES).unwrap_or_default())))
    }

    /// The slot that counts.
    fn best(&self) -> Option<(Position, usize)> {
        let positions = self.0.iter().zip(0..).filter_map(|(slot, place)| match slot {
            Slot::Position(position) => Some((*position, place)),
            Slot::Empty | Slot::Damaged => None,
        });
        positions.max()
    }
}

impl Slot {
    fn parse(bytes: &[u8]) -> Self {
        if bytes == [0; BYTES] {
            return Self::Empty;
        }
        parse(bytes).map_or(Self::Damaged, Self::Position)
    }
}

/// Reads the cursor; a damaged one is the beginning of everything.
pub(super) fn open<F: Fs>(fs: &F, folder: &Path) -> Result<Opened<F::File>, SpoolError> {
    let path = folder.join(NAME);
    let read = || {
        let file = fs.open(&path)?;
        let mut bytes = [0; FILE_BYTES + 1];
        let length = file.read_at(&mut bytes, 0)?;
        Ok((file, bytes, length))
    };
    let (file, bytes, length) = match read() {
        Ok(read) => read,
        Err(error) if io::Error::kind(&error) == io::ErrorKind::NotFound => {
            // Made now, for later there may be no space; where it cannot be made, it is tried again when it is needed.
            let file = create(fs, folder, None).ok();
            return Ok(Opened { position: Position::default(), found: CursorFound::Absent, file });
        }
        Err(error) => return Err(SpoolError::io("read the spool's cursor", &path, error)),
    };
    let slots = Slots::parse(&bytes[..length]);
    let best = slots.best();
    let file = (length == FILE_BYTES).then(|| CursorFile { file, free_slot: best.map_or(0, |(_, slot)| 1 - slot) });
    let (position, found) = match best {
        Some((position, _)) => (position, CursorFound::Intact),
        None if length == FILE_BYTES && slots.0 == [Slot::Empty; 2] => (Position::default(), CursorFound::Absent),
        None => (Position::default(), CursorFound::Damaged),
    };
    Ok(Opened { position, found, file })
}

/// Makes a cursor durable, in place of the one before.
pub(super) fn write<F: Fs>(
    fs: &F,
    folder: &Path,
    cursor: &mut Option<CursorFile<F::File>>,
    position: Position,
) -> Result<(), SpoolError> {
    // After a failure nobody knows what of the file is durable: the next attempt makes another.
    match cursor.take() {
        Some(mut written) => {
            let failed = |source| SpoolError::io("write the spool's cursor", &folder.join(NAME), source);
            written.write(position).map_err(failed)?;
            *cursor = Some(written);
        }
        None => *cursor = Some(create(fs, folder, Some(position))?),
    }
    Ok(())
}

impl<File: FsFile> CursorFile<File> {
    fn write(&mut self, position: Position) -> io::Result<()> {
        self.file.write_at(&slot_of(position), (self.free_slot * STRIDE) as u64)?;
        self.file.sync_data()?;
        self.free_slot = 1 - self.free_slot;
        Ok(())
    }
}

/// Makes the file with all its blocks, under a new name that becomes its own when it is durable.
fn create<F: Fs>(fs: &F, folder: &Path, position: Option<Position>) -> Result<CursorFile<F::File>, SpoolError> {
    let mut bytes = [0; FILE_BYTES];
    if let Some(position) = position {
        bytes[..BYTES].copy_from_slice(&slot_of(position));
    }
    let new = folder.join(NEW_NAME);
    let create = || {
        remove_if_there(fs, &new)?;
        let file = fs.create(&new)?;
        file.append(&bytes)?;
        file.sync_data()?;
        fs.rename(&new, &folder.join(NAME))?;
        fs.sync_folder(folder)?;
        Ok(CursorFile { file, free_slot: usize::from(position.is_some()) })
    };
    create().map_err(|source| SpoolError::io("write the spool's cursor", &new, source))
}

fn slot_of(position: Position) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    bytes[..4].copy_from_slice(MAGIC);
    bytes[4..12].copy_from_slice(&position.segment.to_le_bytes());
    bytes[12..20].copy_from_slice(&position.offset.to_le_bytes());
    let checksum = crc32c::crc32c(&bytes[..20]);
    bytes[20..].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

fn parse(bytes: &[u8]) -> Option<Position> {
    let bytes: &[u8; BYTES] = bytes.try_into().ok()?;
    let (rest, checksum) = bytes.split_last_chunk::<4>()?;
    let (magic, rest) = rest.split_first_chunk::<4>()?;
    let (segment, rest) = rest.split_first_chunk::<8>()?;
    let offset = rest.first_chunk::<8>()?;
    let is_whole = magic == MAGIC && crc32c::crc32c(&bytes[..20]) == u32::from_le_bytes(*checksum);
    is_whole.then(|| Position { segment: u64::from_le_bytes(*segment), offset: u64::from_le_bytes(*offset) })
}

pub(super) fn remove_if_there<F: Fs>(fs: &F, path: &Path) -> io::Result<()> {
    match fs.remove(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
