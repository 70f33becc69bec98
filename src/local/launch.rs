//! From a stopped or crashed cluster to a server that takes connections.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Child;

use super::cluster::Cluster;
use super::error::doing;
use super::postmaster::{self, Phase, Postmaster};
use super::process::command;
use super::{Installation, LocalError, Progress, Step};

const GLANCE: Duration = Duration::from_millis(25);
/// Processes of a crashed server end at once by themselves, unless a statement keeps them busy.
const GRACE: Duration = Duration::from_secs(1);
const OLD_PROCESSES: Duration = Duration::from_secs(15);
/// Replaying 8 GB of log after a crash takes minutes on a slow disk.
pub(super) const RECOVERY: Duration = Duration::from_secs(600);
const PORT_ATTEMPTS: usize = 3;
const LOG_LINES: usize = 15;

/// A server's process that this process has started, while nobody has been told of it: dropped then, it is ended.
#[derive(Debug, Default)]
pub(super) struct Begun {
    pid: Option<Pid>,
}

impl Begun {
    /// From now on it lives without this process.
    pub(super) fn keep(mut self) {
        self.pid = None;
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        if let Some(pid) = self.pid
            && let Err(error) = kill_process(pid, Signal::INT)
        {
            tracing::debug!(error = %error, "a server whose start was given up could not be told to stop");
        }
    }
}

