//! Who the server runs as: this user, or, because PostgreSQL refuses to run as root, an unprivileged account.

use std::fs;
use std::os::unix::fs::{MetadataExt, lchown};
use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::LocalError;
use super::error::doing;

/// Accounts that root runs the server as, first choice first.
const UNPRIVILEGED: [&str; 2] = ["postgres", "nobody"];

pub(super) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The owner of the cluster's files and processes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Account {
    /// Whoever runs chunkwise.
    Own,
    /// Another account; only root can choose it.
    Other { name: String, uid: u32, gid: u32 },
}

impl Account {
    /// The account for the cluster in `data`: its owner if it exists, else this user, else (for root) an unprivileged one.
    pub(super) fn for_cluster(data: &Path) -> Result<Self, LocalError> {
        let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let own_uid = rustix::process::geteuid().as_raw();
        match fs::metadata(data) {
            Ok(found) if found.uid() == own_uid && own_uid != 0 => Ok(Self::Own),
            Ok(found) if own_uid == 0 && found.uid() != 0 => {
                let name = name_of(&passwd, found.uid());
                Ok(Self::Other { name, uid: found.uid(), gid: found.gid() })
            }
            Ok(found) => Err(LocalError::ForeignOwner { path: data.to_owned(), owner: name_of(&passwd, found.uid()) }),
            Err(_) if own_uid != 0 => Ok(Self::Own),
            Err(_) => {
                let found = UNPRIVILEGED.iter().find_map(|name| entry_of(&passwd, name).map(|ids| (name, ids)));
                let (name, (uid, gid)) = found.ok_or(LocalError::NoAccount)?;
                Ok(Self::Other { name: (*name).to_owned(), uid, gid })
            }
        }
    }

    /// Makes the command run as this account, without any of root's groups.
    pub(super) fn apply(&self, command: &mut Command) {
        if let Self::Other { uid, gid, .. } = self {
            command.uid(*uid).gid(*gid);
        }
    }

    /// Gives a file or folder to this account. A link itself, not what it points to.
    pub(super) fn own(&self, path: &Path) -> Result<(), LocalError> {
        if let Self::Other { uid, gid, .. } = self {
            lchown(path, Some(*uid), Some(*gid)).map_err(doing("change the owner of", path))?;
        }
        Ok(())
    }

    /// Fails with the folder in the way if this account cannot enter all folders down to `path` that exist so far.
    pub(super) fn check_reach(&self, path: &Path) -> Result<(), LocalError> {
        let Self::Other { name, uid, gid } = self else { return Ok(()) };
        let Some(existing) = path.ancestors().find(|ancestor| ancestor.exists()) else { return Ok(()) };
        let existing = existing.canonicalize().map_err(doing("resolve", existing))?;
        let mut ancestors: Vec<_> = existing.ancestors().collect();
        ancestors.reverse();
        for ancestor in ancestors {
            let found = ancestor.metadata().map_err(doing("look at", ancestor))?;
            if !may_enter(found.mode(), (found.uid(), found.gid()), (*uid, *gid)) {
                let blocked_by = PathBuf::from(ancestor);
                return Err(LocalError::Unreachable { path: path.to_owned(), blocked_by, account: name.clone() });
            }
        }
        Ok(())
    }
}

/// Whether the mode lets `account` (uid, gid) search a folder of `owner` (uid, gid). Access lists are not looked at.
fn may_enter(mode: u32, owner: (u32, u32), account: (u32, u32)) -> bool {
    let search = if owner.0 == account.0 {
        0o100
    } else if owner.1 == account.1 {
        0o010
    } else {
        0o001
    };
    mode & search != 0
}

/// uid and gid of `name` in the text of /etc/passwd.
fn entry_of(passwd: &str, name: &str) -> Option<(u32, u32)> {
    passwd.lines().find_map(|line| {
        let mut parts = line.split(':');
        if parts.next() != Some(name) {
            return None;
        }
        let uid = parts.nth(1)?.parse().ok()?;
        let gid = parts.next()?.parse().ok()?;
        Some((uid, gid))
    })
}

fn name_of(passwd: &str, uid: u32) -> String {
    let name = passwd.lines().find_map(|line| {
        let name = line.split(':').next()?;
        (entry_of(line, name)?.0 == uid).then(|| name.to_owned())
    });
    name.unwrap_or_else(|| format!("the user with id {uid}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\n\
                          nobody:x:65534:65533:nobody:/nonexistent:/usr/sbin/nologin\n\
                          damaged:x:\n\
                          postgres:x:101:104:PostgreSQL administrator,,,:/var/lib/postgresql:/bin/bash\n";

    #[test]
    fn passwd_gives_ids_of_names_and_names_of_ids() {
        assert_eq!(entry_of(PASSWD, "postgres"), Some((101, 104)));
        assert_eq!(entry_of(PASSWD, "nobody"), Some((65534, 65533)));
        assert_eq!(entry_of(PASSWD, "postgre"), None);
        assert_eq!(entry_of(PASSWD, "damaged"), None);
        assert_eq!(name_of(PASSWD, 101), "postgres");
        assert_eq!(name_of(PASSWD, 7), "the user with id 7");
    }

    #[test]
    fn a_folder_is_entered_by_the_bits_of_the_closest_class_alone() {
        let (owner, account) = ((1, 10), (2, 20));
        assert!(may_enter(0o755, owner, account));
        assert!(!may_enter(0o700, owner, account));
        assert!(may_enter(0o710, (1, 20), account));
        assert!(!may_enter(0o701, (1, 20), account), "a group's member does not count as one of the others");
        assert!(!may_enter(0o077, (2, 20), account), "nor does the owner");
    }

    #[test]
    fn a_closed_folder_on_the_way_is_named() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).unwrap();
        let closed = root.join("closed");
        fs::create_dir(&closed).unwrap();
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
        let other = Account::Other { name: "other".into(), uid: u32::MAX - 7, gid: u32::MAX - 7 };
        let wanted = closed.join("not/there/yet");
        match other.check_reach(&wanted) {
            Err(LocalError::Unreachable { path, blocked_by, .. }) => {
                assert_eq!((path, blocked_by), (wanted.clone(), closed))
            }
            other => panic!("expected the closed folder, got {other:?}"),
        }
        Account::Own.check_reach(&wanted).unwrap();
    }
}
