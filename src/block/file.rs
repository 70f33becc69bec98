//! Panels as files.
//!
//! ```text
//! 0     "CWPANEL1"
//! 8     length of the header (u32), its CRC-32C (u32), both little-endian
//! 16    header: JSON: what the panel is, the sections' lengths, the CRC-32C of all that follows it
//! 4096 n  sections, each from a multiple of 64 bytes on, as they lie in memory (little-endian)
//!         base panel       values (f64 x 16), observed (u8), valued (u8)
//!         compute panel    values (f32 x 16), present (u16), full (u8), offsets (f64 x 16), wild (u16)
//! ```
//!
//! A file is complete when it has its name, and never changes. What a crash or a bad disk has made of one shows in the
//! checksums: then it is no file, and its panel is made anew.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    ops::Range,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::Arc,
};

use memmap2::Mmap;
use serde::{Deserialize, Serialize};

use super::{
    cells::{self, Cells},
    panel::{Base, Compute},
};

/// Values lie as they do in memory: a machine of another order of bytes must not take them for its own.
const MAGIC: &[u8; 8] = if cfg!(target_endian = "little") { b"CWPANEL1" } else { b"CWPANELB" };
const PAGE: usize = 4_096;
const ALIGN: usize = 64;
/// A header is much shorter than this.
const MAX_HEADER: usize = 1 << 20;

#[derive(Debug, Serialize, Deserialize)]
struct Header {
    panel: Kind,
    /// Bytes of each section.
    sections: Vec<usize>,
    checksum: u32,
}

#[derive(Debug, Serialize, Deserialize)]
enum Kind {
    Base { version: u64, series: usize, buckets: usize },
    Compute { base: u64, history: Vec<u64>, buckets: usize },
}

/// Writes a base panel; gives it back as it lies in the file.
pub(super) fn write_base(path: &Path, panel: &Base) -> io::Result<Base> {
    let Base { version, series, buckets, values, observed, valued } = panel;
    let kind = Kind::Base { version: *version, series: *series, buckets: *buckets };
    write(path, kind, &[values.as_bytes(), &flags(observed), &flags(valued)])?;
    read_base(path)
}

/// Writes a compute panel; gives it back as it lies in the file.
pub(super) fn write_compute(path: &Path, panel: &Compute) -> io::Result<Compute> {
    let Compute { base, history, buckets, values, present, full, offsets, wild } = panel;
    let kind = Kind::Compute { base: *base, history: history.clone(), buckets: *buckets };
    let sections =
        [values.as_bytes(), present.as_bytes(), &flags(full), offsets.as_bytes(), bytemuck::cast_slice(wild)];
    write(path, kind, &sections)?;
    read_compute(path)
}

/// Reads a base panel, unless it is damaged.
pub(super) fn read_base(path: &Path) -> io::Result<Base> {
    let (map, kind, sections) = read(path)?;
    let (Kind::Base { version, series, buckets }, [values, observed, valued]) = (kind, sections.as_slice()) else {
        return Err(damaged());
    };
    let panel = Base {
        version,
        series,
        buckets,
        values: Cells::mapped(&map, values.clone()).ok_or_else(damaged)?,
        observed: map[observed.clone()].iter().map(|flag| *flag != 0).collect(),
        valued: map[valued.clone()].iter().map(|flag| *flag != 0).collect(),
    };
    let is_whole =
        panel.values.len() == panel.tiles() * buckets && [panel.observed.len(), panel.valued.len()] == [buckets; 2];
    if is_whole { Ok(panel) } else { Err(damaged()) }
}

