//! A file that grows, as `tail -F` reads it: what is appended, until the file is cut short, replaced, or enough is read.

use std::{
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use super::source::More;

/// Ends the following of files. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct StopSign(Arc<AtomicBool>);

impl StopSign {
    /// One that has been set.
    pub(super) fn raised() -> Self {
        let sign = Self::default();
        sign.raise();
        sign
    }

    /// Ends it: what has been read is still handed on, whole lines only.
    pub fn raise(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was set.
    #[must_use]
    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The open file.
pub(super) struct Followed {
    path: PathBuf,
    file: File,
    position: u64,
    stop: StopSign,
    /// Another file had the name when last looked; whoever writes may still have had this one open.
    replaced: bool,
}

impl Followed {
    pub(super) fn open(path: &Path, stop: StopSign) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), file: File::open(path)?, position: 0, stop, replaced: false })
    }

    pub(super) fn metadata(&self) -> io::Result<fs::Metadata> {
        self.file.metadata()
    }

    pub(super) fn stop(&self) -> &StopSign {
        &self.stop
    }

    /// Appends up to `limit_bytes`.
    pub(super) fn read_more(&mut self, buffer: &mut Vec<u8>, limit_bytes: u64) -> io::Result<More> {
        let read = (&mut self.file).take(limit_bytes).read_to_end(buffer)? as u64;
        if read > 0 {
            self.position += read;
            self.replaced = false;
            return Ok(More::Bytes(read));
        }
        if self.stop.is_raised() {
            return Ok(More::Stopped);
        }
        if self.file.metadata()?.len() < self.position {
            return Ok(More::Truncated);
        }
        // The name may be gone for a while before the new file has it: until then this one is read on.
        match fs::metadata(&self.path) {
            Ok(named) if !self.is(&named)? && self.replaced => Ok(More::Replaced),
            Ok(named) => {
                self.replaced = !self.is(&named)?;
                Ok(More::NothingYet)
            }
            Err(_) => Ok(More::NothingYet),
        }
    }

    fn is(&self, named: &fs::Metadata) -> io::Result<bool> {
        let own = self.file.metadata()?;
        Ok((own.dev(), own.ino()) == (named.dev(), named.ino()))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn read(followed: &mut Followed) -> (More, String) {
        let mut bytes = Vec::new();
        let more = followed.read_more(&mut bytes, 1_000).unwrap();
        (more, String::from_utf8(bytes).unwrap())
    }

    fn append(path: &Path, text: &str) {
        File::options().append(true).create(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
    }

    #[test]
    fn what_is_appended_comes_and_a_file_cut_short_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        append(&path, "one\n");
        let mut followed = Followed::open(&path, StopSign::default()).unwrap();
        assert_eq!(read(&mut followed), (More::Bytes(4), "one\n".into()));
        assert_eq!(read(&mut followed).0, More::NothingYet);
        append(&path, "two\n");
        assert_eq!(read(&mut followed), (More::Bytes(4), "two\n".into()));
        fs::write(&path, "new\n").unwrap();
        assert_eq!(read(&mut followed).0, More::Truncated);
    }

    #[test]
    fn a_replaced_file_is_read_to_its_end_first() {
        let folder = tempfile::tempdir().unwrap();
        let (path, old) = (folder.path().join("a.csv"), folder.path().join("a.csv.1"));
        append(&path, "one\n");
        let mut followed = Followed::open(&path, StopSign::default()).unwrap();
        read(&mut followed);
        fs::rename(&path, &old).unwrap();
        assert_eq!(read(&mut followed).0, More::NothingYet, "nobody has the name");
        append(&path, "new\n");
        assert_eq!(read(&mut followed).0, More::NothingYet, "its writer may not have noticed yet");
        append(&old, "last\n");
        assert_eq!(read(&mut followed), (More::Bytes(5), "last\n".into()));
        assert_eq!(read(&mut followed).0, More::NothingYet);
        assert_eq!(read(&mut followed).0, More::Replaced);
    }

    #[test]
    fn a_stop_sign_lets_what_is_there_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        append(&path, "one\n");
        let mut followed = Followed::open(&path, StopSign::raised()).unwrap();
        assert_eq!(read(&mut followed).0, More::Bytes(4));
        assert_eq!(read(&mut followed).0, More::Stopped);
    }
}
