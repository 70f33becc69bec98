//! A file as a stream of its plain bytes: gzip and zstd undone, the byte order mark dropped, what cannot be read refused.

use std::{
    fmt,
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use flate2::bufread::MultiGzDecoder;

use super::{
    LoadError,
    follow::{Followed, StopSign},
    parquet,
    pipe::Pipe,
};

/// How much of the file's beginning is looked at to tell what it is.
const PREFIX_BYTES: u64 = 64 * 1024;

/// How often it is looked for what has come.
const LOOK_EVERY: Duration = Duration::from_millis(250);

const NOT_A_FILE: LoadError =
    LoadError::NotFollowed("is no file, and what comes through a pipe is loaded as it comes without --follow");

/// The path that stands for standard input.
pub(super) const STANDARD_INPUT: &str = "-";

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
    pub(super) fn of_total(total_bytes: u64) -> Self {
        Self { consumed: Arc::default(), total_bytes }
    }

    /// Enters how much of the file was read, from 0 to 1.
    pub(super) fn set_share(&self, share: f64) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a bar's place, never negative")]
        let bytes = (self.total_bytes as f64 * share.clamp(0.0, 1.0)) as u64;
        self.consumed.store(bytes, Ordering::Relaxed);
    }

    /// Bytes of the file, as it lies on the disk, that were read so far.
    #[must_use]
    pub fn consumed_bytes(&self) -> u64 {
        self.consumed.load(Ordering::Relaxed)
    }
}

/// What reading came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum More {
    /// So many bytes.
    Bytes(u64),
    /// Nothing has come since, and more may.
    NothingYet,
    /// Nothing, and nothing will.
    End,
    /// The same for a file that was followed: its name is another file's now.
    Replaced,
    /// It was followed, and is shorter now than what was read.
    Truncated,
    /// It was followed, and enough is read.
    Stopped,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("progress", &self.progress).finish_non_exhaustive()
    }
}

/// An open file.
pub(super) struct Source {
    input: Input,
    progress: Progress,
    compression: Compression,
    is_pipe: bool,
}

enum Input {
    /// All of it can be read at once.
    Whole(Box<dyn Read + Send>),
    Pipe(Pipe),
    Followed(Followed),
}