/// Reads a compute panel, unless it is damaged.
pub(super) fn read_compute(path: &Path) -> io::Result<Compute> {
    let (map, kind, sections) = read(path)?;
    let (Kind::Compute { base, history, buckets }, [values, present, full, offsets, wild]) =
        (kind, sections.as_slice())
    else {
        return Err(damaged());
    };
    let panel = Compute {
        base,
        history,
        buckets,
        values: Cells::mapped(&map, values.clone()).ok_or_else(damaged)?,
        present: Cells::mapped(&map, present.clone()).ok_or_else(damaged)?,
        full: map[full.clone()].iter().map(|flag| *flag != 0).collect(),
        offsets: Cells::mapped(&map, offsets.clone()).ok_or_else(damaged)?,
        wild: map[wild.clone()].as_chunks().0.iter().map(|bits| u16::from_ne_bytes(*bits)).collect(),
    };
    let (tiles, cells) = (panel.full.len(), panel.full.len() * buckets);
    let is_whole = panel.values.len() == cells
        && panel.wild.len() == tiles
        && [0, cells].contains(&panel.present.len())
        && [0, tiles].contains(&panel.offsets.len())
        && (!panel.present.is_empty() || panel.full.iter().all(|full| *full));
    if is_whole { Ok(panel) } else { Err(damaged()) }
}

fn flags(flags: &[bool]) -> Vec<u8> {
    flags.iter().map(|flag| u8::from(*flag)).collect()
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the file is no panel, or is damaged")
}

fn write(path: &Path, panel: Kind, sections: &[&[u8]]) -> io::Result<()> {
    let padding = |len: usize, align: usize| len.next_multiple_of(align) - len;
    let zeros = [0_u8; PAGE];
    let mut checksum = 0;
    for section in sections {
        checksum = crc32c::crc32c_append(checksum, section);
        checksum = crc32c::crc32c_append(checksum, &zeros[..padding(section.len(), ALIGN)]);
    }
    let sections_bytes = sections.iter().map(|section| section.len()).collect();
    let header = serde_json::to_vec(&Header { panel, sections: sections_bytes, checksum })?;
    let length = u32::try_from(header.len()).map_err(io::Error::other)?;
    replace(path, |file| {
        file.write_all(MAGIC)?;
        file.write_all(&length.to_le_bytes())?;
        file.write_all(&crc32c::crc32c(&header).to_le_bytes())?;
        file.write_all(&header)?;
        file.write_all(&zeros[..padding(16 + header.len(), PAGE)])?;
        for section in sections {
            file.write_all(section)?;
            file.write_all(&zeros[..padding(section.len(), ALIGN)])?;
        }
        Ok(())
    })
}

/// Writes a file that only its owner may read, and puts it in the place of the one there was when all of it is on the disk.
///
/// # Errors
/// Those of the file system, and those of `write`; the old file is as it was.
pub fn replace(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&new)?;
    write(&mut file)?;
    file.sync_data()?;
    fs::rename(&new, path)
}

/// A file's bytes, what it is, and where its sections are.
fn read(path: &Path) -> io::Result<(Arc<Mmap>, Kind, Vec<Range<usize>>)> {
    let map = cells::map(&File::open(path)?)?;
    let word = |at: usize| map.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
    let (Some(length), Some(checksum)) = (word(8), word(12)) else { return Err(damaged()) };
    let length = usize::try_from(length).ok().filter(|length| *length <= MAX_HEADER).ok_or_else(damaged)?;
    let header = map.get(16..16 + length).filter(|_| map.starts_with(MAGIC)).ok_or_else(damaged)?;
    if crc32c::crc32c(header) != checksum {
        return Err(damaged());
    }
    let header: Header = serde_json::from_slice(header)?;
    let start = (16 + length).next_multiple_of(PAGE);
    let mut at = start;
    let mut sections = Vec::with_capacity(header.sections.len());
    for bytes in header.sections {
        let end = at.checked_add(bytes).filter(|end| *end <= map.len()).ok_or_else(damaged)?;
        sections.push(at..end);
        at = end.next_multiple_of(ALIGN);
    }
    let whole = map.get(start..at).filter(|_| at == map.len()).ok_or_else(damaged)?;
    if crc32c::crc32c(whole) != header.checksum {
        return Err(damaged());
    }
    Ok((map, header.panel, sections))
}
