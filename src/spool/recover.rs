//! Opening: what a crash, or somebody's hands, have left.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io,
    path::{Path, PathBuf},
    sync::{Condvar, Mutex},
};

use uuid::Uuid;

use super::{
    LOCK_NAME, QUARANTINE_NAME, Spool, SpoolOptions,
    cursor::{self, CursorFound, Opened, Position},
    drain::Reader,
    error::SpoolError,
    fs::{Fs, FsFile},
    log::{Extent, Log, Segment},
    segment::{self, Found, HEADER_BYTES, Header, Marker, read_frame},
};

/// What was found when the spool was opened. Whatever it says, the spool works; most of it is worth a line in the log.
#[derive(Debug, Default)]
pub struct Recovery {
    /// Frames that wait for the database.
    pub frames: u64,
    /// Segments that hold them.
    pub segments: u64,
    /// Bytes that were cut off from the ends of segments: writes that a crash or a full disk interrupted. None of them was
    /// acknowledged, unless somebody has shortened a file.
    pub torn_bytes: u64,
    /// Places that hold something else than frames. Their segments are kept in the quarantine once the rest of them is read.
    pub damaged: Vec<Damage>,
    /// Segments that cannot be read at all, or that have another's name; where they are now, in the quarantine.
    pub quarantined: Vec<PathBuf>,
    /// Segments that are missing between those that are there.
    pub missing_segments: u64,
    /// Segments without even a header, before others: a disk that was full has left them so, or somebody has emptied them.
    pub empty: Vec<PathBuf>,
    /// Files that chunkwise did not make; left alone.
    pub foreign_files: Vec<PathBuf>,
    /// What became of the cursor.
    pub cursor: CursorFound,
}

/// A damaged place of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The segment's file.
    pub path: PathBuf,
    /// Where in it.
    pub offset: u64,
    /// How much of it, up to the next whole frame.
    pub bytes: u64,
    /// The request that was there, if its id can still be read.
    pub id: Option<Uuid>,
}

impl<F: Fs> Spool<F> {
    /// Opens the spool in a folder, which is made if needed, and reads through what is there: every frame's checksum is
    /// compared, one frame is in memory at a time. Fails only where the disk does, or where another process is in the folder.
    pub fn open(fs: F, folder: &Path, options: SpoolOptions) -> Result<(Self, Recovery), SpoolError> {
        fs.create_folder(folder).map_err(|source| SpoolError::io("make the folder", folder, source))?;
        let lock_path = folder.join(LOCK_NAME);
        let lock = fs.lock(&lock_path).map_err(|source| SpoolError::io("lock", &lock_path, source))?;
        let lock = lock.ok_or_else(|| SpoolError::InUse(folder.to_owned()))?;
        let Opened { position: cursor, found: cursor_found, file: cursor_file } = cursor::open(&fs, folder)?;
        let log = Log {
            segments: BTreeMap::new(),
            active: None,
            next_sequence: cursor.segment.max(1),
            torn_bytes: 0,
            quarantined_segments: 0,
        };
        let reader = Reader { position: cursor, cursor, cursor_file, in_hand: VecDeque::new(), open: None };
        let spool = Self {
            fs,
            folder: folder.to_owned(),
            options,
            log: Mutex::new(log),
            synced: Condvar::new(),
            reader: Mutex::new(reader),
            _lock: lock,
        };
        let recovery = spool.recover(Recovery { cursor: cursor_found, ..Recovery::default() }, cursor)?;
        Ok((spool, recovery))
    }

    fn recover(&self, mut recovery: Recovery, cursor: Position) -> Result<Recovery, SpoolError> {
        let present = self.list(&mut recovery)?;
        let quarantined = self.names(&self.folder.join(QUARANTINE_NAME))?;
        let set_aside = quarantined.iter().filter_map(|name| segment::sequence_of(name));
        let known: BTreeSet<_> = present.iter().copied().chain(set_aside).collect();
        recovery.missing_segments = missing(&known, cursor, recovery.cursor);

        let mut log = self.log();
        log.quarantined_segments = quarantined.len() as u64;
        log.next_sequence = known.last().map_or(1, |last| last + 1).max(log.next_sequence);
        for sequence in present {
            let is_finished = sequence < cursor.segment;
            let from = if sequence == cursor.segment { cursor.offset } else { 0 };
            let segment = if is_finished {
                Some(Segment::found([0; 8], Extent::EMPTY, HEADER_BYTES))
            } else {
                self.scan(sequence, from, &mut recovery)?
            };
            match segment {
                Some(segment) => {
                    recovery.frames += segment.synced.frames;
                    recovery.segments += u64::from(!is_finished);
                    if segment.disk_bytes < HEADER_BYTES && sequence + 1 < log.next_sequence {
                        recovery.empty.push(segment::path(&self.folder, sequence));
                    }
                    log.segments.insert(sequence, segment);
                }
                None => log.quarantined_segments += 1,
            }
        }
        log.torn_bytes = recovery.torn_bytes;
        Ok(recovery)
    }

