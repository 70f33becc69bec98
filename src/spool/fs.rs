//! What the spool asks of a file system. A trait, so that tests can let each single operation fail, and lose what was not
//! synced.

use std::{
    fmt::Debug,
    fs::{DirBuilder, File, OpenOptions, TryLockError, create_dir_all},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt},
    path::Path,
};

/// A file system. All paths are within the spool's folder, or are it.
pub trait Fs: Debug + Send + Sync {
    /// An open file.
    type File: FsFile;
    /// A lock, held until it is dropped.
    type Lock: Debug + Send;

    /// Makes a folder, with those above it, if it is not there; for its owner's eyes only. It is durable when this returns.
    fn create_folder(&self, path: &Path) -> io::Result<()>;
    /// The names of a folder's entries, in any order; of none if there is no such folder.
    fn list(&self, folder: &Path) -> io::Result<Vec<String>>;
    /// Takes the lock on a file, which is made if needed; `None` if another process has it.
    fn lock(&self, path: &Path) -> io::Result<Option<Self::Lock>>;
    /// Makes a file that must not be there yet, for appending.
    fn create(&self, path: &Path) -> io::Result<Self::File>;
    /// Opens a file for reading and cutting.
    fn open(&self, path: &Path) -> io::Result<Self::File>;
    /// Gives a file another name, in place of a file that may have it already.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file's name.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a folder durable: `fsync`.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
    /// Bytes that can still be written to the disk of a folder.
    fn free_bytes(&self, folder: &Path) -> io::Result<u64>;
}

/// An open file.
pub trait FsFile: Debug + Send + Sync {
    /// Appends all of the bytes; on an error a part of them may have been.
    fn append(&self, bytes: &[u8]) -> io::Result<()>;
    /// Overwrites bytes of the file, which must have them already; on an error any of them may be either.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Makes what was written durable, with the file's length: `fdatasync`. After an error nothing is known about what
    /// was appended since the last success, and asking again would tell a lie.
    fn sync_data(&self) -> io::Result<()>;
    /// Reads from a place, as much as there is and fits; 0 bytes at the end.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize>;
    /// The file's length in bytes.
    fn len_bytes(&self) -> io::Result<u64>;
    /// Cuts the file off after so many bytes.
    fn truncate(&self, bytes: u64) -> io::Result<()>;
}

/// The operating system's own.
#[derive(Debug, Clone, Copy, Default)]
pub struct Disk;

impl Fs for Disk {
    type File = File;
    type Lock = File;

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        if path.is_dir() {
            return Ok(());
        }
        // What is above may also hold the server's files, and its account has to get there.
        path.parent().map_or(Ok(()), create_dir_all)?;
        // Another process may have made it meanwhile.
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        path.parent().map_or(Ok(()), |parent| self.sync_folder(parent))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let entries = match folder.read_dir() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }

    fn lock(&self, path: &Path) -> io::Result<Option<File>> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn create(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new().create_new(true).write(true).mode(0o600).open(path)
    }

    fn open(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).open(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }

    fn free_bytes(&self, folder: &Path) -> io::Result<u64> {
        let disk = rustix::fs::statvfs(folder)?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }
}

impl FsFile for File {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        let mut file = self;
        file.write_all(bytes)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        File::sync_data(self)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(self, bytes, offset)
    }

    fn len_bytes(&self) -> io::Result<u64> {
        self.metadata().map(|metadata| metadata.len())
    }

    fn truncate(&self, bytes: u64) -> io::Result<()> {
        self.set_len(bytes)
    }
}
