//! The private cluster: its folders, its making, its password and its port.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{ErrorKind, Write};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rand::Rng;
use rand::distr::Alphanumeric;

use super::account::Account;
use super::error::doing;
use super::machine::Machine;
use super::process::{command, output};
use super::settings::{Places, chunkwise_conf};
use super::users::{Users, Wish};
use super::{Installation, LocalConfig, LocalError, Progress, Step};

/// The superuser, and the database.
pub(super) const NAME: &str = "chunkwise";

/// Ports that are tried in turn: below the range from which systems take the ports of outgoing connections.
const PORTS: std::ops::RangeInclusive<u16> = 15432..=15931;
/// A socket's path has room for 103 bytes on macOS, 107 on Linux; `/.s.PGSQL.12345` is 15 of them.
const LONGEST_SOCKET_DIR: usize = 103 - 15;
const PASSWORD_LENGTH: usize = 32;

/// Loopback only, and never without the password.
const PG_HBA: &str = "local all,replication all scram-sha-256\n\
                      host all,replication all 127.0.0.1/32 scram-sha-256\n\
                      host all,replication all ::1/128 scram-sha-256\n";

/// Files of a cluster that may not exist yet.
#[derive(Debug, Clone)]
pub(super) struct Cluster {
    folder: PathBuf,
    account: Account,
}

impl Cluster {
    pub(super) fn new(config: &LocalConfig) -> Result<Self, LocalError> {
        let data_dir = std::path::absolute(&config.data_dir).map_err(doing("resolve", &config.data_dir))?;
        let folder = data_dir.join("postgres");
        let account = Account::for_cluster(&folder.join("data"))?;
        Ok(Self { folder, account })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn account(&self) -> &Account {
        &self.account
    }

    pub(super) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    pub(super) fn log_dir(&self) -> PathBuf {
        self.folder.join("log")
    }

    pub(super) fn lock_file(&self) -> PathBuf {
        self.folder.join("lock")
    }

    pub(super) fn users(&self) -> Users {
        Users::new(self.folder.join("users"))
    }

    pub(super) fn wish(&self) -> Wish {
        Wish::read(&self.wish_file())
    }

    /// Call it under the lock.
    pub(super) fn set_wish(&self, wish: Wish) -> Result<(), LocalError> {
        if self.wish() == wish {
            return Ok(());
        }
        self.write(&self.wish_file(), &format!("{}\n", wish.word()))
    }

    fn wish_file(&self) -> PathBuf {
        self.folder.join("wish")
    }

    /// Where the Unix socket is: beside the data, where no cleaner of temporary files removes it, unless that path is too long.
    pub(super) fn socket_dir(&self) -> PathBuf {
        let beside = self.folder.join("run");
        if beside.as_os_str().len() <= LONGEST_SOCKET_DIR {
            return beside;
        }
        let owner = match self.account {
            Account::Own => rustix::process::geteuid().as_raw(),
            Account::Other { uid, .. } => uid,
        };
        let hash = blake3::hash(self.folder.as_os_str().as_encoded_bytes()).to_hex();
        PathBuf::from(format!("/tmp/chunkwise-{owner}-{}", &hash[..12]))
    }

    pub(super) fn exists(&self) -> bool {
        self.data().join("PG_VERSION").exists()
    }

    /// Makes the folders that are missing, each for the server's account alone.
    pub(super) fn make_folders(&self) -> Result<(), LocalError> {
        self.account.check_reach(&self.folder)?;
        if let Some(data_dir) = self.folder.parent() {
            let missing: Vec<_> = data_dir.ancestors().take_while(|ancestor| !ancestor.exists()).collect();
            for ancestor in missing.into_iter().rev() {
                make_folder(ancestor, 0o755).map_err(|error| unusable(data_dir, error))?;
            }
        }
        // Root writes and deletes below here: the server's account must not be able to put something else in these folders' place.
        let mode = if self.account == Account::Own { 0o700 } else { 0o711 };
        make_folder(&self.folder, mode).map_err(|error| unusable(&self.folder, error))?;
        for folder in [self.log_dir(), self.socket_dir()] {
            self.make_own_folder(&folder)?;
        }
        Ok(())
    }

    fn make_own_folder(&self, folder: &Path) -> Result<(), LocalError> {
        make_folder(folder, 0o700)?;
        self.account.own(folder)
    }

    /// Makes the cluster, unless it exists, under a name of its own until it is complete.
    pub(super) async fn create(&self, installation: &Installation, progress: Progress<'_>) -> Result<(), LocalError> {
        if self.exists() {
            return Ok(());
        }
        progress(Step::CreatingCluster);
        let unfinished = self.folder.join("data.unfinished");
        match fs::remove_dir_all(&unfinished) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(doing("remove", &unfinished)(error)),
            _ => {}
        }
        self.make_own_folder(&unfinished)?;
        let password: String = rand::rng().sample_iter(Alphanumeric).take(PASSWORD_LENGTH).map(char::from).collect();
        self.write(&self.password_file(), &password)?;

        let initdb = |locale: &[&str]| {
            let mut initdb = command(installation.program("initdb"));
            initdb.arg("-D").arg(&unfinished).arg("--pwfile").arg(self.password_file()).current_dir(&self.folder);
            initdb.args(["-U", NAME, "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--data-checksums"]);
            initdb.args(locale);
            self.account.apply(&mut initdb);
            initdb
        };
        // Sorts like C, but knows the letters of Unicode: PostgreSQL's own since 17, on every system alike, before that the
        // system's, where it has it. A failed initdb leaves the folder as it was.
        if installation.major() >= 17 {
            output(&mut initdb(&["--locale-provider=builtin", "--builtin-locale=C.UTF-8"])).await?;
        } else if output(&mut initdb(&["--lc-ctype=C.UTF-8"])).await.is_err() {
            output(&mut initdb(&[])).await?;
        }

        let main = unfinished.join("postgresql.conf");
        let text = fs::read_to_string(&main).map_err(doing("read", &main))?;
        self.write(&main, &format!("{text}\ninclude 'chunkwise.conf'\n"))?;
        self.write(&unfinished.join("pg_hba.conf"), PG_HBA)?;
        fs::rename(&unfinished, self.data()).map_err(doing("create", &self.data()))?;
        File::open(&self.folder).and_then(|folder| folder.sync_all()).map_err(doing("flush", &self.folder))
    }

