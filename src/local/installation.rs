//! Where PostgreSQL's programs with TimescaleDB are.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use super::error::with_sources;
use super::process::{command, output};
use super::{FetchError, LocalConfig, LocalError, Progress, debian};

/// The oldest PostgreSQL that chunkwise works on.
pub(super) const OLDEST_POSTGRESQL: u32 = 15;
/// The oldest TimescaleDB that chunkwise works on: major, minor.
pub(super) const OLDEST_TIMESCALEDB: (u32, u32) = (2, 18);

/// PostgreSQL's programs, and an extension TimescaleDB that belongs to them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    bin_dir: PathBuf,
    major: u32,
    timescaledb: String,
    wal_compression: WalCompression,
    origin: Origin,
}

/// How a server can compress the pages in its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WalCompression {
    /// Takes far less time than [`Pglz`](Self::Pglz); a choice of whoever built the server.
    Lz4,
    /// PostgreSQL's own, which every server has.
    Pglz,
}

/// Where an installation comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Installed on this machine by its owner.
    System,
    /// Fetched by chunkwise into its cache folder.
    Fetched,
}

/// A PostgreSQL of this machine that chunkwise cannot use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassedOver {
    pub bin_dir: PathBuf,
    /// What it lacks, as the end of a sentence: "has no timescaledb".
    pub reason: String,
}

impl fmt::Display for PassedOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the one in {} {}", self.bin_dir.display(), self.reason)
    }
}

/// What a search found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Search {
    /// The newest usable one; the machine's own before a fetched one.
    pub found: Option<Installation>,
    pub passed_over: Vec<PassedOver>,
}

impl Installation {
    /// Looks for a usable PostgreSQL on this machine and for one that was fetched before. Changes nothing and needs no network.
    pub async fn find(config: &LocalConfig) -> Search {
        let mut search = Search::default();
        for bin_dir in system_bin_dirs().await {
            match Self::examine(&bin_dir, Origin::System).await {
                Ok(found) if search.found.as_ref().is_none_or(|best| best.major < found.major) => {
                    search.found = Some(found)
                }
                Ok(_) => {}
                Err(reason) => search.passed_over.push(PassedOver { bin_dir, reason }),
            }
        }
        if search.found.is_none()
            && let Some(bin_dir) = debian::fetched_bin_dir(&config.cache_dir).await
        {
            match Self::examine(&bin_dir, Origin::Fetched).await {
                Ok(found) => search.found = Some(found),
                Err(reason) => search.passed_over.push(PassedOver { bin_dir, reason }),
            }
        }
        search
    }

    /// Fetches the signed packages of Debian 13 into the cache folder, without touching the system and without needing root. Does
    /// nothing if they are there. Two processes may call it at once; one that was killed half-way leaves nothing in the way.
    ///
    /// # Errors
    /// [`FetchError`]: not on Debian, no network, or packages that do not run here.
    pub async fn fetch(config: &LocalConfig, progress: Progress<'_>) -> Result<Self, FetchError> {
        let bin_dir = debian::fetch(&config.cache_dir, progress).await?;
        let examined = Self::examine(&bin_dir, Origin::Fetched).await;
        examined.map_err(|reason| FetchError::Unusable(format!("PostgreSQL in {} {reason}", bin_dir.display())))
    }

    /// [`find`](Self::find), else [`fetch`](Self::fetch).
    ///
    /// # Errors
    /// [`LocalError::NoInstallation`], which names the ways to get one.
    pub async fn find_or_fetch(config: &LocalConfig, progress: Progress<'_>) -> Result<Self, LocalError> {
        let Search { found, passed_over } = Self::find(config).await;
        match found {
            Some(found) => Ok(found),
            None => {
                Self::fetch(config, progress).await.map_err(|source| LocalError::NoInstallation { passed_over, source })
            }
        }
    }

