//! Appending, with as few waits for the disk as there can be.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    ops::Range,
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
};

use tokio::sync::oneshot;
use uuid::Uuid;

use super::{Header, JournalError, Note};

/// A journal that is being written. Cheap to clone; all clones append to one file.
///
/// A thread of its own writes: what has come while it waited for the disk goes with the next wait, so that a hundred
/// requests at once cost one or two.
#[derive(Debug, Clone)]
pub struct Journal {
    records: mpsc::Sender<Record>,
}

#[derive(Debug)]
struct Record {
    line: String,
    on_disk: Option<oneshot::Sender<()>>,
}

impl Journal {
    /// Makes a new journal with its first line.
    ///
    /// # Errors
    /// [`JournalError::Exists`], or the file's.
    pub fn create(path: &Path, header: &Header) -> Result<Self, JournalError> {
        let failed = |source| JournalError::File { path: path.to_owned(), source };
        let line = serde_json::to_string(header).map_err(|error| failed(error.into()))?;
        let opened = OpenOptions::new().append(true).create_new(true).open(path);
        let mut file = opened.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => JournalError::Exists(path.to_owned()),
            _ => failed(error),
        })?;
        writeln!(file, "{line}").and_then(|()| file.sync_all()).map_err(failed)?;
        sync_folder(path).map_err(failed)?;
        let (records, waiting) = mpsc::channel();
        let path = path.to_owned();
        thread::Builder::new()
            .name("feed-journal".to_owned())
            .spawn(move || write_all(&path, &file, &waiting))
            .map_err(|source| JournalError::File { path: PathBuf::from("feed-journal"), source })?;
        Ok(Self { records })
    }

    /// Writes down that a request is about to be sent; returns when that is on the disk.
    ///
    /// # Errors
    /// [`JournalError::Broken`]: do not send it.
    pub async fn sending(&self, id: Uuid, source: u32, positions: &Range<u64>) -> Result<(), JournalError> {
        self.append(format!("S {id} {source} {} {}\n", positions.start, positions.end)).await
    }

    /// Writes down what became of a request. It is on the disk before the next request of whoever calls this: a crash
    /// before that leaves the request in doubt, which is true enough.
    ///
    /// # Errors
    /// [`JournalError::Broken`].
    pub fn answered(&self, id: Uuid, note: Note) -> Result<(), JournalError> {
        let line = match note {
            Note::Acknowledged(strength) => format!("A {id} {}\n", strength.label()),
            Note::Refused { written } => format!("R {id} {written}\n"),
            Note::InDoubt => format!("U {id}\n"),
        };
        self.records.send(Record { line, on_disk: None }).map_err(|_| JournalError::Broken)
    }

    /// Returns when all that was written down is on the disk.
    ///
    /// # Errors
    /// [`JournalError::Broken`].
    pub async fn flush(&self) -> Result<(), JournalError> {
        self.append(String::new()).await
    }

    async fn append(&self, line: String) -> Result<(), JournalError> {
        let (on_disk, written) = oneshot::channel();
        self.records.send(Record { line, on_disk: Some(on_disk) }).map_err(|_| JournalError::Broken)?;
        written.await.map_err(|_| JournalError::Broken)
    }
}

/// Ends with the last sender, or with the first error: whoever waits then is told by the channel's end.
fn write_all(path: &Path, mut file: &File, waiting: &mpsc::Receiver<Record>) {
    while let Ok(first) = waiting.recv() {
        let mut records = vec![first];
        records.extend(waiting.try_iter());
        let lines: String = records.iter().map(|record| record.line.as_str()).collect();
        if let Err(error) = file.write_all(lines.as_bytes()).and_then(|()| file.sync_data()) {
            tracing::error!(error = %error, path = %path.display(), "the journal cannot be written");
            return;
        }
        // Whoever does not wait any more has no use for it.
        records.into_iter().filter_map(|record| record.on_disk?.send(()).err()).for_each(drop);
    }
}

/// A file's name is only there after a crash if its folder was written too.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}
