//! A segment's bytes: its header, and its frames one after the other.

use std::{
    io,
    path::{Path, PathBuf},
};

use uuid::Uuid;

use super::{
    error::SpoolError,
    frame::{Frame, PREFIX_BYTES, Prefix},
    fs::FsFile,
};

const MAGIC: &[u8; 8] = b"CWspool\n";
const VERSION: u32 = 1;
const COPY_BYTES: usize = 32;
/// A header is written twice, so that damage to one sector of it costs no frames.
pub(super) const HEADER_BYTES: u64 = 2 * COPY_BYTES as u64;

pub(super) const MARKER_BYTES: usize = 8;
/// What stands before each frame of a segment. It is drawn by lot when the segment is made: after damage the next frame is
/// found by it, and nothing that a client sends can look like a frame.
pub(super) type Marker = [u8; MARKER_BYTES];

/// Pieces in which a segment is searched.
const PIECE_BYTES: usize = 1 << 18;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) sequence: u64,
    pub(super) marker: Marker,
}

impl Header {
    pub(super) fn new(sequence: u64) -> Self {
        let [marker @ .., _, _, _, _, _, _, _, _] = *Uuid::new_v4().as_bytes();
        Self { sequence, marker }
    }

    pub(super) fn encode(self) -> Vec<u8> {
        let mut copy = Vec::with_capacity(2 * COPY_BYTES);
        copy.extend_from_slice(MAGIC);
        copy.extend_from_slice(&VERSION.to_le_bytes());
        copy.extend_from_slice(&self.sequence.to_le_bytes());
        copy.extend_from_slice(&self.marker);
        copy.extend_from_slice(&crc32c::crc32c(&copy).to_le_bytes());
        copy.repeat(2)
    }

    /// Reads the header; `None` if both copies are damaged.
    pub(super) fn read<F: FsFile>(file: &F, path: &Path) -> Result<Option<Self>, SpoolError> {
        let mut bytes = [0; 2 * COPY_BYTES];
        read_full(file, &mut bytes, 0).map_err(|source| SpoolError::io("read", path, source))?;
        let copies = bytes.as_chunks::<COPY_BYTES>().0;
        match copies.iter().find_map(Self::parse) {
            Some((VERSION, header)) => Ok(Some(header)),
            Some((version, _)) => Err(SpoolError::Version { path: path.to_owned(), version }),
            None => Ok(None),
        }
    }

    fn parse(copy: &[u8; COPY_BYTES]) -> Option<(u32, Self)> {
        let (rest, checksum) = copy.split_last_chunk::<4>()?;
        if crc32c::crc32c(rest) != u32::from_le_bytes(*checksum) {
            return None;
        }
        let (version, rest) = rest.strip_prefix(MAGIC)?.split_first_chunk::<4>()?;
        let (sequence, rest) = rest.split_first_chunk::<8>()?;
        let header = Self { sequence: u64::from_le_bytes(*sequence), marker: rest.try_into().ok()? };
        Some((u32::from_le_bytes(*version), header))
    }
}

/// The file of a segment.
pub(super) fn path(folder: &Path, sequence: u64) -> PathBuf {
    folder.join(format!("{sequence:020}.seg"))
}

/// The segment that a file's name stands for; `None` for other files' names.
pub(super) fn sequence_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".seg")?;
    let is_number = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok()).flatten().filter(|sequence| (1..u64::MAX).contains(sequence))
}

/// What stands at a place in a segment.
#[derive(Debug)]
pub(super) enum Found {
    /// A whole frame.
    Frame {
        /// Its payload, whose parts add up.
        payload: Vec<u8>,
        /// Where it ends.
        end: u64,
    },
    /// No frame, up to the next one or the limit.
    Damaged {
        /// Where the next frame begins, or the limit.
        end: u64,
        /// The id in the frame's place, if its bytes are there; they may be damaged too.
        id: Option<Uuid>,
    },
    /// The beginning of a frame, and then the file ends: a write that was cut off.
    Torn,
}