/// Starts the server and waits until it is ready. Call it under the lock, when no server runs.
pub(super) async fn launch(
    cluster: &Cluster,
    installation: &Installation,
    progress: Progress<'_>,
    begun: &mut Begun,
) -> Result<Postmaster, LocalError> {
    let give_up = Instant::now() + OLD_PROCESSES;
    let mut ports_lost = 0;
    loop {
        wait_for_orphans(cluster, give_up, progress).await?;
        postmaster::clear_remains(&cluster.data(), &cluster.socket_dir())?;
        cluster.configure(installation).await?;
        progress(Step::Starting);
        let spawned_at = SystemTime::now();
        let child = spawn(cluster, installation)?;
        begun.pid = child.id().and_then(|pid| Pid::from_raw(pid.try_into().ok()?));
        let error = match wait_until_ready(cluster, Some(child)).await {
            Ok(ready) => return Ok(ready),
            Err(error) => error,
        };
        begun.pid = None;
        match obstacle(&full_log(&cluster.log_dir(), spawned_at)) {
            Some(Obstacle::OldProcesses) if Instant::now() < give_up => {
                progress(Step::WaitingForOldProcesses);
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
            Some(Obstacle::Port) if ports_lost < PORT_ATTEMPTS => ports_lost += 1,
            _ => return Err(error),
        }
    }
}

/// Waits until the server of this cluster is ready; `child` is its process if this process has just started it.
pub(super) async fn wait_until_ready(cluster: &Cluster, mut child: Option<Child>) -> Result<Postmaster, LocalError> {
    let begun = SystemTime::now();
    let give_up = Instant::now() + RECOVERY;
    loop {
        let ended = match &mut child {
            Some(child) => child.try_wait().map_err(doing("wait for the server of", cluster.folder()))?,
            None => None,
        };
        let found = Postmaster::find(&cluster.data())?;
        let reason = match (ended, found) {
            (None, Some(found)) if found.phase == Phase::Ready => return Ok(found),
            (Some(status), _) => format!("it ended: {status}"),
            (None, None) if child.is_none() => "its process is gone".to_owned(),
            _ if Instant::now() > give_up => format!("not ready after {} s, still at work", RECOVERY.as_secs()),
            _ => {
                tokio::time::sleep(GLANCE).await;
                continue;
            }
        };
        return Err(LocalError::DidNotStart { reason, log: last_lines(&full_log(&cluster.log_dir(), begun)) });
    }
}

/// Waits for what a crashed server has left. A statement that was running would go on for as long as it takes, for a client that
/// gets its answer from no server any more; it is ended as PostgreSQL's immediate shutdown ends it, which recovery expects.
async fn wait_for_orphans(cluster: &Cluster, give_up: Instant, progress: Progress<'_>) -> Result<(), LocalError> {
    let data = cluster.data();
    let begun = Instant::now();
    let mut told = false;
    let mut ended = false;
    loop {
        let pids = postmaster::orphans(&data);
        if pids.is_empty() {
            return Ok(());
        }
        if Instant::now() > give_up {
            return Err(LocalError::OldProcesses { data, pids: pids.iter().map(|pid| pid.as_raw_pid()).collect() });
        }
        if !told {
            progress(Step::WaitingForOldProcesses);
            told = true;
        }
        if !ended && begun.elapsed() > GRACE {
            for pid in &pids {
                match kill_process(*pid, Signal::QUIT) {
                    // It may have ended meanwhile.
                    Ok(()) | Err(rustix::io::Errno::SRCH) => {}
                    Err(error) => return Err(doing("end what a crashed server has left in", &data)(error.into())),
                }
            }
            ended = true;
        }
        tokio::time::sleep(GLANCE).await;
    }
}

/// Starts the process in a group of its own, so that a Ctrl-C meant for chunkwise does not reach it, and lets go of it: it is to
/// outlive this process.
fn spawn(cluster: &Cluster, installation: &Installation) -> Result<Child, LocalError> {
    let log = cluster.log_dir().join("start.log");
    let file = cluster.create_file(&log)?;
    let second = file.try_clone().map_err(doing("write", &log))?;
    let program = installation.program("postgres");
    let mut postgres = command(&program);
    postgres.arg("-D").arg(cluster.data()).current_dir(cluster.folder());
    postgres.stdout(file).stderr(second).process_group(0).kill_on_drop(false);
    cluster.account().apply(&mut postgres);
    postgres.spawn().map_err(doing("run", &program))
}

/// What can be waited for or walked round.
#[derive(Debug, PartialEq, Eq)]
enum Obstacle {
    OldProcesses,
    Port,
}

/// The obstacle that the server names in its log, in the words of its source (messages are not translated: the locale is C).
fn obstacle(log: &str) -> Option<Obstacle> {
    if log.contains("pre-existing shared memory block") {
        Some(Obstacle::OldProcesses)
    } else if log.contains("could not bind IPv4 address") || log.contains("could not create any TCP/IP sockets") {
        Some(Obstacle::Port)
    } else {
        None
    }
}

/// What the server has said since `begun`: before its log was open, and in the log.
fn full_log(log_dir: &Path, begun: SystemTime) -> String {
    let mut files = vec![log_dir.join("start.log")];
    files.extend(newest_log(log_dir, begun));
    let texts = files.iter().filter_map(|file| fs::read(file).ok());
    texts.map(|text| last_lines(&String::from_utf8_lossy(&text))).collect::<Vec<_>>().join("\n")
}

fn newest_log(log_dir: &Path, begun: SystemTime) -> Option<PathBuf> {
    let entries = fs::read_dir(log_dir).ok()?;
    let logs = entries.filter_map(|entry| {
        let entry = entry.ok()?;
        let is_log = entry.file_name().to_string_lossy().starts_with("postgresql-");
        Some((entry.metadata().ok()?.modified().ok()?, entry.path()))
            .filter(|(modified, _)| is_log && *modified >= begun)
    });
    logs.max().map(|(_, path)| path)
}

fn last_lines(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn obstacles_are_known_by_the_servers_own_words() {
        let orphans = "FATAL:  pre-existing shared memory block (key 1234, ID 5) is still in use";
        let port = "LOG:  could not bind IPv4 address \"127.0.0.1\": Address already in use";
        assert_eq!(obstacle(orphans), Some(Obstacle::OldProcesses));
        assert_eq!(obstacle(port), Some(Obstacle::Port));
        assert_eq!(obstacle("FATAL:  could not access file \"timescaledb\""), None);
    }

    #[test]
    fn an_error_shows_the_ends_of_both_logs_and_no_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let long: String = (0..100).map(|line| format!("line {line}\n")).collect();
        fs::write(folder.path().join("start.log"), &long).unwrap();
        fs::write(folder.path().join("postgresql-Mon.log"), "the newest\n").unwrap();
        let log = full_log(folder.path(), SystemTime::UNIX_EPOCH);
        assert!(log.starts_with("line 85\n") && log.ends_with("line 99\nthe newest"), "{log}");
        let later = SystemTime::now() + Duration::from_secs(60);
        assert!(full_log(folder.path(), later).ends_with("line 99"));
    }
}