    /// Fails unless the programs are of the version that made the cluster.
    pub(super) fn check_version(&self, installation: &Installation) -> Result<(), LocalError> {
        let file = self.data().join("PG_VERSION");
        let text = fs::read_to_string(&file).map_err(doing("read", &file))?;
        let invalid = || doing("make sense of", &file)(ErrorKind::InvalidData.into());
        let cluster = text.trim().parse().map_err(|_| invalid())?;
        let programs = installation.major();
        if cluster == programs {
            return Ok(());
        }
        let bin_dir = installation.bin_dir().to_owned();
        Err(LocalError::MajorVersion { data: self.data(), cluster, programs, bin_dir })
    }

    /// Writes `chunkwise.conf` for this machine as it is now, with a port that is free.
    pub(super) async fn configure(&self, installation: &Installation) -> Result<(), LocalError> {
        let port = self.choose_port()?;
        let machine = Machine::look(&self.folder).await;
        let places = Places { port, socket_dir: &self.socket_dir(), log_dir: &self.log_dir() };
        let conf = chunkwise_conf(&machine, installation.wal_compression(), places);
        self.write(&self.data().join("chunkwise.conf"), &conf)
    }

    pub(super) fn password(&self) -> Result<String, LocalError> {
        let path = self.password_file();
        match fs::read_to_string(&path) {
            Ok(password) if password.len() == PASSWORD_LENGTH => Ok(password),
            Ok(_) => Err(LocalError::Password { path }),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(LocalError::Password { path }),
            Err(error) => Err(doing("read", &path)(error)),
        }
    }

    fn password_file(&self) -> PathBuf {
        self.folder.join("password")
    }

    /// The port of the last start, or the next free one if somebody else has it now.
    fn choose_port(&self) -> Result<u16, LocalError> {
        let file = self.folder.join("port");
        let last: Option<u16> = fs::read_to_string(&file).ok().and_then(|text| text.trim().parse().ok());
        let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
        let none = LocalError::NoPort { from: *PORTS.start(), to: *PORTS.end() };
        let port = last.into_iter().chain(PORTS).find(is_free).ok_or(none)?;
        if last != Some(port) {
            self.write(&file, &format!("{port}\n"))?;
        }
        Ok(port)
    }

