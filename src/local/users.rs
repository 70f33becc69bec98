//! Who uses the server: each holds a shared lock on one file, which the operating system gives back when the process dies.

use std::fs::{self, File, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::error::doing;
use super::file_lock;
use super::{LocalError, Progress};

/// This process uses the server: while it is held, no other process stops the server without force.
///
/// Dropping it gives it back and leaves the server alone; [`Server::leave`](super::Server::leave) also stops a server that nobody
/// needs any more.
#[derive(Debug)]
pub struct Membership {
    _shared: File,
}

/// That nobody uses the server. Whoever comes meanwhile waits until this is dropped.
#[derive(Debug)]
pub(super) struct Nobody {
    _exclusive: File,
}

/// The file that users lock.
#[derive(Debug)]
pub(super) struct Users {
    path: PathBuf,
}

impl Users {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Waits while somebody stops the server because nobody used it.
    pub(super) async fn join(&self, progress: Progress<'_>) -> Result<Membership, LocalError> {
        let shared = file_lock::shared(&self.path, progress).await.map_err(doing("lock", &self.path))?;
        Ok(Membership { _shared: shared })
    }

    /// `None` where somebody uses the server.
    pub(super) fn nobody(&self) -> Result<Option<Nobody>, LocalError> {
        let file = file_lock::open(&self.path).map_err(doing("open", &self.path))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Nobody { _exclusive: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(doing("lock", &self.path)(error)),
        }
    }

    /// Process ids, as far as the system tells them (Linux does).
    pub(super) fn pids(&self) -> Vec<i32> {
        let Ok(inode) = fs::metadata(&self.path).map(|file| file.ino()) else { return Vec::new() };
        holders(&fs::read_to_string("/proc/locks").unwrap_or_default(), inode)
    }
}

/// The holders of shared locks on a file, from lines such as `1: FLOCK  ADVISORY  READ 4711 fe:01:1234 0 EOF`.
fn holders(locks: &str, inode: u64) -> Vec<i32> {
    let holder = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        let [_, "FLOCK", _, "READ", pid, file, ..] = words.as_slice() else { return None };
        let found: u64 = file.rsplit(':').next()?.parse().ok()?;
        (found == inode).then(|| pid.parse().ok())?
    };
    locks.lines().filter_map(holder).collect()
}

/// What the server is to do when nobody uses it, and whether it may be started again by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// Whoever leaves last stops it.
    WhileUsed,
    /// It goes on until it is stopped on purpose.
    Keep,
    /// It was stopped on purpose, and stays so until somebody starts it on purpose.
    Stopped,
}

impl Wish {
    pub(super) fn read(path: &Path) -> Self {
        match fs::read_to_string(path).unwrap_or_default().trim() {
            "keep" => Self::Keep,
            "stopped" => Self::Stopped,
            _ => Self::WhileUsed,
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::WhileUsed => "while used",
            Self::Keep => "keep",
            Self::Stopped => "stopped",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nobody_is_there_only_when_all_have_left() {
        let folder = tempfile::tempdir().unwrap();
        let users = Users::new(folder.path().join("users"));
        let first = users.join(&|_| {}).await.unwrap();
        let second = users.join(&|_| {}).await.unwrap();
        assert!(users.nobody().unwrap().is_none());
        drop(first);
        assert!(users.nobody().unwrap().is_none());
        drop(second);
        assert!(users.nobody().unwrap().is_some());
    }

    #[test]
    fn holders_are_read_from_the_systems_list_of_locks() {
        let locks = "1: FLOCK  ADVISORY  READ 4711 fe:01:1234 0 EOF\n\
                     2: FLOCK  ADVISORY  READ 4712 fe:01:99 0 EOF\n\
                     3: POSIX  ADVISORY  READ 4713 fe:01:1234 0 EOF\n\
                     3: -> FLOCK  ADVISORY  WRITE 4714 fe:01:1234 0 EOF\n\
                     4: FLOCK  ADVISORY  READ 4715 00:2e:1234 0 EOF\n";
        assert_eq!(holders(locks, 1234), [4711, 4715]);
        assert_eq!(holders("", 1234), [0; 0]);
    }

    #[test]
    fn a_wish_reads_back_and_none_means_while_used() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wish");
        assert_eq!(Wish::read(&path), Wish::WhileUsed);
        for wish in [Wish::WhileUsed, Wish::Keep, Wish::Stopped] {
            fs::write(&path, wish.word()).unwrap();
            assert_eq!(Wish::read(&path), wish);
        }
    }
}
