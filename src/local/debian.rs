//! The signed packages of Debian 13, fetched by apt with a state of its own and unpacked into the cache folder.
//!
//! Debian 12 has no TimescaleDB, and its C library is older than what the packages of Debian 13 need; so everything down to the C
//! library is unpacked into one tree, and each program gets a wrapper that runs it with the tree's own loader. The wrappers find
//! the tree from their own place, and PostgreSQL finds its files from the name it was called by, so the tree can be moved.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::apt::{self, Apt};
use super::error::fetching;
use super::process::{command, output};
use super::{FetchError, Progress, Step, file_lock};

/// The package whose dependencies are all that is needed.
const PACKAGE: &str = "postgresql-17-timescaledb";
/// Where Debian puts PostgreSQL's programs.
const BIN_DIR: &str = "usr/lib/postgresql/17/bin";

/// `dpkg`'s name of the machine's architecture, and the names of folder and loader that go with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Architecture {
    name: &'static str,
    library_dir: &'static str,
    loader: &'static str,
}

const ARCHITECTURES: [Architecture; 2] = [
    Architecture { name: "amd64", library_dir: "x86_64-linux-gnu", loader: "ld-linux-x86-64.so.2" },
    Architecture { name: "arm64", library_dir: "aarch64-linux-gnu", loader: "ld-linux-aarch64.so.1" },
];

impl Architecture {
    async fn of_this_machine() -> Result<Self, FetchError> {
        let told = output(command("dpkg").arg("--print-architecture")).await?;
        let known = ARCHITECTURES.into_iter().find(|architecture| architecture.name == told.trim());
        known.ok_or_else(|| FetchError::Architecture(told.trim().to_owned()))
    }

    fn tree(self, cache_dir: &Path) -> PathBuf {
        cache_dir.join(format!("timescaledb/trixie-{}", self.name))
    }

    /// Runs the program of the same name in `real/` with the tree's loader. The paths are relative to the wrapper's own.
    fn wrapper(self) -> String {
        let Self { library_dir, loader, .. } = self;
        format!(
            "#!/bin/sh\n\
             bin=${{0%/*}} lib=${{0%/*}}/../../../{library_dir}\n\
             exec \"$lib/{loader}\" --argv0 \"$0\" --library-path \"$lib\" \"$bin/real/${{0##*/}}\" \"$@\"\n"
        )
    }
}

/// The programs that were fetched before, if they were, completely.
pub(super) async fn fetched_bin_dir(cache_dir: &Path) -> Option<PathBuf> {
    let trees = ARCHITECTURES.map(|architecture| architecture.tree(cache_dir));
    if !trees.iter().any(|tree| is_complete(tree)) {
        return None;
    }
    let tree = Architecture::of_this_machine().await.ok()?.tree(cache_dir);
    is_complete(&tree).then(|| tree.join(BIN_DIR))
}

fn is_complete(tree: &Path) -> bool {
    tree.join("complete").exists()
}

/// Fetches and unpacks, unless that was done before; gives the folder of programs.
pub(super) async fn fetch(cache_dir: &Path, progress: Progress<'_>) -> Result<PathBuf, FetchError> {
    let system = apt::System::of_this_machine();
    if system.id != "debian" {
        return Err(FetchError::NotDebian { system: system.id });
    }
    let architecture = Architecture::of_this_machine().await?;
    let tree = architecture.tree(cache_dir);
    let bin_dir = tree.join(BIN_DIR);
    let folder = cache_dir.join("timescaledb");
    make_open_folders(&folder)?;
    let lock_path = folder.join("lock");
    let lock = file_lock::exclusive(&lock_path, progress).await.map_err(fetching("lock", &lock_path))?;
    if is_complete(&tree) {
        return Ok(bin_dir);
    }

    let unfinished = folder.join("unfinished");
    for left_over in [&unfinished, &tree] {
        remove_folder(left_over).await?;
    }
    make_open_folders(&unfinished)?;
    let apt = Apt::new(&system, &unfinished.join("apt"), architecture.name).await?;
    let packages = apt.download(PACKAGE, progress).await?;
    let new_tree = unfinished.join("tree");
    unpack(&packages, &new_tree, progress).await?;
    wrap_programs(&new_tree, architecture)?;
    let version = output(command(new_tree.join(BIN_DIR).join("postgres")).arg("--version")).await?;
    seal(&new_tree, &version)?;
    fs::rename(&new_tree, &tree).map_err(fetching("create", &tree))?;
    remove_folder(&unfinished).await?;
    drop(lock);
    Ok(bin_dir)
}