    /// The path of one of PostgreSQL's programs, such as `psql`. It may be absent: distributions split them into packages.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.bin_dir.join(name)
    }

    #[must_use]
    pub fn bin_dir(&self) -> &Path {
        &self.bin_dir
    }

    /// PostgreSQL's major version.
    #[must_use]
    pub fn major(&self) -> u32 {
        self.major
    }

    /// The version of TimescaleDB that comes with it, such as `2.19.3`.
    #[must_use]
    pub fn timescaledb(&self) -> &str {
        &self.timescaledb
    }

    pub(super) fn wal_compression(&self) -> WalCompression {
        self.wal_compression
    }

    #[must_use]
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// Checks one folder of programs, or says what it lacks.
    async fn examine(bin_dir: &Path, origin: Origin) -> Result<Self, String> {
        let version = output(command(bin_dir.join("postgres")).arg("--version"))
            .await
            .map_err(|error| format!("does not run: {}", with_sources(&error)))?;
        let major = major_version(&version).ok_or_else(|| format!("says an unknown version: {}", version.trim()))?;
        if major < OLDEST_POSTGRESQL {
            return Err(format!("is version {major}, which is too old"));
        }
        if !bin_dir.join("initdb").exists() {
            return Err("has no initdb".to_owned());
        }
        let Built { share_dir, library_dir, wal_compression } = Built::look(bin_dir).await;
        let Ok(control) = fs::read_to_string(share_dir.join("extension/timescaledb.control")) else {
            return Err(format!("(version {major}) has no timescaledb"));
        };
        let timescaledb = default_version(&control).ok_or("has a timescaledb.control without a version")?;
        let library = ["so", "dylib"].map(|suffix| library_dir.join(format!("timescaledb-{timescaledb}.{suffix}")));
        if !library.iter().any(|library| library.exists()) {
            return Err(format!("has a timescaledb {timescaledb} without its library in {}", library_dir.display()));
        }
        if !new_enough(timescaledb) {
            return Err(format!("has timescaledb {timescaledb}, which is too old"));
        }
        Ok(Self { bin_dir: bin_dir.to_owned(), major, timescaledb: timescaledb.to_owned(), wal_compression, origin })
    }
}

/// Whether chunkwise works on this version of TimescaleDB.
pub(super) fn new_enough(timescaledb: &str) -> bool {
    let mut parts = timescaledb.split(['.', '-']).map_while(|part| part.parse().ok());
    matches!((parts.next(), parts.next()), (Some(major), Some(minor)) if (major, minor) >= OLDEST_TIMESCALEDB)
}

/// Folders where PostgreSQL's programs usually are, each once.
async fn system_bin_dirs() -> Vec<PathBuf> {
    let mut bin_dirs = Vec::new();
    if let Ok(told) = output(command("pg_config").arg("--bindir")).await {
        bin_dirs.push(PathBuf::from(told.trim()));
    }
    let families = [
        ("/usr/lib/postgresql", ""),
        ("/usr", "pgsql-"),
        ("/opt/homebrew/opt", "postgresql@"),
        ("/usr/local/opt", "postgresql@"),
    ];
    for (parent, prefix) in families {
        let Ok(entries) = fs::read_dir(parent) else { continue };
        let names = entries.filter_map(|entry| Some(entry.ok()?.file_name()));
        let ours = names.filter(|name| name.to_string_lossy().starts_with(prefix));
        bin_dirs.extend(ours.map(|name| Path::new(parent).join(name).join("bin")));
    }
    bin_dirs.retain(|bin_dir| bin_dir.join("postgres").exists());
    let mut seen = Vec::new();
    bin_dirs.retain(|bin_dir| match bin_dir.canonicalize() {
        Ok(real) if !seen.contains(&real) => {
            seen.push(real);
            true
        }
        _ => false,
    });
    bin_dirs
}

/// How a PostgreSQL was built.
struct Built {
    /// Where its shared files are.
    share_dir: PathBuf,
    /// Where its libraries are.
    library_dir: PathBuf,
    wal_compression: WalCompression,
}

