//! Where the platform keeps configuration and data.

use std::path::PathBuf;

use directories::ProjectDirs;

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The platform's data folder; `None` for an account without a home.
pub(super) fn data_folder() -> Option<PathBuf> {
    if is_root() {
        return Some(PathBuf::from("/var/lib/chunkwise"));
    }
    ProjectDirs::from("", "", "chunkwise").map(|dirs| dirs.data_dir().to_owned())
}

/// The platform's configuration folder; `None` for an account without a home.
pub(super) fn config_folder() -> Option<PathBuf> {
    if is_root() {
        return Some(PathBuf::from("/etc/chunkwise"));
    }
    ProjectDirs::from("", "", "chunkwise").map(|dirs| dirs.config_dir().to_owned())
}
