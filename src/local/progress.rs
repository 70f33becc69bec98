//! What a caller can show while the server is being fetched, made and started.

/// Where the work is. Steps come in this order; those that are not needed are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// Another process is fetching or starting the same thing; this one waits for it.
    WaitingForAnotherProcess,
    /// apt reads the lists of Debian's packages.
    ReadingPackageLists,
    /// Packages are coming; `total_bytes` is what apt announced. Reported several times a second.
    Downloading { done_bytes: u64, total_bytes: u64, packages: usize },
    /// `done` of `total` packages are unpacked.
    Unpacking { done: usize, total: usize },
    /// `initdb` makes the cluster.
    CreatingCluster,
    /// The server process is starting, and recovering if it had crashed.
    Starting,
    /// Processes of a crashed server still hold its memory; they are being waited for.
    WaitingForOldProcesses,
}

/// The callback that [`Step`]s are reported to. It is called from async code and must not block.
pub type Progress<'a> = &'a (dyn Fn(Step) + Send + Sync);