    /// The segments there are; other files are noted, a cursor that was not finished is removed.
    fn list(&self, recovery: &mut Recovery) -> Result<BTreeSet<u64>, SpoolError> {
        let mut present = BTreeSet::new();
        for name in self.names(&self.folder)? {
            match segment::sequence_of(&name) {
                Some(sequence) => {
                    present.insert(sequence);
                }
                None if [LOCK_NAME, QUARANTINE_NAME, cursor::NAME, cursor::NEW_NAME].contains(&name.as_str()) => {}
                None => recovery.foreign_files.push(self.folder.join(name)),
            }
        }
        recovery.foreign_files.sort();
        Ok(present)
    }

    fn names(&self, folder: &Path) -> Result<Vec<String>, SpoolError> {
        self.fs.list(folder).map_err(|source| SpoolError::io("list", folder, source))
    }

    /// Reads through a segment, counting frames from an offset on; `None` if it went to the quarantine.
    fn scan(&self, sequence: u64, from: u64, recovery: &mut Recovery) -> Result<Option<Segment<F::File>>, SpoolError> {
        let path = segment::path(&self.folder, sequence);
        let failed = |source| SpoolError::io("read", &path, source);
        let file = self.fs.open(&path).map_err(failed)?;
        let length = file.len_bytes().map_err(failed)?;
        if length < HEADER_BYTES {
            // Made just before a crash. It is removed like any other segment without frames.
            recovery.torn_bytes += length;
            return Ok(Some(Segment::found([0; 8], Extent::EMPTY, length)));
        }
        let header = match Header::read(&file, &path)? {
            Some(header) if header.sequence == sequence => header,
            _ => {
                let failed = |source| SpoolError::io("set aside", &path, source);
                recovery.quarantined.push(self.quarantine(&path).map_err(failed)?);
                return Ok(None);
            }
        };
        let mut safe = Extent { bytes: from.max(HEADER_BYTES), frames: 0 };
        let mut damaged = damage_before(&file, &header.marker, safe.bytes.min(length)).map_err(failed)?;
        let mut disk_bytes = length;
        while safe.bytes < length {
            match read_frame(&file, &header.marker, safe.bytes, length).map_err(failed)? {
                Found::Frame { end, .. } => safe = Extent { bytes: end, frames: safe.frames + 1 },
                Found::Damaged { end, id } => {
                    let bytes = end - safe.bytes;
                    recovery.damaged.push(Damage { path: path.clone(), offset: safe.bytes, bytes, id });
                    damaged.insert(safe.bytes, bytes);
                    safe.bytes = end;
                }
                Found::Torn => {
                    recovery.torn_bytes += length - safe.bytes;
                    // Readers stop there anyhow, so it is no harm if this fails.
                    if file.truncate(safe.bytes).is_ok() {
                        disk_bytes = safe.bytes;
                    }
                    break;
                }
            }
        }
        Ok(Some(Segment { damaged, ..Segment::found(header.marker, safe, disk_bytes) }))
    }

    /// Moves a segment's file out of the way, under a name that is free; says where it is.
    pub(super) fn quarantine(&self, path: &Path) -> io::Result<PathBuf> {
        let folder = self.folder.join(QUARANTINE_NAME);
        self.fs.create_folder(&folder)?;
        let taken = self.fs.list(&folder)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let free = (0u64..).map(|n| if n == 0 { name.to_string() } else { format!("{name}.{n}") });
        let free = free.into_iter().find(|name| !taken.contains(name)).unwrap_or_default();
        let to = folder.join(free);
        self.fs.rename(path, &to)?;
        self.fs.sync_folder(&folder)?;
        Ok(to)
    }
}

/// Damaged places of the part that the database has: for them the segment is kept, also if the process that came across
/// them has ended.
fn damage_before<F: FsFile>(file: &F, marker: &Marker, limit: u64) -> io::Result<BTreeMap<u64, u64>> {
    let mut damaged = BTreeMap::new();
    let mut offset = HEADER_BYTES;
    while offset < limit {
        let end = match read_frame(file, marker, offset, limit)? {
            Found::Frame { end, .. } => end,
            Found::Damaged { end, .. } => {
                damaged.insert(offset, end - offset);
                end
            }
            Found::Torn => break,
        };
        offset = end;
    }
    Ok(damaged)
}

/// How many segments are missing, from the cursor's on.
fn missing(known: &BTreeSet<u64>, cursor: Position, found: CursorFound) -> u64 {
    let mut missing = 0;
    let mut expected = match found {
        CursorFound::Intact => Some(cursor.segment),
        CursorFound::Absent | CursorFound::Damaged => None,
    };
    for sequence in known.range(cursor.segment..) {
        missing += expected.map_or(0, |expected| sequence - expected);
        expected = Some(sequence + 1);
    }
    // The cursor stands within a segment that is gone.
    let is_gone = known.range(cursor.segment..).next().is_none() && cursor.offset > 0;
    missing + u64::from(is_gone)
}
