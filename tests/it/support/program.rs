//! Programs of others that tests run.

use std::path::PathBuf;

/// The first of these names that is installed, on the path or in the administrators' folders, which are not on everybody's;
/// `tests/run.sh` puts in front what it has fetched.
pub(crate) fn program(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = || {
        std::env::split_paths(&path).chain(["/usr/sbin", "/usr/local/sbin", "/opt/collectd/sbin"].map(PathBuf::from))
    };
    names.iter().find_map(|name| folders().map(|folder| folder.join(name)).find(|file| file.is_file()))
}
