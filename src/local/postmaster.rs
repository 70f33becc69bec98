//! The server's process, as its `postmaster.pid` and the operating system tell it.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, test_kill_process};

use super::LocalError;
use super::error::doing;

/// What `postmaster.pid` says of a process that is alive and is this cluster's server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Postmaster {
    pub(super) pid: Pid,
    pub(super) port: u16,
    pub(super) socket_dir: PathBuf,
    pub(super) phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Starting,
    Ready,
    Stopping,
}

impl Postmaster {
    /// The live server of the cluster in `data`. A file that a crash or a power cut left behind does not count, even where another
    /// program has got its process id since.
    pub(super) fn find(data: &Path) -> Result<Option<Self>, LocalError> {
        let file = pid_file(data);
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(doing("read", &file)(error)),
        };
        Ok(Self::parse(&text).filter(|found| works_in(found.pid, data)))
    }

    /// The lines are: process id, data folder, start time, port, socket folder, TCP address, shared memory, phase. The server
    /// writes them one after another while it starts.
    fn parse(text: &str) -> Option<Self> {
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        let line = |number: usize| lines.get(number).copied().unwrap_or_default();
        Some(Self {
            // A single-user server writes the negative of its process id.
            pid: Pid::from_raw(line(0).parse().ok().filter(|pid| *pid > 0)?)?,
            port: line(3).parse().unwrap_or(0),
            socket_dir: PathBuf::from(line(4)),
            phase: match line(7) {
                "ready" => Phase::Ready,
                "stopping" => Phase::Stopping,
                _ => Phase::Starting,
            },
        })
    }
}

/// Processes that a crashed server has left: they work in the data folder and still hold its shared memory, so that no new server may
/// start. (A shell or an editor in that folder holds none.) Empty where that cannot be asked.
pub(super) fn orphans(data: &Path) -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.filter_map(|entry| Pid::from_raw(entry.ok()?.file_name().to_str()?.parse().ok()?));
    pids.filter(|pid| works_in(*pid, data) && holds_shared_memory(*pid)).collect()
}

/// PostgreSQL attaches a System V segment in each of its processes for this very purpose: to see who is left.
fn holds_shared_memory(pid: Pid) -> bool {
    fs::read_to_string(format!("/proc/{pid}/maps")).is_ok_and(|maps| maps.contains("/SYSV"))
}

/// Removes what a dead server left behind and a new one would stumble over: a pid file whose number another program has got, and
/// sockets. Call it under the lock, when there are no orphans.
pub(super) fn clear_remains(data: &Path, socket_dir: &Path) -> Result<(), LocalError> {
    let file = pid_file(data);
    let recycled = fs::read_to_string(&file).is_ok_and(|text| {
        // PostgreSQL itself clears the file of a process that is gone, after a look at the shared memory that it names.
        Postmaster::parse(&text).is_none_or(|found| is_alive(found.pid) && !works_in(found.pid, data))
    });
    if recycled {
        fs::remove_file(&file).map_err(doing("remove", &file))?;
    }
    let entries = fs::read_dir(socket_dir).map_err(doing("read", socket_dir))?;
    let sockets = entries
        .filter_map(|entry| entry.ok())
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(".s.PGSQL."));
    for path in sockets.map(|entry| entry.path()) {
        fs::remove_file(&path).map_err(doing("remove", &path))?;
    }
    Ok(())
}

pub(super) fn is_alive(pid: Pid) -> bool {
    // Not being allowed to send it a signal means that it is there.
    !matches!(test_kill_process(pid), Err(rustix::io::Errno::SRCH))
}

/// Whether the process is alive and has the data folder as its working folder, as every process of a server has. Where the system
/// does not tell (macOS), being alive must do.
fn works_in(pid: Pid, data: &Path) -> bool {
    if !Path::new("/proc/self/cwd").exists() {
        return is_alive(pid);
    }
    let folder = fs::read_link(format!("/proc/{pid}/cwd"));
    folder.is_ok_and(|folder| folder == data || data.canonicalize().is_ok_and(|data| folder == data))
}

fn pid_file(data: &Path) -> PathBuf {
    data.join("postmaster.pid")
}

#[cfg(test)]
mod tests {
    use super::*;

    const READY: &str = "4711\n/d/data\n1781971200\n15432\n/d/run\n127.0.0.1\n  1234567         3\nready   \n";

    #[test]
    fn the_pid_file_is_read_line_by_line_and_may_be_half_written() {
        let ready = Postmaster::parse(READY).unwrap();
        assert_eq!((ready.pid.as_raw_pid(), ready.port), (4711, 15432));
        assert_eq!((ready.socket_dir.as_path(), ready.phase), (Path::new("/d/run"), Phase::Ready));
        let lines: Vec<_> = READY.lines().collect();
        for written in 1..lines.len() {
            let half = Postmaster::parse(&lines[..written].join("\n")).unwrap();
            assert_eq!(half.phase, Phase::Starting, "{written} lines");
        }
        assert_eq!(Postmaster::parse(&READY.replace("ready   ", "stopping")).unwrap().phase, Phase::Stopping);
        assert_eq!(Postmaster::parse(""), None);
        assert_eq!(Postmaster::parse("-4711\n"), None, "a single-user server is none that can be reached");
    }

    #[test]
    fn a_pid_file_of_another_program_does_not_count_and_is_cleared() {
        let folder = tempfile::tempdir().unwrap();
        let (data, run) = (folder.path().join("data"), folder.path().join("run"));
        for made in [&data, &run] {
            fs::create_dir(made).unwrap();
        }
        fs::write(run.join(".s.PGSQL.15432"), "").unwrap();
        // This very test is the other program.
        fs::write(pid_file(&data), READY.replace("4711", &std::process::id().to_string())).unwrap();
        if Path::new("/proc/self/cwd").exists() {
            assert_eq!(Postmaster::find(&data).unwrap(), None);
            clear_remains(&data, &run).unwrap();
            assert!(!pid_file(&data).exists());
            assert_eq!(fs::read_dir(&run).unwrap().count(), 0);
        }
    }

    #[test]
    fn a_pid_file_of_a_dead_process_is_left_to_postgresql() {
        let folder = tempfile::tempdir().unwrap();
        // No Linux gives out a process id as high as this.
        fs::write(pid_file(folder.path()), READY.replace("4711", "2147483646")).unwrap();
        let run = folder.path().join("run");
        fs::create_dir(&run).unwrap();
        clear_remains(folder.path(), &run).unwrap();
        assert!(pid_file(folder.path()).exists());
    }
}