/// Looks for a frame at `offset`, of a segment that is to be read up to `limit`. Holds one frame in memory at most.
pub(super) fn read_frame<F: FsFile>(file: &F, marker: &Marker, offset: u64, limit: u64) -> io::Result<Found> {
    let attempt = try_frame(file, marker, offset, limit)?;
    let Attempt::Bad { id, cut } = attempt else {
        let Attempt::Good(payload) = attempt else { return Ok(Found::Torn) };
        let end = offset + (MARKER_BYTES + PREFIX_BYTES + payload.len()) as u64;
        return Ok(Found::Frame { payload, end });
    };
    let mut from = offset + 1;
    while let Some(next) = find_marker(file, marker, from, limit)? {
        if let Attempt::Good(_) = try_frame(file, marker, next, limit)? {
            return Ok(Found::Damaged { end: next, id });
        }
        from = next + 1;
    }
    if cut || is_zero(file, offset, limit)? { Ok(Found::Torn) } else { Ok(Found::Damaged { end: limit, id }) }
}

enum Attempt {
    Good(Vec<u8>),
    Bad {
        id: Option<Uuid>,
        /// It begins like a frame and goes on beyond the limit.
        cut: bool,
    },
}

fn try_frame<F: FsFile>(file: &F, marker: &Marker, offset: u64, limit: u64) -> io::Result<Attempt> {
    let left = usize::try_from(limit.saturating_sub(offset)).unwrap_or(usize::MAX);
    let mut head = [0; MARKER_BYTES + PREFIX_BYTES];
    let wanted = head.len().min(left);
    let found = read_full(file, &mut head[..wanted], offset)?;
    let found_marker = found.min(MARKER_BYTES);
    if head[..found_marker] != marker[..found_marker] {
        return Ok(Attempt::Bad { id: None, cut: false });
    }
    let Some((_, prefix)) =
        head[..found].split_last_chunk::<PREFIX_BYTES>().filter(|(rest, _)| rest.len() == MARKER_BYTES)
    else {
        return Ok(Attempt::Bad { id: None, cut: true });
    };
    let prefix = Prefix::read(prefix);
    let Ok(payload_bytes) = prefix.payload_bytes() else { return Ok(Attempt::Bad { id: None, cut: false }) };
    let id_at = offset + head.len() as u64;
    if payload_bytes > left - head.len() {
        return Ok(Attempt::Bad { id: read_id(file, id_at, limit)?, cut: true });
    }
    let mut payload = vec![0; payload_bytes];
    let found = read_full(file, &mut payload, id_at)?;
    if found == payload_bytes && prefix.check(&payload).is_ok() && Frame::from_payload(&payload).is_ok() {
        return Ok(Attempt::Good(payload));
    }
    Ok(Attempt::Bad { id: payload.first_chunk().filter(|_| found >= 16).map(|id| Uuid::from_bytes(*id)), cut: false })
}

fn read_id<F: FsFile>(file: &F, offset: u64, limit: u64) -> io::Result<Option<Uuid>> {
    let mut id = [0; 16];
    let is_there = limit.saturating_sub(offset) >= 16 && read_full(file, &mut id, offset)? == 16;
    Ok(is_there.then(|| Uuid::from_bytes(id)))
}

/// Where the marker stands next.
fn find_marker<F: FsFile>(file: &F, marker: &Marker, from: u64, limit: u64) -> io::Result<Option<u64>> {
    let finder = memchr::memmem::Finder::new(marker);
    let mut found = None;
    in_pieces(file, from, limit, |offset, piece| {
        found = finder.find(piece).map(|at| offset + at as u64);
        found.is_none()
    })?;
    Ok(found)
}

fn is_zero<F: FsFile>(file: &F, from: u64, limit: u64) -> io::Result<bool> {
    let mut is_zero = true;
    in_pieces(file, from, limit, |_, piece| {
        is_zero = piece.iter().all(|byte| *byte == 0);
        is_zero
    })?;
    Ok(is_zero)
}

/// Reads a part of a file piece by piece while `next` wants more. Pieces overlap, so that no marker is cut in two.
fn in_pieces<F: FsFile>(
    file: &F,
    mut offset: u64,
    limit: u64,
    mut next: impl FnMut(u64, &[u8]) -> bool,
) -> io::Result<()> {
    let mut piece = vec![0; PIECE_BYTES];
    while offset < limit {
        let left = usize::try_from(limit - offset).unwrap_or(usize::MAX);
        let wanted = PIECE_BYTES.min(left);
        let found = read_full(file, &mut piece[..wanted], offset)?;
        if !next(offset, &piece[..found]) || found < wanted || found == left {
            break;
        }
        offset += (found - (MARKER_BYTES - 1)) as u64;
    }
    Ok(())
}

/// Reads until `bytes` are full or the file ends; says how many were read.
fn read_full<F: FsFile>(file: &F, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read_at(&mut bytes[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
