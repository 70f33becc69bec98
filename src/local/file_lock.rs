//! One process at a time, by a lock on a file that the operating system gives back when the process dies.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use super::{Progress, Step};

const RETRY: Duration = Duration::from_millis(50);

/// Waits until this process alone has the lock; dropping the file gives it back.
pub(super) async fn exclusive(path: &Path, progress: Progress<'_>) -> io::Result<File> {
    wait_for(path, File::try_lock, progress).await
}

/// Waits until no process has the lock for itself alone; dropping the file gives it back.
pub(super) async fn shared(path: &Path, progress: Progress<'_>) -> io::Result<File> {
    wait_for(path, File::try_lock_shared, progress).await
}

/// The file, made for this user if it is missing.
pub(super) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)
}

/// Asks again and again instead of blocking in the system call, so that the wait can be cancelled like any other future.
async fn wait_for(
    path: &Path,
    try_lock: fn(&File) -> Result<(), TryLockError>,
    progress: Progress<'_>,
) -> io::Result<File> {
    let file = open(path)?;
    let mut told = false;
    loop {
        match try_lock(&file) {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
        if !told {
            progress(Step::WaitingForAnotherProcess);
            told = true;
        }
        tokio::time::sleep(RETRY).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_second_holder_waits_until_the_first_lets_go() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let waited = AtomicUsize::new(0);
        let count = |step| {
            assert_eq!(step, Step::WaitingForAnotherProcess);
            waited.fetch_add(1, Ordering::Relaxed);
        };
        let first = exclusive(&path, &count).await.unwrap();
        assert_eq!(waited.load(Ordering::Relaxed), 0);
        let second = exclusive(&path, &count);
        let letting_go = async {
            while waited.load(Ordering::Relaxed) == 0 {
                tokio::task::yield_now().await;
            }
            drop(first);
        };
        let (second, ()) = tokio::join!(second, letting_go);
        second.unwrap();
        assert_eq!(waited.load(Ordering::Relaxed), 1);
    }
}
