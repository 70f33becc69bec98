//! A file as a stream of its plain bytes: gzip and zstd undone, the byte order mark dropped, what cannot be read refused.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use flate2::bufread::MultiGzDecoder;

use super::LoadError;

/// How much of the file's beginning is looked at to tell what it is.
const PREFIX_BYTES: u64 = 64 * 1024;

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    Plain,
    /// gzip, of one member or several.
    Gzip,
    /// zstd, of one frame or several, with a window of at most 128 MiB.
    Zstd,
}

/// How far the reading of a file has come.
#[derive(Debug, Clone)]
pub struct Progress {
    consumed: Arc<AtomicU64>,
    /// The file's length in bytes, as it lies on the disk.
    pub total_bytes: u64,
}

impl Progress {
    /// Bytes of the file, as it lies on the disk, that were read so far.
    #[must_use]
    pub fn consumed_bytes(&self) -> u64 {
        self.consumed.load(Ordering::Relaxed)
    }
}

/// An open file.
pub(super) struct Source {
    reader: Box<dyn Read + Send>,
    progress: Progress,
    compression: Compression,
}

impl Source {
    /// Opens the file and returns it with its first bytes, without a byte order mark. Reading goes on after them.
    pub(super) fn open(path: &Path) -> Result<(Self, Vec<u8>), LoadError> {
        let opened = |source| LoadError::Read { after_bytes: 0, source };
        let file = File::open(path).map_err(opened)?;
        let metadata = file.metadata().map_err(opened)?;
        if metadata.is_dir() {
            return Err(LoadError::UnsupportedFormat("a folder"));
        }
        let progress = Progress { consumed: Arc::default(), total_bytes: metadata.len() };
        let mut file = Counted { file, consumed: Arc::clone(&progress.consumed) };
        let mut magic = Vec::with_capacity(8);
        (&mut file).take(8).read_to_end(&mut magic).map_err(opened)?;
        let compression = if magic.starts_with(&[0x1f, 0x8b]) {
            Compression::Gzip
        } else if magic.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            Compression::Zstd
        } else {
            Compression::Plain
        };
        refuse_other_formats(&magic)?;
        let whole = BufReader::with_capacity(64 * 1024, io::Cursor::new(magic).chain(file));
        let reader: Box<dyn Read + Send> = match compression {
            Compression::Plain => Box::new(whole),
            Compression::Gzip => Box::new(MultiGzDecoder::new(whole)),
            Compression::Zstd => Box::new(zstd::Decoder::with_buffer(whole).map_err(opened)?),
        };
        let mut source = Self { reader, progress, compression };
        let mut prefix = Vec::new();
        source.read_more(&mut prefix, PREFIX_BYTES)?;
        drop_mark(&mut prefix)?;
        Ok((source, prefix))
    }

    pub(super) fn progress(&self) -> &Progress {
        &self.progress
    }

    pub(super) fn compression(&self) -> Compression {
        self.compression
    }

    /// Appends up to `limit_bytes` plain bytes; fewer only at the file's end. Returns how many.
    pub(super) fn read_more(&mut self, buffer: &mut Vec<u8>, limit_bytes: u64) -> Result<usize, LoadError> {
        (&mut self.reader)
            .take(limit_bytes)
            .read_to_end(buffer)
            .map_err(|source| LoadError::Read { after_bytes: self.progress.consumed_bytes(), source })
    }
}

struct Counted {
    file: File,
    consumed: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.file.read(buffer)?;
        self.consumed.fetch_add(bytes as u64, Ordering::Relaxed);
        Ok(bytes)
    }
}

fn refuse_other_formats(magic: &[u8]) -> Result<(), LoadError> {
    let known: [(&[u8], &str); 4] = [
        (b"PK\x03\x04", "a ZIP archive (or an Excel workbook)"),
        (b"PAR1", "a Parquet file"),
        (b"BZh", "compressed with bzip2"),
        (&[0xfd, b'7', b'z', b'X', b'Z'], "compressed with xz"),
    ];
    match known.into_iter().find(|(start, _)| magic.starts_with(start)) {
        Some((_, what)) => Err(LoadError::UnsupportedFormat(what)),
        None => Ok(()),
    }
}

fn drop_mark(prefix: &mut Vec<u8>) -> Result<(), LoadError> {
    if prefix.starts_with(&[0xff, 0xfe]) || prefix.starts_with(&[0xfe, 0xff]) {
        return Err(LoadError::Encoding("UTF-16"));
    }
    if prefix.starts_with(&[0xef, 0xbb, 0xbf]) {
        prefix.drain(..3);
    }
    // UTF-16 without its mark has a NUL in every other byte of ASCII text.
    let zeros = memchr::memchr_iter(0, prefix).count();
    if zeros * 4 > prefix.len() {
        return Err(LoadError::Encoding("UTF-16 or binary"));
    }
    Ok(())
}
