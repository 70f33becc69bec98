//! Files into the database: read on one thread, written part by part.

use std::sync::Arc;

use anyhow::bail;
use chunkwise::load::{LoadError, Part, Plan, Tally};
use tokio::sync::mpsc;

use crate::{database::Place, progress};

/// Parts that are read ahead of the one that is written.
const AHEAD: usize = 2;

/// What a load did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Loaded {
    pub(crate) written_rows: u64,
    /// Parts that an earlier load had written.
    pub(crate) duplicate_parts: u64,
    /// What became of the file's records.
    pub(crate) tally: Tally,
}

/// What became of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    Now { rows: u64 },
    Before,
}

/// Loads files into one database.
#[derive(Debug)]
pub(crate) struct Loader<'a> {
    place: &'a Place,
    namespace: &'a str,
}

impl<'a> Loader<'a> {
    /// Loads into a namespace of a database whose schema is up to date.
    pub(crate) fn new(place: &'a Place, namespace: &'a str) -> Self {
        Self { place, namespace }
    }

    /// Loads one file; each part is committed before the next one is begun, under a key of its own.
    pub(crate) async fn load(&self, plan: &Arc<Plan>) -> anyhow::Result<Loaded> {
        let bar = progress::bytes_bar(plan.file_bytes);
        let mut parts = read_ahead(Arc::clone(plan));
        let mut loaded = Loaded::default();
        while let Some(part) = parts.recv().await {
            let part = part?;
            loaded.tally.absorb(&part.tally);
            let consumed_bytes = part.consumed_bytes;
            match self.write(part).await? {
                Written::Now { rows } => loaded.written_rows += rows,
                Written::Before => loaded.duplicate_parts += 1,
            }
            bar.set_position(consumed_bytes);
        }
        bar.finish_and_clear();
        Ok(loaded)
    }

    /// Commits a part, unless the ledger has its key.
    async fn write(&self, part: Part) -> anyhow::Result<Written> {
        let mut connection = self.place.database.owner().acquire().await?;
        sqlx::query("SELECT 1").execute(&mut *connection).await?;
        bail!("part {} of {} cannot be written: the write path is not part of this build", part.key, self.namespace)
    }
}

/// Reads on a thread of its own; dropping the receiver ends it.
fn read_ahead(plan: Arc<Plan>) -> mpsc::Receiver<Result<Part, LoadError>> {
    let (sender, receiver) = mpsc::channel(AHEAD);
    tokio::task::spawn_blocking(move || {
        let raw_parts = match plan.parts() {
            Ok(raw_parts) => raw_parts,
            Err(error) => return drop(sender.blocking_send(Err(error))),
        };
        for raw in raw_parts {
            if sender.blocking_send(raw.and_then(|raw| plan.read(raw))).is_err() {
                return;
            }
        }
    });
    receiver
}
