//! The program as a command that ends by itself.

use std::{io::Read, process::Stdio, thread, time::Duration};

use super::process::{Process, command};

/// What a command said.
#[derive(Debug)]
pub(crate) struct Finished {
    /// Its exit code; -1 if a signal ended it.
    pub(crate) code: i32,
    /// Its result, in bytes.
    pub(crate) stdout: Vec<u8>,
    /// What it told people meanwhile.
    pub(crate) stderr: String,
}

/// Runs `chunkwise` with these arguments to its end.
pub(crate) fn run(arguments: &[&str]) -> Finished {
    run_within(arguments, Duration::from_secs(300))
}

/// The same; the end must come within `limit`.
pub(crate) fn run_within(arguments: &[&str], limit: Duration) -> Finished {
    let mut process = Process::spawn(command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()));
    let (stdout, stderr) = (process.child.stdout.take(), process.child.stderr.take());
    thread::scope(|scope| {
        let stdout = scope.spawn(|| read(stdout));
        let stderr = scope.spawn(|| read(stderr));
        let code = process.wait(limit).code().unwrap_or(-1);
        let stderr = String::from_utf8(stderr.join().unwrap()).unwrap();
        Finished { code, stdout: stdout.join().unwrap(), stderr }
    })
}

fn read(pipe: Option<impl Read>) -> Vec<u8> {
    let mut bytes = Vec::new();
    pipe.unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

impl Finished {
    /// The same, if it went well.
    #[track_caller]
    pub(crate) fn successful(self) -> Self {
        assert_eq!(self.code, 0, "{}", self.stderr);
        self
    }

    /// Its result as text.
    pub(crate) fn text(&self) -> &str {
        str::from_utf8(&self.stdout).unwrap()
    }
}