impl Built {
    async fn look(bin_dir: &Path) -> Self {
        let told = output(command(bin_dir.join("pg_config")).args(["--sharedir", "--pkglibdir", "--configure"])).await;
        let mut lines = told.iter().flat_map(|told| told.lines());
        match (lines.next(), lines.next(), lines.next()) {
            (Some(share_dir), Some(library_dir), Some(options)) => Self {
                share_dir: share_dir.into(),
                library_dir: library_dir.into(),
                wal_compression: compression_of(options),
            },
            // Red Hat's packages keep pg_config for developers; their layout is PostgreSQL's own.
            _ => Self {
                share_dir: bin_dir.join("../share"),
                library_dir: bin_dir.join("../lib"),
                wal_compression: WalCompression::Pglz,
            },
        }
    }
}

/// What a server that was built with these options can do.
fn compression_of(options: &str) -> WalCompression {
    if options.contains("'--with-lz4'") { WalCompression::Lz4 } else { WalCompression::Pglz }
}

/// 17 from `postgres (PostgreSQL) 17.11 (Debian 17.11-0+deb13u1)`.
fn major_version(told: &str) -> Option<u32> {
    let number = told.split_once("(PostgreSQL)")?.1.trim_start();
    let digits = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
    number.get(..digits)?.parse().ok()
}

/// The version that `CREATE EXTENSION` installs, from the extension's control file.
fn default_version(control: &str) -> Option<&str> {
    let value =
        control.lines().find_map(|line| line.trim().strip_prefix("default_version")?.trim().strip_prefix('='))?;
    Some(value.trim().trim_matches('\''))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_their_programs_tell_them() {
        assert_eq!(major_version("postgres (PostgreSQL) 17.11 (Debian 17.11-0+deb13u1)\n"), Some(17));
        assert_eq!(major_version("postgres (PostgreSQL) 18beta2\n"), Some(18));
        assert_eq!(major_version("postgres (EnterpriseDB) 17"), None);
        assert_eq!(default_version("# extension\ncomment = 'x'\ndefault_version = '2.19.3'\n"), Some("2.19.3"));
        assert_eq!(default_version("comment = 'default_version'\n"), None);
    }

    #[test]
    fn the_oldest_timescaledb_is_2_18() {
        for (version, usable) in
            [("2.18.0", true), ("2.17.9", false), ("3.0", true), ("2.9.1", false), ("2.20.0-dev", true), ("dev", false)]
        {
            assert_eq!(new_enough(version), usable, "{version}");
        }
    }

    #[test]
    fn lz4_is_used_where_the_server_was_built_with_it() {
        assert_eq!(compression_of(" '--with-icu' '--with-lz4' 'CFLAGS=-g'"), WalCompression::Lz4);
        assert_eq!(compression_of(" '--without-lz4'"), WalCompression::Pglz);
    }

    /// A PostgreSQL made of shell scripts.
    fn pretended(folder: &Path, control: Option<&str>) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let bin_dir = folder.join("bin");
        for made in [&bin_dir, &folder.join("share/extension"), &folder.join("lib")] {
            fs::create_dir_all(made).unwrap();
        }
        for (name, says) in [("postgres", "postgres (PostgreSQL) 17.1"), ("initdb", "")] {
            fs::write(bin_dir.join(name), format!("#!/bin/sh\necho '{says}'\n")).unwrap();
            fs::set_permissions(bin_dir.join(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
        if let Some(control) = control {
            fs::write(folder.join("share/extension/timescaledb.control"), control).unwrap();
        }
        bin_dir
    }

    #[tokio::test]
    async fn a_postgresql_without_the_extension_or_its_library_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let bin_dir = pretended(folder.path(), None);
        assert_eq!(
            Installation::examine(&bin_dir, Origin::System).await,
            Err("(version 17) has no timescaledb".into())
        );
        pretended(folder.path(), Some("default_version = '2.20.1'\n"));
        let reason = Installation::examine(&bin_dir, Origin::System).await.unwrap_err();
        assert!(reason.starts_with("has a timescaledb 2.20.1 without its library"), "{reason}");
        fs::write(folder.path().join("lib/timescaledb-2.20.1.so"), "").unwrap();
        let found = Installation::examine(&bin_dir, Origin::System).await.unwrap();
        assert_eq!((found.major(), found.timescaledb()), (17, "2.20.1"));
    }
}
