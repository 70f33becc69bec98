//! Blocks on disk: written once they are quiet, found again by the next process.
//!
//! ```text
//! <data-dir>/blocks/lock                     held by the process whose files they are
//! <data-dir>/blocks/asked                    what was asked last (see `query`), for the next process to make ready
//! <data-dir>/blocks/<measurement>/index      JSON behind its checksum: in which state of the database the files are right
//! <data-dir>/blocks/<measurement>/*.base, *.compute
//! ```
//!
//! A measurement's folder is named by its database, its number and its epoch, so that nobody takes up what is not his. The
//! index names one state of the database and the files that are right in it; it is replaced by a rename, and then files of
//! panels that are not kept any more are removed. So a process that is killed leaves an older state behind, from which the change log tells the
//! next one what has changed since. A file that is gone or damaged is a panel that is made anew; a folder that is gone is
//! made again; where nothing can be written, answers come from memory and the database as before.

use std::{
    collections::HashSet,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{
    file,
    identity::Identity,
    journal::Journal,
    layout::Place,
    panel::{Base, Compute},
    store::{Blocks, Kept, Subject},
    written::WrittenPanel,
};
use crate::{frame::Shape, hypertable::changes::PgSnapshot};

/// A panel that was not made anew for so long is written.
const QUIET: Duration = Duration::from_secs(10);
/// How often somebody looks whether there is anything to write.
const EVERY: Duration = Duration::from_secs(5);
/// The index moves on to a newer state at least so often.
const INDEX_EVERY: Duration = Duration::from_secs(60);
const INDEX: &str = "index";
/// Raised when files of before cannot be read any more.
const FORMAT: u32 = 2;

/// The folder of this process.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    limit_bytes: u64,
    /// Held as long as the process lives.
    _lock: File,
}

/// Why there is no folder of blocks.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Another process has it.
    #[error("the folder of blocks {0} is in use by another process")]
    InUse(PathBuf),
    /// It cannot be made or opened.
    #[error("the folder of blocks {path} cannot be used")]
    Io {
        /// The folder.
        path: PathBuf,
        /// The system's.
        source: io::Error,
    },
}

/// What is on disk of a measurement.
#[derive(Debug, Serialize, Deserialize)]
struct Index {
    format: u32,
    identity: Identity,
    state: PgSnapshot,
    /// When that state was looked at, by the database's clock.
    looked_us: i64,
    /// The series by place.
    series: Vec<i64>,
    panels: Vec<Indexed>,
}

/// A panel on disk.
#[derive(Debug, Serialize, Deserialize)]
struct Indexed {
    subject: Subject,
    place: Place,
    version: u64,
    shapes: Vec<Shape>,
}

/// A panel found on disk.
pub(super) struct FoundPanel {
    pub(super) subject: Subject,
    pub(super) place: Place,
    pub(super) base: Base,
    pub(super) computes: Vec<(Shape, Compute)>,
}

/// A measurement found on disk.
pub(super) struct FoundKept {
    pub(super) journal: Journal,
    pub(super) series: Vec<i64>,
    pub(super) panels: Vec<FoundPanel>,
}

impl Folder {
    /// Takes the folder for this process.
    pub(super) fn open(path: &Path, limit_bytes: u64) -> Result<Self, FolderError> {
        let failed = |source| FolderError::Io { path: path.to_owned(), source };
        make(path).map_err(failed)?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path.join("lock"));
        let lock = lock.map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), limit_bytes, _lock: lock }),
            Err(fs::TryLockError::WouldBlock) => Err(FolderError::InUse(path.to_owned())),
            Err(fs::TryLockError::Error(source)) => Err(failed(source)),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn of(&self, identity: &Identity) -> PathBuf {
        self.path.join(identity.folder())
    }

    /// What there is of a measurement. Reads all of it.
    pub(super) fn load(&self, identity: &Identity) -> Option<FoundKept> {
        let folder = self.of(identity);
        let index = read_index(&folder.join(INDEX)).filter(|index| index.identity == *identity)?;
        let Index { state, looked_us, series, panels, .. } = index;
        let panels = panels
            .into_par_iter()
            .filter_map(|Indexed { subject, place, version, shapes }| {
                let base = file::read_base(&base_path(&folder, version)).ok()?;
                if base.version != version || base.series > series.len() {
                    return None;
                }
                let computes = shapes.into_iter().filter_map(|shape| {
                    let compute = file::read_compute(&compute_path(&folder, version, &shape)).ok()?;
                    (compute.base == version).then_some((shape, compute))
                });
                let computes = computes.collect();
                Some(FoundPanel { subject, place, base, computes })
            })
            .collect();
        Some(FoundKept { journal: Journal::new(identity.seen(state, looked_us)), series, panels })
    }
}

