//! The program as a process, to be signalled and killed.

use std::{
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

/// The program with arguments, and without what this process's environment would tell it.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chunkwise"));
    command.args(arguments).env_remove("DATABASE_URL").stdin(Stdio::null());
    // Programs of several tests run at once: none may take the usual ports.
    for listener in ["LINE_PROTOCOL", "OPENTSDB"] {
        command.env(format!("CHUNKWISE_{listener}__LISTEN"), "127.0.0.1:0");
    }
    // Nor share a spool: those that test it say where it is.
    command.env("CHUNKWISE_SPOOL__WHEN_AWAY", "refuse");
    // Benchmarks keep their reports in the data folder, where this machine's user would see them.
    if arguments.first() == Some(&"bench") && !arguments.contains(&"--data-dir") {
        command.args(["--data-dir", concat!(env!("CARGO_TARGET_TMPDIR"), "/bench")]);
    }
    command
}

/// A running process; killed at the end.
#[derive(Debug)]
pub(crate) struct Process {
    pub(super) child: Child,
}

impl Process {
    pub(crate) fn spawn(command: &mut Command) -> Self {
        Self { child: command.spawn().unwrap() }
    }

    /// Its standard output, if it was piped; it can be had once.
    pub(crate) fn stdout(&mut self) -> ChildStdout {
        self.child.stdout.take().unwrap()
    }

    /// Its standard error, if it was piped; it can be had once.
    pub(crate) fn stderr(&mut self) -> ChildStderr {
        self.child.stderr.take().unwrap()
    }

    /// Its standard input, if it was piped; it can be had once.
    pub(crate) fn stdin(&mut self) -> ChildStdin {
        self.child.stdin.take().unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        // The child is reaped by this struct alone, so its number is still its own.
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// How it ended, which must be within `limit`.
    pub(crate) fn wait(&mut self, limit: Duration) -> ExitStatus {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            if Instant::now() > deadline {
                self.kill();
                panic!("still running after {limit:?}");
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// SIGKILL, and waits for the end.
    pub(crate) fn kill(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
