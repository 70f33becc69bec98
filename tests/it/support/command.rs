//! The program as a command that ends by itself.

use std::process::{Command, Stdio};

/// What a command said.
#[derive(Debug)]
pub(crate) struct Finished {
    /// Its exit code.
    pub(crate) code: i32,
    /// Its result, in bytes.
    pub(crate) stdout: Vec<u8>,
    /// What it told people meanwhile.
    pub(crate) stderr: String,
}

/// Runs `chunkwise` with these arguments to its end.
pub(crate) fn run(arguments: &[&str]) -> Finished {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chunkwise"));
    command.args(arguments).env_remove("DATABASE_URL").stdin(Stdio::null());
    let output = command.output().unwrap();
    Finished {
        code: output.status.code().unwrap_or(-1),
        stdout: output.stdout,
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
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
