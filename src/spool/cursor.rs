//! How far the database has come: a place in the log, in a file of its own.
//!
//! ```text
//! 0          4         12       20       24
//! +----------+---------+--------+--------+
//! | "CWc1"   | segment | offset | crc32c |
//! +----------+---------+--------+--------+
//! ```
//!
//! It is written to a new file, which takes the old one's name when it is durable. A cursor that is lost or damaged costs
//! time only: everything that is still there is replayed, and the ledger knows it.

use std::{io, path::Path};

use super::{
    error::SpoolError,
    fs::{Fs, FsFile},
};

const MAGIC: &[u8; 4] = b"CWc1";
const BYTES: usize = 24;
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

/// Makes a cursor durable, in place of the one before.
pub(super) fn write<F: Fs>(fs: &F, folder: &Path, position: Position) -> Result<(), SpoolError> {
    let mut bytes = [0; BYTES];
    bytes[..4].copy_from_slice(MAGIC);
    bytes[4..12].copy_from_slice(&position.segment.to_le_bytes());
    bytes[12..20].copy_from_slice(&position.offset.to_le_bytes());
    let checksum = crc32c::crc32c(&bytes[..20]);
    bytes[20..].copy_from_slice(&checksum.to_le_bytes());

    let new = folder.join(NEW_NAME);
    let failed = |source| SpoolError::io("write the spool's cursor", &new, source);
    remove_if_there(fs, &new).map_err(failed)?;
    let file = fs.create(&new).map_err(failed)?;
    file.append(&bytes).map_err(failed)?;
    file.sync_data().map_err(failed)?;
    fs.rename(&new, &folder.join(NAME)).map_err(failed)?;
    fs.sync_folder(folder).map_err(failed)
}

/// Reads the cursor; a damaged one is the beginning of everything.
pub(super) fn read<F: Fs>(fs: &F, folder: &Path) -> Result<(Position, CursorFound), SpoolError> {
    let path = folder.join(NAME);
    let read = || {
        let mut bytes = [0; BYTES + 1];
        let length = fs.open(&path)?.read_at(&mut bytes, 0)?;
        Ok((bytes, length))
    };
    match read() {
        Ok((bytes, length)) => match parse(&bytes[..length]) {
            Some(position) => Ok((position, CursorFound::Intact)),
            None => Ok((Position::default(), CursorFound::Damaged)),
        },
        Err(error) if io::Error::kind(&error) == io::ErrorKind::NotFound => {
            Ok((Position::default(), CursorFound::Absent))
        }
        Err(error) => Err(SpoolError::io("read the spool's cursor", &path, error)),
    }
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
