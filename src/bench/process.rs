//! What processes cost: CPU time and memory, as Linux tells in `/proc`. Elsewhere there are no such figures.

use std::{fs, process};

use sqlx::PgConnection;

use super::environment::kibibytes;

/// The kernel's `USER_HZ`: 100 on every architecture that this runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// The processes of a run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Processes {
    service: u32,
    /// The server's first process, if it is one of this machine.
    postmaster: Option<u32>,
}

/// CPU seconds up to a moment.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct CpuSeconds {
    /// Of this process, which makes the requests.
    pub(super) generator: f64,
    /// Of the service.
    pub(super) service: f64,
    /// Of the database server with all its processes; whatever else uses it counts too. `None` if it is elsewhere.
    pub(super) database: Option<f64>,
}

impl CpuSeconds {
    /// What was used since an earlier moment.
    pub(super) fn since(self, earlier: Self) -> Self {
        Self {
            generator: self.generator - earlier.generator,
            service: self.service - earlier.service,
            database: self.database.zip(earlier.database).map(|(now, then)| now - then),
        }
    }
}

impl Processes {
    /// Finds the database's processes by those of a connection.
    pub(super) async fn find(service: u32, connection: &mut PgConnection) -> Result<Self, sqlx::Error> {
        let postmaster = backend(connection).await?.and_then(|pid| Some(stat(pid)?.parent));
        Ok(Self { service, postmaster: postmaster.filter(|&pid| is_postgres(pid)) })
    }

    /// CPU seconds up to now; `None` where the system does not tell.
    pub(super) fn cpu(&self) -> Option<CpuSeconds> {
        let own = |pid| stat(pid).map(|stat| stat.own_ticks / TICKS_PER_SECOND);
        Some(CpuSeconds {
            generator: own(process::id())?,
            service: own(self.service)?,
            database: self.postmaster.and_then(family_seconds),
        })
    }

    /// The service's memory now, and the most it has had, in bytes.
    pub(super) fn service_memory(&self) -> Option<(u64, u64)> {
        memory(self.service)
    }
}

/// Whether the server's processes are among this machine's.
pub(super) async fn is_of_this_machine(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    Ok(backend(connection).await?.is_some())
}

/// The server's process behind a connection, if it is one of this machine.
async fn backend(connection: &mut PgConnection) -> Result<Option<u32>, sqlx::Error> {
    let backend: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(connection).await?;
    Ok(u32::try_from(backend).ok().filter(|&pid| is_postgres(pid)))
}

/// A process's memory now, and the most it has had, in bytes; `None` where the system does not tell.
pub(super) fn memory(pid: u32) -> Option<(u64, u64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    Some((kibibytes(&text, "VmRSS:")?, kibibytes(&text, "VmHWM:")?))
}

/// A number may be another process's on this machine while the server is on another one.
fn is_postgres(pid: u32) -> bool {
    fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.windows(8).any(|word| word == b"postgres"))
}

/// The postmaster, its children, and those of them that have ended.
fn family_seconds(postmaster: u32) -> Option<f64> {
    let parent = stat(postmaster)?;
    let mut ticks = parent.own_ticks + parent.ended_ticks;
    for entry in fs::read_dir("/proc").ok()?.flatten() {
        let pid = entry.file_name().to_str().and_then(|name| name.parse().ok());
        ticks += pid.and_then(stat).filter(|stat| stat.parent == postmaster).map_or(0.0, |stat| stat.own_ticks);
    }
    Some(ticks / TICKS_PER_SECOND)
}

#[derive(Debug, PartialEq)]
struct Stat {
    parent: u32,
    own_ticks: f64,
    /// Of children that have ended and were waited for.
    ended_ticks: f64,
}

fn stat(pid: u32) -> Option<Stat> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// `pid (name) state ppid ...`; a name may hold anything, brackets too.
fn parse_stat(text: &str) -> Option<Stat> {
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    // The state is the third field of the manual's list.
    let ticks = |field: usize| fields.get(field - 3)?.parse::<f64>().ok();
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        own_ticks: ticks(14)? + ticks(15)?,
        ended_ticks: ticks(16)? + ticks(17)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_s_name_does_not_hide_its_figures() {
        let text = "42 (a) b) (c) S 7 42 42 0 -1 4194304 1 2 3 4 11 22 33 44 20 0 1 0 5 6 7";
        assert_eq!(parse_stat(text), Some(Stat { parent: 7, own_ticks: 33.0, ended_ticks: 77.0 }));
        assert_eq!(parse_stat("42 (a) S 7"), None);
    }
}
