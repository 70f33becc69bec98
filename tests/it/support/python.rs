//! The clients' side in Python: what data scientists read answers with.

use std::{path::Path, process::Command};

/// Runs a script with the Python that `CHUNKWISE_TEST_PYTHON` names, which has numpy, pandas and pyarrow; the script's
/// exit code says whether all was well.
#[track_caller]
pub(crate) fn run_python(script: &Path, arguments: &[&Path]) {
    let python = std::env::var_os("CHUNKWISE_TEST_PYTHON").expect(
        "CHUNKWISE_TEST_PYTHON is not set: run the tests with `bash tests/run.sh`, which makes a Python with numpy, \
         pandas and pyarrow and names it there",
    );
    let output = Command::new(python).arg(script).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
