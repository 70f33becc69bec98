//! Files into the database: read on one thread, parts written side by side, each committed under a key of its own.

use std::{collections::VecDeque, sync::Arc};

use anyhow::Context;
use chunkwise::{
    ingest::{
        Identity, Ingest, IngestError, IngestOptions, PartialWrites, Protocol, Refused, RequestId, WriteRequest,
        Written,
    },
    load::{LoadError, Part, Plan, Tally},
};
use indicatif::ProgressBar;
use tokio::{sync::mpsc, task::JoinHandle};
use uuid::Uuid;

use crate::{database::Place, progress};

/// Parts that are read ahead of the ones that are written.
const READ_AHEAD: usize = 2;
/// Parts that are written at once: one a core gains, more only wait for each other.
const WRITTEN_AT_ONCE: usize = 3;
/// So many refused lines are told; all are counted.
const SHOWN: usize = 100;

/// What a load did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Loaded {
    pub(crate) written_rows: u64,
    /// Rows that an earlier load had written.
    pub(crate) duplicate_rows: u64,
    /// What became of the file's records.
    pub(crate) tally: Tally,
    /// Lines that the measurement could not take, or that are no line protocol: how many, and the first ones.
    pub(crate) unfit: u64,
    pub(crate) unfit_shown: Vec<String>,
}

/// Loads files into one database.
#[derive(Debug)]
pub(crate) struct Loader {
    ingest: Ingest,
    namespace: Arc<str>,
}

/// A part on its way.
struct Writing {
    consumed_bytes: u64,
    first_line: u64,
    task: JoinHandle<Result<Written, IngestError>>,
}

impl Loader {
    /// Loads into a namespace of a database whose schema is up to date.
    pub(crate) fn start(place: &Place, namespace: &str, options: IngestOptions) -> Self {
        Self { ingest: Ingest::start(place.database.clone(), options), namespace: namespace.into() }
    }

    /// Ends the writers.
    pub(crate) async fn finish(self) {
        self.ingest.shut_down().await;
    }

    /// Loads one file.
    pub(crate) async fn load(&self, plan: &Arc<Plan>) -> anyhow::Result<Loaded> {
        let bar = progress::rows_bar(plan.file_bytes);
        let mut parts = read_ahead(Arc::clone(plan));
        let mut loaded = Loaded::default();
        let mut writing: VecDeque<Writing> = VecDeque::new();
        while let Some(part) = parts.recv().await {
            let part = part?;
            loaded.tally.absorb(&part.tally);
            // The first part makes the measurement and its columns; the others find them.
            let limit = if part.ordinal == 0 { 0 } else { WRITTEN_AT_ONCE - 1 };
            writing.push_back(self.write(part, plan.chunk_interval_us()));
            while writing.len() > limit {
                settle(writing.pop_front(), &mut loaded, &bar).await?;
            }
        }
        while !writing.is_empty() {
            settle(writing.pop_front(), &mut loaded, &bar).await?;
        }
        bar.finish_and_clear();
        Ok(loaded)
    }

    /// Commits a part, unless the ledger has its key.
    fn write(&self, part: Part, interval_us: Option<i64>) -> Writing {
        let (consumed_bytes, first_line) = (part.consumed_bytes, part.first_line);
        let (ingest, namespace) = (self.ingest.clone(), Arc::clone(&self.namespace));
        let task = tokio::spawn(async move {
            let body = Uuid::from_bytes(part.key.0);
            let (mut lines, mut unreadable) = (Vec::new(), Vec::new());
            for line in part.lines() {
                match line {
                    Ok(line) => lines.push(line),
                    Err(error) => unreadable.push(Refused::unreadable(&error, &part.bytes)),
                }
            }
            let id = RequestId::from_key(&namespace, body.as_bytes(), body, ingest.options().key_keep);
            let request = WriteRequest {
                protocol: Protocol::Load,
                room: ingest.reserve(part.bytes.len()).await?,
                namespace: &namespace,
                lines,
                body: &part.bytes,
                unreadable,
                identity: Identity::Fixed(id),
                partial: PartialWrites::Accept,
                interval_us,
            };
            ingest.write(request).await
        });
        Writing { consumed_bytes, first_line, task }
    }
}

/// Waits for the oldest part and enters what became of it.
async fn settle(writing: Option<Writing>, loaded: &mut Loaded, bar: &ProgressBar) -> anyhow::Result<()> {
    let Some(Writing { consumed_bytes, first_line, task }) = writing else { return Ok(()) };
    let written = task.await?.context("start the same load again: what is committed is not written twice")?;
    if written.duplicate {
        loaded.duplicate_rows += written.written;
    } else {
        loaded.written_rows += written.written;
    }
    for refused in written.refused {
        loaded.unfit += 1;
        if loaded.unfit_shown.len() < SHOWN {
            let line = first_line + u64::from(refused.line).saturating_sub(1);
            loaded.unfit_shown.push(format!("line {line}, column {}: {}", refused.column, refused.reason));
        }
    }
    bar.set_position(consumed_bytes);
    bar.set_message(progress::rate(loaded.written_rows, bar.elapsed()));
    Ok(())
}

/// Reads on a thread of its own; dropping the receiver ends it.
fn read_ahead(plan: Arc<Plan>) -> mpsc::Receiver<Result<Part, LoadError>> {
    let (sender, receiver) = mpsc::channel(READ_AHEAD);
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