/// Makes the folders that are missing, open for the server's account to read whatever this process's mask is.
fn make_open_folders(folder: &Path) -> Result<(), FetchError> {
    let missing: Vec<_> = folder.ancestors().take_while(|ancestor| !ancestor.exists()).collect();
    for ancestor in missing.into_iter().rev() {
        fs::create_dir(ancestor).map_err(fetching("create", ancestor))?;
        fs::set_permissions(ancestor, fs::Permissions::from_mode(0o755)).map_err(fetching("open", ancestor))?;
    }
    Ok(())
}

async fn remove_folder(folder: &Path) -> Result<(), FetchError> {
    match tokio::fs::remove_dir_all(folder).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(fetching("remove", folder)(error)),
        _ => Ok(()),
    }
}

/// Unpacks the packages into one tree, deleting each when it is done.
async fn unpack(packages: &[PathBuf], tree: &Path, progress: Progress<'_>) -> Result<(), FetchError> {
    for (done, package) in packages.iter().enumerate() {
        progress(Step::Unpacking { done, total: packages.len() });
        output(command("dpkg-deb").arg("-x").arg(package).arg(tree)).await?;
        fs::remove_file(package).map_err(fetching("remove", package))?;
    }
    progress(Step::Unpacking { done: packages.len(), total: packages.len() });
    Ok(())
}

/// Moves the programs into `real/` and puts wrappers in their place.
fn wrap_programs(tree: &Path, architecture: Architecture) -> Result<(), FetchError> {
    let bin_dir = tree.join(BIN_DIR);
    let real_dir = bin_dir.join("real");
    let entries = fs::read_dir(&bin_dir).map_err(fetching("read", &bin_dir))?;
    let programs: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.file_name())).collect();
    make_open_folders(&real_dir)?;
    let text = architecture.wrapper();
    for program in programs {
        let path = bin_dir.join(&program);
        fs::rename(&path, real_dir.join(&program)).map_err(fetching("move", &path))?;
        fs::write(&path, &text).map_err(fetching("write", &path))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).map_err(fetching("open", &path))?;
    }
    Ok(())
}

/// Marks the tree as complete, after everything in it is on the disk: a power cut must not leave a complete tree of empty files.
fn seal(tree: &Path, version: &str) -> Result<(), FetchError> {
    let marker = tree.join("complete");
    fs::write(&marker, version).map_err(fetching("write", &marker))?;
    #[cfg(target_os = "linux")]
    {
        let on_disk = fs::File::open(&marker).and_then(|file| rustix::fs::syncfs(file).map_err(Into::into));
        on_disk.map_err(fetching("flush", &marker))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_wrapper_runs_its_program_by_the_loader_of_its_own_tree_wherever_that_is() {
        let folder = tempfile::tempdir().unwrap();
        let architecture = ARCHITECTURES[0];
        let tree = folder.path().join("a tree's place");
        let library_dir = tree.join("usr/lib").join(architecture.library_dir);
        for made in [&tree.join(BIN_DIR), &library_dir] {
            fs::create_dir_all(made).unwrap();
        }
        fs::write(tree.join(BIN_DIR).join("psql"), "").unwrap();
        // This loader tells what it was asked to load.
        let loader = library_dir.join(architecture.loader);
        fs::write(&loader, "#!/bin/sh\nprintf '%s\\n' \"$@\"\n").unwrap();
        fs::set_permissions(&loader, fs::Permissions::from_mode(0o755)).unwrap();
        wrap_programs(&tree, architecture).unwrap();

        let moved = folder.path().join("moved");
        fs::rename(&tree, &moved).unwrap();
        let bin_dir = moved.join(BIN_DIR);
        let told = output(command(bin_dir.join("psql")).args(["-c", "select 'a b'"])).await.unwrap();
        let told: Vec<_> = told.lines().map(str::to_owned).collect();
        let shown = |path: PathBuf| path.to_string_lossy().into_owned();
        let library_dir = shown(bin_dir.join("../../../x86_64-linux-gnu"));
        assert_eq!(
            told[..4],
            ["--argv0".to_owned(), shown(bin_dir.join("psql")), "--library-path".to_owned(), library_dir]
        );
        assert_eq!(told[4..], [shown(bin_dir.join("real/psql")), "-c".to_owned(), "select 'a b'".to_owned()]);
    }

    #[tokio::test]
    async fn a_tree_without_its_marker_does_not_count() {
        let folder = tempfile::tempdir().unwrap();
        for architecture in ARCHITECTURES {
            fs::create_dir_all(architecture.tree(folder.path()).join(BIN_DIR)).unwrap();
        }
        assert_eq!(fetched_bin_dir(folder.path()).await, None);
    }
}
