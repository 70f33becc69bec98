//! A data folder of a test's own, whose server is stopped at the end, however the test ends.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use rustix::process::{Pid, Signal, geteuid, kill_process, test_kill_process};
use sqlx::{ConnectOptions, PgConnection, postgres::PgConnectOptions};
use tempfile::TempDir;

use super::{LOOK, START};
use crate::support::{App, Finished, command, run_within};

#[derive(Debug)]
pub(crate) struct DataFolder {
    folder: TempDir,
}

impl DataFolder {
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("chunkwise-").tempdir_in("/var/tmp").unwrap();
        if geteuid().is_root() {
            // The server runs as another account, which must be able to come here.
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        }
        Self { folder }
    }

    pub(crate) fn path(&self) -> &str {
        self.folder.path().to_str().unwrap()
    }

    /// `chunkwise db <command>` on this folder.
    pub(crate) fn db(&self, name: &str) -> Finished {
        self.db_with(name, &[])
    }

    /// The same with arguments.
    pub(crate) fn db_with(&self, name: &str, arguments: &[&str]) -> Finished {
        let limit = if name == "start" { START } else { LOOK };
        run_within(&[&["db", name, "--data-dir", self.path()], arguments].concat(), limit)
    }

    /// `chunkwise up` on this folder.
    pub(crate) fn up(&self, arguments: &[&str]) -> App {
        App::start(&[&["up", "--data-dir", self.path()], arguments].concat())
    }

    /// The server's process, as `status` tells it; `None` unless it runs.
    pub(crate) fn server(&self) -> Option<Pid> {
        let status = self.db("status");
        let pid = status.text().strip_prefix("running, process ")?.split(',').next()?;
        assert_eq!(status.code, 0);
        Pid::from_raw(pid.parse().ok()?)
    }

    /// An analyst's connection, by `url`.
    pub(crate) async fn connect(&self) -> PgConnection {
        let url = self.db("url").successful();
        let options: PgConnectOptions = url.text().trim().parse().unwrap();
        options.connect().await.unwrap()
    }

    /// A count, or another int8.
    pub(crate) async fn count(&self, sql: &str) -> i64 {
        let mut connection = self.connect().await;
        sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }
}

/// SIGKILL.
pub(crate) fn kill_9(pid: Pid) {
    kill_process(pid, Signal::KILL).unwrap();
}

impl Drop for DataFolder {
    fn drop(&mut self) {
        let stopped = command(&["db", "stop", "--force", "--data-dir", self.path()]).output();
        if let Ok(stopped) = stopped
            && !stopped.status.success()
        {
            eprintln!("{}: {}", self.path(), String::from_utf8_lossy(&stopped.stderr));
        }
        end_all_in(&self.folder.path().join("postgres"));
    }
}

/// Whatever still works in the folder belongs to this test: a server that could not be stopped, what a killed one left.
fn end_all_in(folder: &Path) {
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let works_here = fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder));
        let pid = entry.file_name().to_str().and_then(|name| Pid::from_raw(name.parse().ok()?));
        if let Some(pid) = pid.filter(|_| works_here) {
            // It may have ended by itself.
            if kill_process(pid, Signal::KILL).is_err() {
                continue;
            }
            for _ in 0..100 {
                if test_kill_process(pid).is_err() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
}
