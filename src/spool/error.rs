//! What can go wrong, and what a caller does about it.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::frame::FrameError;

/// Why the spool refuses.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpoolError {
    /// Another process has the folder open.
    #[error("the spool {} is in use by another process: stop it, or use another data folder", .0.display())]
    InUse(PathBuf),
    /// There is no room. Nothing of the frame is kept; the same request can be sent again, and is taken once there is room.
    #[error("the spool is full: {0}; requests are taken again as soon as there is room")]
    Full(Limit),
    /// The frame can never be spooled.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A segment was written by another version of chunkwise.
    #[error(
        "{} has format {version}, which this version of chunkwise does not know: let the version that wrote it finish it",
        path.display()
    )]
    Version {
        /// The segment.
        path: PathBuf,
        /// Its format's number.
        version: u32,
    },
    /// The operating system refused. An append with this error keeps nothing of its frame for the service's readers, but
    /// where the disk failed half-way the frame may still turn up after a restart; its id then makes it harmless.
    #[error("cannot {action} {}: {source}; check the disk and its permissions", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// The system's own words.
        source: io::Error,
    },
}

/// Which limit is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Limit {
    /// The spool's own size.
    #[error("it has reached its own limit")]
    Size,
    /// The space that must stay free on its disk.
    #[error("its disk has no more space than is reserved for others")]
    Reserve,
    /// The disk (or the quota, or its inodes).
    #[error("its disk is full")]
    Disk,
}

impl SpoolError {
    /// Names the file with an error of the system; a full disk is [`SpoolError::Full`].
    pub(super) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full(Limit::Disk),
            _ => Self::Io { action, path: path.to_owned(), source },
        }
    }
}

/// A failure that several appends share; [`io::Error`] itself cannot be cloned.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cause {
    kind: io::ErrorKind,
    code: Option<i32>,
}

impl Cause {
    pub(super) fn of(error: &io::Error) -> Self {
        Self { kind: error.kind(), code: error.raw_os_error() }
    }

    pub(super) fn to_error(self) -> io::Error {
        self.code.map_or_else(|| self.kind.into(), io::Error::from_raw_os_error)
    }
}
