//! Where the platform keeps configuration.

use std::path::PathBuf;

use directories::ProjectDirs;

/// For root `/etc/chunkwise`; `None` for an account without a home.
pub(super) fn config_folder() -> Option<PathBuf> {
    if rustix::process::geteuid().is_root() {
        return Some(PathBuf::from("/etc/chunkwise"));
    }
    ProjectDirs::from("", "", "chunkwise").map(|dirs| dirs.config_dir().to_owned())
}
