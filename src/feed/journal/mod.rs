//! The journal of a feed: what was sent, written down before it was sent, and what was answered.
//!
//! ```text
//! {"chunkwise_feed":1,"protocol":"line-protocol-http","namespace":"public","recipe":{...}}
//! S 0b1f...-... 3 5000 10000        source 3 is about to send its positions 5000 to before 10000, under this id
//! A 0b1f...-... committed           it was acknowledged (committed, spooled, unstated)
//! R 0b1f...-... 4998                lines of it were refused, so many were written
//! U 0b1f...-...                     no answer, or one that leaves it open: it is sent again under the same id
//! ```
//!
//! Lines are only ever appended. `S` is on the disk before its request leaves. A last line without its line break was cut
//! by a crash and is passed over: its request had not left.

mod read;
mod write;

#[cfg(test)]
mod tests;

use std::{io, path::PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use read::{Outcome, Recorded, SentBatch};
pub use write::Journal;

use super::{FeedError, Recipe, send::Protocol};

/// The version of the format.
const VERSION: u32 = 1;

/// The first line: all that is needed to make every row again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The version of the format.
    #[serde(rename = "chunkwise_feed")]
    version: u32,
    /// How the rows are sent.
    pub protocol: Protocol,
    /// The namespace that they go to.
    pub namespace: String,
    /// What they are.
    pub recipe: Recipe,
}

impl Header {
    /// The header of a new journal.
    #[must_use]
    pub fn new(protocol: Protocol, namespace: String, recipe: Recipe) -> Self {
        Self { version: VERSION, protocol, namespace, recipe }
    }

    /// The id of a source's request that begins at a position: the same whenever the same feed is sent again.
    #[must_use]
    pub fn request_id(&self, source: u32, from: u64) -> Uuid {
        let mut hasher = blake3::Hasher::new();
        // A header is a few names and numbers; nothing in it can fail to be JSON.
        hasher.update(serde_json::to_string(self).unwrap_or_default().as_bytes());
        hasher.update(&source.to_le_bytes());
        hasher.update(&from.to_le_bytes());
        let mut first = [0; 16];
        hasher.finalize_xof().fill(&mut first);
        Uuid::from_bytes(first)
    }
}

/// How a success was meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strength {
    /// The rows are in the database.
    Committed,
    /// The rows are on the service's disk.
    Spooled,
    /// The server did not say; other servers do not.
    Unstated,
}

impl Strength {
    fn label(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::Spooled => "spooled",
            Self::Unstated => "unstated",
        }
    }

    /// What a header or a frame says.
    #[must_use]
    pub fn from_label(label: &str) -> Option<Self> {
        [Self::Committed, Self::Spooled, Self::Unstated].into_iter().find(|strength| strength.label() == label)
    }
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Note {
    /// It was acknowledged.
    Acknowledged(Strength),
    /// Lines of it were refused.
    Refused {
        /// How many of its lines were written.
        written: u64,
    },
    /// It is open.
    InDoubt,
}

/// Why a journal cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file.
    #[error("the journal {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What failed.
        source: io::Error,
    },
    /// An earlier feed's journal must not be mixed with another's.
    #[error("the journal {} exists: verify it or remove it, or name another", .0.display())]
    Exists(PathBuf),
    /// The disk refused earlier lines: what is not written down must not be sent.
    #[error("the journal could not be written: nothing more is sent")]
    Broken,
    /// A line in the middle cannot be read.
    #[error("line {line} of the journal cannot be read: {reason}")]
    Line {
        /// Which; the first is 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// Its recipe cannot be followed.
    #[error("the journal's recipe cannot be followed")]
    Recipe(#[from] FeedError),
}