impl Source {
    /// Opens the file and returns it with its first bytes, without a byte order mark. Reading goes on after them. Of a pipe
    /// these are what came with the first line.
    pub(super) fn open(path: &Path) -> Result<(Self, Vec<u8>), LoadError> {
        let opened = |source| LoadError::Read { after_bytes: 0, source };
        let is_standard_input = path.as_os_str() == STANDARD_INPUT;
        let (mut file, total_bytes, is_pipe): (Box<dyn Read + Send>, u64, bool) = if is_standard_input {
            (Box::new(io::stdin()), 0, true)
        } else {
            let file = File::open(path).map_err(opened)?;
            let metadata = file.metadata().map_err(opened)?;
            if metadata.is_dir() {
                return Err(LoadError::UnsupportedFormat("a folder"));
            }
            (Box::new(file), metadata.len(), !metadata.is_file())
        };
        let progress = Progress { consumed: Arc::default(), total_bytes };
        let mut magic = Vec::with_capacity(8);
        (&mut file).take(8).read_to_end(&mut magic).map_err(opened)?;
        let compression = if magic.starts_with(&[0x1f, 0x8b]) {
            Compression::Gzip
        } else if magic.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            Compression::Zstd
        } else {
            Compression::Plain
        };
        if magic.starts_with(parquet::MAGIC) {
            return Err(LoadError::ParquetIn("a pipe: what it holds is told at its end, so give the file itself"));
        }
        refuse_other_formats(&magic)?;
        let file = Counted { file: io::Cursor::new(magic).chain(file), consumed: Arc::clone(&progress.consumed) };
        let input = match compression {
            Compression::Plain if is_pipe => Input::Pipe(Pipe::start(file).map_err(opened)?),
            Compression::Plain => Input::Whole(Box::new(file)),
            Compression::Gzip => Input::Whole(Box::new(MultiGzDecoder::new(BufReader::with_capacity(64 * 1024, file)))),
            Compression::Zstd => {
                let whole = BufReader::with_capacity(64 * 1024, file);
                Input::Whole(Box::new(zstd::Decoder::with_buffer(whole).map_err(opened)?))
            }
        };
        let mut source = Self { input, progress, compression, is_pipe };
        let mut prefix = Vec::new();
        source.read_prefix(&mut prefix)?;
        if prefix.starts_with(parquet::MAGIC) {
            return Err(LoadError::ParquetIn(
                "gzip or zstd: undo that first, its columns are compressed by themselves",
            ));
        }
        drop_mark(&mut prefix)?;
        Ok((source, prefix))
    }

    /// Opens a plain file to be followed until `stop` is raised; waits until there is something in it.
    pub(super) fn follow(path: &Path, stop: StopSign) -> Result<(Self, Vec<u8>), LoadError> {
        let opened = |source| LoadError::Read { after_bytes: 0, source };
        if path.as_os_str() == STANDARD_INPUT {
            return Err(NOT_A_FILE);
        }
        let followed = Followed::open(path, stop).map_err(opened)?;
        let metadata = followed.metadata().map_err(opened)?;
        if !metadata.is_file() {
            return Err(NOT_A_FILE);
        }
        let progress = Progress { consumed: Arc::default(), total_bytes: metadata.len() };
        let input = Input::Followed(followed);
        let mut source = Self { input, progress, compression: Compression::Plain, is_pipe: false };
        let mut prefix = Vec::new();
        source.read_prefix(&mut prefix)?;
        if prefix.starts_with(&[0x1f, 0x8b]) || prefix.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            return Err(LoadError::NotFollowed("is compressed, and cannot be read while it grows"));
        }
        if prefix.starts_with(parquet::MAGIC) {
            return Err(LoadError::NotFollowed("is a Parquet file, which is written once and does not grow"));
        }
        refuse_other_formats(&prefix)?;
        drop_mark(&mut prefix)?;
        Ok((source, prefix))
    }

    pub(super) fn progress(&self) -> &Progress {
        &self.progress
    }

    pub(super) fn compression(&self) -> Compression {
        self.compression
    }

    /// Whether it can be read only once.
    pub(super) fn is_pipe(&self) -> bool {
        self.is_pipe
    }

    /// Appends up to `limit_bytes` plain bytes, of a pipe what has come.
    pub(super) fn read_more(&mut self, buffer: &mut Vec<u8>, limit_bytes: u64) -> Result<More, LoadError> {
        let read = match &mut self.input {
            Input::Whole(reader) => reader
                .take(limit_bytes)
                .read_to_end(buffer)
                .map(|read| if read > 0 { More::Bytes(read as u64) } else { More::End }),
            Input::Pipe(pipe) => pipe.read_more(buffer),
            Input::Followed(followed) => followed.read_more(buffer, limit_bytes).inspect(|more| {
                if let More::Bytes(read) = more {
                    self.progress.consumed.fetch_add(*read, Ordering::Relaxed);
                }
            }),
        };
        read.map_err(|source| LoadError::Read { after_bytes: self.progress.consumed_bytes(), source })
    }

    /// Waits a moment for more.
    pub(super) fn wait(&mut self) {
        match &mut self.input {
            Input::Pipe(pipe) => pipe.wait(LOOK_EVERY),
            Input::Followed(followed) if followed.stop().is_raised() => {}
            Input::Whole(_) | Input::Followed(_) => thread::sleep(LOOK_EVERY),
        }
    }

    /// As much as tells what the file is: of a pipe, and of a file that grows, what there is once a line is complete.
    fn read_prefix(&mut self, prefix: &mut Vec<u8>) -> Result<(), LoadError> {
        while (prefix.len() as u64) < PREFIX_BYTES {
            match self.read_more(prefix, PREFIX_BYTES)? {
                More::Bytes(_) => {}
                More::NothingYet if prefix.contains(&b'\n') => break,
                More::NothingYet => self.wait(),
                More::End | More::Replaced | More::Truncated | More::Stopped => break,
            }
        }
        Ok(())
    }
}

struct Counted<R> {
    file: R,
    consumed: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.file.read(buffer)?;
        self.consumed.fetch_add(bytes as u64, Ordering::Relaxed);
        Ok(bytes)
    }
}

fn refuse_other_formats(magic: &[u8]) -> Result<(), LoadError> {
    let known: [(&[u8], &str); 3] = [
        (b"PK\x03\x04", "a ZIP archive (or an Excel workbook)"),
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
