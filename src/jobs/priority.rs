//! Most jobs are of the lowest priority that the system knows: where the machine is busy they get what ingestion and questions
//! leave, and where it is not they lose nothing.
//!
//! Most of a job's work is done by the server, in the process behind its session. Each such process is a group of its own to
//! Linux (`sched_autogroup`), and groups share the cores evenly whatever the priorities within them, so that the group's own
//! is lowered too. None of this is needed for anything but latency: where the server is elsewhere or the system does not
//! allow it, jobs run as others do.

use sqlx::PgConnection;

/// The lowest priority, as of `nice`.
const LOWEST: i32 = 19;

/// What a session has of a busy machine, if its server is on this one and the system allows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// As much as those of writers.
    Usual,
    /// What others leave.
    Lowest,
}

/// Lowers the priority of the calling thread, for good. Where threads have none of their own it does nothing.
pub fn lower_own_thread() {
    if cfg!(target_os = "linux")
        && let Err(error) = rustix::process::setpriority_process(None, LOWEST)
    {
        tracing::debug!(error = %error, "threads of jobs have the priority of others");
    }
}

/// Lowers the priority of the server's process behind a session, if that is on this machine.
pub(super) async fn lower_session(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let (pid, client): (i32, String) = sqlx::query_as(
        "SELECT pg_backend_pid(), coalesce(host(inet_client_addr()) || '(' || inet_client_port() || ')', '[local]')",
    )
    .fetch_one(connection)
    .await?;
    #[cfg(target_os = "linux")]
    if let Err(error) = linux::lower(pid, &client).await {
        tracing::debug!(error = %error, "a job's session has the priority of others");
    }
    #[cfg(not(target_os = "linux"))]
    tracing::trace!(pid, client, "a job's session has the priority of others");
    Ok(())
}

#[cfg(target_os = "linux")]
mod linux {
    use std::{fs, io, time::Duration};

    use rustix::process::{Pid, setpriority_process};

    use super::LOWEST;

    /// So often the system takes a group's priority from a user without privileges, and no oftener.
    const GROUP_EVERY: Duration = Duration::from_millis(150);
    const ATTEMPTS: usize = 4;

    /// Of the process `pid`, if it is the one that serves `client`. A server elsewhere, or in a container, has processes of
    /// the same numbers as others here.
    pub(super) async fn lower(pid: i32, client: &str) -> io::Result<()> {
        let title = fs::read(format!("/proc/{pid}/cmdline"))?;
        if !serves(&String::from_utf8_lossy(&title), client) {
            return Err(io::Error::other("the server is not on this machine"));
        }
        setpriority_process(Pid::from_raw(pid), LOWEST)?;
        let group = format!("/proc/{pid}/autogroup");
        for _ in 1..ATTEMPTS {
            match fs::write(&group, LOWEST.to_string()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => tokio::time::sleep(GROUP_EVERY).await,
                // A system without such groups.
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                written => return written,
            }
        }
        fs::write(&group, LOWEST.to_string())
    }

    /// Whether a process with this title is a PostgreSQL's that serves the client, as `postgres: user database client what`.
    fn serves(title: &str, client: &str) -> bool {
        title.split_once("postgres: ").is_some_and(|(_, said)| said.split([' ', '\0']).any(|word| word == client))
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_process_is_the_sessions_own_if_its_title_says_so() {
            let title = "postgres: chunkwise bench 127.0.0.1(45678) SELECT\0\0";
            assert!(serves(title, "127.0.0.1(45678)"));
            assert!(serves("/lib/ld.so\0--argv0\0postgres: chunkwise bench [local] idle", "[local]"));
            assert!(!serves(title, "127.0.0.1(4567)"));
            assert!(!serves(title, "[local]"));
            assert!(!serves("sleep\x00127.0.0.1(45678)", "127.0.0.1(45678)"));
        }
    }
}