    /// Replaces a file of the server's account, readable by it alone, and waits until it is on the disk.
    fn write(&self, path: &Path, text: &str) -> Result<(), LocalError> {
        let unfinished = path.with_extension("new");
        let mut file = self.create_file(&unfinished)?;
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
        written.map_err(doing("write", &unfinished))?;
        fs::rename(&unfinished, path).map_err(doing("write", path))
    }

    /// A new file of the server's account in the place of any old one. A link that somebody left there is not followed.
    pub(super) fn create_file(&self, path: &Path) -> Result<File, LocalError> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(doing("remove", path)(error)),
            _ => {}
        }
        let file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(path);
        let file = file.map_err(doing("create", path))?;
        self.account.own(path)?;
        Ok(file)
    }
}

/// Makes a folder with this mode whatever the process's mask is. One that is there already, in /tmp for example, must be a folder
/// that nobody else prepared.
fn make_folder(folder: &Path, mode: u32) -> Result<(), LocalError> {
    match fs::create_dir(folder) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return check_owner(folder),
        Err(error) => return Err(doing("create", folder)(error)),
    }
    fs::set_permissions(folder, Permissions::from_mode(mode)).map_err(doing("set the mode of", folder))
}

fn unusable(path: &Path, error: LocalError) -> LocalError {
    match error {
        LocalError::Io { source, .. } => LocalError::DataDir { path: path.to_owned(), source },
        error => error,
    }
}

fn check_owner(folder: &Path) -> Result<(), LocalError> {
    let found = fs::symlink_metadata(folder).map_err(doing("look at", folder))?;
    let own = rustix::process::geteuid();
    if found.is_dir() && (own.is_root() || found.uid() == own.as_raw()) {
        return Ok(());
    }
    Err(LocalError::ForeignOwner { path: folder.to_owned(), owner: format!("the user with id {}", found.uid()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(folder: &Path) -> Cluster {
        Cluster { folder: folder.to_owned(), account: Account::Own }
    }

    #[test]
    fn a_long_path_moves_the_socket_and_nothing_else() {
        let short = cluster(Path::new("/var/lib/chunkwise/postgres"));
        assert_eq!(short.socket_dir(), Path::new("/var/lib/chunkwise/postgres/run"));
        let long = PathBuf::from(format!("/{}/postgres", "x".repeat(80)));
        let moved = cluster(&long).socket_dir();
        assert!(moved.starts_with("/tmp") && moved.as_os_str().len() <= LONGEST_SOCKET_DIR, "{moved:?}");
        assert_eq!(cluster(&long).log_dir(), long.join("log"));
        assert_ne!(moved, cluster(&long.join("other")).socket_dir());
        assert_eq!(moved, cluster(&long).socket_dir());
    }

    #[test]
    fn the_port_stays_until_somebody_else_takes_it() {
        let folder = tempfile::tempdir().unwrap();
        let cluster = cluster(folder.path());
        let first = cluster.choose_port().unwrap();
        assert!(PORTS.contains(&first));
        assert_eq!(fs::read_to_string(folder.path().join("port")).unwrap(), format!("{first}\n"));

        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        fs::write(folder.path().join("port"), port.to_string()).unwrap();
        assert_ne!(cluster.choose_port().unwrap(), port);
        fs::write(folder.path().join("port"), port.to_string()).unwrap();
        drop(taken);
        assert_eq!(cluster.choose_port().unwrap(), port);
    }

    #[test]
    fn a_damaged_password_is_told_from_a_good_one() {
        let folder = tempfile::tempdir().unwrap();
        let cluster = cluster(folder.path());
        assert!(matches!(cluster.password(), Err(LocalError::Password { .. })));
        fs::write(cluster.password_file(), "short").unwrap();
        assert!(matches!(cluster.password(), Err(LocalError::Password { .. })));
        let password = "a".repeat(PASSWORD_LENGTH);
        cluster.write(&cluster.password_file(), &password).unwrap();
        assert_eq!(cluster.password().unwrap(), password);
        let mode = fs::metadata(cluster.password_file()).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
