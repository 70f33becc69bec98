//! A file system in memory that knows what is durable, fails where it is told to, and forgets when the power is cut.

use std::{
    collections::BTreeMap,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
};

use rand::{Rng, SeedableRng, rngs::StdRng};

use super::super::{Fs, FsFile};

/// What happens at an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// It fails, half done; later ones succeed.
    Fails(ErrorKind),
    /// It and all later ones fail, until the power is back.
    PowerCut,
}

/// In what the file system deceives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lie {
    None,
    /// `fdatasync` succeeds and does nothing.
    DataSync,
    /// A folder's `fsync` succeeds and does nothing.
    FolderSync,
    /// Removals are durable at once, what is written in place never: as if segments were removed before the cursor moved.
    RemovalBeforeCursor,
}

#[derive(Debug, Default)]
struct Content {
    cached: Vec<u8>,
    durable: Vec<u8>,
    /// For each cached byte whether a sync would write it. After a sync that failed the kernel takes all for written, and
    /// later syncs succeed without writing them.
    dirty: Vec<bool>,
    /// Bytes of it were overwritten.
    is_overwritten: bool,
}

#[derive(Debug, Clone)]
enum Change {
    Named(PathBuf, usize),
    Removed(PathBuf),
    Renamed(PathBuf, PathBuf, usize),
}

impl Change {
    fn apply(self, names: &mut BTreeMap<PathBuf, usize>) {
        match self {
            Self::Named(path, content) => {
                names.insert(path, content);
            }
            Self::Removed(path) => {
                names.remove(&path);
            }
            Self::Renamed(from, to, content) => {
                names.remove(&from);
                names.insert(to, content);
            }
        }
    }
}

#[derive(Debug)]
struct State {
    contents: Vec<Content>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    pending: Vec<Change>,
    operations: u64,
    fault: Option<(u64, Fault)>,
    has_power: bool,
    is_locked: bool,
    free_bytes: u64,
    lie: Lie,
}

#[derive(Debug, Clone)]
pub(super) struct ModelFs(Arc<Mutex<State>>);

