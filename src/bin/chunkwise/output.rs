//! Results: to standard output, or to a file that is there whole or not at all.

use std::{
    fmt::Display,
    fs,
    io::{self, IsTerminal, Write, stderr, stdout},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};

/// Whoever read standard output stopped reading.
#[derive(Debug, thiserror::Error)]
#[error("standard output was closed")]
pub(crate) struct Closed;

/// Where a result goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Output {
    Stdout,
    File(PathBuf),
}

impl Output {
    /// `-o FILE`; `-` is standard output, as everywhere.
    pub(crate) fn new(file: Option<PathBuf>) -> Self {
        match file {
            Some(path) if path.as_os_str() != "-" => Self::File(path),
            _ => Self::Stdout,
        }
    }

    /// Refuses to spill bytes that no terminal can show, before any work is done.
    pub(crate) fn check_binary(&self, format: &str) -> anyhow::Result<()> {
        if *self == Self::Stdout && stdout().is_terminal() {
            bail!("{format} is binary and would garble the terminal: name a file with -o FILE, or redirect");
        }
        Ok(())
    }

    /// Writes the whole result.
    pub(crate) fn write(&self, bytes: &[u8]) -> anyhow::Result<()> {
        match self {
            Self::Stdout => print(bytes),
            Self::File(path) => write_file(path, bytes).with_context(|| format!("writing {}", path.display())),
        }
    }
}

/// Writes to standard output.
pub(crate) fn print(bytes: &[u8]) -> anyhow::Result<()> {
    let mut out = stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Closed.into()),
        result => result.context("writing to standard output"),
    }
}

/// Tells whoever runs the command, on standard error, in a line. That nobody reads it any more (`2>&1 | head`) ends no work.
pub(crate) fn tell(text: impl Display) {
    drop(writeln!(stderr().lock(), "{text}"));
}

/// Writes beside the file and renames, so that whoever sees the file sees all of it. A pipe or a device is written to.
fn write_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let is_special = fs::metadata(path).is_ok_and(|metadata| !metadata.is_file());
    if is_special {
        return fs::OpenOptions::new().write(true).open(path)?.write_all(bytes);
    }
    let name = path.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::IsADirectory))?;
    let beside = path.with_file_name(format!(".{}.{}", name.to_string_lossy(), std::process::id()));
    let written = fs::write(&beside, bytes).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // The first error is the one worth telling.
        drop(fs::remove_file(&beside));
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("answer.npy");
        for bytes in [&b"first answer"[..], b"second"] {
            Output::new(Some(path.clone())).write(bytes).unwrap();
            assert_eq!(fs::read(&path).unwrap(), bytes);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error_that_names_the_file() {
        let error = Output::File("/nowhere/at/all.csv".into()).write(b"x").unwrap_err();
        assert!(format!("{error:#}").contains("/nowhere/at/all.csv"));
    }

    #[test]
    fn a_device_is_written_to_and_stays_one() {
        Output::File("/dev/null".into()).write(b"x").unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }

    #[test]
    fn a_dash_is_standard_output() {
        assert_eq!(Output::new(Some("-".into())), Output::Stdout);
        assert_eq!(Output::new(None), Output::Stdout);
    }
}
