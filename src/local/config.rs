use std::path::PathBuf;

use directories::ProjectDirs;

use super::{LocalError, account};

/// Where the local server's files go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalConfig {
    /// Holds the cluster, under `postgres/`. Losing it is losing the data.
    pub data_dir: PathBuf,
    /// Holds the fetched programs, under `timescaledb/`. May be deleted while no server runs.
    pub cache_dir: PathBuf,
}

impl LocalConfig {
    /// The platform's folders for this user; for root `/var/lib/chunkwise` and `/var/cache/chunkwise`, because there the server
    /// runs as another account, which cannot enter root's home.
    ///
    /// # Errors
    /// [`LocalError::NoHome`] where the user has no home folder.
    pub fn default_for_this_user() -> Result<Self, LocalError> {
        if account::is_root() {
            return Ok(Self { data_dir: "/var/lib/chunkwise".into(), cache_dir: "/var/cache/chunkwise".into() });
        }
        let folders = ProjectDirs::from("", "", "chunkwise").ok_or(LocalError::NoHome)?;
        Ok(Self { data_dir: folders.data_dir().to_owned(), cache_dir: folders.cache_dir().to_owned() })
    }
}
