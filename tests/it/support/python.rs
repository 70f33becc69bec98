//! The clients' side in Python: what data scientists read answers with, and what feeds write with.

use std::{
    ffi::OsStr,
    process::{Command, Stdio},
};

/// A script with the Python that `CHUNKWISE_TEST_PYTHON` names, which has what `tests/run.sh` installs.
#[track_caller]
pub(crate) fn python_command(script: impl AsRef<OsStr>, arguments: &[impl AsRef<OsStr>]) -> Command {
    let python = std::env::var_os("CHUNKWISE_TEST_PYTHON").expect(
        "CHUNKWISE_TEST_PYTHON is not set: run the tests with `bash tests/run.sh`, which makes a Python with numpy, \
         pandas, pyarrow and the clients of other stores, and names it there",
    );
    let mut command = Command::new(python);
    // No compiled files beside the scripts; no proxy between a client and this machine.
    command.arg("-B").arg(script).args(arguments).env("NO_PROXY", "127.0.0.1").stdin(Stdio::null());
    command
}

/// Runs a script to its end; its exit code says whether all was well.
#[track_caller]
pub(crate) fn run_python(script: impl AsRef<OsStr>, arguments: &[impl AsRef<OsStr>]) {
    let output = python_command(script, arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
