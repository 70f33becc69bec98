//! Runs another program to its end.

use std::path::PathBuf;
use std::process::Stdio;

use tokio::process::Command;

use super::CommandError;

/// A command that is not disturbed by what the caller's environment says about languages, PostgreSQL or preloaded libraries.
pub(super) fn command(program: impl Into<PathBuf>) -> Command {
    let mut command = Command::new(program.into());
    command.stdin(Stdio::null()).env("LC_ALL", "C").kill_on_drop(true);
    for variable in ["LD_PRELOAD", "LD_LIBRARY_PATH", "PGDATA", "PGPORT", "PGHOST", "PGOPTIONS", "PGSERVICE", "PGUSER"]
    {
        command.env_remove(variable);
    }
    command
}

/// Runs it to its end and gives what it wrote to standard output. Its standard error goes into the error if it fails.
pub(super) async fn output(command: &mut Command) -> Result<String, CommandError> {
    let program = PathBuf::from(command.as_std().get_program());
    let output = match command.output().await {
        Ok(output) => output,
        Err(source) => return Err(CommandError::NotRun { program, source }),
    };
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let mut said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if said.is_empty() {
        said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    }
    Err(CommandError::Failed { program, status: output.status, said })
}