impl ModelFs {
    pub(super) fn new(lie: Lie) -> Self {
        Self(Arc::new(Mutex::new(State {
            contents: Vec::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            pending: Vec::new(),
            operations: 0,
            fault: None,
            has_power: true,
            is_locked: false,
            free_bytes: u64::MAX,
            lie,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Arms a fault for the n-th operation from now; the next is 1.
    pub(super) fn arm(&self, n: u64, fault: Fault) {
        let mut state = self.state();
        state.fault = Some((state.operations + n, fault));
    }

    /// Disarms; says whether the fault has not struck yet.
    pub(super) fn disarm(&self) -> bool {
        self.state().fault.take().is_some()
    }

    pub(super) fn has_power(&self) -> bool {
        self.state().has_power
    }

    pub(super) fn set_free_bytes(&self, bytes: u64) {
        self.state().free_bytes = bytes;
    }

    /// The files' names there are.
    pub(super) fn names(&self) -> Vec<String> {
        let state = self.state();
        state.names.keys().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
    }

    /// Cuts the power and gives it back: of all that was not synced, any part may be there. The handles before are dead.
    pub(super) fn crash(&self, seed: u64) {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut state = self.state();
        let mut names = std::mem::take(&mut state.durable_names);
        for change in std::mem::take(&mut state.pending) {
            if rng.random() {
                change.apply(&mut names);
            }
        }
        for content in &mut state.contents {
            let survivor = survivor(content, &mut rng);
            let (dirty, is_overwritten) = (vec![false; survivor.len()], content.is_overwritten);
            *content = Content { cached: survivor.clone(), durable: survivor, dirty, is_overwritten };
        }
        state.names = names.clone();
        state.durable_names = names;
        state.fault = None;
        state.has_power = true;
    }
}

/// What is left of a file.
fn survivor(content: &Content, rng: &mut StdRng) -> Vec<u8> {
    let Content { cached, durable, .. } = content;
    if cached.len() < durable.len() {
        return if rng.random() { cached.clone() } else { durable.clone() };
    }
    let kept = rng.random_range(durable.len()..=cached.len());
    let mut survivor = cached[..kept].to_vec();
    // What was overwritten may be there from some byte on, or up to one.
    let torn = rng.random_range(0..=durable.len());
    let old = if rng.random() { 0..torn } else { torn..durable.len() };
    survivor[old.clone()].copy_from_slice(&durable[old]);
    if rng.random_ratio(1, 4) {
        // The length was written, the data were not.
        survivor.resize(rng.random_range(kept..=cached.len()), 0);
    }
    survivor
}

impl State {
    /// Counts an operation that needs space; whether it is to fail.
    fn enter_with_space(&mut self) -> io::Result<()> {
        self.enter()?;
        if self.free_bytes == 0 { Err(ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    /// Counts an operation; whether it is to fail.
    fn enter(&mut self) -> io::Result<()> {
        self.operations += 1;
        if let Some((_, fault)) = self.fault.take_if(|(at, _)| *at == self.operations) {
            match fault {
                Fault::Fails(kind) => return Err(kind.into()),
                Fault::PowerCut => self.has_power = false,
            }
        }
        if self.has_power { Ok(()) } else { Err(ErrorKind::Other.into()) }
    }

    fn change(&mut self, change: Change) {
        change.clone().apply(&mut self.names);
        let is_removal = matches!(change, Change::Removed(_));
        if self.lie == Lie::RemovalBeforeCursor && is_removal {
            change.apply(&mut self.durable_names);
        } else {
            self.pending.push(change);
        }
    }

    fn content(&self, path: &Path) -> io::Result<usize> {
        self.names.get(path).copied().ok_or_else(|| ErrorKind::NotFound.into())
    }
}

#[derive(Debug)]
pub(super) struct ModelLock(ModelFs);

impl Drop for ModelLock {
    fn drop(&mut self) {
        self.0.state().is_locked = false;
    }
}

#[derive(Debug)]
pub(super) struct ModelFile {
    fs: ModelFs,
    content: usize,
}

impl Fs for ModelFs {
    type File = ModelFile;
    type Lock = ModelLock;

    fn create_folder(&self, _: &Path) -> io::Result<()> {
        self.state().enter()
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let mut state = self.state();
        state.enter()?;
        let inside = state.names.keys().filter(|path| path.parent() == Some(folder));
        Ok(inside.map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect())
    }

    fn lock(&self, _: &Path) -> io::Result<Option<ModelLock>> {
        let mut state = self.state();
        state.enter()?;
        let is_free = !std::mem::replace(&mut state.is_locked, true);
        Ok(is_free.then(|| ModelLock(self.clone())))
    }

    fn create(&self, path: &Path) -> io::Result<ModelFile> {
        let mut state = self.state();
        let failed = state.enter_with_space();
        if state.names.contains_key(path) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let content = state.contents.len();
        state.contents.push(Content::default());
        state.change(Change::Named(path.to_owned(), content));
        failed.map(|()| ModelFile { fs: self.clone(), content })
    }

    fn open(&self, path: &Path) -> io::Result<ModelFile> {
        let mut state = self.state();
        state.enter()?;
        Ok(ModelFile { fs: self.clone(), content: state.content(path)? })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.enter()?;
        let content = state.content(from)?;
        state.change(Change::Renamed(from.to_owned(), to.to_owned(), content));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.enter()?;
        state.content(path)?;
        state.change(Change::Removed(path.to_owned()));
        Ok(())
    }

    fn sync_folder(&self, _: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.enter()?;
        if state.lie == Lie::FolderSync {
            return Ok(());
        }
        for change in std::mem::take(&mut state.pending) {
            change.apply(&mut state.durable_names);
        }
        Ok(())
    }

    fn free_bytes(&self, _: &Path) -> io::Result<u64> {
        let mut state = self.state();
        state.enter()?;
        Ok(state.free_bytes)
    }
}

impl FsFile for ModelFile {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.fs.state();
        let failed = state.enter_with_space();
        let written = if failed.is_ok() { bytes.len() } else { bytes.len() / 2 };
        let content = &mut state.contents[self.content];
        content.cached.extend_from_slice(&bytes[..written]);
        content.dirty.resize(content.cached.len(), true);
        failed
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.fs.state();
        let failed = state.enter();
        let written = if failed.is_ok() { bytes.len() } else { bytes.len() / 2 };
        let content = &mut state.contents[self.content];
        content.is_overwritten = true;
        let offset = usize::try_from(offset).unwrap();
        content.cached[offset..offset + written].copy_from_slice(&bytes[..written]);
        content.dirty[offset..offset + written].fill(true);
        failed
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.fs.state();
        let failed = state.enter();
        let lie = state.lie;
        let content = &mut state.contents[self.content];
        let is_lie = lie == Lie::DataSync || (lie == Lie::RemovalBeforeCursor && content.is_overwritten);
        let Content { cached, durable, dirty, .. } = content;
        if failed.is_ok() && !is_lie {
            durable.resize(cached.len(), 0);
            for at in (0..cached.len()).filter(|at| dirty[*at]) {
                durable[at] = cached[at];
            }
        }
        dirty.fill(false);
        failed
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.fs.state();
        state.enter()?;
        let cached = &state.contents[self.content].cached;
        let rest = &cached[cached.len().min(usize::try_from(offset).unwrap())..];
        let read = rest.len().min(bytes.len());
        bytes[..read].copy_from_slice(&rest[..read]);
        Ok(read)
    }

    fn len_bytes(&self) -> io::Result<u64> {
        let mut state = self.fs.state();
        state.enter()?;
        Ok(state.contents[self.content].cached.len() as u64)
    }

    fn truncate(&self, bytes: u64) -> io::Result<()> {
        let mut state = self.fs.state();
        state.enter()?;
        let content = &mut state.contents[self.content];
        let bytes = usize::try_from(bytes).unwrap();
        content.cached.truncate(bytes);
        content.dirty.truncate(bytes);
        Ok(())
    }
}