/// Makes a folder for its owner's eyes only, and those above it for whoever else has files in them.
fn make(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn base_path(folder: &Path, version: u64) -> PathBuf {
    folder.join(format!("{version:016x}.base"))
}

fn compute_path(folder: &Path, version: u64, shape: &Shape) -> PathBuf {
    let shape = blake3::hash(format!("{shape:?}").as_bytes()).to_hex();
    folder.join(format!("{version:016x}-{}.compute", &shape[..16]))
}

fn read_index(path: &Path) -> Option<Index> {
    let text = fs::read_to_string(path).ok()?;
    let (checksum, json) = text.split_once('\n')?;
    let is_whole = u32::from_str_radix(checksum, 16) == Ok(crc32c::crc32c(json.as_bytes()));
    let index: Index = serde_json::from_str(json).ok().filter(|_| is_whole)?;
    (index.format == FORMAT).then_some(index)
}

fn write_index(path: &Path, index: &Index) -> io::Result<()> {
    let json = serde_json::to_vec(index)?;
    file::replace(path, |file| {
        writeln!(file, "{:08x}", crc32c::crc32c(&json))?;
        file.write_all(&json)
    })
}

impl Blocks {
    /// Writes what is quiet now and then, and everything when `stop` comes. Returns at once where there is no folder.
    pub async fn keep(self: Arc<Self>, stop: impl Future<Output = ()>) {
        if self.folder().is_none() {
            return;
        }
        let mut stop = std::pin::pin!(stop);
        loop {
            let stopped = tokio::time::timeout(EVERY, &mut stop).await.is_ok();
            let (blocks, quiet) = (Arc::clone(&self), if stopped { Duration::ZERO } else { QUIET });
            if let Err(error) = tokio::task::spawn_blocking(move || blocks.save(quiet)).await {
                tracing::error!(error = %error, "blocks were not written");
            }
            if stopped {
                return;
            }
        }
    }

    /// Writes the panels that were not made anew for this long. Takes long where there are many.
    pub fn save(&self, quiet: Duration) {
        let Some(folder) = self.folder() else { return };
        for kept in self.all_kept() {
            if let Err(error) = save(&kept, &folder.of(&kept.identity), quiet) {
                metrics::counter!("chunkwise_blocks_write_failures_total").increment(1);
                tracing::warn!(error = %error, "blocks cannot be written; questions are answered without");
            }
        }
        self.limit_disk(folder);
        self.settle();
    }

    /// Removes measurements that nobody has asked for since this process began, and then panels, until the limit holds.
    fn limit_disk(&self, folder: &Folder) {
        let of_ours: HashSet<PathBuf> = self.all_kept().iter().map(|kept| folder.of(&kept.identity)).collect();
        let mut folders: Vec<(bool, std::time::SystemTime, PathBuf, u64)> = Vec::new();
        for entry in fs::read_dir(&folder.path).into_iter().flatten().flatten() {
            let path = entry.path();
            let bytes = folder_bytes(&path);
            let written = fs::metadata(path.join(INDEX)).and_then(|index| index.modified());
            folders.push((of_ours.contains(&path), written.unwrap_or(std::time::UNIX_EPOCH), path, bytes));
        }
        folders.sort_unstable();
        let mut bytes: u64 = folders.iter().map(|(.., bytes)| bytes).sum();
        for (is_ours, _, path, freed) in folders {
            if bytes <= folder.limit_bytes {
                break;
            }
            if is_ours {
                // Its files go with the next index, which will not name them.
                bytes -= self.forget_files(bytes - folder.limit_bytes).min(bytes);
            } else if path.is_dir() && fs::remove_dir_all(&path).is_ok() {
                bytes -= freed;
            }
        }
        metrics::gauge!("chunkwise_blocks_disk_bytes").set(bytes as f64);
    }
}

fn folder_bytes(path: &Path) -> u64 {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).map(|file| file.len()).sum()
}

/// Writes what is quiet of a measurement, and the index that names it.
fn save(kept: &Kept, folder: &Path, quiet: Duration) -> io::Result<()> {
    let news = kept.quiet_panels(quiet);
    let has_news = !news.is_empty();
    if has_news {
        make(folder)?;
    }
    for new in news {
        let base = if new.base_is_new {
            let base = file::write_base(&base_path(folder, new.base.version), &new.base)?;
            Some(Arc::new(base))
        } else {
            None
        };
        let mut computes = Vec::new();
        for (shape, compute) in &new.computes {
            let path = compute_path(folder, new.base.version, shape);
            computes.push((*shape, Arc::new(file::write_compute(&path, compute)?)));
        }
        kept.put_written(&new.subject, &new.place, new.base.version, base, computes);
    }
    if !has_news && kept.index_age() < INDEX_EVERY && folder.join(INDEX).exists() {
        return Ok(());
    }
    let written = kept.written();
    if written.panels.is_empty() && !folder.exists() {
        return Ok(());
    }
    make(folder)?;
    let mut named: HashSet<PathBuf> = HashSet::from([folder.join(INDEX)]);
    let mut panels = Vec::new();
    for WrittenPanel { subject, place, version, shapes, is_right } in written.panels {
        named.insert(base_path(folder, version));
        named.extend(shapes.iter().map(|shape| compute_path(folder, version, shape)));
        if is_right {
            panels.push(Indexed { subject, place, version, shapes });
        }
    }
    let index = Index {
        format: FORMAT,
        identity: kept.identity.clone(),
        state: written.seen.snapshot,
        looked_us: written.seen.looked_us,
        series: written.series,
        panels,
    };
    write_index(&folder.join(INDEX), &index)?;
    File::open(folder)?.sync_all()?;
    kept.index_written(Instant::now());
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if !named.contains(&path) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}
